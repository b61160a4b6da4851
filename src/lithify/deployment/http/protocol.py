"""One connection: requests are taken from it, and answered in their order.

Whatever was refused is answered, then the connection lingers: it reads on and throws away for a moment, since closing
it with unread bytes would reset it and take the answer from the client (RFC 9112, 9.6).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from lithify.deployment.http.desk import overloaded
from lithify.deployment.http.exchange import Exchange
from lithify.deployment.http.message import Response, refusal
from lithify.deployment.http.reader import SLICE, Reader
from lithify.deployment.http.writing import CONTINUE
from lithify.errors import RequestTimeout

if TYPE_CHECKING:
    from lithify.deployment.http.server import Server

PIPELINED = 16
"""Requests of one connection that wait, from which on nothing more of it is read."""
LINGER = 2.0
"""Seconds for which a refused client may go on sending."""
LEAST = 64 << 10
"""Bytes that a client takes of what it is told, in ``limits.arrival`` seconds; less holds memory for nobody."""
STALE = 1.0
"""Seconds without a whole request, after which a connection may have to make room."""


class Connection(asyncio.Protocol):
    """What one client says and is told.

    Parameters
    ----------
    server : Server
        Whose limits, desk and writer are used.
    """

    __slots__ = (
        "_desk", "_ended", "_held", "_left", "_limits", "_paused", "_queue", "_reader", "_refused", "_server", "_since",
        "_stalled", "_stuffed", "_taken", "_told", "_transport", "peer",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self._server, self._desk, self._limits = server, server.desk, server.limits
        self._transport: asyncio.Transport | None = None
        self._reader: Reader | None = None
        self._queue: deque[Exchange] = deque()
        self._held = b""
        self._told = self._taken = (
            0  # bytes that were written, and that the client had when it was last seen to take some
        )
        self.peer = ""
        self._since = self._stalled = time.monotonic()
        self._paused = self._stuffed = False  # we read nothing, since there is enough to do or too much to write
        self._ended = False  # the client sends no more
        self._refused = self._left = False  # we listen to it no more, and have said all

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there, or one too many."""
        self._transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        self.peer = name[0].removeprefix("::ffff:") if isinstance(name, tuple) else ""
        self._reader = Reader(self, self._desk, self._limits, self.peer)
        self._server.connections.add(self)
        if len(self._server.connections) > self._limits.connections and not self._server.make_room():
            self._refuse(overloaded("Too many connections are open."))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; nobody waits for what it asked."""
        self._transport = None
        self._server.connections.discard(self)
        for exchange in self._queue:
            self._desk.leave(exchange)
            self._desk.buffered -= exchange.held
        self._queue.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        reader = self._reader
        if reader is None or reader.over:
            return
        if self._held:
            self._held += data
        elif len(data) > SLICE:
            self._feed_slowly(data)
        else:
            refused = reader.feed(data, time.monotonic())
            if refused is not None:
                self._refuse(refused)
            elif self._full():
                self._pause()

    def eof_received(self) -> bool:
        """The client says no more; what it asked is still answered."""
        self._ended = True
        return bool(self._queue) and self._transport is not None and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """The client takes less than it is given: nothing more is read of it."""
        self._stuffed = True
        self._pause()

    def resume_writing(self) -> None:
        """It took enough."""
        self._stuffed = False
        self._go_on()

    # What the reader calls.

    def take(self, exchange: Exchange) -> None:
        """A request is whole."""
        self._queue.append(exchange)
        if exchange.response is None:
            self._desk.take(exchange)
        if exchange.response is not None:
            self.send()

    def proceed(self) -> None:
        """Says 100 Continue, once everything before it is answered."""
        reader = cast(Reader, self._reader)
        if reader.expecting and not self._queue and self._transport is not None:
            reader.expecting = False
            self._transport.write(CONTINUE)

    # What the desk and the server call.

    def send(self) -> None:
        """Writes what is answered, as far as the order of the requests allows."""
        queue, transport, reader, server = self._queue, self._transport, self._reader, self._server
        if transport is None or reader is None or not queue or queue[0].response is None:
            return
        sent, pieces, keep = [], [], True
        while queue and keep and (response := queue[0].response) is not None:
            exchange = queue.popleft()
            keep = exchange.keep and not (server.draining and not queue and not reader.reading)
            head_only = exchange.head is not None and exchange.head.method == "HEAD"
            pieces.append(server.writer.write(response, keep=keep, head_only=head_only, old=exchange.old))
            self._desk.buffered -= exchange.held
            sent.append(exchange)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._told += len(data)
        transport.write(data)
        self._since = time.monotonic()
        for exchange in sent:
            self._desk.observe(exchange, self._since)
        if not keep:
            self._leave(at_once=not sent[-1].keep and not self._refused)
        elif self._paused or self._ended:
            server.loop.call_soon(self._go_on)
        elif reader.expecting:
            self.proceed()

    def check(self, now: float) -> None:
        """Looks whether anything took too long; called every now and then."""
        transport, reader = self._transport, self._reader
        if transport is None or reader is None:
            return
        for exchange in self._queue:
            if exchange.response is None and now - exchange.arrived > self._limits.answer:
                self._desk.give_up(exchange)
        self.send()
        if unsent := self.unsent:
            return self._check_progress(transport, unsent, now)
        self._taken, self._stalled = self._told, now
        if self._left:
            if now - self._since > LINGER:
                transport.abort()
        elif reader.reading:
            if not self._paused and now - reader.began > self._limits.arrival:
                self._refuse(refusal(RequestTimeout("The request did not arrive in time.", hint="Send it faster.")))
        elif not self._queue and now - self._since > self._limits.idle:
            transport.close()

    def stale(self, now: float) -> float | None:
        """Since when it neither waits for an answer nor takes one nor sends a body; None where it does."""
        transport, reader = self._transport, self._reader
        if (
            transport is None
            or reader is None
            or transport.is_closing()
            or self._queue
            or self.unsent
            or reader.in_body
        ):
            return None
        return self._since if now - self._since > STALE else None

    @property
    def unsent(self) -> int:
        """Bytes of answers that the client did not take yet."""
        return 0 if self._transport is None else int(self._transport.get_write_buffer_size())

    def dismiss(self) -> None:
        """Closes the connection unless something is on its way."""
        reading = self._reader is not None and self._reader.reading
        if self._transport is not None and not self._queue and not reading and not self._left:
            self._transport.close()

    def abort(self) -> None:
        """Closes the connection, whatever is on its way."""
        if self._transport is not None:
            self._transport.abort()

    def _check_progress(self, transport: asyncio.Transport, unsent: int, now: float) -> None:
        """A client may be slow to take an answer, but neither stand still nor sip."""
        taken = self._told - unsent
        if taken - self._taken >= LEAST:
            self._taken, self._stalled = taken, now
        elif now - self._stalled > self._limits.arrival:
            transport.abort()

    # Reading no faster than is answered.

    def _full(self) -> bool:
        return self._stuffed or len(self._queue) >= PIPELINED

    def _feed_slowly(self, data: bytes) -> None:
        """Reads slice by slice until there is enough to do; the rest is held."""
        reader, view, now = cast(Reader, self._reader), memoryview(data), time.monotonic()
        for at in range(0, len(view), SLICE):
            if reader.over:
                return
            if self._full():
                self._held = bytes(view[at:])
                return self._pause()
            refused = reader.feed(view[at : at + SLICE], now)
            if refused is not None:
                return self._refuse(refused)
        if self._full():
            self._pause()

    def _pause(self) -> None:
        if self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        """Reads what was held, and the client again, where there is room for it."""
        if self._transport is None or self._full():
            return
        held, self._held = self._held, b""
        if held:
            self._feed_slowly(held)
        if self._paused and not self._held and not self._full():
            self._paused = False
            self._transport.resume_reading()
        if self._ended and not self._queue and not self._held:
            self._transport.close()

    # Closing.

    def _refuse(self, response: Response) -> None:
        """Answers what cannot be read on, and reads nothing more."""
        exchange = cast(Reader, self._reader).drop()
        exchange.keep, exchange.response = False, response
        self._refused, self._held = True, b""
        self._queue.append(exchange)
        self.send()

    def _leave(self, *, at_once: bool) -> None:
        """Closes after what was written; a client that may still be sending is heard out."""
        transport = cast(asyncio.Transport, self._transport)
        cast(Reader, self._reader).over = self._left = True
        if at_once or self._ended:
            return transport.close()
        if transport.can_write_eof():
            transport.write_eof()
        if self._paused:
            self._paused = False
            transport.resume_reading()
