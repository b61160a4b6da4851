"""Blocks of the rows of a snapshot, made piece by piece and kept in the cache.

A piece is verified by its seal when it is read back, and made again when it is damaged; the cache is never truth.
What does not fit comfortably in memory lies in one memory-mapped file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data.batches import Block, Blocks, Dense, Hashed
from lithify.data.snapshot import Snapshot
from lithify.data.state import State
from lithify.errors import LithifyError
from lithify.features.base import Features
from lithify.progress import Reporter, Update
from lithify.store import blobs, container

PIECE_ROWS = 8192
IN_MEMORY = 256 << 20
"""Bytes above which the values of a block lie in a file."""


def assemble(
    snapshot: Snapshot,
    rows: NDArray[np.int64],
    features: Features,
    state: State,
    cache: Path,
    report: Reporter,
    interrupt: Callable[[], None] = lambda: None,
) -> Blocks:
    """The blocks of some rows of a snapshot, in the order given.

    Parameters
    ----------
    cache : Path
        Folder of finished pieces; used only when there is more than one piece.
    interrupt : callable
        Called when a piece was made and is safe; whatever it raises ends the work, finished pieces stay. Not called
        for a piece that was found, so that however often the work is ended it comes to its end.
    """
    pieces: list[Blocks] = []
    starts = range(0, len(rows), PIECE_ROWS)
    for start in starts:
        some = rows[start : start + PIECE_ROWS]
        if len(starts) == 1:
            return features.transform(state, snapshot.content(some))
        folder = cache / _cache_name(snapshot, features, state)
        pieces.append(_piece(snapshot, some, features, state, folder, interrupt))
        report(Update("extracting", min(start + PIECE_ROWS, len(rows)), len(rows)))
    if not pieces:
        return features.transform(state, [])
    return {name: _join([piece[name] for piece in pieces], cache) for name in pieces[0]}


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
    folder.mkdir(parents=True, exist_ok=True)
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
        else:
            meta[name] = {}
            tensors[f"{name}/values"] = block.values
    return container.pack("block", meta, tensors)


def _unpack(opened: container.Container) -> Blocks:
    blocks: dict[str, Block] = {}
    for name, facts in opened.meta.items():
        if "buckets" in facts:
            blocks[name] = Hashed(opened.tensors[f"{name}/start"], opened.tensors[f"{name}/index"], facts["buckets"])
        else:
            blocks[name] = Dense(opened.tensors[f"{name}/values"])
    return blocks


def _join(pieces: Sequence[Block], cache: Path) -> Block:
    first = pieces[0]
    if isinstance(first, Dense):
        return Dense(_stack([piece.values for piece in pieces if isinstance(piece, Dense)], cache))
    hashed = [piece for piece in pieces if isinstance(piece, Hashed)]
    offsets = np.cumsum([0, *(len(piece.index) for piece in hashed)])
    start = np.concatenate(
        [np.zeros(1, np.int64), *(piece.start[1:] + offset for piece, offset in zip(hashed, offsets, strict=False))]
    )
    return Hashed(start, _stack([piece.index for piece in hashed], cache), first.buckets)


def _stack(arrays: Sequence[NDArray[Any]], cache: Path) -> NDArray[Any]:
    """Concatenates; a large result lies in a nameless file, so that the memory can be taken back."""
    if sum(array.nbytes for array in arrays) <= IN_MEMORY:
        return np.concatenate(arrays)
    shape = (sum(len(array) for array in arrays), *arrays[0].shape[1:])
    with tempfile.TemporaryFile(dir=cache) as file:
        stacked: NDArray[Any] = np.memmap(file, dtype=arrays[0].dtype, mode="w+", shape=shape)
    at = 0
    for array in arrays:
        stacked[at : at + len(array)] = array
        at += len(array)
    return stacked


def contents(snapshot: Snapshot, rows: NDArray[np.int64]) -> Iterator[list[bytes]]:
    """The contents of some rows in batches, for :meth:`Features.fit`."""
    for _, batch in snapshot.batches(rows):
        yield batch
