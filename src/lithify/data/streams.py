"""Streams of bytes that may be compressed, cut short or hostile."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import queue
import stat
import threading
import zlib
from pathlib import Path
from typing import IO, Final, cast

from lithify.errors import DamagedSource, UnsafeSource

MAX_EXPANSION: Final = 250
"""Mail shrinks 5 to 20 times; what unpacks to more than this many times its size (and to over 1 GiB) is a bomb."""
MIN_BOMB: Final = 1 << 30
_BLOCK: Final = 1 << 18
_BLOCKS: Final = 16
"""Bytes that are decompressed at a time, and how often ahead of the reader."""

BROKEN: Final = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What the decompressors raise on bytes that are cut short or flipped."""

_MAGIC: Final[tuple[tuple[bytes, str], ...]] = ((b"\x1f\x8b", "gz"), (b"\xfd7zXZ\x00", "xz"), (b"BZh", "bz2"))


def shown(name: str) -> str:
    r"""A file name as it can safely be shown: undecodable bytes and control characters become U+FFFD.

    >>> shown("ham/1.txt"), ascii(shown("a\x1b[31m"))
    ('ham/1.txt', "'a\\ufffd[31m'")
    """
    if name.isprintable():
        return name
    return "".join(character if character.isprintable() else "\ufffd" for character in name)


def open_regular(path: str | Path) -> IO[bytes]:
    """Opens a regular file and nothing else: a pipe or a device raises ``OSError`` instead of hanging."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "not a regular file", str(path))
    return open(descriptor, "rb", buffering=0)


def compression_of(head: bytes) -> str | None:
    r"""``gz``, ``xz``, ``bz2`` or None, from the first bytes of a file.

    >>> compression_of(b"\x1f\x8b\x08"), compression_of(b"From ")
    ('gz', None)
    """
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def open_decompressed(path: Path, compression: str | None) -> IO[bytes]:
    """The file's bytes, decompressed; raises ``DamagedSource`` where they end early and ``UnsafeSource`` for a bomb."""
    raw = open_regular(path)
    return raw if compression is None else decompressed(raw, path, compression, path.stat().st_size)


def decompressed(raw: IO[bytes], path: Path, compression: str, size: int) -> io.BufferedReader:
    """A buffered stream of what ``raw``, ``size`` bytes long, holds compressed; ``path`` names it in errors."""
    guard = Guard(_decompressor(raw, compression), path, Budget(path, size), closes=raw)
    return io.BufferedReader(guard, 1 << 16)


def _decompressor(raw: IO[bytes], compression: str) -> IO[bytes]:
    if compression == "gz":
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if compression == "xz":
        return lzma.LZMAFile(raw)
    return bz2.BZ2File(raw)


class Ahead(io.RawIOBase):
    """A stream that a thread reads ahead of its reader, so that decompressing and parsing go on at the same time.

    What goes wrong in the thread is raised where it would have been without one.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self._blocks: queue.Queue[bytes | BaseException] = queue.Queue(_BLOCKS)
        self._rest = memoryview(b"")
        self._end: bytes | BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._fill, name="read-ahead", daemon=True)
        self._thread.start()

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fills ``buffer`` and returns how many bytes it got."""
        if not self._rest and self._end is None:
            block = self._blocks.get()
            if isinstance(block, BaseException) or not block:
                self._end = block
            else:
                self._rest = memoryview(block)
        if not self._rest and isinstance(self._end, BaseException):
            raise self._end
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Ends the thread and closes the stream."""
        self._stopped = True
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._blocks.get(timeout=0.01)
        self._stream.close()
        super().close()

    def _fill(self) -> None:
        block: bytes | BaseException = b"."
        while block and not isinstance(block, BaseException) and not self._stopped:
            try:
                block = self._stream.read(_BLOCK)
            except BaseException as error:
                block = error
            self._blocks.put(block)


class Budget:
    """How many bytes may still come out of an archive of ``size`` bytes."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._left = max(MIN_BOMB, size * MAX_EXPANSION)

    def spend(self, count: int) -> None:
        """Raises ``UnsafeSource`` once more came out than any honest archive holds."""
        self._left -= count
        if self._left < 0:
            raise bomb(self._path)


class Guard(io.RawIOBase):
    """A stream that counts what comes out of it and turns every way it can break into an error of ours.

    ``broken`` are the exceptions that mean damage; ``closes`` is a second stream to close with it.
    """

    def __init__(
        self,
        stream: IO[bytes],
        path: Path,
        budget: Budget | None = None,
        broken: tuple[type[Exception], ...] = BROKEN,
        closes: IO[bytes] | None = None,
    ) -> None:
        super().__init__()
        self._stream = stream
        self._path = path
        self._budget = budget
        self._broken = broken
        self._closes = closes

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fills ``buffer`` and returns how many bytes it got."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; raises ``DamagedSource`` or ``UnsafeSource``."""
        try:
            data = self._stream.read(size)
        except self._broken as error:
            raise damaged(self._path) from error
        if self._budget is not None:
            self._budget.spend(len(data))
        return data

    def close(self) -> None:
        """Closes the streams."""
        self._stream.close()
        if self._closes is not None:
            self._closes.close()
        super().close()


def damaged(path: Path, detail: str = "it is cut short or its bytes have changed") -> DamagedSource:
    """The error for a file that breaks off or does not decompress."""
    return DamagedSource(
        f"{shown(str(path))} is damaged.", found=detail, hint="Copy or download it again, then compare the sizes."
    )


def bomb(path: Path) -> UnsafeSource:
    """The error for an archive that unpacks to far more than its size."""
    return UnsafeSource(
        f"{shown(str(path))} unpacks to more than {MAX_EXPANSION} times its size.",
        expected="an archive of mail or text, which shrinks 5 to 20 times",
        hint="If it is genuine, unpack it into a folder and give that.",
    )
