"""Kernels that score many rows: every node of a tree is asked of a whole block of rows at once, without branches.

The leaves of a tree, from left to right, are the bits of a set that begins with all bits set. A node whose answer is
"right" clears the leaves to its left; the lowest bit that is left over is the leaf where the row ends (Lucchese et al.
2015, "QuickScorer", doi:10.1145/2766462.2767733; Lucchese et al. 2016, doi:10.1145/2911451.2914758 for blocks of rows).
The sets are cut into parts of 8 leaves: most nodes clear leaves of one part only, and are asked there, and a processor
clears bytes of 64 rows at a time. Values are first cut into bins by the thresholds that the forest has itself, so that
a comparison of bins gives exactly what the comparison of numbers gives; codes of categories become bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

TINY = peer("lithify.learners.forest.kernels").TINY

BLOCK = 512
"""Rows at a time, at most: what is done once for a block outweighs the rest in smaller ones."""

ABREAST = 64
"""Rows that a processor can look at in one go; the last block is as many of them as it needs."""

TOGETHER = 4
"""Nodes at a time; a part is filled up with nodes that clear nothing."""

LEAVES = 8
"""Of a part of a tree."""


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
def one_hot(rows: Any, first: int, many: int, columns: Any, bits: Any) -> None:
    """Codes of a block of rows as bits, eight codes to a lane of ``bits``.

    ``columns`` (Q, 3) holds the column, how many codes some set knows, and its first lane. The code after those stands
    for all that no set knows.
    """
    bits[:] = np.uint8(0)
    for number in range(len(columns)):
        column, size, lane = columns[number, 0], columns[number, 1], columns[number, 2]
        for r in range(many):
            value = rows[first + r, column]
            code = int(value) if -1.0 < value < size else size
            bits[lane + (code >> 3), r] = np.uint8(1 << (code & 7))


@kernel
def look_up(rows: Any, first: int, many: int, columns: Any, codes: Any) -> None:
    """Codes of a block of rows: ``columns`` (Q, 2) holds the column and how many codes some set knows."""
    for number in range(len(columns)):
        size = columns[number, 1]
        for r in range(many):
            value = rows[first + r, columns[number, 0]]
            codes[number, r] = int(value) if -1.0 < value < size else size


@kernel
def leave(begin: int, end: int, lane: Any, edge: Any, mask: Any, bins: Any, word: Any, size: int) -> None:
    """Clears the leaves that the first rows of the block cannot end in, by some nodes with thresholds."""
    for at in range(begin, end, TOGETHER):
        a, b, c, d = lane[at], lane[at + 1], lane[at + 2], lane[at + 3]
        ea, eb, ec, ed = edge[at], edge[at + 1], edge[at + 2], edge[at + 3]
        ma, mb, mc, md = mask[at], mask[at + 1], mask[at + 2], mask[at + 3]
        full = ~(ma ^ ma)
        for r in range(size):
            both = (ma if bins[a, r] > ea else full) & (mb if bins[b, r] > eb else full)
            word[r] &= both & (mc if bins[c, r] > ec else full) & (md if bins[d, r] > ed else full)


@kernel
def leave_codes(begin: int, end: int, lane: Any, gone: Any, mask: Any, bits: Any, word: Any, size: int) -> None:
    """The same by some nodes with sets of codes; ``gone`` has the bits of the codes that go right."""
    for at in range(begin, end, TOGETHER):
        a, b, c, d = lane[at], lane[at + 1], lane[at + 2], lane[at + 3]
        ga, gb, gc, gd = gone[at], gone[at + 1], gone[at + 2], gone[at + 3]
        ma, mb, mc, md = mask[at], mask[at + 1], mask[at + 2], mask[at + 3]
        full = ~(ma ^ ma)
        for r in range(size):
            both = (ma if bits[a, r] & ga else full) & (mb if bits[b, r] & gb else full)
            word[r] &= both & (mc if bits[c, r] & gc else full) & (md if bits[d, r] & gd else full)


@kernel
def choose(word: Any, part: int, chosen: Any, place: Any) -> None:
    """Keeps the part that has leaves left over; called from right to left, so the leftmost one stays."""
    number = np.uint8(part)
    for r in range(BLOCK):
        chosen[r] = word[r] if word[r] else chosen[r]
        place[r] = number if word[r] else place[r]


@kernel
def find(chosen: Any, place: Any, leaf: Any) -> None:
    """The leaf of each row, counted from left to right: the lowest bit of its part.

    Every result is cut to 8 bits at once, or compilers calculate with 64.
    """
    for r in range(BLOCK):
        word = chosen[r]
        lowest = np.uint8(word & np.uint8(~word + np.uint8(1)))
        four = np.uint8(4) if np.uint8(lowest & np.uint8(0xF0)) else np.uint8(0)
        two = np.uint8(2) if np.uint8(lowest & np.uint8(0xCC)) else np.uint8(0)
        one = np.uint8(1) if np.uint8(lowest & np.uint8(0xAA)) else np.uint8(0)
        leaf[r] = np.uint16(np.uint16(place[r]) << np.uint16(3)) | np.uint16(np.uint8(four | np.uint8(two | one)))


@kernel
def add_trees(
    rows: Any,
    lanes: Any,
    edges: Any,
    start: Any,
    lane: Any,
    edge: Any,
    mask: Any,
    narrow: Any,
    code_start: Any,
    code_lane: Any,
    code_gone: Any,
    code_mask: Any,
    wide: Any,
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
    thresholds, those of part p from ``start[p]``; ``code_lane``, ``code_gone`` and ``code_mask`` those with sets of
    codes of a ``narrow`` column, from ``code_start[p]``, each as often as the lanes it looks at. ``table`` (S, 2) tells
    for a part and a ``wide`` column which column it is, and where the words for its codes begin in ``table_mask``.
    ``value`` (8 P) has the leaf values from left to right.
    """
    bins = np.zeros((2 * len(lanes), BLOCK), dtype=np.uint8)
    bits = np.zeros((narrow[-1, 2] + (narrow[-1, 1] >> 3) + 1 if len(narrow) else 0, BLOCK), dtype=np.uint8)
    codes = np.zeros((len(wide), BLOCK), dtype=np.int32)
    word = np.empty(BLOCK, dtype=np.uint8)
    chosen = np.ones(BLOCK, dtype=np.uint8)
    place = np.zeros(BLOCK, dtype=np.uint8)
    leaf = np.zeros(BLOCK, dtype=np.uint16)
    sums = np.zeros((totals.shape[1], BLOCK), dtype=np.float64)
    for first in range(0, len(rows), BLOCK):
        many = min(BLOCK, len(rows) - first)
        size = -(-many // ABREAST) * ABREAST
        cut(rows, first, many, lanes, edges, bins)
        one_hot(rows, first, many, narrow, bits)
        look_up(rows, first, many, wide, codes)
        for r in range(many):
            for k in range(len(sums)):
                sums[k, r] = totals[first + r, k]
        for tree in range(len(output)):
            leftmost = part_start[tree]
            for part in range(part_start[tree + 1] - 1, leftmost - 1, -1):
                word[:] = np.uint8(255)
                leave(start[part], start[part + 1], lane, edge, mask, bins, word, size)
                begin, end = code_start[part], code_start[part + 1]
                leave_codes(begin, end, code_lane, code_gone, code_mask, bits, word, size)
                for number in range(table_start[part], table_start[part + 1]):
                    some = table_mask[table[number, 1] :]
                    code = codes[table[number, 0]]
                    for r in range(size):
                        word[r] &= some[code[r]]
                choose(word, part - leftmost, chosen, place)
            find(chosen, place, leaf)
            add, its = sums[output[tree]], value[LEAVES * leftmost :]
            for r in range(size):
                add[r] += its[leaf[r]]
        for r in range(many):
            for k in range(len(sums)):
                totals[first + r, k] = sums[k, r]
