"""Cutting mailboxes, recognising mail, and rows of messages and texts."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.data.layout import content_of, folder_labels, maildir_labels
from lithify.data.mail import RAW_LIMIT, looks_like_mail, mail_row, split_mbox
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.text import decode, text_row
from lithify.media import mime

SEPARATOR = b"From a@example.org Mon Nov  3 10:00:00 2003\n"


def cut(content: bytes, limit: int = RAW_LIMIT) -> list[bytes]:
    return list(split_mbox(io.BytesIO(content), limit))


lines = st.sampled_from(
    [b"Subject: x", b"", b"text", b"From here on", b">From there", b">>From", b" folded", b"From a 10:00"]
)
bodies = st.lists(lines, min_size=1, max_size=8).map(lambda some: b"Subject: x\n" + b"\n".join(some) + b"\n")


def escaped(message: bytes) -> bytes:
    quoted = (b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in message.split(b"\n"))
    return b"\n".join(quoted)


@given(st.lists(bodies, max_size=5))
def test_what_is_put_into_an_mbox_comes_out(messages: list[bytes]) -> None:
    assert cut(b"".join(SEPARATOR + escaped(one) + b"\n" for one in messages)) == messages


def test_mboxes_as_programs_write_them() -> None:
    assert cut(b"") == []
    assert cut(b"\n\n" + SEPARATOR + b"A: 1\n\nx\n") == [b"A: 1\n\nx\n"]
    assert cut((SEPARATOR + b"A: 1\n\nx\n\n").replace(b"\n", b"\r\n") * 2) == [b"A: 1\r\n\r\nx\r\n"] * 2
    assert cut(SEPARATOR + b"A: 1\n\nx\n" + SEPARATOR + b"A: 2\n\ny") == [b"A: 1\n\nx\n", b"A: 2\n\ny"]
    assert cut(SEPARATOR + b"A: 1\n\nFrom now on it is 2003.\n") == [b"A: 1\n\nFrom now on it is 2003.\n"]
    assert cut(b"A: 1\n\nno separator\n") == [b"A: 1\n\nno separator\n"]
    assert cut(SEPARATOR + SEPARATOR + b"A: 2\n") == [b"", b"A: 2\n"]


def test_long_messages_are_cut_in_constant_memory() -> None:
    class Endless(io.RawIOBase):
        left = 40 << 20

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            if self.left <= 0:
                return 0
            head = SEPARATOR + b"A: 1\n\n" if self.left == 40 << 20 else b""
            size = min(len(buffer), self.left)
            buffer[:size] = (head + b"x" * size)[:size]
            self.left -= size
            return size

    tracemalloc.start()
    found = list(split_mbox(io.BufferedReader(Endless())))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(one) for one in found] == [RAW_LIMIT]
    assert peak < 6 << 20


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_key_does_not_depend_on_line_ends(end: bytes) -> None:
    message = b"From: a@b.org\nSubject: x\n\n" + b"a\n" * mime.READ_LIMIT
    plain, other = mail_row(message, None, ""), mail_row(message.replace(b"\n", end)[: RAW_LIMIT + 1], None, "")
    assert isinstance(plain, Row)
    assert isinstance(other, Row)
    assert plain.key == other.key
    assert plain.truncated
    assert other.truncated


@pytest.mark.parametrize("raw", [b"", b"\n\r\n", b" ", b"From a@b.org Mon Nov  3 10:00:00 2003\n"])
def test_empty_messages_are_problems(raw: bytes) -> None:
    assert mail_row(raw, "ham", "here") == Problem("here", "empty")


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange(raw: bytes) -> None:
    assert isinstance(mail_row(raw, None, "", group="subject"), Row | Problem)
    assert isinstance(text_row(decode(raw), None, ""), Row | Problem)
    assert content_of(raw) in ("mail", "text", "image", "binary")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"Received: from x\r\n\tby y\r\nFrom: a\r\n\r\nbody", True),
        (b"From a@b.org Mon Nov  3 10:00:00 2003\nReturn-Path: <a>\nTo: b\n\n", True),
        (b"\nFrom: a\nTo: b\n\nleading empty line", True),
        (b"Subject: only\n\n", True),
        (b"X-Header: 1\nFrom: a\nbroken line\nTo: b\nCc: c\nDate: d\n\n", True),
        (b"X-One: 1\nX-Two: 2\n\nno usual field", False),
        (b"Title: a book\nby someone\n", False),
        (b"From here to there\nand back: slowly", False),
        (b"", False),
        (b"http://example.org/: a page\n", False),
    ],
)
def test_looking_like_mail(head: bytes, expected: bool) -> None:
    assert looks_like_mail(head) is expected


def test_texts_are_kept_but_for_line_ends() -> None:
    row = text_row("e\u0301\r\n\r x\r\n", "a", "")
    assert isinstance(row, Row)
    assert row.content == "e\u0301\n\r x\n".encode()
    long = text_row("\u20ac" * mime.READ_LIMIT, None, "")
    assert isinstance(long, Row)
    assert long.truncated
    assert long.content.decode() == "\u20ac" * (mime.READ_LIMIT // 3)


def test_decoding() -> None:
    assert decode("\ufeffz\u00fcrich".encode()) == "z\u00fcrich"
    assert decode("z\u00fcrich".encode("utf-16")) == "z\u00fcrich"
    assert decode(b"\x93quoted\x94 \x81") == "\u201cquoted\u201d \x81"
    assert decode(b"\xff\xfea") == "a" or decode(b"\xff\xfea").isprintable()


def test_folder_labels_that_are_easy_to_get_wrong() -> None:
    assert folder_labels({("spam", "good"): 5, ("spam", "bad"): 5}) == {
        ("spam", "good"): "good",
        ("spam", "bad"): "bad",
    }
    assert folder_labels({("x", "spam"): 5}) == {("x", "spam"): "spam"}
    assert folder_labels({("train",): 5, ("test",): 2}) is None
    assert folder_labels({(): 50, ("old",): 2}) is None
    assert folder_labels({("ham", "spam"): 1, ("spam",): 1}) == {("ham", "spam"): "ham", ("spam",): "spam"}
    assert maildir_labels({("ham",): 50, ("cur",): 1}) is None
    assert maildir_labels({("a", "ham", "cur"): 1, ("a", "spam", "sub", "cur"): 1}) == {
        ("a", "ham", "cur"): "ham",
        ("a", "spam", "sub", "cur"): "spam",
    }


@pytest.mark.parametrize("name", ["x", "inbox.txt", "2002-08"])
def test_a_mailbox_in_a_label_folder_is_read_as_one_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    message = b"From a@example.org Mon Nov  3 10:0%d:00 2003\nFrom: a\nTo: b\nSubject: %d\n\n%s\n\n"
    long = b"a line of text\n" * 60_000
    for label, bodies in (("ham", [b"one", long, b"three"]), ("spam", [b"four"])):
        (tmp_path / label).mkdir()
        whole = b"".join(message % (i, i, body) for i, body in enumerate(bodies))
        (tmp_path / label / name).write_bytes(whole)
    rows = [row for row in open_source(tmp_path).rows() if isinstance(row, Row)]
    assert [(row.label, row.truncated) for row in rows] == [
        ("ham", False),
        ("ham", True),
        ("ham", False),
        ("spam", False),
    ]
    assert rows[0].origin.endswith(f"{name}:1")
    assert rows[3].origin.endswith(name)
    assert rows[2].content == b"From: a\nTo: b\nSubject: 2\n\nthree\n"
