"""Parts are what the standard library reads."""

from __future__ import annotations

import mails
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import standard

from lithify.media import mime

LINES = [
    "--b", "--b--", "--c", "--c--", "--bc", "--", " x", "\tx", ":x", "From x", "from x", "bad line",
    "a=3D=", "aGVsbG8=", "begin 644 x", "#86)C", "end",
    "",
    "",
    "Content-Type: multipart/mixed; boundary=b",
    'Content-Type: multipart/digest; boundary="c"',
    "Content-Type: multipart/mixed",
    "Content-Type: message/rfc822",
    "Content-Type: message/delivery-status",
    'content-type: text/html; charset="X;\\"',
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Transfer-Encoding: uuencode",
    "Content-Disposition: attachment",
    "Subject: \xe9",
]  # fmt: skip


@pytest.mark.parametrize("name", mails.ALL)
def test_hand_made_mails_read_the_same(name: str) -> None:
    content = mails.ALL[name]
    assert mime.parts(content) == standard(content)


@given(st.lists(st.sampled_from(LINES), max_size=25), st.booleans())
@example(["Content-Type: multipart/mixed; boundary=b", "", "--b", "--b--", "", "x"], False)
def test_shuffled_lines_read_the_same(lines: list[str], ended: bool) -> None:
    content = "\n".join(lines).encode("latin-1") + b"\n" * ended
    assert mime.parts(content) == standard(content)


@given(st.binary(max_size=80).map(lambda tail: b"Content-Transfer-Encoding: base64\n\n" + tail.replace(b"\r", b"")))
def test_any_bytes_as_base64_read_the_same(content: bytes) -> None:
    assert mime.parts(content) == standard(content)


@given(st.text("aGVsbG8=\n!", max_size=20))
def test_nearly_base64_reads_the_same(body: str) -> None:
    content = b"Content-Transfer-Encoding: base64\n\n" + body.encode()
    assert mime.parts(content) == standard(content)


@pytest.mark.parametrize("name", mails.ALL)
def test_line_ends_do_not_matter(name: str) -> None:
    content = mails.ALL[name]
    for end in (b"\r\n", b"\r"):
        again, cut = mime.canonical(content.replace(b"\n", end))
        assert (again, cut) == (mime.canonical(content)[0], False)


@pytest.mark.parametrize("name", mails.ALL)
def test_read_is_split_and_parts(name: str) -> None:
    content = mails.ALL[name]
    header, parts = mime.read(content)
    assert parts == mime.parts(content)
    if "stray From last" not in name:  # there the line is given back to the body
        assert header == mime.split(content)[0]


def test_blanks_around_an_encoding_do_not_hide_the_payload() -> None:
    content = b"Content-Transfer-Encoding: base64 \n\naGVsbG8=\n"
    assert mime.parts(content)[0].payload == b"hello"
    assert standard(content)[0].payload == b"aGVsbG8=\n"
