"""Clients that ask without pause and note what became of every request."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from typing import NamedTuple


class Failure(NamedTuple):
    """A request that got no answer.

    ``pid`` is the process that answered the connection before, or None when it was the first request of the connection;
    ``kills`` is how many kills had been told by then.
    """

    pid: int | None
    kills: int


class Load:
    """Keep-alive clients in a thread, each sending one request after another."""

    def __init__(self, port: int, clients: int = 8, path: str = "/x", pause: float = 0.0) -> None:
        self.statuses: Counter[int] = Counter()
        self.pids: Counter[int] = Counter()
        self.failures: list[Failure] = []
        self.refused = 0
        self.kills = 0
        self._port, self._clients, self._pause = port, clients, pause
        self._request = f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode()
        self._over = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()

    def stop(self) -> None:
        self._over = True
        self._thread.join(60)
        assert not self._thread.is_alive()

    def answered(self) -> int:
        return sum(self.statuses.values())

    async def _run(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(self._clients)))

    async def _client(self) -> None:
        while not self._over:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except ConnectionError:
                self.refused += 1
                await asyncio.sleep(0.02)
                continue
            try:
                await self._connection(reader, writer)
            finally:
                writer.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pid = None
        while not self._over:
            kills = self.kills
            writer.write(self._request)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                body = await reader.readexactly(length)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.failures.append(Failure(pid, kills))
                return
            self.statuses[int(head.split()[1])] += 1
            pid = json.loads(body)["pid"]
            self.pids[pid] += 1
            if b"connection: close" in head.lower():
                return
            await asyncio.sleep(self._pause)
