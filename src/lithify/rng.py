"""Counter-based randomness: every draw is a pure function of (seed, purpose, index).

There is no generator whose state could be lost, shared or advanced twice: draw number ``i`` of a purpose is the same
whoever asks for it, in whatever order, on whatever machine. Only 64-bit integer operations are used.

Sources: SplitMix64 finaliser (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195); cycle-walking Feistel
permutation (Black, Rogaway 2002, "Ciphers with Arbitrary Finite Domains").
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_ROUNDS = 8


def key(seed: int, *purpose: str | int) -> int:
    """A 64-bit key for one stream of draws; different purposes give unrelated streams.

    >>> key(0, "shuffle") == key(0, "shuffle"), key(0, "shuffle") == key(1, "shuffle")
    (True, False)
    """
    text = "\x1f".join([str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def bits(stream: int, index: NDArray[np.integer] | int, n: int | None = None) -> NDArray[np.uint64]:
    """64 random bits for each index of a stream.

    Parameters
    ----------
    stream : int
        From :func:`key`.
    index : int or integer array
        Numbers of the draws; with ``n``, the first of ``n`` consecutive draws.

    Returns
    -------
    array of uint64, shaped like ``index`` (or ``(n,)``)
    """
    if n is not None:
        index = np.arange(n, dtype=np.uint64) + np.uint64(index)
    counter = np.asarray(index).astype(np.uint64)
    with np.errstate(over="ignore"):
        z = np.uint64(stream) + (counter + np.uint64(1)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX_A
        z = (z ^ (z >> np.uint64(27))) * _MIX_B
        return z ^ (z >> np.uint64(31))


def uniform(stream: int, index: NDArray[np.integer] | int, n: int | None = None) -> NDArray[np.float64]:
    """Floats in [0, 1) with 53 random bits, one for each index; arguments as :func:`bits`."""
    return (bits(stream, index, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(stream: int, index: NDArray[np.integer] | int, bound: int, n: int | None = None) -> NDArray[np.int64]:
    """Integers in [0, bound), one for each index; bias below 2**-21 for bounds up to 2**32, 2**32 being the limit."""
    if not 1 <= bound <= 1 << 32:
        raise ValueError(f"bound {bound} is not in [1, 2**32]")
    return np.minimum((uniform(stream, index, n) * bound).astype(np.int64), bound - 1)


def permute(stream: int, index: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    """Position of each index under a pseudo-random bijection of [0, n); no table is stored.

    An alternating Feistel network over the smallest even-bit domain that holds ``n``, walked until it falls inside.

    Parameters
    ----------
    stream : int
        From :func:`key`.
    index : integer array
        Each in [0, n); ``ValueError`` otherwise.
    n : int
        Size of the range.

    >>> sorted(permute(key(0, "demo"), np.arange(5), 5).tolist())
    [0, 1, 2, 3, 4]
    """
    positions = np.asarray(index)
    if positions.size and not (positions.min() >= 0 and positions.max() < n):
        raise ValueError(f"index outside of [0, {n})")
    if n <= 1:
        return np.zeros(positions.shape, dtype=np.int64)
    half = np.uint64(((n - 1).bit_length() + 1) // 2)
    value = _feistel(stream, positions.astype(np.uint64), half)
    outside = value >= np.uint64(n)
    while outside.any():
        value[outside] = _feistel(stream, value[outside], half)
        outside = value >= np.uint64(n)
    return value.astype(np.int64)


def _feistel(stream: int, value: NDArray[np.uint64], half: np.uint64) -> NDArray[np.uint64]:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = value >> half, value & mask
    for round_ in range(_ROUNDS):
        mixed = bits(stream ^ (round_ * 0x1000193), right) & mask
        left, right = right, left ^ mixed
    return (left << half) | right
