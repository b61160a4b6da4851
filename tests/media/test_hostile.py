"""Hostile bytes: nothing raises, everything is bounded, work grows no faster than the input."""

from __future__ import annotations

import sys
from collections.abc import Callable

import mails
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.media import html, mime

MIXED = mails.MIXED
HTML = b"Content-Type: text/html\n\n"

GROWING: dict[str, Callable[[int], bytes]] = {
    "boundaries": lambda n: MIXED + b"--b\n" * n,
    "parts": lambda n: MIXED + b"--b\nx\n" * n,
    "lines that begin like a boundary": lambda n: MIXED + b"--bX\n" * n,
    "blanks after a boundary": lambda n: MIXED + (b"--b" + b" " * n + b"x\n") * 3,
    "boundary of dashes": lambda n: b"Content-Type: multipart/x; boundary=" + b"-" * 900 + b"\n\n" + b"-" * n,
    "nested multiparts": lambda n: b"".join(
        b"Content-Type: multipart/x; boundary=%d\n\n--%d\n" % (i, i) for i in range(n // 20)
    ),
    "nested messages": lambda n: b"Content-Type: message/rfc822\n\n" * (n // 20),
    "status blocks": lambda n: b"Content-Type: message/delivery-status\n\n" + b"\n" * n,
    "header lines": lambda n: b"A: b\n" * n + b"\nbody",
    "content types": lambda n: b"Content-Type: multipart/x; boundary=a\n" * n,
    "received lines": lambda n: b"Received: x\n" * n,
    "continuation lines": lambda n: b"Content-Type: text/html\n" + b' ;x="\n' * n,
    "parameters": lambda n: b"Content-Type: text/html" + b";a=b" * n + b"\n\n",
    "continued parameters": lambda n: b"Content-Type: text/html" + b"".join(b";a*%d=b" % i for i in range(n)) + b"\n\n",
    "clashing parameters": lambda n: b"Content-Type: text/html; charset*=a; charset*0=b" + b";a" * n + b"\n\n",
    "huge parameter number": lambda n: b"Content-Type: text/html; charset*" + b"9" * n + b"=a\n\n",
    "huge boundary": lambda n: b"Content-Type: multipart/x; boundary=" + b"b" * n + b"\n\n--" + b"b" * n + b"\n",
    "one long line": lambda n: b"x" * n,
    "one long name": lambda n: b"x" * n + b":\n\n",
    "blanks": lambda n: b" " * n,
    "NULs": lambda n: b"\0" * n,
    "encoded word starts": lambda n: b"Subject: " + b"=?a?q?" * n,
    "encoded words": lambda n: b"Subject: " + b"=?utf-8?b?YQ==?= " * n,
    "date of digits": lambda n: b"Date: " + b"9" * n + b" Jan 2000 00:00:00 +0000\n\n",
    "base64 of padding": lambda n: b"Content-Transfer-Encoding: base64\n\n" + b"=\n" * n,
    "quoted-printable of escapes": lambda n: b"Content-Transfer-Encoding: quoted-printable\n\n" + b"= " * n,
    "uuencode": lambda n: b"Content-Transfer-Encoding: uuencode\n\nbegin 7 x\n" + b"#86)C\n" * n,
    "uuencode mode": lambda n: b"Content-Transfer-Encoding: uuencode\n\nbegin " + b"7" * n,
    "deep HTML": lambda n: HTML + b"<div>" * n,
    "HTML to be mended": lambda n: HTML + b"<a><table><b><p>" * n,
    "unclosed comments": lambda n: HTML + b"<!--" * n,
    "scripts": lambda n: HTML + b"<script>" * n,
    "attributes": lambda n: HTML + b"<p " + b" ".join(b"a%d" % i for i in range(n)) + b">",
    "billion laughs": lambda n: HTML + b'<!DOCTYPE x [<!ENTITY a "&b;&b;">]>' + b'<!ENTITY b "&a;&a;">&a;&b;' * n,
    "huge reference": lambda n: HTML + b"<" * 5000 + b"&#" + b"9" * n + b";",
}


def read_all(raw: bytes) -> None:
    """Everything the room offers, with the bounds it promises."""
    content, _ = mime.canonical(raw)
    assert len(content) <= mime.READ_LIMIT
    header, _ = mime.split(content)
    mime.fields(header)
    parts = mime.parts(content)
    assert 1 <= len(parts) <= mime.MAX_PARTS
    assert sum(len(part.payload) for part in parts) <= len(content)
    mime.received_time(content)
    assert isinstance(mime.text(content), str)


def calls(action: Callable[[bytes], object], raw: bytes) -> int:
    """How many functions, of Python and of C, are called: a count of operations that no clock disturbs."""
    count = 0

    def seen(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        action(raw)
    finally:
        sys.setprofile(None)
    return count


@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    read_all(raw)


PIECES = [
    *(value for value in mails.ALL.values() if len(value) < 300),
    b"\0",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"--b\n",
    b"\xff",
]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=10), max_size=8))
def test_pieces_of_mails_in_any_order(pieces: list[bytes]) -> None:
    read_all(b"".join(pieces))


@pytest.mark.parametrize("name", mails.ALL)
def test_mails_cut_short_anywhere(name: str) -> None:
    content = mails.ALL[name]
    for end in range(0, min(len(content), 400)):
        read_all(content[:end])


@pytest.mark.parametrize("name", GROWING)
def test_hostile_mails(name: str) -> None:
    read_all(GROWING[name](20_000))


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_input_is_at_most_twice_the_operations(name: str) -> None:
    make = GROWING[name]
    read_all(make(1000))  # imports and caches
    small, large = (calls(read_all, make(n)) for n in (1500, 3000))
    assert large <= 2.2 * small + 200


def test_depth_is_bounded() -> None:
    levels = b"".join(b"Content-Type: multipart/x; boundary=%d\n\n--%d\n" % (i, i) for i in range(100))
    (leaf,) = mime.parts(levels + b"\ntext\n")
    assert leaf.content_type == "multipart/x"
    assert leaf.payload.startswith(b"--%d\n" % mime.MAX_DEPTH)


def test_the_number_of_parts_is_bounded() -> None:
    parts = mime.parts(MIXED + b"".join(b"--b\n\n%d\n" % i for i in range(1000)))
    assert [part.payload for part in parts] == [b"%d" % i for i in range(mime.MAX_PARTS)]


def test_more_is_never_read_than_asked() -> None:
    (part,) = mime.parts(b"A: b\n\n" + b"x" * 100, limit=10)
    assert part.payload == b"xxxx"


@pytest.mark.parametrize("source", ["<p>" * (html.MAX_TAGS + 1), "<p " + "a " * html.MAX_TAG + ">", "<" * 20_000])
def test_hostile_html_never_reaches_the_parser(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_html: str) -> str:
        raise AssertionError("parsed")

    monkeypatch.setattr(html, "_parsed", refuse)
    html.to_text(source)
    with pytest.raises(AssertionError, match="parsed"):
        html.to_text("<p>harmless")
