"""A response as bytes on the wire (RFC 9112)."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus

from lithify.deployment.http.message import Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = (204, 304)
_CONNECTION = {(True, False): "", (True, True): "Connection: keep-alive\r\n"}
"""By whether the connection stays open, and whether the client speaks HTTP/1.0."""


class Writer:
    """Writes responses. What those of one second have in common is written once.

    Examples
    --------
    >>> writer = Writer(clock=lambda: 784111777)
    >>> print(writer.write(Response(404, b"{}"), keep=False).decode().replace(chr(13), ""))
    HTTP/1.1 404 Not Found
    Server: lithify
    Date: Sun, 06 Nov 1994 08:49:37 GMT
    X-Content-Type-Options: nosniff
    Cache-Control: no-store
    Content-Type: application/json
    Content-Length: 2
    Connection: close
    <BLANKLINE>
    {}
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._second = -1
        self._starts: dict[tuple[int, bool], str] = {}

    def tick(self) -> None:
        """Looks at the clock; to be called about once a second."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._starts.clear()

    def write(self, response: Response, *, keep: bool, head_only: bool = False, old: bool = False) -> bytes:
        """Head and body in one piece.

        Parameters
        ----------
        response : Response
        keep : bool
            Whether the connection stays open.
        head_only : bool
            Whether the body stays behind, as HEAD asks.
        old : bool
            Whether the client speaks HTTP/1.0, which closes unless told.
        """
        own = bool(response.headers)
        cached = own and any(name.lower() == "cache-control" for name, _ in response.headers)
        start = self._starts.get((response.status, cached)) or self._start(response.status, cached)
        length, media = f"Content-Length: {len(response.body)}\r\n", f"Content-Type: {response.media}\r\n"
        if response.status in _BODILESS:
            length = media = ""
        model = f"Lithify-Model: {response.model}\r\n" if response.model else ""
        more = "".join(map(_line, response.headers)) if own else ""
        closing = _CONNECTION.get((keep, old), "Connection: close\r\n")
        head = f"{start}{media}{length}{model}{more}{closing}\r\n"
        if head_only or not length:
            return head.encode("latin-1", "replace")
        return head.encode("latin-1", "replace") + response.body

    def _start(self, status: int, cached: bool) -> str:
        if self._second < 0:
            self.tick()
        kept = "" if cached else "Cache-Control: no-store\r\n"
        start = (
            f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}\r\nServer: lithify\r\n"
            f"Date: {formatdate(self._second, usegmt=True)}\r\nX-Content-Type-Options: nosniff\r\n{kept}"
        )
        self._starts[status, cached] = start
        return start


def _line(header: tuple[str, str]) -> str:
    r"""One header; no value can end its line and begin another.

    >>> _line(("Location", "/a\r\nSet-Cookie: b"))
    'Location: /a  Set-Cookie: b\r\n'
    """
    name, value = header
    return f"{name}: {value}\r\n" if value.isprintable() else f"{name}: {_plain(value)}\r\n"


def _plain(value: str) -> str:
    return "".join(character if character.isprintable() else " " for character in value)
