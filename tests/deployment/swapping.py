"""A served alias that moves between two models under load, with every response checked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import lithify
from lithify.workflow.promoting import promote

ROW = b'{"size": 40, "colour": "red"}'
DEPTH = 16
"""Requests that a client sends at a time."""


def two_models(folder: Path) -> dict[str, str]:
    """Trains two models that say opposite things of ``ROW`` in the home; digest → label."""
    says = {}
    for big, small in (("big", "small"), ("small", "big")):
        rows = {"size": [n % 50 for n in range(300)], "colour": ["red", "blue", "blue"] * 100}
        rows["target"] = [big if n > 24 else small for n in rows["size"]]  # type: ignore[assignment]
        model = lithify.train(rows, learner="tree", home=folder / "home")
        says[model.digest] = str(model.predict(json.loads(ROW))[0].label)
    assert sorted(says.values()) == ["big", "small"]
    return says


@dataclass
class Served:
    """A server and where it is."""

    process: subprocess.Popen[str]
    url: str
    workers: int

    def children(self) -> list[int]:
        """The processes that answer."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(number) for number in text.split()]


@contextlib.contextmanager
def serving(home: Path, *options: str, workers: int = 2, stderr: IO[bytes] | None = None) -> Iterator[Served]:
    """A real server of its own process on a free port; it must end well once it is told to."""
    command = [sys.executable, "-m", "lithify", "serve", "--http", "127.0.0.1:0", "--json", "--home", str(home)]
    process = subprocess.Popen(
        [*command, "--workers", str(workers), *options],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=dict(os.environ),
    )
    try:
        yield Served(process, _ready(process)["url"], workers)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The document that a server prints once it answers."""
    assert process.stdout is not None
    said = ""
    while line := process.stdout.readline():
        said += line
        with contextlib.suppress(ValueError):
            return dict(json.loads(said))
    raise AssertionError(f"the server ended with {process.wait(10)}")


@dataclass
class Client:
    """Asks for ``ROW`` on one connection, again and again, and checks every answer.

    Attributes
    ----------
    answers : Counter
        By digest of the model.
    wrong : list of str
        Answers that are no success, or whose label is not the one of the model they name.
    cut : list of int
        For each connection that ended before its time how many requests were without an answer.
    """

    url: str
    path: str
    says: dict[str, str]
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; a connection that ends is opened anew."""
        place = urlsplit(self.url)
        request = (
            f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(ROW)}\r\n\r\n"
        ).encode() + ROW
        while not stop.is_set():
            with socket.create_connection((place.hostname, place.port), timeout=60) as line:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with contextlib.suppress(ConnectionError):
                    while not stop.is_set():
                        waiting = DEPTH
                        try:
                            line.sendall(request * DEPTH)
                            waiting -= self._read(line)
                        finally:
                            if waiting:
                                self.cut.append(waiting)

    def _read(self, line: socket.socket) -> int:
        """Reads as many answers as were asked for, fewer where the connection ends."""
        held, done = b"", 0
        while done < DEPTH:
            try:
                more = line.recv(1 << 16)
            except ConnectionError:
                more = b""
            if not more:
                return self._ended(done)
            held += more
            while (end := held.find(b"\r\n\r\n")) >= 0:
                head = held[:end]
                at = head.lower().index(b"content-length:") + 15
                size = int(head[at:].split(b"\r\n", 1)[0])
                if len(held) < end + 4 + size:
                    break
                self._check(head, held[end + 4 : end + 4 + size])
                held = held[end + 4 + size :]
                done += 1
        return done

    def _ended(self, done: int) -> int:
        self.cut.append(DEPTH - done)
        raise ConnectionResetError

    def _check(self, head: bytes, body: bytes) -> None:
        if not head.startswith(b"HTTP/1.1 200"):
            self.wrong.append(f"{head[:60]!r} {body[:200]!r}")
            return
        document = json.loads(body)
        self.answers[document["model"]] += 1
        if self.says.get(document["model"]) != document["label"] or document["model"].encode() not in head:
            self.wrong.append(f"{head!r} {body[:200]!r}")


def swap_under_load(
    folder: Path, swaps: int, requests: int = 0, clients: int = 4, kills: int = 0
) -> tuple[Counter[str], list[str], list[int]]:
    """Moves an alias ``swaps`` times while clients ask, for at least ``requests`` requests in all.

    Returns what the clients saw together: answers by model, wrong ones, requests cut off by each end of a connection.
    """
    says = two_models(folder)
    home, digests = folder / "home", list(says)
    promote(digests[0], "sizes", home=home)
    stop = threading.Event()
    with serving(home) as server:
        asking = [Client(server.url, "/v1/sizes/predict", says) for _ in range(clients)]
        threads = [threading.Thread(target=client.run, args=(stop,)) for client in asking]
        for thread in threads:
            thread.start()
        try:
            for number in range(max(swaps, kills)):
                if number < swaps:
                    promote(digests[(number + 1) % 2], "sizes", force="to try", home=home)
                if number < kills:
                    os.kill(server.children()[number % server.workers], signal.SIGKILL)
                _wait(asking, (number + 1) * requests // max(swaps, kills), server)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    answers = sum((client.answers for client in asking), Counter[str]())
    return answers, [each for client in asking for each in client.wrong], [n for client in asking for n in client.cut]


def _wait(asking: list[Client], requests: int, server: Served) -> None:
    """Until so many requests are answered, every worker is there, and the servers have had time to see a swap."""
    end = time.monotonic() + 120.0
    time.sleep(0.5)
    while sum(client.answers.total() for client in asking) < requests or len(server.children()) < server.workers:
        assert time.monotonic() < end, "the server answers no more"
        time.sleep(0.05)
