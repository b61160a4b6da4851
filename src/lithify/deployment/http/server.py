"""One process's server: accepts connections, looks after them, and sees them out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections import Counter

from lithify.deployment.http.desk import Desk
from lithify.deployment.http.protocol import Connection
from lithify.deployment.http.routes import Application
from lithify.deployment.http.writing import Writer
from lithify.deployment.limits import Limits

_SPARE = 64
"""Connections beyond the limit that are told so; further ones are just closed."""
_EAGER = 2
"""With fewer connections open, a process accepts at once."""
_PATIENCE = 1.0
"""Seconds for which open connections may bring one more request once the server stops, so that none that is under way
to us is lost."""
_log = logging.getLogger("lithify.serve")


class Server:
    """Serves an application on sockets that listen.

    Several processes may share a socket. All are woken by a connection, and left alone the same one would be first
    nearly every time; so the more connections a process has, the more milliseconds it waits before it takes another.

    Parameters
    ----------
    application : Application
    limits : Limits
    loop : asyncio.AbstractEventLoop
    context : ssl.SSLContext, optional
        For HTTPS.

    Attributes
    ----------
    connections : set of Connection
    desk : Desk
    writer : Writer
    draining : bool
        Whether the server stops: every connection is closed after its answers.
    """

    def __init__(
        self,
        application: Application,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits
        self.loop = loop
        self.desk = Desk(application, limits, loop)
        self.writer = Writer()
        self.connections: set[Connection] = set()
        self.draining = False
        self._context = context
        self._resting = False
        self._listeners: list[socket.socket] = []
        self._greetings: set[asyncio.Task[None]] = set()
        self._pace = min(1.0, max(0.02, min(limits.arrival, limits.idle, limits.answer) / 8))
        self._ticking: asyncio.TimerHandle | None = None

    def listen(self, listener: socket.socket) -> None:
        """Begins to accept connections."""
        listener.setblocking(False)
        self._listeners.append(listener)
        self.loop.add_reader(listener.fileno(), self._knock, listener)
        if self._ticking is None:
            self._tick()

    async def drain(self) -> None:
        """Stops accepting, answers what is under way within ``limits.grace`` seconds, and closes everything."""
        for listener in self._listeners:
            while self._accept(listener):  # the backlog dies with its socket
                pass
            self.loop.remove_reader(listener.fileno())
            listener.close()
        self._listeners.clear()
        self.draining = True
        began = time.monotonic()
        patience = min(_PATIENCE, self.limits.grace / 2)
        while (self.connections or self._greetings) and time.monotonic() - began < self.limits.grace:
            if time.monotonic() - began > patience:
                self._dismiss()
            await asyncio.sleep(0.02)
        self.close()

    def close(self) -> None:
        """Closes everything, whatever is under way."""
        for listener in self._listeners:
            self.loop.remove_reader(listener.fileno())
            listener.close()
        self._listeners.clear()
        for task in self._greetings:
            task.cancel()
        for connection in list(self.connections):
            connection.abort()
        if self._ticking is not None:
            self._ticking.cancel()
        self.desk.close()

    def make_room(self) -> bool:
        """Drops the connection that has been stale the longest, of the client that has most of them.

        So nobody keeps others out by opening connections and saying nothing, or never the whole of it.
        """
        now = time.monotonic()
        found = [(since, each) for each in self.connections if (since := each.stale(now)) is not None]
        if not found:
            return False
        counts = Counter(each.peer for _, each in found)
        _, dropped = min(found, key=lambda item: (-counts[item[1].peer], item[0]))
        dropped.abort()
        return True

    def _shed(self) -> None:
        """Drops those that leave the most untaken, while more is held of answers than may be of bodies."""
        unsent = {connection: connection.unsent for connection in self.connections}
        held = sum(unsent.values())
        for connection in sorted(unsent, key=unsent.__getitem__, reverse=True) if held > self.limits.buffered else ():
            if held > self.limits.buffered:
                connection.abort()
                held -= unsent[connection]

    def _dismiss(self) -> None:
        for connection in list(self.connections):
            connection.dismiss()

    def _knock(self, listener: socket.socket) -> None:
        """There are connections to accept: at once, or after those processes that have fewer had their chance."""
        busy = len(self.connections) + len(self._greetings)
        if busy < _EAGER:
            self._accept(listener)
            return
        step = 1 + min(busy // 4, 7)
        self.loop.remove_reader(listener.fileno())
        self.loop.call_later(step / 1000, self._let_in, listener, step)

    def _let_in(self, listener: socket.socket, most: int) -> None:
        """Accepts as many as it waited milliseconds, so that waiting bounds the share and not the rate."""
        if listener not in self._listeners:
            return
        while most and self._accept(listener):
            most -= 1
        if not self._resting:
            self._resume(listener)

    def _accept(self, listener: socket.socket) -> bool:
        """Accepts one connection, if there is one."""
        try:
            accepted, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            self._rest(listener, error)
            return False
        if len(self.connections) + len(self._greetings) >= self.limits.connections + _SPARE:
            accepted.close()
            return True
        accepted.setblocking(False)
        with contextlib.suppress(OSError):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self.loop.create_task(self._greet(accepted))
        self._greetings.add(task)
        task.add_done_callback(self._greetings.discard)
        return True

    async def _greet(self, accepted: socket.socket) -> None:
        """Makes a connection of a socket, with the handshake of TLS where that is asked for."""
        secure = {"ssl": self._context, "ssl_handshake_timeout": self.limits.arrival} if self._context else {}
        try:
            await self.loop.connect_accepted_socket(lambda: Connection(self), accepted, **secure)  # type: ignore[arg-type]
        except (
            OSError
        ):  # which ssl.SSLError, TimeoutError and ConnectionError are: it is gone, or speaks something else
            accepted.close()

    def _rest(self, listener: socket.socket, error: OSError) -> None:
        """No more files may be open: waits a second, instead of trying at every turn."""
        _log.error("No connection can be accepted: %s", error.strerror)
        self._resting = True
        self.loop.remove_reader(listener.fileno())
        self.loop.call_later(1.0, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            self._resting = False
            self.loop.add_reader(listener.fileno(), self._knock, listener)

    def _tick(self) -> None:
        """Sets the clock of the responses, and looks for what takes too long."""
        self.writer.tick()
        now = time.monotonic()
        for connection in list(self.connections):
            connection.check(now)
        self._shed()
        self._ticking = self.loop.call_later(self._pace, self._tick)
