"""A lock between processes that the system releases when its holders die, however they die."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from lithify.errors import RunBusy, as_store_error


class Lock:
    """An exclusive lock on a file; held until released or until every process that has it is gone.

    A child that is given :meth:`fileno` (``pass_fds``) holds it too.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "lock"
    >>> with Lock(path):
    ...     held(path)
    True
    >>> held(path)
    False
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self) -> None:
        """Takes the lock; raises ``RunBusy`` at once when another session has it."""
        if not self._try():
            raise RunBusy("Another session holds this run.", hint="Wait for it to end, or stop it, and run again.")

    def _try(self) -> bool:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise as_store_error(error, "taking a lock") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        if not _same_file(descriptor, self.path):  # it was removed between opening and locking
            os.close(descriptor)
            return self._try()
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Gives up this process's share of the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def fileno(self) -> int:
        """The descriptor that holds the lock, for ``pass_fds``."""
        return self._descriptor

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def held(path: Path) -> bool:
    """Whether any process holds the lock of that file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
