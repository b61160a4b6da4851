"""Files that belong together, one after the other: the members of a folder, or a single file.

Everything that reads many files goes through :class:`Members`, so a folder, a tar and a zip
(:mod:`lithify.data.archives`) look the same to whoever reads rows from them. A member can be read only until the next
one is asked for, which is what lets an archive be read in one pass, in constant memory and without a temporary file.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from lithify.data.schema import Problem
from lithify.data.streams import open_decompressed, open_regular, shown
from lithify.errors import NotFound, UnsafeSource

MAX_MEMBERS: Final = 10_000_000
"""More files than this in one place are refused: somebody is playing games, or the path is wrong."""
MAX_DEPTH: Final = 64
"""Folders nested deeper than this are not entered."""


@dataclass(slots=True)
class Member:
    """One file: its path inside the collection (``/`` between folders), its size, and a way to read it.

    ``open`` works once, and only until the next member is asked for. In a folder it raises ``OSError`` for a file that
    cannot be read; in an archive ``DamagedSource``.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]

    def read(self, limit: int) -> bytes:
        """At most ``limit`` bytes from the start."""
        with self.open() as stream:
            return stream.read(limit)

    def lines(self) -> io.BufferedReader:
        """A buffered stream, for reading line by line."""
        stream = self.open()
        if isinstance(stream, io.BufferedReader):
            return stream
        return io.BufferedReader(cast(io.RawIOBase, stream), 1 << 16)


class Members(ABC):
    """Files that belong together, in a fixed order.

    Attributes
    ----------
    path : Path
        The folder or file on the disk.
    words : str
        What it is, for a sentence: ``a folder``, ``a tar.xz archive``.
    """

    path: Path
    words: str

    @abstractmethod
    def __iter__(self) -> Iterator[Member | Problem]:
        """Every regular file, and a ``Problem`` for what cannot be one."""

    @abstractmethod
    def origin(self, name: str) -> str:
        """How a member is named to a person."""

    def signature(self) -> str:
        """Digest of path, size and modification time."""
        try:
            return _signature(self.path, [("", self.path.stat())])
        except OSError as error:
            raise NotFound(f"{shown(str(self.path))} is gone.", found=error.strerror) from error


class Folder(Members):
    """The files in a folder and its sub-folders, sorted by name.

    Symbolic links are followed, except into a folder that is already being read. Devices, pipes and sockets are never
    opened.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as home:
    ...     _ = pathlib.Path(home, "a.txt").write_bytes(b"hello")
    ...     [(member.name, member.read(3)) for member in Folder(pathlib.Path(home))]
    [('a.txt', b'hel')]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.words = "a folder"

    def __iter__(self) -> Iterator[Member | Problem]:
        entries = self._walk(self.path, "", frozenset())
        for count, (name, entry) in enumerate(entries):
            if count >= MAX_MEMBERS:
                raise too_many(self.path)
            yield self._member(name, entry) if isinstance(entry, os.DirEntry) else entry

    def origin(self, name: str) -> str:
        """How a member is named to a person."""
        return shown(os.path.join(self.path, name))

    def signature(self) -> str:
        """Changes when the files or the way they are read do."""
        return _signature(self.path, self._stats())

    def _walk(
        self, folder: Path, prefix: str, above: frozenset[tuple[int, int]]
    ) -> Iterator[tuple[str, os.DirEntry[str] | Problem]]:
        """Every file below ``folder``; ``above`` are the folders being read, to find loops."""
        try:
            found = folder.stat()
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise NotFound(f"Cannot list {folder}.", found=error.strerror) from error
            yield prefix, Problem(self.origin(prefix), "unreadable", f"folder: {error.strerror}")
            return
        here = (found.st_dev, found.st_ino)
        if here in above or len(above) >= MAX_DEPTH:
            detail = "a loop of symbolic links" if here in above else f"folders nested deeper than {MAX_DEPTH}"
            yield prefix, Problem(self.origin(prefix), "unreadable", detail)
            return
        for entry in entries:
            name = prefix + entry.name
            if _is_folder(entry):
                yield from self._walk(folder / entry.name, f"{name}/", above | {here})
            else:
                yield name, entry

    def _member(self, name: str, entry: os.DirEntry[str]) -> Member | Problem:
        try:
            found = entry.stat()
        except OSError as error:
            return Problem(self.origin(name), "unreadable", str(error.strerror))
        if not stat.S_ISREG(found.st_mode):
            return Problem(self.origin(name), "unreadable", "not a regular file")
        return Member(name, found.st_size, lambda: open_regular(entry.path))

    def _stats(self) -> Iterator[tuple[str, os.stat_result]]:
        for name, entry in self._walk(self.path, "", frozenset()):
            if isinstance(entry, os.DirEntry):
                try:
                    yield name, entry.stat()
                except OSError:
                    continue


class SingleFile(Members):
    """One file as its only member, decompressed when it is gzip, xz or bzip2."""

    def __init__(self, path: Path, compression: str | None = None) -> None:
        self.path = path
        self.compression = compression
        self.words = f"a file compressed with {compression}" if compression else "a file"

    def __iter__(self) -> Iterator[Member | Problem]:
        name = self.path.name
        if self.compression:
            name = name.removesuffix(f".{self.compression}")
        yield Member(name, self.path.stat().st_size, lambda: open_decompressed(self.path, self.compression))

    def origin(self, name: str) -> str:
        """How a member is named to a person."""
        return shown(str(self.path))


def too_many(path: Path) -> UnsafeSource:
    """The error for a place with more files than anybody has."""
    return UnsafeSource(
        f"{shown(str(path))} holds more than {MAX_MEMBERS:,} files.", hint="Give a smaller folder or archive."
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _signature(path: Path, stats: Iterable[tuple[str, os.stat_result]]) -> str:
    hasher = hashlib.sha256(os.fsencode(path.resolve()))
    for name, found in stats:
        hasher.update(b"\0%s\0%d\0%d" % (os.fsencode(name), found.st_size, found.st_mtime_ns))
    return hasher.hexdigest()
