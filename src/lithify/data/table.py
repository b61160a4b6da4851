"""The row table of a snapshot: every fact of every row but its content, as arrays in the order of the keys."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify.canon import DIGEST_PREFIX
from lithify.data.duplicates import BINS
from lithify.errors import MalformedContainer

COLUMNS: Final[dict[str, tuple[Any, tuple[int, ...]]]] = {
    "key": (np.uint8, (32,)), "label": (np.int32, ()), "value": (np.float64, ()), "time": (np.int64, ()),
    "weight": (np.float64, ()), "group": (np.int64, ()), "side": (np.uint8, ()), "generation": (np.uint16, ()),
    "shard": (np.int32, ()), "position": (np.int32, ()), "copy": (np.uint32, ()), "field_group": (np.uint64, ()),
    "signature": (np.uint16, (BINS,)),
}  # fmt: skip
"""Name → dtype and shape of a row; signatures of rows of a table have ``EXACT_BINS``."""

EXACT_BINS: Final = 4
_PIECE_ROWS = 1 << 18

_IDENTITY = ("key", "label", "value", "time", "weight", "group", "side", "generation")
"""The columns that a snapshot's name stands for; the others only say where the content lies."""


@dataclass(frozen=True)
class RowTable:
    """Arrays of one length n, sorted by key.

    Attributes
    ----------
    key : (n, 32) uint8
        SHA-256 of the canonical inputs; for the second and later rows of a table with the same inputs see
        :func:`copy_key`.
    label : (n,) int32
        Code into the snapshot's labels; 0 in regression.
    value : (n,) float64
        What regression learns to predict; 0 in classification.
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
        Where the content lies; while a snapshot is being made, shard -1 - c stands for chunk c.
    copy : (n,) uint32
        Of rows of a table with the same inputs the first is 0, the next 1; 0 for others: copies are merged.
    field_group : (n,) uint64
        Digest of the group field's value, 0 for none.
    signature : (n, 128) or (n, 4) uint16
        MinHash signature of what a person would read; of an image see :mod:`lithify.data.pictures`; of a row of a table
        64 bits of the digest of its inputs.
    """

    key: NDArray[np.uint8]
    label: NDArray[np.int32]
    value: NDArray[np.float64]
    time: NDArray[np.int64]
    weight: NDArray[np.float64]
    group: NDArray[np.int64]
    side: NDArray[np.uint8]
    generation: NDArray[np.uint16]
    shard: NDArray[np.int32]
    position: NDArray[np.int32]
    copy: NDArray[np.uint32]
    field_group: NDArray[np.uint64]
    signature: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[np.integer]) -> RowTable:
        """The table of some rows, in the order given."""
        return RowTable(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def regrouped(self) -> RowTable:
        """The same with groups numbered by their smallest row again, after rows were taken out."""
        _, first, member = np.unique(self.group, return_index=True, return_inverse=True)
        return replace(self, group=first[member].astype(np.int64))

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


def empty() -> RowTable:
    """A table without rows."""
    return RowTable(**{name: np.zeros((0, *shape), dtype) for name, (dtype, shape) in COLUMNS.items()})


def copy_key(key: bytes, copy: int) -> bytes:
    """The key of a later row of a table with the same inputs as the row of that key."""
    return key if copy == 0 else hashlib.sha256(key + copy.to_bytes(8, "little")).digest()


def key_order(key: NDArray[np.uint8], carried: Sequence[NDArray[Any]] = ()) -> NDArray[np.int64]:
    """Order of (n, 32) keys, equal ones by what they carry: arrays of n, the last first, as for ``np.lexsort``.

    Keys are digests, so nearly all are told apart by their first word, and the others are looked at only where not:
    memory is that of two words a row.
    """
    word = np.ascontiguousarray(key[:, :8]).view(">u8")[:, 0].astype(np.uint64)
    order = np.argsort(word, kind="stable")
    word = word[order]
    tied = np.zeros(len(word), dtype=bool)
    tied[1:] = word[1:] == word[:-1]
    tied[:-1] |= tied[1:]
    at = np.flatnonzero(tied)
    if len(at):
        some = order[at]
        order[at] = some[np.lexsort((*(values[some] for values in carried), *key_words(key[some]).T[::-1]))]
    return order


def new_keys(key: NDArray[np.uint8], order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the keys, taken in their order, differ from the one before."""
    first = np.ones(len(order), dtype=bool)
    for at in range(1, len(order), _PIECE_ROWS):
        end = min(at + _PIECE_ROWS, len(order))
        first[at:end] = (key[order[at:end]] != key[order[at - 1 : end - 1]]).any(axis=1)
    return first


def key_words(key: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Keys (n, 32) as (n, 4) numbers that order as the keys do."""
    return np.ascontiguousarray(key).view(">u8").reshape(len(key), 4).astype(np.uint64)


def locate(key: NDArray[np.uint8], within: NDArray[np.uint8]) -> NDArray[np.int64]:
    """For each of n distinct keys its row number among other distinct keys, -1 where it is not there.

    >>> a, b = (np.array(rows, np.uint8)[:, None].repeat(32, 1) for rows in ([7, 9], [3, 9, 5]))
    >>> locate(a, b).tolist()
    [-1, 1]
    """
    both = key_words(np.concatenate([within, key]))
    order = np.lexsort(both.T[::-1])
    same = (both[order[1:]] == both[order[:-1]]).all(axis=1)
    found = np.full(len(both), -1, dtype=np.int64)
    # the sort is stable, so of two equal keys the one of `within` comes first
    found[order[1:][same]] = order[:-1][same]
    return found[len(within) :]


def to_arrow(table: RowTable) -> Any:
    """The table as a ``pyarrow.Table``; keys and signatures as fixed-size binary."""
    import pyarrow as pa

    columns = {name: getattr(table, name) for name in COLUMNS}
    return pa.table({name: numeric(c) if c.ndim == 1 else fixed_binary(c) for name, c in columns.items()})


def from_arrow(table: Any) -> RowTable:
    """The inverse of :func:`to_arrow`; arrays refer to the table's memory where they can.

    Raises ``MalformedContainer`` when columns or types are others.
    """
    columns = {}
    for name, (dtype, shape) in COLUMNS.items():
        if name == "signature" and name in table.column_names:
            shape = _signature_shape(table.schema.field(name).type)
        if name not in table.column_names or table.schema.field(name).type != _arrow_type(dtype, shape):
            raise MalformedContainer("A row table breaks the format.", expected=f"a column {name} of {dtype.__name__}")
        if table.column(name).null_count:
            raise MalformedContainer("A row table breaks the format.", found=f"empty cells in column {name}")
        column = table.column(name)
        columns[name] = from_fixed_binary(column, shape[0], dtype) if shape else from_numeric(column, dtype)
    return RowTable(**columns)


def _signature_shape(found: Any) -> tuple[int, ...]:
    return (EXACT_BINS,) if found == _arrow_type(np.uint16, (EXACT_BINS,)) else (BINS,)


def _arrow_type(dtype: Any, shape: tuple[int, ...]) -> Any:
    import pyarrow as pa

    return pa.binary(shape[0] * np.dtype(dtype).itemsize) if shape else pa.from_numpy_dtype(dtype)


# pa.array() and to_numpy() import pandas where it is installed, which takes longer than a small snapshot


def numeric(values: NDArray[Any]) -> Any:
    """A 1-d array of numbers as an Arrow array that shares its memory."""
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def from_numeric(column: Any, dtype: Any) -> NDArray[Any]:
    """The inverse of :func:`numeric`, for a column without nulls; copies only what lies in several pieces."""
    return from_fixed_binary(column, 1, dtype)[:, 0]


def binary(values: Sequence[bytes]) -> Any:
    """Byte strings as an Arrow array of large binary.

    >>> binary([b"ab", b"", b"c"]).to_pylist()
    [b'ab', b'', b'c']
    """
    import pyarrow as pa

    ends = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum([len(value) for value in values], out=ends[1:])
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(pa.large_binary(), len(values), buffers)


def strings(values: Sequence[str]) -> Any:
    r"""Texts as an Arrow array of strings; lone surrogates, which Arrow cannot hold, are written out.

    >>> strings(["a", "\udce9"]).to_pylist()
    ['a', '\\udce9']
    """
    import pyarrow as pa

    return (
        binary([value.encode("utf-8", "backslashreplace") for value in values])
        .cast(pa.large_string())
        .cast(pa.string())
    )


def fixed_binary(rows: NDArray[Any]) -> Any:
    """A 2-d array as an Arrow array of fixed-size binary."""
    import pyarrow as pa

    rows = np.ascontiguousarray(rows)
    width = rows.shape[1] * rows.itemsize
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(rows), [None, pa.py_buffer(rows)])


def from_fixed_binary(column: Any, width: int, dtype: Any) -> NDArray[Any]:
    """The inverse of :func:`fixed_binary`; copies only what lies in several pieces."""
    itemsize = np.dtype(dtype).itemsize * width
    pieces = []
    for chunk in column.chunks:
        flat = np.frombuffer(chunk.buffers()[1], dtype=np.uint8)[chunk.offset * itemsize :]
        pieces.append(flat[: len(chunk) * itemsize].view(dtype).reshape(len(chunk), width))
    rows: NDArray[Any] = pieces[0] if len(pieces) == 1 else np.concatenate([np.empty((0, width), dtype), *pieces])
    return rows


def ipc_buffer(table: Any) -> Any:
    """An Arrow table as an IPC file in memory, a ``pyarrow.Buffer``."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_ipc(path: Path) -> Any:
    """An Arrow IPC file, memory-mapped; ``MalformedContainer`` when it is none or an offset in it leads outside."""
    import pyarrow as pa

    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        table.validate(full=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise MalformedContainer(f"The object {path.parent.name + path.name:.12} is no Arrow file.") from error
    return table
