"""The second step of snapshotting: the unique rows of all chunks by key, joined with those of a parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data import copies, duplicates, split
from lithify.data.chunks import Chunks
from lithify.data.schema import Problem
from lithify.data.snapshot import Snapshot
from lithify.data.table import (
    EXACT_BINS,
    RowTable,
    concatenate,
    empty,
    from_fixed_binary,
    from_numeric,
    key_order,
    locate,
    new_keys,
    numeric,
    read_ipc,
)

_NUMBERS = {
    "value": np.float64, "time": np.int64, "weight": np.float64, "field_group": np.uint64, "given": np.uint8
}  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Rows with unique keys, in the order of their keys.

    Attributes
    ----------
    table : RowTable
        A row that is not in a shard yet has shard -1 - c, its content being in row ``position`` of chunk c.
    labels : tuple of str
        Sorted; ``table.label`` holds positions in it.
    given : (n,) uint8
        The sides that the source names; see :func:`lithify.data.split.named`.
    """

    table: RowTable
    labels: tuple[str, ...]
    given: NDArray[np.uint8]

    @property
    def new(self) -> NDArray[np.bool_]:
        """Which rows are not in a shard yet."""
        return self.table.shard < 0

    def take(self, rows: NDArray[np.integer]) -> Rows:
        """Some of the rows, in the order given."""
        return Rows(self.table.take(rows), self.labels, self.given[rows])


def merge(chunks: Chunks) -> tuple[Rows, int, list[Problem]]:
    """Rows of all chunks, each key once.

    Equal rows of mail, text or images are one row, and are quarantined where their labels differ. Equal rows of a table
    are as many rows, with keys of their own.

    Returns
    -------
    Rows
    int
        How many copies were merged into them.
    list of Problem
        Rows whose content occurs with two labels.
    """
    facts, labels, origins = _facts(chunks)
    if not len(facts["label"]):
        return Rows(empty(), (), np.zeros(0, dtype=np.uint8)), 0, []
    order = _order(facts)
    first = new_keys(facts["key"], order)
    if chunks.kind == "table":
        facts["signature"] = np.ascontiguousarray(facts["key"][:, :8]).view(np.uint16)
        facts["copy"] = copies.number(facts["key"], order, first)
        del order, first
        order = key_order(facts["key"])
        for name in list(facts):  # one after the other, so that only one of them is in memory twice
            facts[name] = facts[name][order]
        return with_labels(_rows(facts, chunks), labels), 0, []
    run = np.cumsum(first) - 1
    label = facts["label"][order]
    torn = np.zeros(run[-1] + 1, dtype=bool)
    torn[run[label != label[first][run]]] = True
    problems = [
        Problem(str(origins[row]), "two labels", key=facts["key"][row].tobytes()) for row in order[torn[run]].tolist()
    ]
    kept = order[first][~torn]
    rows = _rows({name: column[kept] for name, column in facts.items()}, chunks)
    return with_labels(rows, labels), len(order) - len(problems) - len(kept), problems


def _facts(chunks: Chunks) -> tuple[dict[str, NDArray[Any]], Sequence[str], Any]:
    """What all chunks say of their rows but content and signature, codes into the sorted labels, and the origins.

    Origins are not read of tables, whose rows are never taken for two labels: they would be most of what is in memory.
    """
    import pyarrow as pa

    names = ["key", "label", "value", "time", "weight", "field_group", "given"]
    names += [] if chunks.kind == "table" else ["origin"]
    tables = [_columns(file, names) for file in chunks.files]
    if not tables:
        return {"label": np.zeros(0, dtype=np.int32)}, (), None
    facts = pa.concat_tables(tables)
    counts = [len(table) for table in tables]
    del tables
    label = facts.column("label").dictionary_encode().combine_chunks()
    columns = {"key": from_fixed_binary(facts.column("key"), 32, np.uint8)}
    facts = facts.drop_columns(["label", "key"])
    for name, dtype in _NUMBERS.items():
        columns[name] = from_numeric(facts.column(name), dtype)
        facts = facts.drop_columns(name)
    labels = label.dictionary.to_pylist()
    place = np.empty(len(labels), dtype=np.int32)
    place[sorted(range(len(labels)), key=labels.__getitem__)] = np.arange(len(labels))
    columns["label"] = place[from_numeric(pa.chunked_array([label.indices]), np.int32)]
    columns["shard"] = np.repeat(-1 - np.arange(len(counts), dtype=np.int32), counts)
    columns["position"] = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])
    return columns, sorted(labels), None if chunks.kind == "table" else facts.column("origin")


def _columns(file: Path, names: Sequence[str]) -> Any:
    """Some columns of a chunk, copied, so that the file with the contents does not stay mapped."""
    table = read_ipc(file).select(names)
    return table.take(numeric(np.arange(len(table))))


def _order(facts: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """By key; copies by what they carry, never by where they were found, known times first."""
    carried = [facts[name] for name in ("weight", "given", "field_group", "time", "value")]
    return key_order(facts["key"], (*carried, facts["time"] == split.TIME_MISSING, facts["label"]))


def _rows(facts: dict[str, NDArray[Any]], chunks: Chunks) -> Rows:
    n = len(facts["label"])
    given = facts.pop("given")
    if "signature" not in facts:
        facts["signature"] = _signatures(chunks, facts["shard"], facts["position"])
    table = RowTable(
        group=np.arange(n, dtype=np.int64),
        side=np.full(n, split.UNDECIDED, dtype=np.uint8),
        generation=np.zeros(n, dtype=np.uint16),
        **{"copy": np.zeros(n, dtype=np.uint32), **facts},
    )
    return Rows(table, (), given)


def _signatures(chunks: Chunks, shard: NDArray[np.int32], position: NDArray[np.int32]) -> NDArray[np.uint16]:
    """The largest column, gathered chunk by chunk so that it lies in memory once."""
    signatures: NDArray[np.uint16] | None = None
    order = np.argsort(-1 - shard, kind="stable")
    edges = np.searchsorted(-1 - shard[order], np.arange(len(chunks.files) + 1))
    for number, file in enumerate(chunks.files):
        rows = order[edges[number] : edges[number + 1]]
        column = _columns(file, ["signature"]).column(0)
        width = column.type.byte_width // 2
        if signatures is None:
            signatures = np.empty((len(shard), width), dtype=np.uint16)
        signatures[rows] = from_fixed_binary(column, width, np.uint16)[position[rows]]
    return np.empty((0, duplicates.BINS), dtype=np.uint16) if signatures is None else signatures


def join(new: Rows, parent: Snapshot) -> tuple[Rows, int, int]:
    """The rows of a parent and, as its next generation, those that it lacks.

    Returns
    -------
    Rows
        Old rows keep everything but the label, which the source may have changed.
    int
        How many old rows the source holds too.
    int
        How many of those were labelled anew.
    """
    labels = sorted({*new.labels, *parent.labels})
    ours, theirs = _said(new.table, new.labels, labels), _said(parent.table, parent.labels, labels)
    if parent.kind == "table":
        new = replace(new, table=copies.refound(new.table, parent.table, _exact(ours), _exact(theirs)))
    at = locate(new.table.key, parent.table.key)
    known = at >= 0
    relabelled = int((theirs[at[known]] != ours[known]).sum())
    theirs[at[known]] = ours[known]
    generation = np.full(len(new.table), len(parent.manifest["generations"]), dtype=np.uint16)
    fresh = Rows(_saying(replace(new.table, generation=generation), ours, labels), (), new.given)
    fresh = fresh.take(np.flatnonzero(~known))
    both = concatenate(_saying(parent.table, theirs, labels), fresh.table)
    given = np.concatenate([np.full(len(parent), split.UNDECIDED, dtype=np.uint8), fresh.given])
    return with_labels(Rows(both, (), given).take(key_order(both.key)), labels), int(known.sum()), relabelled


def _said(table: RowTable, labels: Sequence[str], among: Sequence[str]) -> NDArray[Any]:
    """What each row is to be taken for: the code of its label among others, or where there are no labels its value."""
    if not among:
        return table.value.copy()
    code = {label: number for number, label in enumerate(among)}
    return np.array([code[label] for label in labels], dtype=np.int32)[table.label]


def _saying(table: RowTable, said: NDArray[Any], labels: Sequence[str]) -> RowTable:
    """The inverse of :func:`_said`."""
    return replace(table, label=said) if labels else replace(table, value=said)


def _exact(said: NDArray[Any]) -> NDArray[np.int64]:
    return said.view(np.int64) if said.dtype == np.float64 else said.astype(np.int64)


def with_labels(rows: Rows, labels: Sequence[str]) -> Rows:
    """The rows with their codes, positions in ``labels``, turned into positions in the sorted labels that occur."""
    if not any(labels):  # regression
        return replace(rows, labels=())
    used = sorted(labels[code] for code in np.unique(rows.table.label))
    place = {label: number for number, label in enumerate(used)}
    code = np.array([place.get(label, 0) for label in labels], dtype=np.int32)
    return Rows(replace(rows.table, label=code[rows.table.label]), tuple(used), rows.given)


def grouped(rows: Rows, chunks: Chunks) -> tuple[Rows, list[Problem]]:
    """Near-duplicates and rows of one field group joined; old groups are never parted.

    New rows that would join old groups of two sides become problems instead.
    """
    parted = rows.table.signature.shape[1] == EXACT_BINS and copies.apart(rows.table)
    joined = _grouped(rows, parted, chunks.kind)
    torn = _torn(joined.table)
    if not torn.any():
        return joined, []
    problems = [
        Problem(_origin(rows.table, row, chunks), "two sides", key=rows.table.key[row].tobytes())
        for row in np.flatnonzero(torn).tolist()
    ]
    # what only the rows just removed held together falls apart again
    return _grouped(rows.take(np.flatnonzero(~torn)), parted, chunks.kind), problems


def _origin(table: RowTable, row: int, chunks: Chunks) -> str:
    facts = _columns(chunks.files[-1 - int(table.shard[row])], ["origin"])
    return str(facts.column(0)[int(table.position[row])])


def _grouped(rows: Rows, parted: bool, kind: str) -> Rows:
    """``parted`` leaves rows of a table with the same inputs apart."""
    table = rows.table
    old = np.where(rows.new, 0, table.group + 1).astype(np.uint64)
    signature = copies.own_signatures(table) if parted else table.signature
    groups = duplicates.groups
    if kind == "image":
        from lithify.data import pictures

        groups = pictures.groups
    return replace(rows, table=replace(table, group=groups(signature, table.field_group, old)))


def _torn(table: RowTable) -> NDArray[np.bool_]:
    """New rows of groups whose old rows stand on several sides; of the halves of validation one is learned from."""
    old = (table.shard >= 0) & (table.side <= split.TEST)
    side = table.side.astype(np.int64)
    low = np.full(len(table), split.UNDECIDED)
    high = np.full(len(table), -1)
    np.minimum.at(low, table.group[old], side[old])
    np.maximum.at(high, table.group[old], side[old])
    torn: NDArray[np.bool_] = (table.shard < 0) & (low[table.group] < high[table.group])
    return torn
