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
_FOLDED = b.LOWER.copy()
_FOLDED[:33] = 32
_FOLDED[160] = 32
_EIGHT = np.uint64(8)
_ZERO, _FOUR = np.int64(0), np.int64(4)


@kernel
def text_grams(text: Any, n: int, bits: int, bucket: Any, where: Any, r: int) -> int:
    """4-grams of ``text[:n]``: appends buckets and the position of each gram's last byte after entry ``r``."""
    stream = np.empty(n + 1, dtype=np.uint8)
    kept: Any = 0
    before: Any = 1
    for i in range(n):  # bytes of a run of space after the first are overwritten: quicker than a branch
        byte = _FOLDED[text[i]]
        space = np.int64(byte == 32)
        stream[kept] = byte
        where[r + max(0, kept - 3)] = i
        kept += 1 - (space & before)
        before = space
    return _hash_grams(stream, kept, _FOUR, bits, _ZERO, bucket, r)


@kernel
def shape_grams(text: Any, n: int, size: int, bits: int, first: int, bucket: Any, where: Any, r: int) -> int:
    """Grams of ``size`` byte classes, buckets counted from ``first``; otherwise as :func:`text_grams`.

    The double-byte stretches of ISO-2022 encodings count as high bytes.
    """
    stream = np.empty(n + 1, dtype=np.uint8)
    kept: Any = 0
    run, escaped = 0, False
    before = np.uint8(0)
    for i in range(n):
        byte = text[i]
        if byte == 27 and i + 1 < n:
            escaped = text[i + 1] == 36
        kind = np.uint8(128) if escaped else _CLASS[byte]
        run = run + 1 if kind == before else 0
        before = kind
        stream[kept] = kind
        where[r + max(0, kept - size + 1)] = i
        kept += np.int64(run < 3)
    return _hash_grams(stream, kept, size, bits, first, bucket, r)


@kernel
def _hash_grams(stream: Any, n: int, size: Any, bits: int, first: Any, bucket: Any, r: int) -> int:
    shift, mask = np.uint64(64 - bits), np.uint64((1 << (8 * size)) - 1)
    gram, offset = np.uint64(0), np.uint32(first)
    for i in range(min(n, size - 1)):
        gram = (gram << _EIGHT) | np.uint64(stream[i])
    for i in range(size - 1, n):
        gram = ((gram << _EIGHT) | np.uint64(stream[i])) & mask
        bucket[r] = offset + np.uint32((gram * _GOLDEN) >> shift)
        r += 1
    return r


@kernel
def fact_buckets(value: Any, absent: Any, bits: int, first: int, bucket: Any, r: int) -> int:
    """One bucket for each fact that is not ``absent``."""
    shift, offset = np.uint64(64 - bits), np.uint32(first)
    for fact in range(len(value)):
        if value[fact] != absent:
            mixed = (value[fact] ^ (np.uint64(fact) * _MIX)) * _GOLDEN
            mixed ^= mixed >> np.uint64(29)
            bucket[r] = offset + np.uint32((mixed * _MIX) >> shift)
            r += 1
    return r


@kernel
def unique(bucket: Any, n: int, seen: Any, out: Any, r: Any) -> Any:
    """Appends the distinct buckets in the order they first occur to ``out`` after entry ``r``; leaves ``seen`` zero.

    ``out`` needs room for one entry more.
    """
    first = r
    for i in range(n):
        at = bucket[i]
        out[r] = at
        r += 1 - np.int64(seen[at])
        seen[at] = 1
    for i in range(first, r):
        seen[out[i]] = 0
    return r
