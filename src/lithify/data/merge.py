"""The second step of snapshotting: the unique rows of all chunks, in the order of their keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data import duplicates, split
from lithify.data.chunks import Chunks
from lithify.data.schema import Problem
from lithify.data.table import RowTable, from_fixed_binary


@dataclass(frozen=True)
class NewRows:
    """Rows with unique keys, sorted by key, labels still as text.

    ``chunk`` and ``row`` say where the content of each lies.
    """

    table: RowTable
    label: list[str]
    given: list[str | None]
    chunk: NDArray[np.int32]
    row: NDArray[np.int32]


def merge(chunks: Chunks, problems: list[Problem]) -> tuple[NewRows, int]:
    """Unique rows of all chunks, and how many copies were merged into them.

    A content that carries two labels is put on ``problems`` as ``two labels`` instead.
    """
    import pyarrow as pa

    tables = [pa.ipc.open_file(pa.memory_map(str(file))).read_all().drop_columns(["content"]) for file in chunks.files]
    if not tables:
        return _empty(), 0
    facts = pa.concat_tables(tables)
    key = from_fixed_binary(facts.column("key"), 32, np.uint8)
    chunk = np.repeat(np.arange(len(tables), dtype=np.int32), [len(table) for table in tables])
    row = np.concatenate([np.arange(len(table), dtype=np.int32) for table in tables])
    label = np.array(facts.column("label").to_pylist(), dtype=object)
    time = facts.column("time").to_numpy()
    # copies of a row are told apart by what they carry, never by where they were found
    words = np.ascontiguousarray(key).view(">u8").reshape(len(key), 4)
    order = np.lexsort((facts.column("field_group").to_numpy(), time, label.astype(str), *words.T[::-1]))
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (words[order][1:] != words[order][:-1]).any(axis=1)
    run = np.cumsum(fresh) - 1
    first = order[fresh]
    torn = np.unique(run[label[order] != label[first][run]])
    for number in torn:
        at = first[number]
        problems.append(
            Problem(facts.column("origin")[int(at)].as_py(), "two labels", key=key[at].tobytes())
        )
    kept = np.delete(first, torn)
    copies = len(order) - len(first) - int(np.isin(run, torn).sum() - len(torn))
    return _new_rows(facts, key, chunk, row, kept), copies


def _new_rows(
    facts: Any, key: NDArray[np.uint8], chunk: NDArray[np.int32], row: NDArray[np.int32], kept: NDArray[np.int64]
) -> NewRows:
    some = facts.take(kept)
    n = len(kept)
    table = RowTable(
        key=key[kept],
        label=np.zeros(n, dtype=np.int32),
        time=some.column("time").to_numpy(),
        weight=some.column("weight").to_numpy(),
        group=np.arange(n, dtype=np.int64),
        side=np.full(n, split.UNDECIDED, dtype=np.uint8),
        generation=np.zeros(n, dtype=np.uint16),
        shard=np.full(n, -1, dtype=np.int32),
        position=np.arange(n, dtype=np.int32),
        field_group=some.column("field_group").to_numpy(),
        signature=from_fixed_binary(some.column("signature"), duplicates.BINS, np.uint16),
    )
    return NewRows(table, some.column("label").to_pylist(), some.column("given").to_pylist(), chunk[kept], row[kept])


def _empty() -> NewRows:
    none = np.zeros(0)
    columns = {
        "key": np.zeros((0, 32), np.uint8), "label": none.astype(np.int32), "time": none.astype(np.int64),
        "weight": none, "group": none.astype(np.int64), "side": none.astype(np.uint8),
        "generation": none.astype(np.uint16), "shard": none.astype(np.int32), "position": none.astype(np.int32),
        "field_group": none.astype(np.uint64), "signature": np.zeros((0, duplicates.BINS), np.uint16),
    }  # fmt: skip
    return NewRows(RowTable(**columns), [], [], none.astype(np.int32), none.astype(np.int32))


def pick(new: NewRows, rows: NDArray[np.integer]) -> NewRows:
    """Some of the rows, in the order given."""
    return NewRows(
        new.table.take(rows),
        [new.label[i] for i in rows],
        [new.given[i] for i in rows],
        new.chunk[rows],
        new.row[rows],
    )
