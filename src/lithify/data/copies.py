"""Rows of a table with the same inputs: each a row of its own, numbered, and found again in a later generation.

The first of them has the digest of its inputs for a key, the later ones keys made of it and their number; see
:func:`lithify.data.table.copy_key`. Which of them a row of a source is goes by what the rows say, not by their numbers:
of rows that the parent holds with the same label or value as many are known, those that are left stand for rows of the
parent that the source says something else of, and only what is left then is new.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lithify.data.table import RowTable, copy_key

MOST = 0.2
"""Share of rows of a table that repeat others above which that says nothing: the rows have few fields, so they are not
kept together by a split."""

Keys = dict[bytes, list[int]]


def number(key: NDArray[np.uint8], order: NDArray[np.int64], first: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Numbers rows with equal keys 0, 1, 2, ... in an order, and gives the later ones keys of their own, in place.

    Parameters
    ----------
    key : (n, 32) uint8
        Digests of inputs; changed.
    order : (n,) int64
        The rows, those with equal keys beside each other.
    first : (n,) bool
        Which in that order are the first of their key.
    """
    copy = np.empty(len(order), dtype=np.uint32)
    copy[order] = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    later = np.flatnonzero(copy)
    for row, count in zip(later.tolist(), copy[later].tolist(), strict=True):
        key[row] = _array(copy_key(key[row].tobytes(), count))
    return copy


def apart(table: RowTable) -> bool:
    """Whether rows with the same inputs may stand on different sides: as the parent has it, else where they are many.

    ``table`` holds the rows of a parent, which lie in shards, and new ones, which do not.
    """
    old = np.flatnonzero(table.shard >= 0)
    inputs = _inputs(table)[old]
    order = np.argsort(inputs, kind="stable")
    same = inputs[order][1:] == inputs[order][:-1]
    if same.any():
        group = table.group[old][order]
        return bool((same & (group[1:] != group[:-1])).any())
    return bool(np.count_nonzero(table.copy) > MOST * len(table))


def own_signatures(table: RowTable) -> NDArray[np.uint16]:
    """Signatures (n, 4) that tell apart rows with the same inputs."""
    return np.ascontiguousarray(table.key[:, :8]).view(np.uint16)


def refound(new: RowTable, parent: RowTable, new_says: NDArray[np.int64], parent_says: NDArray[np.int64]) -> RowTable:
    """The new rows with the keys that those of them have in the parent that it holds, the others with unused ones.

    Parameters
    ----------
    new, parent : RowTable
        Rows of a table.
    new_says, parent_says : (n,) int64
        What each row says: equal numbers for equal labels, or for equal values.
    """
    several = np.union1d(_inputs(new)[new.copy > 0], _inputs(parent)[parent.copy > 0])
    if not len(several):
        return new
    key, copy = new.key.copy(), new.copy.copy()
    held = _by_inputs(parent, several)
    for inputs, rows in _of_each(new, several):
        known = _those_of(parent, held[inputs[:8]], inputs)
        last = max((int(parent.copy[row]) for row in known), default=-1)
        for row, found in zip(rows, _pairs(rows, known, new_says, parent_says), strict=True):
            if found >= 0:
                copy[row] = parent.copy[found]
            elif known:
                last += 1
                copy[row] = last
            key[row] = _array(copy_key(inputs, int(copy[row])))
    return replace(new, key=key, copy=copy)


def _pairs(
    rows: Sequence[int], known: Sequence[int], says: NDArray[np.int64], known_says: NDArray[np.int64]
) -> list[int]:
    """For each row the row of the parent that it is, -1 where it is none."""
    waiting: dict[int, list[int]] = defaultdict(list)
    for row in reversed(known):
        waiting[int(known_says[row])].append(row)
    found = [one.pop() if (one := waiting[int(says[row])]) else -1 for row in rows]
    left = sorted((row for one in waiting.values() for row in one), reverse=True)
    return [at if at >= 0 or not left else left.pop() for at in found]


def _of_each(table: RowTable, several: NDArray[np.uint64]) -> Iterator[tuple[bytes, list[int]]]:
    """Digest and rows of each of some inputs, the rows by their numbers."""
    for rows in _by_inputs(table, several).values():
        starts = [row for row in rows if table.copy[row] == 0]
        for start in starts:
            inputs = table.key[start].tobytes()
            yield inputs, _those_of(table, rows, inputs)


def _those_of(table: RowTable, rows: Sequence[int], inputs: bytes) -> list[int]:
    """The rows whose inputs have that digest."""
    return [row for row in rows if copy_key(inputs, int(table.copy[row])) == table.key[row].tobytes()]


def _by_inputs(table: RowTable, several: NDArray[np.uint64]) -> Keys:
    """The rows of some inputs, by the first eight bytes of their digests; in the order of their numbers."""
    found: Keys = defaultdict(list)
    rows = np.flatnonzero(np.isin(_inputs(table), several))
    rows = rows[np.argsort(table.copy[rows], kind="stable")]
    for row, code in zip(rows.tolist(), _inputs(table)[rows].tolist(), strict=True):
        found[code.to_bytes(8, "little")].append(row)
    return found


def _inputs(table: RowTable) -> NDArray[np.uint64]:
    """64 bits of the digest of each row's inputs."""
    codes: NDArray[np.uint64] = np.ascontiguousarray(table.signature).view("<u8")[:, 0]
    return codes


def _array(key: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(key, dtype=np.uint8)
