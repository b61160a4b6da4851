"""Kernels that hash stretches of text into buckets.

Two channels read the same bytes. ``body``: 4-grams of letters, case folded, runs of space as one. ``shape``: longer
grams of byte classes (a-z, A-Z, 0-9, high, each mark by itself), runs cut at three, so that how a text is typed counts
and not only what it says. Hashing is multiplicative (Knuth, TAOCP 3, 6.4) with the golden ratio of 64 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

b = peer("lithify.features.bytestrings")

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_CLASS = np.arange(256, dtype=np.uint8)
_CLASS[:33] = 32
_CLASS[10] = 10
_CLASS[48:58] = 48
_CLASS[65:91] = 65
_CLASS[97:123] = 97
_CLASS[128:] = 128
_EIGHT = np.uint64(8)
GRAM = 4


@kernel
def text_grams(text: Any, n: int, bits: int, bucket: Any, where: Any, r: int) -> int:
    """4-grams of ``text[:n]``: appends buckets and the position of each gram's first byte after entry ``r``."""
    shift, mask = np.uint64(64 - bits), np.uint64(0xFFFFFFFF)
    gram = np.uint64(0)
    have, before = 0, 32
    at = np.zeros(4, dtype=np.int64)
    for i in range(n):
        byte = int(b.LOWER[text[i]])
        if byte <= 32 or byte == 160:
            if before == 32:
                continue
            byte = 32
        before = byte
        at[have & 3] = i
        have += 1
        gram = ((gram << _EIGHT) | np.uint64(byte)) & mask
        if have >= 4:
            bucket[r] = np.uint32((gram * _GOLDEN) >> shift)
            where[r] = at[have & 3]
            r += 1
    return r


@kernel
def shape_grams(text: Any, n: int, size: int, bits: int, first: int, bucket: Any, where: Any, r: int) -> int:
    """Grams of ``size`` byte classes, buckets counted from ``first``; otherwise as :func:`text_grams`.

    The double-byte stretches of ISO-2022 encodings count as high bytes.
    """
    shift, mask = np.uint64(64 - bits), np.uint64((1 << (8 * size)) - 1)
    gram = np.uint64(0)
    have, before, run, start = 0, 0, 0, 0
    escaped = False
    at = np.zeros(8, dtype=np.int64)
    for i in range(n):
        byte = int(text[i])
        if byte == 27 and i + 1 < n:
            escaped = text[i + 1] == 36
        kind = 128 if escaped else int(_CLASS[byte])
        if kind == before:
            run += 1
            if run >= 3:
                continue
        else:
            run = 0
        before = kind
        at[have & 7] = i
        have += 1
        gram = ((gram << _EIGHT) | np.uint64(kind)) & mask
        if have >= size:
            start = at[(have - size) & 7]
            bucket[r] = np.uint32(np.uint64(first) + ((gram * _GOLDEN) >> shift))
            where[r] = start
            r += 1
    return r


@kernel
def fact_buckets(which: Any, value: Any, n: int, bits: int, first: int, bucket: Any, r: int) -> int:
    """One bucket for each fact."""
    shift = np.uint64(64 - bits)
    for i in range(n):
        mixed = (value[i] ^ (np.uint64(which[i]) * _MIX)) * _GOLDEN
        mixed ^= mixed >> np.uint64(29)
        bucket[r] = np.uint32(np.uint64(first) + ((mixed * _MIX) >> shift))
        r += 1
    return r


@kernel
def unique(bucket: Any, n: int, seen: Any, out: Any, r: int) -> int:
    """Appends the distinct buckets in the order they first occur to ``out`` after entry ``r``; leaves ``seen`` zero."""
    first = r
    for i in range(n):
        if seen[bucket[i]] == 0:
            seen[bucket[i]] = 1
            out[r] = bucket[i]
            r += 1
    for i in range(first, r):
        seen[out[i]] = 0
    return r
