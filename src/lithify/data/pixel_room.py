"""How much of the disk decoded pixels may take, and what goes when there is too much of them.

The cache holds folders ``pixels-...``, one for each size and decoder, with files of some thousand images. What was not
used for longest goes first, that of other sizes before that of the size in use.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lithify.errors import as_store_error

LIMIT = 10 << 30
"""Bytes that pixels may take where nothing else is asked for; never more than half of the disk that is free."""
FOLDERS, SEGMENTS = "pixels-*", "*.pixels"


class _Segment(NamedTuple):
    """A file, in the order in which files go: a smaller one first."""

    rank: int
    folder_used: int
    used: int
    path: Path
    size: int


def make_room(cache: Path, folder: Path, needed: set[Path], more: int, limit: int | None) -> tuple[int, set[Path]]:
    """Removes segments until ``more`` bytes fit into the limit, or nothing is left that may go.

    Parameters
    ----------
    cache, folder : Path
        The cache, and the folder in it that is in use.
    needed : set of Path
        Segments of that folder that are about to be read: they go only where they alone are more than the limit.
    more : int
        Bytes that shall be added.
    limit : int or None
        Bytes that all pixels may take; None for :data:`LIMIT` or half of the free disk.

    Returns
    -------
    (int, set of Path)
        How many bytes may be added, and which of the needed segments are gone.
    """
    held = sorted(_held(cache, folder, needed))
    total = sum(segment.size for segment in held)
    most = _default(cache, total) if limit is None else limit
    gone: set[Path] = set()
    for segment in held:
        if total + (0 if segment.path in needed else more) <= most:
            break
        with contextlib.suppress(OSError):  # another process may have been faster
            segment.path.unlink()
            segment.path.parent.rmdir()  # once it is empty
        total -= segment.size
        gone.add(segment.path)
    return max(0, most - total), gone & needed


def touch(*paths: Path) -> None:
    """Notes that these were used now."""
    for path in paths:
        with contextlib.suppress(OSError):
            os.utime(path)


def _held(cache: Path, folder: Path, needed: set[Path]) -> Iterator[_Segment]:
    for other in cache.glob(FOLDERS):
        for path in other.glob(SEGMENTS):
            with contextlib.suppress(FileNotFoundError):
                status, rank = path.stat(), 0 if other != folder else 2 if path in needed else 1
                yield _Segment(rank, other.stat().st_mtime_ns, status.st_mtime_ns, path, status.st_size)


def _default(cache: Path, held: int) -> int:
    try:
        return min(LIMIT, (shutil.disk_usage(cache).free + held) // 2)
    except OSError as error:
        raise as_store_error(error, "looking at the cache") from error
