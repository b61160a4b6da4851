"""Immutable objects named by the SHA-256 of their bytes, and the one way a file is ever written.

:func:`write_atomic` writes beside the target, syncs, renames and syncs the folder, so a reader sees the whole old file
or the whole new one at every instant, power cuts included. Temporary names carry the writer's process id; what a
killed writer left behind is removed by :func:`sweep`.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lithify import canon
from lithify.errors import IntegrityError, NotFound, as_store_error

fault: Callable[[str], None] | None = None
"""Called with the name of every point where a crash must do no harm: ``create``, ``write``, ``sync``, ``rename``,
``sync-folder`` inside a write; ``set-aside`` inside a removal; ``commit`` and ``committed`` around a catalog's.

Tests set it to fail or to kill the process there. The variable ``LITHIFY_FAULT_KILL=N`` kills at the N-th point.
"""

_countdown = int(os.environ.get("LITHIFY_FAULT_KILL") or 0)
_counter = itertools.count()


def reach(point: str) -> None:
    """Marks a point where a crash must do no harm; see :data:`fault`."""
    global _countdown
    if _countdown:
        _countdown -= 1
        if not _countdown:
            os.kill(os.getpid(), signal.SIGKILL)
    if fault is not None:
        fault(point)


def write_atomic(path: Path, chunks: bytes | Iterable[bytes | memoryview], mode: int = 0o600) -> str:
    """Writes ``chunks`` to ``path`` in one indivisible step and returns the digest of the bytes.

    Raises ``StoreFull`` when the disk is full or not writable, ``StoreError`` for other failures; a file that was there
    before is never left half overwritten.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_counter)}.tmp")
    try:
        name = _write(temporary, [chunks] if isinstance(chunks, bytes) else chunks, mode)
        _move(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise as_store_error(error, f"writing {path.name}") from error
        raise
    return name


def _write(path: Path, chunks: Iterable[bytes | memoryview], mode: int) -> str:
    hasher = hashlib.sha256()
    reach("create")
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
        for chunk in chunks:
            reach("write")
            file.write(chunk)
            hasher.update(chunk)
        file.flush()
        reach("sync")
        os.fsync(file.fileno())
    return canon.DIGEST_PREFIX + hasher.hexdigest()


def _move(temporary: Path, path: Path) -> None:
    reach("rename")
    os.replace(temporary, path)
    reach("sync-folder")
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names inside ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> int:
    """Removes temporary files whose writer is gone; returns how many."""
    removed = 0
    for path in folder.glob(".*.tmp"):
        writer = path.name.split(".")[-2].split("-")[0]
        if writer.isdigit() and not _alive(int(writer)):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


class Blobs:
    """A folder of immutable objects.

    >>> import tempfile
    >>> blobs = Blobs(Path(tempfile.mkdtemp()))
    >>> blobs.get(blobs.put(b"set in stone"))
    b'set in stone'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes) -> str:
        """Stores ``data`` and returns its digest.

        Storing the same bytes again writes nothing but the time of use; a damaged object is replaced.
        """
        name = canon.digest(data)
        path = self.path(name)
        if not self._holds(path, data):
            self._make_room(path)
            write_atomic(path, data, mode=0o400)
        return name

    def adopt(self, file: Path) -> str:
        """Moves a finished file of the same disk into the store and returns its digest."""
        name = canon.digest_file(file)
        path = self.path(name)
        self._make_room(path)
        try:
            reach("sync")
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())
            os.chmod(file, 0o400)
            os.utime(file)
            _move(file, path)
        except OSError as error:
            raise as_store_error(error, "storing an object") from error
        return name

    def get(self, name: str) -> bytes:
        """The bytes of an object, verified; ``NotFound`` or ``IntegrityError`` otherwise."""
        path = self._existing(name)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise as_store_error(error, "reading an object") from error
        if canon.digest(data) != name:
            raise self._damaged(name)
        return data

    def verified(self, name: str) -> Path:
        """The path of an object after its bytes were checked against its name."""
        path = self._existing(name)
        try:
            found = canon.digest_file(path)
        except OSError as error:
            raise as_store_error(error, "reading an object") from error
        if found != name:
            raise self._damaged(name)
        return path

    def path(self, name: str) -> Path:
        """Where the object of that digest lies or would lie."""
        if not canon.is_digest(name):
            raise NotFound("Not a digest.", expected="sha256: and 64 hex digits", found=name[:80])
        body = name.removeprefix(canon.DIGEST_PREFIX)
        return self.folder / body[:2] / body[2:]

    def has(self, name: str) -> bool:
        """Whether the object is there (its bytes are not checked)."""
        return self.path(name).exists()

    def delete(self, name: str) -> None:
        """Removes an object if it is there."""
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError as error:
            raise as_store_error(error, "removing an object") from error

    def discard(self, name: str, before: float) -> bool:
        """Removes an object unless it was stored, or stored again, after the moment ``before``.

        It is set aside first and looked at again, so that a writer who stores it meanwhile finds it or makes it anew.
        """
        path = self.path(name)
        aside = path.with_name(f".{path.name}.{os.getpid()}-{next(_counter)}.tmp")
        try:
            os.replace(path, aside)
            reach("set-aside")
            if aside.stat().st_mtime > before:
                os.replace(aside, path)
                return False
            aside.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise as_store_error(error, "removing an object") from error
        return True

    def __iter__(self) -> Iterator[str]:
        """The digests of all objects, sorted."""
        for path in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*")):
            if not path.name.startswith("."):
                yield canon.DIGEST_PREFIX + path.parent.name + path.name

    def _existing(self, name: str) -> Path:
        path = self.path(name)
        if not path.exists():
            raise NotFound(f"The object {name[:19]} is not in this home.", hint="See `lithify ls`.")
        return path

    def _damaged(self, name: str) -> IntegrityError:
        return IntegrityError(
            f"The object {name[:19]} is damaged.",
            expected=f"bytes with the digest {name}",
            found="others",
            hint="Restore it from a backup, or make again what needs it.",
        )

    def _holds(self, path: Path, data: bytes) -> bool:
        """Whether the object is there and whole; notes its use, which keeps it from being collected."""
        try:
            os.utime(path)
            return path.stat().st_size == len(data) and path.read_bytes() == data
        except OSError:
            return False

    def _make_room(self, path: Path) -> None:
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync_folder(self.folder)
        except OSError as error:
            raise as_store_error(error, "storing an object") from error


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
