"""From the pieces that the parser found to a head, with what the parser lets pass but RFC 9112 and 9110 do not.

Framing that two readers could understand differently is how requests are smuggled past one of them, so nothing is
mended here: what is not clear is refused, and the connection closed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from urllib.parse import unquote

import httptools

from lithify.deployment.http.message import Head
from lithify.errors import ServiceError

Fields = Sequence[tuple[bytes, bytes]]

VERSIONS = ("1.1", "1.0")
_ONCE = frozenset({"host", "content-length", "content-type", "transfer-encoding", "authorization"})
"""Fields that mean something else to everybody who takes the first, the last or all of several."""
_COMMON = (
    "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection", "Content-Length",
    "Content-Type", "Expect", "Host", "Origin", "Referer", "Transfer-Encoding", "User-Agent", "X-Forwarded-For",
    "X-Request-Id",
)  # fmt: skip
_METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "OPTIONS")}
_LOWER = {spelt.encode(): name.lower() for name in _COMMON for spelt in (name, name.lower())}


def malformed(found: str) -> ServiceError:
    """The error for what is no request; ``found`` quotes nothing of it."""
    return ServiceError("The request is malformed.", expected="HTTP/1.1", found=found)


def make_head(method: bytes, target: bytes, version: str, fields: Fields, peer: str) -> Head:
    """A head that may be acted upon.

    Parameters
    ----------
    method, target : bytes
        Of the request line.
    version : str
        As ``1.1``.
    fields : sequence of (name, value)
        As they came.
    peer : str
        Address of the client.

    Raises
    ------
    ServiceError
        It is malformed, has a transfer coding other than ``chunked``, or a version other than 1.0 and 1.1; the
        connection cannot be used further.

    Examples
    --------
    >>> head = make_head(b"GET", b"/a%20b?c=d", "1.1", [(b"Host", b"here"), (b"A", b"1"), (b"a", b"2 ")], "::1")
    >>> head.path, head.query, head.headers
    ('/a b', 'c=d', {'host': 'here', 'a': '1, 2'})
    """
    if version not in VERSIONS:
        raise ServiceError("This server speaks HTTP/1.1.", found=f"HTTP/{version}")
    path, query = split_target(method, target)
    headers = _gather(fields)
    if "host" not in headers and version == "1.1":
        raise malformed("no Host header")
    coding = headers.get("transfer-encoding")
    if coding is not None:
        _check_coding(coding, version, headers)
    return Head(_METHODS.get(method) or method.decode("ascii"), path, query, headers, peer)


@functools.lru_cache(maxsize=256)  # clients ask for the same few over and over
def split_target(method: bytes, target: bytes) -> tuple[str, str]:
    """Path, percent-decoded, and query of a request target in origin, absolute or asterisk form.

    >>> split_target(b"GET", b"http://here:8000/v2?x"), split_target(b"OPTIONS", b"*")
    (('/v2', 'x'), ('*', ''))
    """
    if target[:1] != b"/":
        return _other_form(method, target)
    path, _, query = target.partition(b"?")
    return _decoded(path), query.decode("ascii")


def weight(target: bytes, fields: Fields) -> int:
    """Bytes of a head: request line, fields and the empty line, without spaces that could be left out.

    >>> weight(b"/", [(b"Host", b"here")]) == len(b"GET / HTTP/1.1" + b"Host: here" + 3 * b"..")
    True
    """
    return len("GET  HTTP/1.1....") + len(target) + sum(len(name) + len(value) + 4 for name, value in fields)


def _gather(fields: Fields) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw, value in fields:
        name = _LOWER.get(raw) or raw.decode("ascii").lower()
        text = value.decode("latin-1").strip(" \t")
        if name not in headers:
            headers[name] = text
        elif name in _ONCE:
            raise malformed(f"several {name} headers")
        else:
            headers[name] += ", " + text
    return headers


def _check_coding(coding: str, version: str, headers: dict[str, str]) -> None:
    if version != "1.1" or "content-length" in headers:
        raise malformed("a Transfer-Encoding that leaves open where the body ends")
    if coding.lower() != "chunked":
        raise ServiceError("Of transfer codings only chunked is read.", found=coding[:40])


def _other_form(method: bytes, target: bytes) -> tuple[str, str]:
    if target == b"*" and method == b"OPTIONS":
        return "*", ""
    if method == b"CONNECT" or not target.lower().startswith((b"http://", b"https://")):
        raise malformed("a target that is no path")
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise malformed("a target that is no URL") from None
    return _decoded(url.path or b"/"), (url.query or b"").decode("ascii")


def _decoded(raw: bytes) -> str:
    path = raw.decode("ascii")
    if "#" in path:
        raise malformed("a fragment in the target")
    if "%" not in path:
        return path
    path = unquote(path)
    if "\0" in path:
        raise malformed("a NUL in the target")
    return path
