"""From the bytes of one connection to whole requests, and to the refusal of what is none.

llhttp, by httptools, parses strictly (RFC 9112); what it leaves to us is how much of everything there may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import httptools

from lithify.deployment.http.desk import Desk, failure, overloaded
from lithify.deployment.http.exchange import Exchange
from lithify.deployment.http.head import make_head, malformed, weight
from lithify.deployment.http.message import Head, Response, refusal
from lithify.deployment.limits import Limits
from lithify.errors import HeadersTooLarge, LithifyError, TooLarge

if TYPE_CHECKING:
    from lithify.deployment.http.protocol import Connection

SLICE = 4096
"""Bytes that are parsed at a time: after each it is seen whether there is enough to do."""
_SWALLOWED = 64 << 10
"""A body of at most so many bytes is read and thrown away when its request is refused; else the connection closes."""
_FRAMING = 8
"""Bytes on the wire for one of a chunked body, at most: what is more is not body but a header in disguise."""


class Reader:
    """Reads the requests of one connection.

    Parameters
    ----------
    connection : Connection
        Told of every whole request by ``take``, and by ``proceed`` when a client waits for word to send its body.
    desk : Desk
        Says where a request goes, and counts what is held of bodies.
    limits : Limits
    peer : str
        Address of the client.

    Attributes
    ----------
    reading : bool
        Whether a request is under way.
    began : float
        When its first byte came.
    over : bool
        Whether the client said that there will be no further one.
    expecting : bool
        Whether the client waits for 100 Continue.
    """

    __slots__ = (
        "_connection", "_desk", "_exchange", "_fields", "_limits", "_now", "_parser", "_parts", "_peer", "_refusal",
        "_replaying", "_swallowing", "_target", "_upgrading", "_wire", "began", "expecting", "over", "reading",
    )  # fmt: skip

    def __init__(self, connection: Connection, desk: Desk, limits: Limits, peer: str) -> None:
        self._connection, self._desk, self._limits, self._peer = connection, desk, limits, peer
        self._parser: Any = httptools.HttpRequestParser(self)  # None once it is closed
        self._exchange: Exchange | None = None
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._refusal: Response | None = None
        self._wire = 0
        self._now = self.began = 0.0
        self._swallowing = self._upgrading = self._replaying = False
        self.reading = self.over = self.expecting = False

    @property
    def in_body(self) -> bool:
        """Whether the head of a request came, and the rest of it is on its way."""
        return self._exchange is not None

    def feed(self, data: bytes | memoryview, now: float) -> Response | None:
        """Reads on; a response refuses what came, and then nothing more may be fed.

        What counts as header, against ``limits.header``, is everything that is not body, wherever it stands.
        """
        self._now = now
        self._wire += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._decline(bytes(data[upgrade.args[0] :]))
        except httptools.HttpParserError as error:  # what follows a last request is nobody's
            return None if self.over else self._refusal or self._unreadable(error)
        if not self.reading:
            self._wire = 0
        elif self._wire > self._limits.header + _FRAMING * (self._exchange.held if self._exchange else 0):
            return self._too_long()
        return None

    def drop(self) -> Exchange:
        """The request that is under way, or a blank one, to be answered as it is."""
        exchange = self._exchange or Exchange(self._connection, self.began, self._start())
        self._exchange = None
        self._parts, self._fields, self._target = [], [], b""
        self.reading, self.over, self.expecting = False, True, False
        return exchange

    def close(self) -> None:
        """Lets go of the parser, which knows our methods, and so us; gives back what was held."""
        self._desk.buffered -= self.drop().held
        self._parser = None

    # What the parser calls.

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if not self._replaying:
            self.reading = True
            self.began = self._now
            self._target = b""
            self._fields = []

    def on_url(self, part: bytes) -> None:
        """A part of the target."""
        if not self._replaying:
            self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or a trailer, which nobody reads."""
        if self._exchange is None:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._replaying:
            self._replaying = False
            return
        if self._wire + SLICE > self._limits.header and weight(self._target, self._fields) > self._limits.header:
            raise self._stop(self._too_long())
        parser = self._parser
        version = parser.get_http_version()
        try:
            head = make_head(parser.get_method(), self._target, version, self._fields, self._peer)
        except LithifyError as error:
            refused = refusal(error, plain=self._plain())
            raise self._stop(refused) from None
        keep, old = parser.should_keep_alive(), version == "1.0"
        self._exchange = Exchange(self._connection, self.began, head, keep=keep, old=old)
        self._upgrading = parser.should_upgrade()
        self._take_in(self._exchange, head)

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        exchange = self._exchange
        assert exchange is not None
        exchange.held += len(part)
        self._desk.buffered += len(part)
        self.expecting = False
        if self._swallowing:
            return
        self._parts.append(part)
        assert exchange.call is not None
        limit = exchange.call.limit
        if exchange.held > limit:
            raise self._stop(self._too_large(limit))
        if self._desk.buffered > self._limits.buffered:
            raise self._stop(self._too_much())

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self._upgrading:
            return
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self.reading = self.expecting = self._swallowing = False
        self._wire = 0
        if self._parts:
            exchange.body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts = []
        exchange.arrived = self._now
        self.over = not exchange.keep
        self._connection.take(exchange)

    def _take_in(self, exchange: Exchange, head: Head) -> None:
        """Asks where a request goes, before its body is read."""
        found = self._desk.open(head)
        headers = head.headers
        length, chunked = int(headers.get("content-length", 0)), "transfer-encoding" in headers
        expects = "expect" in headers and (length or chunked) and not exchange.old
        expects = expects and headers["expect"].lower() == "100-continue"
        if isinstance(found, Response):
            if expects or chunked or length > _SWALLOWED:
                raise self._stop(found)
            exchange.response = found
            self._swallowing = True
            return
        exchange.call = found
        if length > found.limit:
            raise self._stop(self._too_large(found.limit))
        if length + self._desk.buffered > self._limits.buffered:
            raise self._stop(self._too_much())
        if expects:
            self.expecting = True
            self._connection.proceed()

    def _decline(self, rest: bytes) -> Response | None:
        """An offer of another protocol is declined by going on in this one (RFC 9110, 7.8).

        The parser takes the end of such a head for the end of HTTP, so it is shown the framing once more, without the
        offer.
        """
        exchange = cast(Exchange, self._exchange)
        headers = cast(Head, exchange.head).headers
        framing = [f"{name}: {headers[name]}" for name in ("content-length", "transfer-encoding") if name in headers]
        lines = ["POST / HTTP/1.1", *framing, *([] if exchange.keep else ["connection: close"]), "", ""]
        self._upgrading, self._replaying = False, True
        refused = self.feed("\r\n".join(lines).encode(), self._now)
        if refused is None and rest and not self.over:
            refused = self.feed(rest, self._now)
        return refused

    def _stop(self, response: Response) -> _Stop:
        self._refusal = response
        return _Stop()

    def _start(self) -> Head | None:
        """What is known of a request whose head cannot be read: an answer to HEAD has no body, whatever it says."""
        if not self._target:
            return None
        return Head(self._parser.get_method().decode("ascii"), "", peer=self._peer)

    def _plain(self) -> bool:
        call = self._exchange.call if self._exchange else None
        return self._target.startswith(b"/v2") if call is None else call.plain

    def _unreadable(self, error: httptools.HttpParserError) -> Response:
        """What the parser says is a fixed text of its own; a failure in our callbacks is ours."""
        if isinstance(error, httptools.HttpParserCallbackError):
            return failure(error.__context__ or error, doing="reading a request")
        return refusal(malformed(str(error)), plain=self._plain())

    def _too_long(self) -> Response:
        limit = f"at most {self._limits.header:,} bytes beside the body"
        return refusal(HeadersTooLarge("The headers are too large.", expected=limit), plain=self._plain())

    def _too_large(self, limit: int) -> Response:
        error = TooLarge("The body is too large.", expected=f"at most {limit:,} bytes", hint="Send it in parts.")
        return refusal(error, plain=self._plain())

    def _too_much(self) -> Response:
        return overloaded("Too much is being sent at a time.", plain=self._plain())


class _Stop(Exception):
    """Ends the parsing of a request that is refused; why stands in the reader."""
