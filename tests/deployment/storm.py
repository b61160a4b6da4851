"""A real server under fuzzed requests, with every answer looked at."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from tests.deployment import fuzzed, routed
from tests.deployment.sound import SOUND, Case
from tests.deployment.swapping import Served, serving

KINDS = ("people", "inbox", "topics", "colours")
SAYABLE = {400, 401, 403, 404, 405, 408, 411, 413, 415, 422, 429, 431, 503} | {200, 204}
HEADERS = {
    "server", "date", "x-content-type-options", "cache-control", "content-type", "content-length", "lithify-model",
    "connection", "allow", "retry-after", "content-security-policy", "referrer-policy",
    "inference-header-content-length",
}  # fmt: skip
LEAK = re.compile(
    rb"Traceback|File \"|line \d+, in |\.py\b|/tmp/|/usr/|/home/|site-packages|xylograph-canary-(?:folder|file)"
    rb"|\b(?!PlainError)[A-Z][A-Za-z]+(?:Error|Exception|Warning)\b|catalog\.sqlite|0x[0-9a-f]{8,}"
)
PAGE = ("/", "/page.js", "/page.css")


@dataclass
class Answer:
    """What came back for a request."""

    status: int
    headers: dict[str, str]
    body: bytes
    kept: bool


@dataclass
class Found:
    """What a storm came to."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[dict[int, int]] = field(default_factory=list)
    seconds: float = 0.0

    def most(self) -> int:
        """Bytes of the largest worker at any time."""
        return max(max(one.values()) for one in self.memory)

    def growth(self, warm: float = 0.5) -> int:
        """Bytes by which the worst worker's own memory grew after the first ``warm`` share of the storm.

        The median of a tenth, at either end, so that a large request that is under way is no leak. Until about the
        middle of a hundred thousand requests the largest ones are met for the first time, and what they freed is kept
        by the allocator.
        """
        size = max(1, len(self.memory) // 10)
        start = int(len(self.memory) * warm)
        ends = self.memory[start : start + size], self.memory[-size:]
        first, last = (
            {pid: sorted(one[pid] for one in some)[len(some) // 2] for pid in self.memory[0]} for some in ends
        )
        return max(last[pid] - first[pid] for pid in first)


@contextlib.contextmanager
def served(folder: Path, *options: str, workers: int = 2) -> Iterator[Served]:
    """``lithify serve`` with a model of every kind; the learner of the images comes by way of a package."""
    plugin = folder / "plugin"
    (plugin / "patches-1.dist-info").mkdir(parents=True)
    (plugin / "patches-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: patches\nVersion: 1\n")
    (plugin / "patches-1.dist-info" / "entry_points.txt").write_text(
        "[lithify.learners]\npatches = tests.imaging:Patches\n"
    )
    things = [str(routed.files() / f"{kind}.lith") for kind in KINDS]
    with pytest.MonkeyPatch.context() as patch, open(folder / "stderr", "wb") as stderr:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(plugin), str(Path(__file__).parents[2]))))
        with serving(folder / "home", *things, *options, workers=workers, stderr=stderr) as server:
            yield server


def own_memory(pid: int) -> int:
    """Bytes of a process that no file and no other process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) << 10


class Line:
    """A connection that is opened anew whenever it ended."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._place = (place.hostname or "", place.port or 0)
        self._socket: socket.socket | None = None

    def ask(self, case: Case) -> list[Answer]:
        """All answers to a case; of one that is not whole, until the server closes, being told that no more comes."""
        if not case.whole:
            with self._open() as alone:
                return _all(alone, case)
        for _ in range(3):
            self._socket = self._socket or self._open()
            with contextlib.suppress(ConnectionError):
                self._socket.sendall(case.raw)
            found, _ = _answer(self._socket, b"", case.method == "HEAD")
            if found is None or not found.kept:
                self.close()
            if found is not None:
                return [found]
        return []

    def close(self) -> None:
        """Ends the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _open(self) -> socket.socket:
        made = socket.create_connection(self._place, timeout=60)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made


def _all(line: socket.socket, case: Case) -> list[Answer]:
    with contextlib.suppress(ConnectionError):
        line.sendall(case.raw)
        line.shutdown(socket.SHUT_WR)
    answers, held = [], b""
    while True:
        found, held = _answer(line, held, case.raw.startswith(b"HEAD "))
        if found is None:
            return answers
        answers.append(found)


def _answer(line: socket.socket, held: bytes, head_only: bool) -> tuple[Answer | None, bytes]:
    """The next answer, without those that say 100 Continue, and what came behind it; None where the server closed."""
    while True:
        while (end := held.find(b"\r\n\r\n")) < 0:
            more = _more(line)
            if not more:
                assert not held, f"half an answer: {held[:200]!r}"
                return None, b""
            held += more
        first, *lines = held[:end].decode("latin-1").split("\r\n")
        held = held[end + 4 :]
        if first.startswith("HTTP/1.1 100 "):
            continue
        assert re.fullmatch(r"HTTP/1\.1 [1-5]\d\d [A-Z][A-Za-z ]+", first), first
        headers = dict(each.partition(": ")[::2] for each in lines)
        assert len(headers) == len(lines), lines
        lowered = {name.lower(): value for name, value in headers.items()}
        size = 0 if head_only else int(lowered.get("content-length", 0))
        while len(held) < size:
            more = _more(line)
            assert more, "an answer that was cut short"
            held += more
        kept = lowered.get("connection") != "close"
        return Answer(int(first.split()[1]), lowered, held[:size], kept), held[size:]


def _more(line: socket.socket) -> bytes:
    with contextlib.suppress(ConnectionError):
        return line.recv(1 << 16)
    return b""


def complaint(case: Case, answers: list[Answer]) -> str | None:
    """What is wrong with the answers to a case; None where nothing is."""
    if case.whole and len(answers) != 1:
        return f"{len(answers)} answers"
    for answer in answers:
        said = _complaint(case, answer)
        if said:
            return f"{said}: {answer.status} {answer.headers} {answer.body[:300]!r}"
    return None


def _complaint(case: Case, answer: Answer) -> str | None:
    if answer.status not in SAYABLE:
        return "status"
    if odd := answer.headers.keys() - HEADERS:
        return f"headers {odd}"
    if any(not value.isprintable() for value in answer.headers.values()):
        return "unprintable header"
    everything = answer.body + "\n".join(answer.headers.values()).encode()
    if case.path not in PAGE and (leak := LEAK.search(everything)) and leak[0] not in case.raw:
        return f"leak {leak[0]!r}"
    if answer.status < 400 or case.method == "HEAD":
        return None
    if answer.headers.get("content-type") != "application/json":
        return "error that is no JSON"
    error = json.loads(answer.body)["error"]
    if case.whole and isinstance(error, str) != unquote(case.path).startswith("/v2"):
        return "form of the error"
    if isinstance(error, dict) and not (error.get("code") and error.get("message") and set(error) <= _PARTS):
        return "parts of the error"
    return None


_PARTS = {"code", "message", "expected", "found", "hint"}


def valid(url: str) -> list[Any]:
    """What sound requests are answered, one after another."""
    line = Line(url)
    try:
        answers = [line.ask(one.case())[0] for one in SOUND]
    finally:
        line.close()
    assert not [answer for answer in answers if answer.status != 200]
    return [answer.body for answer in answers]


def rage(server: Served, requests: int, seed: int, clients: int = 4) -> Found:
    """Sends so many fuzzed requests, shared by some clients, and looks at every answer."""
    found, lock, began = Found(), threading.Lock(), time.monotonic()
    pids, every = server.children(), max(1, requests // 200)

    def run(first: int) -> None:
        line = Line(server.url)
        for number in range(first, requests, clients):
            case = fuzzed.case(seed, number)
            try:
                answers = line.ask(case)
                said = complaint(case, answers)
            except (AssertionError, OSError, ValueError, KeyError, TypeError) as error:
                answers, said = [], f"{type(error).__name__} {error}"
                line.close()
            with lock:
                found.statuses.update([answer.status for answer in answers] or [0])
                if said:
                    found.wrong.append(f"case({seed}, {number}) {case.method} {case.path[:60]}: {said}")
                if not number % every:
                    found.memory.append({pid: own_memory(pid) for pid in pids})
        line.close()

    threads = [threading.Thread(target=run, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.seconds = time.monotonic() - began
    return found
