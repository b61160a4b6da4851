"""The value of a Content-Type field: type, charset, boundary.

The standard library's reading of parameters, quirks included, in linear time (its own is quadratic in the number of
semicolons) and without its exceptions. The rare RFC 2231 form (``charset*=``, ``boundary*0=``) is left to it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from lithify.media.words import codec

MAX_VALUE = 16 * 1024
"""Bytes of a field value that are read."""

MAX_BOUNDARY = 1000
"""Longest boundary that is looked for; RFC 2046 allows 70."""

NO_LINE = b"\n"
"""A boundary that no line can match."""

_Value = str | tuple[str | None, str]
"""A parameter's value, or (charset, value) in the RFC 2231 form."""

_CONTINUED = re.compile(r"\w+\*(?:[0-9]+\*?)?\Z", re.ASCII)


class ContentType(NamedTuple):
    """What a Content-Type says.

    Attributes
    ----------
    name : str
        ``"text/plain"``, in lower case.
    charset : str
        In lower case; empty when there is none.
    boundary : bytes or None
        None when there is none; empty is a boundary too. One that can match no line is given as ``NO_LINE``.
    """

    name: str
    charset: str
    boundary: bytes | None


PLAIN = ContentType("text/plain", "", None)
"""What a part without a Content-Type is."""

MESSAGE = ContentType("message/rfc822", "", None)
"""What it is in a multipart/digest."""


@lru_cache(maxsize=1024)
def content_type(value: bytes) -> ContentType:
    r"""Reads a Content-Type value, still folded.

    Examples
    --------
    >>> content_type(b'multipart/mixed;\n boundary="a b"; charset=UTF-8')
    ContentType(name='multipart/mixed', charset='utf-8', boundary=b'a b')
    >>> content_type(b"nonsense")
    ContentType(name='text/plain', charset='', boundary=None)
    """
    text = value[:MAX_VALUE].decode("ascii", "replace")
    name = token(text)
    if name.count("/") != 1:
        name = "text/plain"
    found = {}
    if "=" in text:
        for key, item in reversed(_resolved(_pairs(text))):
            found[key.lower()] = item
    return ContentType(name, _charset(found.get("charset")), _boundary(found.get("boundary")))


def token(text: str) -> str:
    """What stands before the first semicolon, stripped, in lower case.

    >>> token(" Text/HTML ; charset=x")
    'text/html'
    """
    return text.partition(";")[0].strip().lower()


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for item in _items(text):
        key, _, value = item.partition("=")
        pairs.append((key.strip().lower(), value.strip()))
    return pairs


def _items(text: str) -> list[str]:
    """Cuts at the semicolons outside of quotes: those with an even number of quotes since the last cut."""
    items: list[str] = []
    pending: list[str] = []
    odd = False
    for piece in text.split(";"):
        pending.append(piece)
        odd ^= bool((piece.count('"') - piece.count('\\"')) % 2)
        if not odd:
            items.append(";".join(pending))
            pending.clear()
    if pending:
        items.append(";".join(pending))
    return items


def _resolved(pairs: list[tuple[str, str]]) -> list[tuple[str, _Value]]:
    """Unquotes values; joins RFC 2231 continuations into ``(charset, value)`` or plain values at the end."""
    plain = [(key, _unquote(value)) for key, value in pairs[1:] if not _CONTINUED.match(key)]
    resolved: list[tuple[str, _Value]] = [(pairs[0][0], _unquote(pairs[0][1])), *plain]
    if len(plain) + 1 < len(pairs):
        resolved += _continued([pair for pair in pairs[1:] if _CONTINUED.match(pair[0])])
    return resolved


def _continued(pairs: list[tuple[str, str]]) -> list[tuple[str, _Value]]:
    from email.utils import decode_params

    try:
        decoded = decode_params([("", ""), *pairs])[1:]
    except (ValueError, TypeError):  # the standard library gives up on `a*` beside `a*0`
        return []
    return [
        (key, (value[0], _unquote(value[2])) if isinstance(value, tuple) else _unquote(value)) for key, value in decoded
    ]


def _unquote(text: str) -> str:
    if len(text) > 1:
        if text[0] == text[-1] == '"':
            return text[1:-1].replace("\\\\", "\\").replace('\\"', '"')
        if text[0] == "<" and text[-1] == ">":
            return text[1:-1]
    return text


def _charset(value: _Value | None) -> str:
    if isinstance(value, tuple):
        value = _decoded(value[1], value[0] or "us-ascii", "strict") or value[1]
    return value.lower() if value and value.isascii() else ""


def _boundary(value: _Value | None) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, tuple):
        decoded = _decoded(value[1], "us-ascii" if value[0] is None else value[0], "replace")
        value = _unquote(value[1]) if decoded is None else decoded
    else:
        value = _unquote(value)  # the standard library unquotes a boundary twice
    value = value.rstrip()
    if not value.isascii() or "\n" in value or len(value) > MAX_BOUNDARY:
        return NO_LINE
    return value.encode("ascii")


def _decoded(value: str, charset: str, errors: str) -> str | None:
    name = codec(charset)
    if name is None:
        return None
    try:
        return value.encode("raw-unicode-escape").decode(name, errors)
    except UnicodeError:
        return None
