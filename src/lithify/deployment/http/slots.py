"""Where the processes of one server leave their numbers for each other: one small file each, in a private folder.

A process takes the first place that no living process holds, and goes on with the numbers it finds there. So counters
go on where a killed process left them, and there are never more places than there were processes at one time.
Being alive is holding a lock (``flock``), which the system takes back from whatever way a process ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path


class Slot:
    """A place among those of one server.

    Parameters
    ----------
    folder : Path
        Private to the server, and emptied by whoever made it. It need not survive a power cut: nothing is synced.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> first, second = Slot(folder), Slot(folder)
    >>> first.save(b"1 request"), first.close()
    (None, None)
    >>> list(second.others()), Slot(folder).load()
    ([(0, False, b'1 request')], b'1 request')
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.number, self._lock = next((n, lock) for n in count() if (lock := _take(_lock_of(folder, n))) is not None)
        self._file = folder / f"{self.number}.json"

    def load(self) -> bytes | None:
        """What the process before left here."""
        with suppress(FileNotFoundError):
            return self._file.read_bytes()
        return None

    def save(self, data: bytes) -> None:
        """Leaves something, whole or not at all."""
        temporary = self._file.with_suffix(".tmp")
        temporary.write_bytes(data)
        os.replace(temporary, self._file)
        os.utime(self._lock)  # what sweeps temporary folders takes what is old

    def others(self) -> Iterator[tuple[int, bool, bytes]]:
        """Number, whether its process lives, and what it left, of every other place."""
        for file in sorted(self._folder.glob("*.json")):
            if file.stem.isdigit() and int(file.stem) != self.number:
                with suppress(FileNotFoundError):
                    yield int(file.stem), _held(_lock_of(self._folder, int(file.stem))), file.read_bytes()

    def close(self) -> None:
        """Gives the place back; what was left there stays."""
        os.close(self._lock)


def _lock_of(folder: Path, number: int) -> Path:
    return folder / f"{number}.lock"


def _take(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
