"""The access log: one line of JSON for every request, without a word of what was in it.

A line says who asked, by which method, for which route and alias, and what came of it. It holds no path (an unknown
one could hold anything), no query, no header and nothing of a body. Lines are gathered and written by a thread, each
write being whole lines appended at once, so that several processes may share one file and a slow disk stops nobody.
"""

from __future__ import annotations

import logging
import os
import select
import stat
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from lithify.deployment.ticker import Ticker
from lithify.errors import as_store_error

INTERVAL = 0.1
"""Seconds between writes."""
FULL = 256
"""Lines after which they are written sooner: about 64 KiB."""
MOST = 100_000
"""Lines that wait at most; while nothing can be written, further ones are lost and counted."""
_STDERR = 2
_log = logging.getLogger("lithify.serve")


class AccessLog:
    r"""An access log.

    A file that was moved away or removed is made anew, so that logs are rotated without a signal.

    Parameters
    ----------
    target : str
        A file, which is made readable by its owner alone, or ``-`` for stderr.
    interval : float
        Seconds between writes.

    Raises ``StoreError`` when the file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "access.log"
    >>> log = AccessLog(str(file))
    >>> log.add({"route": "predict", "status": 200}), log.close()
    (None, None)
    >>> file.read_text().partition('Z"')[2]
    ',"route":"predict","status":200}\n'
    """

    def __init__(self, target: str, interval: float = INTERVAL) -> None:
        self._path = None if target == "-" else Path(target).expanduser().absolute()
        self._lines: deque[bytes] = deque()
        self._second, self._prefix = -1, b""
        self._writing = threading.Lock()
        self._failed = False
        self._file = _STDERR if self._path is None else -1
        self.lost = 0
        try:
            self._reopen()
        except OSError as error:
            raise as_store_error(error, "opening the access log") from error
        self._ticker = Ticker("log", interval, self.flush)

    def add(self, entry: dict[str, Any]) -> None:
        """Adds a line, with the time before all else; to be called by one thread at a time."""
        if len(self._lines) >= MOST:
            self.lost += 1
            return
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime('{"time":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second)).encode()
        try:
            said = orjson.dumps(entry)
        except TypeError:  # a file name that is no text
            said = orjson.dumps({name: ascii(value) for name, value in entry.items()})
        self._lines.append(b'%s%03dZ",%s\n' % (self._prefix, (now - second) * 1000, said[1:]))
        if not len(self._lines) % FULL:
            self._ticker.wake()

    def flush(self) -> None:
        """Writes what waits. Lines that cannot be written are lost, counted, and said once."""
        with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            for number, piece in _pieces(lines, self._most()) if lines else ():
                try:
                    self._reopen()
                    self._write(piece)
                except OSError as error:
                    self.lost += number
                    if not self._failed:
                        _log.error("%s", as_store_error(error, "writing the access log"))
                    self._failed = True

    def close(self) -> None:
        """Writes what waits, and ends."""
        self._ticker.stop()
        self.flush()
        if self._path is not None and self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _most(self) -> int:
        """Bytes of one write: what others write at the same time must not come between, and pipes hold little."""
        regular = self._file >= 0 and stat.S_ISREG(os.fstat(self._file).st_mode)
        return 1 << 20 if regular or self._path is not None else select.PIPE_BUF

    def _reopen(self) -> None:
        if self._path is None or (self._file >= 0 and _same(self._path, self._file)):
            return
        fresh = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._file >= 0:
            os.close(self._file)
        self._file = fresh

    def _write(self, piece: bytes) -> None:
        data = b"\n" + piece if self._failed else piece  # a line may have been cut short
        while data:
            data = data[os.write(self._file, data) :]
        self._failed = False


def _same(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _pieces(lines: Iterable[bytes], most: int) -> Iterator[tuple[int, bytes]]:
    r"""Whole lines together, at most so many bytes where a line is no longer than that; each with how many they are.

    >>> list(_pieces([b"a\n", b"b\n", b"cc\n"], 4))
    [(2, b'a\nb\n'), (1, b'cc\n')]
    """
    held: list[bytes] = []
    size = 0
    for line in lines:
        if held and size + len(line) > most:
            yield len(held), b"".join(held)
            held, size = [], 0
        held.append(line)
        size += len(line)
    if held:
        yield len(held), b"".join(held)
