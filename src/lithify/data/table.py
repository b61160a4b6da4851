"""The row table of a snapshot: every fact of every row but its content, as arrays in the order of the keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.canon import DIGEST_PREFIX
from lithify.data.duplicates import BINS

_IDENTITY = ("key", "label", "time", "weight", "group", "side", "generation")
"""The columns that a snapshot's name stands for; the others only say where the content lies."""


@dataclass(frozen=True)
class RowTable:
    """Arrays of one length n, sorted by key.

    Attributes
    ----------
    key : (n, 32) uint8
        SHA-256 of the canonical inputs.
    label : (n,) int32
        Code into the snapshot's labels.
    time : (n,) int64
        Seconds UTC, ``split.TIME_MISSING`` where unknown.
    weight : (n,) float64
    group : (n,) int64
        Smallest row number of the row's near-duplicate group.
    side : (n,) uint8
        See :mod:`lithify.data.split`.
    generation : (n,) uint16
        0 for the rows of a snapshot without parent.
    shard, position : (n,) int32
        Where the content lies.
    field_group : (n,) uint64
        Digest of the group field's value, 0 for none.
    signature : (n, 128) uint16
        MinHash signature.
    """

    key: NDArray[np.uint8]
    label: NDArray[np.int32]
    time: NDArray[np.int64]
    weight: NDArray[np.float64]
    group: NDArray[np.int64]
    side: NDArray[np.uint8]
    generation: NDArray[np.uint16]
    shard: NDArray[np.int32]
    position: NDArray[np.int32]
    field_group: NDArray[np.uint64]
    signature: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[np.integer]) -> RowTable:
        """The table of some rows, in the order given."""
        return RowTable(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def digest(self) -> str:
        """Digest of what the rows are, whatever file holds them."""
        hasher = hashlib.sha256()
        for name in _IDENTITY:
            column = np.ascontiguousarray(getattr(self, name))
            hasher.update(column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes())
        return DIGEST_PREFIX + hasher.hexdigest()


def concatenate(a: RowTable, b: RowTable) -> RowTable:
    """Two tables one after the other; sort with :func:`key_order` afterwards."""
    return RowTable(**{f.name: np.concatenate([getattr(a, f.name), getattr(b, f.name)]) for f in fields(a)})


def key_order(key: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Order of (n, 32) keys."""
    words = np.ascontiguousarray(key).view(">u8").reshape(len(key), 4)
    return np.lexsort(words.T[::-1])


def to_arrow(table: RowTable) -> Any:
    """The table as a ``pyarrow.Table``; keys and signatures as fixed-size binary."""
    import pyarrow as pa

    columns = {}
    for field in fields(table):
        column = getattr(table, field.name)
        if column.ndim == 1:
            columns[field.name] = pa.array(column)
        else:
            columns[field.name] = fixed_binary(column)
    return pa.table(columns)


def from_arrow(table: Any) -> RowTable:
    """The inverse of :func:`to_arrow`."""
    widths = {"key": (32, np.uint8), "signature": (BINS, np.uint16)}
    columns = {}
    for field in fields(RowTable):
        column = table.column(field.name)
        if field.name in widths:
            columns[field.name] = from_fixed_binary(column, *widths[field.name])
        else:
            columns[field.name] = column.to_numpy()
    return RowTable(**columns)


def fixed_binary(rows: NDArray[Any]) -> Any:
    """A 2-d array as an Arrow array of fixed-size binary."""
    import pyarrow as pa

    rows = np.ascontiguousarray(rows)
    width = rows.shape[1] * rows.itemsize
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(rows), [None, pa.py_buffer(rows)])


def from_fixed_binary(column: Any, width: int, dtype: Any) -> NDArray[Any]:
    """The inverse of :func:`fixed_binary`; copies."""
    pieces = []
    for chunk in column.chunks:
        itemsize = np.dtype(dtype).itemsize * width
        flat = np.frombuffer(chunk.buffers()[1], dtype=np.uint8)[chunk.offset * itemsize :]
        pieces.append(flat[: len(chunk) * itemsize].view(dtype).reshape(len(chunk), width))
    return np.concatenate(pieces) if pieces else np.empty((0, width), dtype=dtype)
