"""Kernels that score many rows: every node of a tree is asked of a whole block of rows at once, without branches.

The leaves of a tree, from left to right, are the bits of a word that begins with all bits set. A node whose answer is
"right" clears the leaves to its left; the lowest bit that is left over is the leaf where the row ends (Lucchese et al.
2015, "QuickScorer", doi:10.1145/2766462.2767733; Lucchese et al. 2016, doi:10.1145/2911451.2914758 for blocks of rows).
A tree of more than 32 leaves is cut into parts of 32; most nodes clear leaves of one part only, and are asked there.
Values are first cut into bins by the thresholds that the forest has itself, so that a comparison of bins gives exactly
what the comparison of numbers gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

TINY = peer("lithify.learners.forest.kernels").TINY

BLOCK = 128
"""Rows at a time."""

TOGETHER = 4
"""Nodes at a time; a tree is filled up with nodes that clear nothing."""

LEAVES = 32
"""Of a part of a tree; words of 32 bits, of which a processor clears twice as many at a time as of 64."""

LOWEST = 0x077CB531
"""De Bruijn's number: times a power of two, the top 5 bits tell which power it was."""


@kernel
def ranges(start: Any, left: Any, right: Any, begin: Any, middle: Any, rank: Any) -> None:
    """Counts leaves from left to right: those left of each node's threshold are ``begin`` to ``middle`` of its tree.

    ``rank`` (L,) gets the place of each leaf.
    """
    for tree in range(len(start) - 1):
        first, leaves = start[tree] - tree, start[tree]
        size = start[tree + 1] - leaves - 1
        for at in range(size - 1, -1, -1):  # for now the leaves below the left child and below both
            child, other = left[first + at], right[first + at]
            middle[first + at] = begin[first + child] if child >= 0 else 1
            begin[first + at] = middle[first + at] + (begin[first + other] if other >= 0 else 1)
        if size:
            begin[first] = 0
        rank[leaves] = 0
        for at in range(size):
            child, other = left[first + at], right[first + at]
            middle[first + at] += begin[first + at]
            if child >= 0:
                begin[first + child] = begin[first + at]
            else:
                rank[leaves + ~child] = begin[first + at]
            if other >= 0:
                begin[first + other] = middle[first + at]
            else:
                rank[leaves + ~other] = middle[first + at]


@kernel
def fill(begin: Any, size: Any, mask: Any, set_start: Any, set_end: Any, set_bits: Any, table_mask: Any) -> None:
    """Clears ``mask`` from the words of the codes, and of the one after them, that go right at a categorical node."""
    for at in range(len(begin)):
        for code in range(size[at] + 1):
            word = set_start[at] + (code >> 5)
            inside = word < set_end[at] and (set_bits[word] >> np.uint32(code & 31)) & np.uint32(1)
            if not inside:
                table_mask[begin[at] + code] &= mask[at]


@kernel
def cut(rows: Any, first: int, many: int, lanes: Any, edges: Any, bins: Any) -> None:
    """Bins of a block of rows: one more than how many edges of a lane lie below the value.

    ``lanes`` (P, 2) holds the column and whether zero is missing, ``edges`` (P, 256) rises and ends in infinities. A
    missing value is bin 0 in ``bins[2 * lane]``, which is for nodes where it goes left, and 255 in the next.
    """
    for lane in range(len(lanes)):
        column = lanes[lane, 0]
        tiny = TINY if lanes[lane, 1] else -1.0
        edge = edges[lane]
        for r in range(many):
            value = rows[first + r, column]
            at = 128 if edge[127] < value else 0
            at += 64 if edge[at + 63] < value else 0
            at += 32 if edge[at + 31] < value else 0
            at += 16 if edge[at + 15] < value else 0
            at += 8 if edge[at + 7] < value else 0
            at += 4 if edge[at + 3] < value else 0
            at += 2 if edge[at + 1] < value else 0
            at += 2 if edge[at] < value else 1
            missing = value != value or abs(value) <= tiny
            bins[2 * lane, r] = 0 if missing else at
            bins[2 * lane + 1, r] = 255 if missing else at


@kernel
def look_up(rows: Any, first: int, many: int, columns: Any, codes: Any) -> None:
    """Codes of a block of rows: ``columns`` (Q, 2) holds the column and how many codes some set knows."""
    for number in range(len(columns)):
        size = columns[number, 1]
        for r in range(many):
            value = rows[first + r, columns[number, 0]]
            codes[number, r] = int(value) if -1.0 < value < size else size


@kernel
def leave(start: Any, lane: Any, edge: Any, mask: Any, part: int, bins: Any, word: Any) -> None:
    """Clears the leaves that rows of the block cannot end in, by the nodes with thresholds of one part of a tree."""
    for at in range(start[part], start[part + 1], TOGETHER):
        a, b, c, d = bins[lane[at]], bins[lane[at + 1]], bins[lane[at + 2]], bins[lane[at + 3]]
        ea, eb, ec, ed = edge[at], edge[at + 1], edge[at + 2], edge[at + 3]
        ma, mb, mc, md = mask[at], mask[at + 1], mask[at + 2], mask[at + 3]
        full = ~(ma ^ ma)
        for r in range(BLOCK):
            both = (ma if a[r] > ea else full) & (mb if b[r] > eb else full)
            word[r] &= both & (mc if c[r] > ec else full) & (md if d[r] > ed else full)


@kernel
def add_trees(
    rows: Any,
    lanes: Any,
    edges: Any,
    start: Any,
    lane: Any,
    edge: Any,
    mask: Any,
    columns: Any,
    table_start: Any,
    table: Any,
    table_mask: Any,
    output: Any,
    part_start: Any,
    value: Any,
    totals: Any,
) -> None:
    """Adds the leaf values of all trees to ``totals`` (n, K), tree by tree for each of ``rows`` (n, d).

    Tree t has the parts ``part_start[t]`` to ``part_start[t + 1]``. ``lane``, ``edge`` and ``mask`` are the nodes with
    thresholds, those of part p from ``start[p]``. ``table`` (S, 2) tells for a part and a column of codes which column
    it is, and where the words for its codes begin in ``table_mask``. ``value`` (P, 32) has the leaf values by the top
    bits of De Bruijn's product.
    """
    bins = np.zeros((2 * len(lanes), BLOCK), dtype=np.uint8)
    codes = np.zeros((len(columns), BLOCK), dtype=np.int32)
    word = np.empty(BLOCK, dtype=np.uint32)
    ends = np.empty(BLOCK, dtype=np.float64)
    sums = np.empty((totals.shape[1], BLOCK), dtype=np.float64)
    for first in range(0, len(rows), BLOCK):
        many = min(BLOCK, len(rows) - first)
        cut(rows, first, many, lanes, edges, bins)
        look_up(rows, first, many, columns, codes)
        for r in range(many):
            for k in range(len(sums)):
                sums[k, r] = totals[first + r, k]
        for tree in range(len(output)):
            for part in range(part_start[tree + 1] - 1, part_start[tree] - 1, -1):
                word[:] = np.uint32(0xFFFFFFFF)
                leave(start, lane, edge, mask, part, bins, word)
                for number in range(table_start[part], table_start[part + 1]):
                    some = table_mask[table[number, 1] :]
                    code = codes[table[number, 0]]
                    for r in range(BLOCK):
                        word[r] &= some[code[r]]
                leaf = value[part]
                for r in range(BLOCK):  # the lowest bit alone, times De Bruijn's number
                    lowest = np.uint32(word[r] & (~word[r] + np.uint32(1)))
                    end = leaf[np.uint32(lowest * np.uint32(LOWEST)) >> np.uint32(27)]
                    ends[r] = end if word[r] else ends[r]  # a word without leaves: the row ends further right
            add = sums[output[tree]]
            for r in range(BLOCK):
                add[r] += ends[r]
        for r in range(many):
            for k in range(len(sums)):
                totals[first + r, k] = sums[k, r]
