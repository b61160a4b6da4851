"""Kernels of :mod:`lithify.data.duplicates`."""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel

_PRIME = np.uint64(0x100000001B3)
_OFFSET = np.uint64(0xCBF29CE484222325)
_EMPTY = np.uint32(0xFFFFFFFF)
WINDOW = 16
"""Rows of a band that a row is compared with, besides the first: bounds the work where thousands share a band."""


@kernel
def _mix(value: Any) -> Any:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel
def _fill(bins: Any, data: Any) -> None:
    """A text of fewer than three words is near nothing but itself: its bins come from a hash of all its bytes."""
    whole = _OFFSET
    for i in range(data.size):
        whole = (whole ^ np.uint64(data[i])) * _PRIME
    for slot in range(bins.size):
        bins[slot] = np.uint32(_mix(whole + np.uint64(slot)) & np.uint64(0xFFFFFFFE))


@kernel
def signature(data: Any) -> Any:
    """See :func:`lithify.data.duplicates.signature`."""
    bins = np.full(128, _EMPTY, dtype=np.uint32)
    first, second, word = np.uint64(0), np.uint64(0), _OFFSET
    inside, words = False, 0
    for i in range(data.size + 1):
        byte = data[i] if i < data.size else np.uint8(32)
        if 65 <= byte <= 90:
            byte = np.uint8(byte + 32)
        if (97 <= byte <= 122) or (48 <= byte <= 57) or byte > 127:
            word = (word ^ np.uint64(byte)) * _PRIME
            inside = True
        elif inside:
            words += 1
            if words >= 3:
                mixed = _mix((first * np.uint64(0x9E3779B97F4A7C15)) ^ (second * np.uint64(0xC2B2AE3D27D4EB4F)) ^ word)
                slot = np.int64(mixed >> np.uint64(57))
                # the all-ones value marks an empty bin
                bins[slot] = min(bins[slot], np.uint32(mixed & np.uint64(0xFFFFFFFE)))
            first, second, word, inside = second, word, _OFFSET, False
    if words < 3:
        _fill(bins, data)
    out = np.empty(128, dtype=np.uint16)
    for i in range(128):
        distance = 0
        while bins[(i + distance) & 127] == _EMPTY:
            distance += 1
        borrowed = np.uint64(bins[(i + distance) & 127]) + np.uint64(distance) * np.uint64(0x9E37)
        out[i] = np.uint16(borrowed & np.uint64(0xFFFF))
    return out


@kernel
def _root(parent: Any, row: Any) -> Any:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@kernel
def _join_two(signatures: Any, row: Any, other: Any, limit: Any, parent: Any) -> None:
    a, b = _root(parent, row), _root(parent, other)
    if a == b:
        return
    equal = 0
    for slot in range(signatures.shape[1]):
        equal += signatures[row, slot] == signatures[other, slot]
    if equal >= limit:
        parent[max(a, b)] = min(a, b)


@kernel
def join(signatures: Any, band: Any, order: Any, limit: Any, parent: Any) -> None:
    """Joins rows with an equal band whose signatures agree in at least ``limit`` bins.

    ``order`` sorts the rows by band. A row is compared with the first one of its band and the ``WINDOW`` before it.
    """
    head = 0
    for position in range(1, order.size):
        row = order[position]
        if band[row] != band[order[head]]:
            head = position
            continue
        _join_two(signatures, row, order[head], limit, parent)
        for before in range(max(head + 1, position - WINDOW), position):
            _join_two(signatures, row, order[before], limit, parent)


@kernel
def unite(code: Any, order: Any, parent: Any) -> None:
    """Joins rows with an equal code; ``order`` sorts them by it."""
    for position in range(1, order.size):
        row, other = order[position], order[position - 1]
        if code[row] == code[other]:
            a, b = _root(parent, row), _root(parent, other)
            parent[max(a, b)] = min(a, b)


@kernel
def flatten(parent: Any) -> None:
    """Points every row at the root of its group; a parent is always the smaller row, so one pass is enough."""
    for row in range(parent.size):
        parent[row] = parent[parent[row]]
