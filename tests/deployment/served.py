"""A server in a thread of this process, and raw sockets to talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import uvloop
from tests.deployment.parrot import Parrot

from lithify.deployment.http.server import Server
from lithify.deployment.limits import Limits

HOST = b"Host: here\r\n"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """A raw connection."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        raw = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.sock = raw if context is None else context.wrap_socket(raw, server_hostname="localhost")
        self.left = b""

    def send(self, data: bytes) -> Client:
        self.sock.sendall(data)
        return self

    def ask(self, path: str = "/", *, method: str = "GET", headers: str = "", body: bytes = b"") -> Answer:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n".encode() + body)
        return self.answer(head_only=method == "HEAD")

    def answer(self, *, head_only: bool = False) -> Answer:
        """The next response; EOFError when the connection is closed instead."""
        while b"\r\n\r\n" not in self.left:
            self._more()
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if head_only else int(headers.get("content-length", 0))
        while len(self.left) < length:
            self._more()
        body, self.left = self.left[:length], self.left[length:]
        return Answer(int(first.split()[1]), headers, body)

    def closed(self) -> bool:
        """Whether the server closes without another word."""
        with contextlib.suppress(ConnectionError):
            return not self.left and self.sock.recv(1) == b""
        return True

    def _more(self) -> None:
        data = self.sock.recv(1 << 16)
        if not data:
            raise EOFError
        self.left += data

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


class Served:
    """A server that runs."""

    def __init__(self, application: Any, limits: Limits, context: ssl.SSLContext | None) -> None:
        self.application = application
        self.loop = uvloop.new_event_loop()
        self.server = Server(application, limits, self.loop, context)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.server.listen(listener)
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def client(self, context: ssl.SSLContext | None = None) -> Client:
        return Client(self.port, context)

    def call(self, function: Any) -> Any:
        """What a function gives in the thread of the loop."""

        async def inside() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(inside(), self.loop).result(20)

    def drain(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.drain(), self.loop).result(60)

    def stop(self) -> None:
        self.call(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@contextlib.contextmanager
def serving(
    limits: Limits | None = None, application: Any = None, context: ssl.SSLContext | None = None
) -> Iterator[Served]:
    served = Served(application or Parrot(), limits or Limits(), context)
    try:
        yield served
    finally:
        served.stop()
