"""The files of a snapshot: contents as shards, rows as the index; both are blobs."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.chunks import Chunks
from lithify.data.snapshot import Snapshot
from lithify.data.table import RowTable, fixed_binary, numeric, to_arrow
from lithify.errors import as_store_error
from lithify.store import blobs
from lithify.store.home import Home

SHARD_BYTES = 32 << 20
_WRITERS = 2
"""Shards that are written at a time."""


def store(
    home: Home, folder: Path, chunks: Chunks, table: RowTable, parent: Snapshot | None
) -> tuple[dict[str, Any], RowTable]:
    """Writes the new contents as shards and the table as the index; a shard written before is not written again."""
    names = list(parent.layout["shards"]) if parent else []
    shard, position = table.shard.copy(), table.position.copy()
    new = np.flatnonzero(table.shard < 0)
    shares = [new[share] for share in _shares(table.key[new], chunks.content_bytes)]
    with ThreadPoolExecutor(_WRITERS) as pool:
        written = list(pool.map(lambda rows: _shard(home, folder, chunks, table.take(rows)), shares))
    for name, rows in zip(written, shares, strict=True):
        shard[rows], position[rows] = len(names), np.arange(len(rows))
        names.append(name)
    table = replace(table, shard=shard, position=position)
    return {"shards": names, "index": put_index(home, folder, table)}, table


def _shares(key: NDArray[np.uint8], size: int) -> list[slice]:
    """Rows, sorted by key, cut by leading bits into 2**k shards of about ``SHARD_BYTES``."""
    bits = min(16, (max(0, size - 1) // SHARD_BYTES).bit_length())
    leading = (key[:, 0].astype(np.int64) << 8 | key[:, 1]) >> (16 - bits)
    edges = np.searchsorted(leading, np.arange((1 << bits) + 1))
    return [slice(int(a), int(b)) for a, b in pairwise(edges) if b > a]


def _shard(home: Home, folder: Path, chunks: Chunks, table: RowTable) -> str:
    """Stores the contents of some new rows and returns the shard's digest, which is noted for an interrupted call."""
    note = folder / f"shard-{hashlib.sha256(table.key.tobytes()).hexdigest()[:24]}"
    if note.exists() and home.blobs.has(note.read_text()):
        return note.read_text()
    written = put_shard(home, folder, table.key, _contents(chunks, table))
    blobs.write_atomic(note, written.encode())
    return written


def put_shard(home: Home, folder: Path, key: NDArray[np.uint8], content: Any) -> str:
    """Stores an Arrow array of contents with their keys; ``folder`` lies on the same disk."""
    import pyarrow as pa

    return _put(home, folder, pa.table({"key": fixed_binary(key), "content": content}))


def put_index(home: Home, folder: Path, table: RowTable) -> str:
    """Stores a row table; ``folder`` lies on the same disk."""
    return _put(home, folder, to_arrow(table))


def _put(home: Home, folder: Path, table: Any) -> str:
    """Writes an Arrow IPC file straight to the disk, so that it is not in memory a second time."""
    import pyarrow as pa

    file = folder / f"{os.getpid()}-{threading.get_ident()}.part"
    try:
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    except OSError as error:
        raise as_store_error(error, "writing a snapshot") from error
    return home.blobs.adopt(file)


def _contents(chunks: Chunks, table: RowTable) -> Any:
    """The contents of new rows, gathered chunk by chunk, as one Arrow array."""
    import pyarrow as pa

    order = np.argsort(-1 - table.shard, kind="stable")
    numbers, starts = np.unique(-1 - table.shard[order], return_index=True)
    pieces = []
    for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
        # written by this process, or checked against its digest when it went on: not validated once for each shard
        with pa.memory_map(str(chunks.files[number])) as file:
            content = pa.ipc.open_file(file).read_all().column("content").combine_chunks()
        pieces.append(content.take(numeric(table.position[rows])))
    return pa.concat_arrays(pieces).take(numeric(np.argsort(order)))
