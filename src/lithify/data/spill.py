"""Large arrays that lie in nameless files: what is not being read of them takes no memory.

Mapped pages count as memory of the process until they are given back. Whoever goes through a large array from one end
to the other gives each stretch back with :func:`release`; the system keeps what it has room for and reads the rest
from the file again.
"""

from __future__ import annotations

import mmap
import tempfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lithify.errors import as_store_error

IN_MEMORY = 128 << 20
"""Bytes above which an array lies in a file."""


class Spill:
    """An array that is put together from pieces: in memory while it is small, in a file from then on.

    Parameters
    ----------
    folder : Path or None
        Where the file lies; None keeps everything in memory.

    Examples
    --------
    >>> spill = Spill(None)
    >>> spill.append(np.arange(3))
    >>> spill.append(np.arange(2))
    >>> spill.whole().tolist()
    [0, 1, 2, 0, 1]
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._pieces: list[NDArray[Any]] = []
        self._file: IO[bytes] | None = None
        self._bytes = self._rows = 0

    def append(self, piece: NDArray[Any]) -> None:
        """Adds a piece; all pieces have one dtype and one shape but for their length."""
        self._bytes += piece.nbytes
        self._rows += len(piece)
        self._pieces.append(piece)
        if self._folder is not None and self._bytes > IN_MEMORY:
            self._write(self._folder)

    def whole(self) -> NDArray[Any]:
        """The array."""
        if self._file is None:
            return self._pieces[0] if len(self._pieces) == 1 else np.concatenate(self._pieces)
        self._file.flush()
        like = self._pieces[0]
        mapped = mmap.mmap(self._file.fileno(), self._bytes)
        self._file.close()
        flat: NDArray[Any] = np.frombuffer(mapped, dtype=like.dtype)
        return flat.reshape(self._rows, *like.shape[1:])

    def _write(self, folder: Path) -> None:
        """Moves the pieces to the file; an empty one stays, to tell their dtype and shape."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed once it is mapped
            for piece in self._pieces:
                self._file.write(np.ascontiguousarray(piece).data)
        except OSError as error:
            raise as_store_error(error, "writing an array to the cache") from error
        self._pieces = [self._pieces[0][:0].copy()]


def release(array: NDArray[Any]) -> None:
    """Gives back the memory of a stretch of an array that lies in a file; does nothing for any other array."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    if not isinstance(owner, mmap.mmap) or not array.nbytes:
        return
    origin = np.frombuffer(owner, dtype=np.uint8).ctypes.data
    first = -(-(array.ctypes.data - origin) // mmap.PAGESIZE) * mmap.PAGESIZE
    length = array.ctypes.data - origin + array.nbytes - first
    if length >= mmap.PAGESIZE:
        owner.madvise(mmap.MADV_DONTNEED, first, length)
