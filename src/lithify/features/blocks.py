"""Blocks of the rows of a snapshot, made piece by piece and kept in the cache.

A piece is verified by its seal when it is read back, and made again when it is damaged; the cache is never truth.
What does not fit comfortably in memory lies in a file, see :mod:`lithify.data.spill`. Pixels have a cache of their own,
:mod:`lithify.data.pixel_cache`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data import pixel_cache
from lithify.data.batches import Block, Blocks, Codes, Dense, Hashed, Pixels
from lithify.data.snapshot import Snapshot
from lithify.data.spill import Spill
from lithify.data.state import State
from lithify.errors import LithifyError, as_store_error
from lithify.features.base import Features
from lithify.features.image import BLOCK, Image
from lithify.progress import Reporter, Update
from lithify.store import blobs, container

PIECE_ROWS = 8192


def assemble(
    snapshot: Snapshot,
    rows: NDArray[np.int64],
    features: Features,
    state: State,
    cache: Path,
    report: Reporter,
    interrupt: Callable[[], None] = lambda: None,
    *,
    limit: int | None = None,
    threads: int | None = None,
) -> Blocks:
    """The blocks of some rows of a snapshot, in the order given.

    Parameters
    ----------
    cache : Path
        Folder of finished pieces; used only when there is more than one piece.
    interrupt : callable
        Called when a piece was made and is safe; whatever it raises ends the work, finished pieces stay. Not called
        for a piece that was found, so that however often the work is ended it comes to its end.
    limit, threads : int, optional
        Of images: see :func:`lithify.data.pixel_cache.gather`.
    """
    if isinstance(features, Image):
        side, channels = features.params.side, features.params.channels
        return {
            BLOCK: pixel_cache.gather(
                snapshot, rows, side, channels, cache, report, interrupt, limit=limit, threads=threads
            )
        }
    if len(rows) <= PIECE_ROWS:
        return features.transform(state, snapshot.content(rows))
    joined: dict[str, _Joined] = {}
    folder = cache / _cache_name(snapshot, features, state)
    for start in range(0, len(rows), PIECE_ROWS):
        some = rows[start : start + PIECE_ROWS]
        for name, block in _piece(snapshot, some, features, state, folder, interrupt).items():
            joined.setdefault(name, _Joined(cache)).append(block)
        report(Update("extracting", min(start + PIECE_ROWS, len(rows)), len(rows)))
    return {name: each.whole() for name, each in joined.items()}


def _cache_name(snapshot: Snapshot, features: Features, state: State) -> str:
    arrays = {name: canon.digest(np.ascontiguousarray(a).tobytes()) for name, a in state.arrays.items()}
    name = canon.digest_of(
        {
            "snapshot": snapshot.digest,
            "features": repr(features.params),
            "engine": dict(features.engine),
            "state": [arrays, state.facts],
        }
    )
    return "blocks-" + name[7:31]


def _piece(
    snapshot: Snapshot,
    rows: NDArray[np.int64],
    features: Features,
    state: State,
    folder: Path,
    interrupt: Callable[[], None],
) -> Blocks:
    path = folder / (canon.digest(rows.tobytes())[7:31] + ".block")
    try:
        return _unpack(container.open_file(path, "block"))
    except LithifyError:
        pass
    blocks = features.transform(state, snapshot.content(rows))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise as_store_error(error, "making a folder in the cache") from error
    blobs.write_atomic(path, _pack(blocks))
    interrupt()
    return _unpack(container.open_file(path, "block"))


def _pack(blocks: Blocks) -> bytes:
    tensors: dict[str, NDArray[Any]] = {}
    meta: dict[str, Any] = {}
    for name, block in blocks.items():
        if isinstance(block, Hashed):
            meta[name] = {"buckets": block.buckets}
            tensors |= {f"{name}/start": block.start, f"{name}/index": block.index}
        elif isinstance(block, Codes):
            meta[name] = {"sizes": list(block.sizes)}
            tensors[f"{name}/codes"] = block.values
        elif isinstance(block, Pixels):
            meta[name] = {"images": len(block)}
            tensors[f"{name}/images"] = block.take(np.arange(len(block)))
        else:
            meta[name] = {}
            tensors[f"{name}/values"] = block.values
    return container.pack("block", meta, tensors)


def _unpack(opened: container.Container) -> Blocks:
    blocks: dict[str, Block] = {}
    for name, facts in opened.meta.items():
        if "buckets" in facts:
            blocks[name] = Hashed(opened.tensors[f"{name}/start"], opened.tensors[f"{name}/index"], facts["buckets"])
        elif "sizes" in facts:
            blocks[name] = Codes(opened.tensors[f"{name}/codes"], tuple(facts["sizes"]))
        elif "images" in facts:
            blocks[name] = Pixels.of(opened.tensors[f"{name}/images"])
        else:
            blocks[name] = Dense(opened.tensors[f"{name}/values"])
    return blocks


class _Joined:
    """Pieces of one block, put together."""

    def __init__(self, cache: Path) -> None:
        self._values = Spill(cache)
        self._lengths = [np.zeros(1, dtype=np.int64)]
        self._buckets: int | None = None
        self._sizes: tuple[int, ...] | None = None
        self._images = False

    def append(self, piece: Block) -> None:
        if isinstance(piece, Hashed):
            self._buckets = piece.buckets
            self._lengths.append(np.diff(piece.start))
            self._values.append(piece.index)
        elif isinstance(piece, Pixels):
            self._images = True
            self._values.append(piece.take(np.arange(len(piece))))
        else:
            self._sizes = piece.sizes if isinstance(piece, Codes) else None
            self._values.append(piece.values)

    def whole(self) -> Block:
        values = self._values.whole()
        if self._images:
            return Pixels.of(values)
        if self._sizes is not None:
            return Codes(values, self._sizes)
        if self._buckets is None:
            return Dense(values)
        return Hashed(np.cumsum(np.concatenate(self._lengths)), values, self._buckets)


def contents(snapshot: Snapshot, rows: NDArray[np.int64]) -> Iterator[list[bytes]]:
    """The contents of some rows in batches, for :meth:`Features.fit`."""
    for _, batch in snapshot.batches(rows):
        yield batch
