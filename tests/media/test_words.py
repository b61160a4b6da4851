"""Charsets and encoded words."""

from __future__ import annotations

import sys
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.media import mime
from lithify.media.words import codec


@pytest.mark.parametrize(
    ("payload", "charset", "text"),
    [
        (b"", "", ""),
        ("é".encode(), "utf-8", "é"),
        (b"\xe9", "iso-8859-1", "é"),
        (b"\x93a\x94", "Windows-1252", "\u201ca\u201d"),
        ("日本".encode("iso-2022-jp"), "ISO-2022-JP", "日本"),
        ("привет".encode("koi8-r"), "koi8-r", "привет"),
        (b"a\xffb", "utf-8", "a\ufffdb"),
        ("é".encode(), "us-ascii", "é"),
        (b"\xe9", "us-ascii", "é"),
        ("é".encode(), "x-unknown", "é"),
        (b"\xe9", "x-unknown", "é"),
        (b"\xe9", "zlib", "é"),
        (b"\\x41", "unicode_escape", "\\x41"),
        (b"a", "utf-8\0", "a"),
        (b"a", "../os", "a"),
        (b"a", "\u0130", "a"),
        (b"abc", "utf-16", None),
    ],
)
def test_to_text(payload: bytes, charset: str, text: str | None) -> None:
    found = mime.to_text(payload, charset)
    assert found == text or text is None


@given(
    st.binary(max_size=50), st.text(max_size=45) | st.sampled_from(["utf-7", "hz", "utf-32", "big5", "idna", "gb18030"])
)
def test_to_text_never_raises(payload: bytes, charset: str) -> None:
    assert isinstance(mime.to_text(payload, charset), str)


def test_every_listed_codec_decodes_text() -> None:
    from lithify.media.words import _CODECS

    for name in set(_CODECS.values()):
        assert isinstance(b"abc \xe9\xff".decode(name, "replace"), str), name


def test_an_unknown_charset_imports_nothing() -> None:
    before = set(sys.modules)
    assert codec("aliases") is None
    assert codec("mbcs_no_such_codec") is None
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "=?utf-8?q?caf=C3=A9?=",
        "=?UTF-8?B?Y2Fmw6k=?=",
        "=?utf-8?b?Y2Fmw6k?=",
        "a =?utf-8?q?b_c?= d",
        "=?utf-8?q?a?= =?utf-8?q?b?=",
        "=?utf-8?q?a?=   =?iso-8859-1?q?=E9?=",
        "=?utf-8?q?caf=C3?= =?utf-8?q?=A9?=",
    ],
)
def test_encoded_words_read_as_the_standard_library(value: str) -> None:
    assert mime.decode_words(value.encode()) == str(make_header(decode_header(value)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?x?q?a?=", "a"),
        (b"=?utf-8?q??=x", "x"),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        (b"=?utf-8?b?a?=", "=?utf-8?b?a?="),
        (b"=?utf-8*en?q?a?=", "a"),
        (b"=?utf-8?q?a b=ZZ?=", "a b=ZZ"),
        (b"=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        (b" =?utf-8?q?a?= ", " a "),
        (b"caf\xe9 =?", "café =?"),
        ("é =?utf-8?q?a?=".encode(), "é a"),
    ],
)
def test_odd_words(value: bytes, text: str) -> None:
    assert mime.decode_words(value) == text


@given(st.binary(max_size=60) | st.text("=?utf-8bqBQ_ \n", max_size=60).map(str.encode))
def test_decode_words_never_raises(value: bytes) -> None:
    assert isinstance(mime.decode_words(value), str)
