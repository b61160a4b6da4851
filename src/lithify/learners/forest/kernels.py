"""Kernels that walk trees. Loading this module loads nothing; see :mod:`lithify.kernels`."""

from __future__ import annotations

from typing import Any

from lithify.kernels import kernel

NAN_LEFT, NAN_RIGHT, ZERO_LEFT, ZERO_RIGHT, SETS = 0, 1, 2, 3, 4
"""Kinds of nodes: where a missing value goes, whether zero is one too; set s of a categorical node is SETS + s."""

TINY = 1.0000000180025095e-35
"""Numbers no farther from zero than this are zero where zero is missing: 1e-35 in single precision, as in LightGBM."""


@kernel
def _turn_oddly(kind: int, threshold: float, value: float, set_start: Any, set_bits: Any) -> int:
    """The nodes that are few: those with sets and those where zero is missing."""
    if kind < SETS:
        missing = value != value or abs(value) <= TINY
        return kind & 1 if missing else int(value > threshold)
    if not -1.0 < value < 2147483648.0:
        return 1
    word = set_start[kind - SETS] + (int(value) >> 5)
    if word >= set_start[kind - SETS + 1]:
        return 1
    return 1 - ((int(set_bits[word]) >> (int(value) & 31)) & 1)


@kernel
def turn(kind: int, threshold: float, value: float, set_start: Any, set_bits: Any) -> int:
    """0 where a value goes left, 1 where it goes right."""
    if kind >= ZERO_LEFT:
        return _turn_oddly(kind, threshold, value, set_start, set_bits)
    return int(value > threshold) | (int(value != value) & kind)  # without a branch, which would be guessed wrong


@kernel
def add_trees(
    rows: Any, root: Any, output: Any, node: Any, number: Any, set_start: Any, set_bits: Any, totals: Any
) -> None:
    """Adds the leaf values of all trees to ``totals`` (n, K), tree by tree for each of ``rows`` (n, d).

    ``node`` (N + L, 4) int32 holds the column, both children and the kind of each node, ``number`` (N + L,) its
    threshold. Behind the nodes come the leaves, which lead to themselves and whose number is their value: so four trees
    can be walked at a time, while the processor waits for the memory of one it goes on with the others.
    """
    inner = (len(node) - len(root)) // 2
    for row in range(len(rows)):
        x = rows[row]
        for tree in range(0, len(root) - 3, 4):
            a, b, c, d = root[tree], root[tree + 1], root[tree + 2], root[tree + 3]
            while min(min(a, b), min(c, d)) < inner:
                a = node[a, 1 + turn(node[a, 3], number[a], x[node[a, 0]], set_start, set_bits)]
                b = node[b, 1 + turn(node[b, 3], number[b], x[node[b, 0]], set_start, set_bits)]
                c = node[c, 1 + turn(node[c, 3], number[c], x[node[c, 0]], set_start, set_bits)]
                d = node[d, 1 + turn(node[d, 3], number[d], x[node[d, 0]], set_start, set_bits)]
            totals[row, output[tree]] += number[a]
            totals[row, output[tree + 1]] += number[b]
            totals[row, output[tree + 2]] += number[c]
            totals[row, output[tree + 3]] += number[d]
        for tree in range(len(root) // 4 * 4, len(root)):
            a = root[tree]
            while a < inner:
                a = node[a, 1 + turn(node[a, 3], number[a], x[node[a, 0]], set_start, set_bits)]
            totals[row, output[tree]] += number[a]
