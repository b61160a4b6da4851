"""Canonical bytes, header block, fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.media import mime
from lithify.media.headers import READ_LIMIT


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_envelope_line_goes(end: bytes) -> None:
    assert mime.canonical(b"From a@b Mon Jan 1" + end + b"A: b" + end) == (b"A: b\n", False)


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"", b""),
        (b"From", b"From"),
        (b"From ", b""),
        (b"From x", b""),
        (b"From x\n", b""),
        (b"From x\r", b""),
        (b"From x\rA", b"A"),
        (b"From x\r\r\nA", b"\nA"),
        (b"From: x\n", b"From: x\n"),
        (b"a\n\rb\r\r\nc", b"a\n\nb\n\nc"),
    ],
)
def test_canonical_bytes(raw: bytes, content: bytes) -> None:
    assert mime.canonical(raw) == (content, False)


@given(st.text("From \r\na:", max_size=30).map(str.encode))
def test_canonical_is_the_plain_definition(raw: bytes) -> None:
    expected = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if raw.startswith(b"From "):
        expected = expected.partition(b"\n")[2]
    assert mime.canonical(raw) == (expected, False)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("envelope", [b"", b"From x"])
def test_a_long_message_is_cut_and_that_is_said(end: bytes, envelope: bytes) -> None:
    line = b"x" * 9
    lines = READ_LIMIT // 10
    short = (envelope + end if envelope else b"") + (line + end) * lines
    assert mime.canonical(short) == ((line + b"\n") * lines, False)
    content, cut = mime.canonical(short + (line + end) * 2)
    assert cut
    assert content == ((line + b"\n") * (lines + 2))[:READ_LIMIT]


def test_the_cut_falls_at_the_same_byte_for_all_line_ends() -> None:
    lines = b"\n" * (READ_LIMIT + 1)
    assert mime.canonical(lines.replace(b"\n", b"\r\n")) == mime.canonical(lines) == (lines[:-1], True)
    assert mime.canonical(lines[:-1].replace(b"\n", b"\r\n")) == (lines[:-1], False)


@pytest.mark.parametrize(
    ("content", "header", "body"),
    [
        (b"", b"", b""),
        (b"\n", b"", b""),
        (b"\n\nx", b"", b"\nx"),
        (b"A: b", b"A: b", b""),
        (b"A: b\n", b"A: b\n", b""),
        (b"A: b\n\n", b"A: b\n", b""),
        (b"A: b\n\nx\n\ny", b"A: b\n", b"x\n\ny"),
        (b"just text\n\nx", b"", b"just text\n\nx"),
        (b"A: b\nno colon\nC: d\n\nx", b"A: b\n", b"no colon\nC: d\n\nx"),
        (b"A: b\n c\n\td\n \n\nx", b"A: b\n c\n\td\n \n", b"x"),
    ],
)
def test_header_and_body(content: bytes, header: bytes, body: bytes) -> None:
    assert mime.split(content) == (header, body)


def test_fields_are_unfolded_and_in_order() -> None:
    header = b"To:  a,\n  b \nTO:c\nbroken\n: x\nA b: c\n lost\nEmpty:\nX-1: =\n\nNot: me\n"
    assert mime.fields(header) == [(b"to", b"a,  b"), (b"to", b"c"), (b"empty", b""), (b"x-1", b"=")]
    assert mime.fields(b"") == []


@pytest.mark.parametrize("name", [b"subject", b"date", b"received", b"x-other"])
def test_first_is_the_first_of_fields(name: bytes) -> None:
    header = b"A: " + name + b": no\n" + name.title() + b":  one\n two\n" + name + b": three\n"
    assert mime.first(header, name) == b"one two" == dict(reversed(mime.fields(header)))[name]
    assert mime.first(b"A: b\n", name) is None
