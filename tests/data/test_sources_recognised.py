"""Every kind of place that open_source knows, plain and inside of archives."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from lithify.data.inputs import read_input
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.errors import NotFound, TooFewRows, UnknownSource, UsageError


def message(subject: str, body: str = "hello", date: str = "Mon, 3 Nov 2003 10:00:00 +0000") -> bytes:
    return f"From: a@example.org\nTo: b@example.org\nDate: {date}\nSubject: {subject}\n\n{body}\n".encode()


def mbox(*messages: bytes) -> bytes:
    return b"".join(b"From a@example.org Mon Nov  3 10:00:00 2003\n" + one + b"\n" for one in messages)


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def as_tar(path: Path, files: dict[str, bytes], mode: str) -> Path:
    with tarfile.open(path, f"w:{mode}") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def as_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


PLACES: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "folder": lambda home, files: write(home / "place", files),
    "tar": lambda home, files: as_tar(home / "a.tar", files, ""),
    "tar.gz": lambda home, files: as_tar(home / "a.tgz", files, "gz"),
    "tar.bz2": lambda home, files: as_tar(home / "a.tar.bz2", files, "bz2"),
    "tar.xz": lambda home, files: as_tar(home / "without-ending", files, "xz"),
    "zip": lambda home, files: as_zip(home / "a.zip", files),
}

FIRST, SECOND, THIRD = message("one"), message("two"), message("three")
LABELLED = {FIRST: "ham", SECOND: "spam", THIRD: "spam"}
LAYOUTS: dict[str, dict[str, bytes]] = {
    "folders": {"ham/1": FIRST, "spam/1": SECOND, "spam/2": THIRD},
    "top folder": {"corpus/ham/1": FIRST, "corpus/spam/1": SECOND, "corpus/spam/2": THIRD, "corpus/README": b"read me"},
    "sides above": {"train/ham/1": FIRST, "train/spam/1": SECOND, "test/spam/1": THIRD},
    "nested": {"c/ham/2003/01/1": FIRST, "c/spam/2003/1": SECOND, "c/spam/2004/x/1": THIRD},
    "parts": {"enron1/ham/1": FIRST, "enron1/spam/1": SECOND, "enron2/spam/1": THIRD},
    "maildirs": {"ham/cur/1:2,S": FIRST, "spam/new/1": SECOND, "spam/cur/2:2,": THIRD, "spam/tmp/3": message("late")},
    "maildirs++": {"m/.ham/cur/1:2,S": FIRST, "m/.spam/new/1": SECOND, "m/.spam/cur/2:": THIRD, "m/subscriptions": b""},
    "mboxes": {"ham.mbox": mbox(FIRST), "spam.mbox": mbox(SECOND, THIRD)},
    "mboxes without ending": {"ham": mbox(FIRST), "spam": mbox(SECOND, THIRD)},
    "mboxes in folders": {"ham/a.mbox": mbox(FIRST), "spam/b.mbox": mbox(SECOND, THIRD)},
    "trec": {
        "t/data/inmail.1": FIRST,
        "t/data/inmail.2": SECOND,
        "t/data/inmail.3": THIRD,
        "t/full/index": b"ham ../data/inmail.1\nspam ../data/inmail.2\nspam ../data/inmail.3\n",
        "t/delay/index": b"ham ../data/inmail.1\n",
    },
    "label file": {
        "1.eml": FIRST,
        "2.eml": SECOND,
        "3.eml": THIRD,
        "labels.csv": b"file,label\n1.eml,ham\n2.eml,spam\n./3.eml,spam\n",
    },
    "label file elsewhere": {
        "mail/1.eml": FIRST,
        "mail/2.eml": SECOND,
        "mail/3.eml": THIRD,
        "truth.tsv": b"label\tpath\nham\tmail/1.eml\nspam\tmail/2.eml\nspam\tmail/3.eml\n",
    },
}  # fmt: skip


def rows(source: Source) -> list[Row]:
    found = list(source.rows())
    assert all(isinstance(row, Row) for row in found), found
    return [row for row in found if isinstance(row, Row)]


def problems(source: Source) -> list[tuple[str, str]]:
    return [(row.reason, row.detail) for row in source.rows() if isinstance(row, Problem)]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_in_every_place(layout: str, place: str, tmp_path: Path) -> None:
    source = open_source(PLACES[place](tmp_path, LAYOUTS[layout]))
    assert source.kind == "mail"
    found = rows(source)
    assert {row.content: row.label for row in found} == LABELLED
    assert len(found) == 3
    assert {row.time for row in found} == {1067853600}
    assert "ham, spam" in source.describe()
    assert rows(source) == found  # again, in the same order


@pytest.mark.parametrize("place", PLACES)
def test_tables_in_every_place(place: str, tmp_path: Path) -> None:
    source = open_source(
        PLACES[place](tmp_path, {"x/sms.csv": b"label,text\nham,hello\nspam,buy now\n", "x/README": b"r"})
    )
    assert source.kind == "text"
    assert [(row.content, row.label) for row in rows(source)] == [(b"hello", "ham"), (b"buy now", "spam")]


@pytest.mark.parametrize("place", PLACES)
def test_unlabelled_files_give_unlabelled_rows(place: str, tmp_path: Path) -> None:
    source = open_source(PLACES[place](tmp_path, {"in/1": FIRST, "in/2": SECOND}))
    assert [(row.content, row.label) for row in rows(source)] == [(FIRST, None), (SECOND, None)]
    assert "without labels" in source.describe()


def test_descriptions(tmp_path: Path) -> None:
    write(tmp_path / "a", LAYOUTS["folders"])
    assert open_source(tmp_path / "a").describe() == "a folder of mail with one sub-folder per label (ham, spam)"
    top = as_tar(tmp_path / "b.tar.xz", LAYOUTS["top folder"], "xz")
    assert open_source(top).describe() == (
        "a tar.xz archive of mail with one sub-folder per label (ham, spam); leaving aside 1 such as README"
    )
    write(tmp_path, {"one.eml": FIRST, "many.mbox": mbox(FIRST, SECOND)})
    assert open_source(tmp_path / "one.eml").describe() == "one message, without labels"
    assert open_source(tmp_path / "many.mbox").describe() == "an mbox, without labels"
    write(tmp_path / "c", LAYOUTS["trec"])
    assert open_source(tmp_path / "c").describe() == "a folder of mail with labels in t/full/index (ham, spam)"


def test_labels_keep_their_names(tmp_path: Path) -> None:
    write(tmp_path, {"HAM/1": FIRST, "Junk/a/1": SECOND, "Junk/b/1": THIRD})
    assert [row.label for row in rows(open_source(tmp_path))] == ["HAM", "Junk", "Junk"]


def test_labels_of_any_name(tmp_path: Path) -> None:
    write(tmp_path, {"x/work/1": FIRST, "x/home/deep/1": SECOND, "x/home/deep/er/1": THIRD})
    assert {row.content: row.label for row in rows(open_source(tmp_path))} == {
        FIRST: "work",
        SECOND: "home",
        THIRD: "home",
    }


def test_a_single_maildir_has_no_labels_and_its_inbox_is_a_label_beside_others(tmp_path: Path) -> None:
    write(tmp_path, {"cur/1": FIRST, "new/2": SECOND, "tmp/3": THIRD})
    assert [row.label for row in rows(open_source(tmp_path))] == [None, None]
    write(tmp_path, {".Junk/cur/4": THIRD})
    assert {row.content: row.label for row in rows(open_source(tmp_path))} == {
        FIRST: "INBOX",
        SECOND: "INBOX",
        THIRD: "Junk",
    }


def test_a_file_beside_the_label_folders_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, {**LAYOUTS["folders"], "stray.eml": message("stray")})
    found = list(open_source(tmp_path).rows())
    assert [row.reason for row in found if isinstance(row, Problem)] == ["no label"]
    assert len(found) == 4


def test_index_gaps_are_problems(tmp_path: Path) -> None:
    index = b"ham ../data/1\nspam ../data/2\nham ../data/2\nspam ../data/gone\n"
    write(tmp_path, {"data/1": FIRST, "data/2": SECOND, "data/3": THIRD, "full/index": index})
    found = list(open_source(tmp_path).rows())
    assert sorted(row.reason for row in found if isinstance(row, Problem)) == ["no label", "two labels", "unreadable"]
    assert [row.content for row in found if isinstance(row, Row)] == [FIRST]


def test_a_file_named_index_that_is_none_does_not_confuse(tmp_path: Path) -> None:
    write(tmp_path, {**LAYOUTS["folders"], "index": b"some words\n"})
    assert {row.label for row in open_source(tmp_path).rows() if isinstance(row, Row)} == {"ham", "spam"}


def test_one_message_and_one_text(tmp_path: Path) -> None:
    write(tmp_path, {"a.eml": FIRST, "b": SECOND, "c.txt": b"just a note, nothing more"})
    assert rows(open_source(tmp_path / "a.eml")) == rows(open_source(str(tmp_path / "a.eml")))
    assert open_source(tmp_path / "b").kind == "mail"
    text = open_source(tmp_path / "c.txt")
    assert (text.kind, rows(text)[0].content) == ("text", b"just a note, nothing more")


def test_kind_can_be_said(tmp_path: Path) -> None:
    write(tmp_path, {"c.txt": b"just a note, text", "d/1": FIRST})
    assert open_source(tmp_path / "c.txt", kind="mail").kind == "mail"
    assert open_source(tmp_path / "d", kind="text").kind == "text"
    with pytest.raises(UsageError, match="Unknown kind"):
        open_source(tmp_path / "c.txt", kind="picture")


def test_a_table_among_other_files(tmp_path: Path) -> None:
    write(tmp_path, {"sms.csv": b"id,label,text\n1,ham,hello\n", "paper.txt": b"about it"})
    source = open_source(tmp_path)
    assert [(row.content, row.label) for row in rows(source)] == [(b"hello", "ham")]
    assert source.describe().endswith("leaving aside 1 other files")


def test_sides_of_a_given_split(tmp_path: Path) -> None:
    write(tmp_path, {"Training/ham/1": FIRST, "val/spam/1": SECOND, "test/spam/1": THIRD})
    assert {row.content: row.side for row in rows(open_source(tmp_path))} == {
        FIRST: "train",
        SECOND: "validation",
        THIRD: "test",
    }


@pytest.mark.parametrize("kind", ["mail", "text"])
def test_one_input_has_the_content_of_its_row(kind: Literal["mail", "text"], tmp_path: Path) -> None:
    raw = FIRST.replace(b"\n", b"\r\n")
    write(tmp_path, {"a.eml": raw})
    (row,) = rows(open_source(tmp_path / "a.eml", kind=kind))
    assert read_input(tmp_path / "a.eml", kind) == read_input(raw, kind) == row.content == FIRST
    assert read_input(b"", kind) == b""
    with pytest.raises(UnknownSource, match="is no file"):
        read_input(tmp_path, kind)
    for missing in (tmp_path / "b", Path("a\0b"), Path("x" * 5000)):
        with pytest.raises(NotFound, match="Cannot read"):
            read_input(missing, kind)


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content, kind in ((FIRST, "mail"), (b"a note", "text")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        source = open_source("-")
        assert (source.kind, [row.content for row in rows(source)]) == (kind, [content])
        assert len(rows(source)) == 1
        assert source.signature() == source.signature()


def test_texts_in_folders_are_text(tmp_path: Path) -> None:
    files = {"train/pos/1.txt": b"good\r\nfilm", "train/neg/1.txt": "schlecht: f\u00fcr mich".encode("cp1252")}
    source = open_source(write(tmp_path, files))
    assert source.kind == "text"
    assert {row.content: row.label for row in rows(source)} == {
        b"good\nfilm": "pos",
        "schlecht: f\u00fcr mich".encode(): "neg",
    }


def test_a_label_for_data_that_has_none(tmp_path: Path) -> None:
    write(tmp_path, {"a.mbox": mbox(FIRST, SECOND)})
    assert [row.label for row in rows(open_source(tmp_path / "a.mbox", label="spam"))] == ["spam", "spam"]
    write(tmp_path / "b", LAYOUTS["folders"])
    with pytest.raises(UsageError, match="labels of its own"):
        open_source(tmp_path / "b", label="spam")


def test_group_is_a_header_field(tmp_path: Path) -> None:
    write(tmp_path, {"a.mbox": mbox(b"List-Id: <x>\n" + FIRST, SECOND)})
    assert [row.group for row in rows(open_source(tmp_path / "a.mbox", group="list-id"))] == ["<x>", None]


def test_options_of_tables_are_refused_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, {"a.eml": FIRST, "b.txt": b"note"})
    with pytest.raises(UsageError, match="text='body' names a column"):
        open_source(tmp_path / "a.eml", text="body")
    with pytest.raises(UsageError, match="A group needs"):
        open_source(tmp_path / "b.txt", group="x")


def test_signature_changes_with_the_source(tmp_path: Path) -> None:
    write(tmp_path, LAYOUTS["folders"])
    before = open_source(tmp_path).signature()
    assert open_source(tmp_path).signature() == before
    write(tmp_path, {"ham/9": THIRD})
    assert open_source(tmp_path).signature() != before
    path = as_zip(tmp_path / "a.zip", LAYOUTS["folders"])
    first = open_source(path).signature()
    assert open_source(path, kind="text").signature() != first
    as_zip(path, LAYOUTS["parts"])
    assert open_source(path).signature() != first


def test_nothing_there(tmp_path: Path) -> None:
    write(tmp_path, {"inbox.mbox": mbox(FIRST)})
    with pytest.raises(NotFound, match=r"Did you mean inbox\.mbox"):
        open_source(tmp_path / "inbx.mbox")
    with pytest.raises(NotFound):
        open_source("a\0b")


@pytest.mark.parametrize("place", PLACES)
def test_empty_places(place: str, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    with pytest.raises(TooFewRows, match="holds nothing to read"):
        open_source(PLACES[place](tmp_path, {}))
    (tmp_path / "empty").touch()
    with pytest.raises(TooFewRows, match="is empty"):
        open_source(tmp_path / "empty")
    (tmp_path / "empty.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(TooFewRows, match="nothing but its compression"):
        open_source(tmp_path / "empty.gz")


@pytest.mark.parametrize("name", ["a.bin", "a.msg", "papers/1.pdf"])
def test_binary_data_is_refused(name: str, tmp_path: Path) -> None:
    head = b"\xd0\xcf\x11\xe0" if name.endswith("msg") else b"%PDF"
    write(tmp_path, {name: head + bytes(range(256))})
    with pytest.raises(UnknownSource, match="Cannot read rows"):
        open_source(tmp_path / name.split("/")[0])
