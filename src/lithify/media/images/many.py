"""Many pictures at once, in threads: the decoders let go of the interpreter while they work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lithify.media.images.bad import BadImage
from lithify.media.images.cutting import square
from lithify.media.images.decoding import whole
from lithify.media.images.headers import look

CHUNK = 256
"""Pictures a thread takes at a time."""
_SAMPLE, _LARGE = 32, 80 * 80
"""Pictures looked at; pixels from which on threads gain: fewer are decoded before the interpreter is handed over."""


def decode_many(
    contents: Sequence[bytes], side: int, channels: int, out: NDArray[np.uint8], threads: int = 1
) -> list[BadImage | None]:
    """Pixels of many pictures, with the bits of :func:`lithify.media.pixels.decode`.

    Parameters
    ----------
    contents : sequence of bytes
    side, channels : int
        As of ``decode``.
    out : (n, side, side, channels) uint8, C-contiguous
        Where the pixels go; zeros for a picture that is bad.
    threads : int
        How many work at it; makes no difference to the result.

    Returns
    -------
    list
        What is wrong with each picture, or None.
    """
    if out.shape != (len(contents), side, side, channels) or out.dtype != np.uint8 or not out.flags.c_contiguous:
        raise ValueError(f"out must be C-contiguous uint8 of shape {(len(contents), side, side, channels)}")
    count = fitting(contents, threads)
    return each(lambda row: _decode_into(contents[row], side, channels, out[row]), len(contents), count)


def fitting(contents: Sequence[bytes], threads: int) -> int:
    r"""How many threads are worth it for these pictures: one where most are small.

    >>> fitting([b"P5\n90 90\n255\n"] * 500, 4), fitting([b"P5\n9 9\n255\n"] * 500, 4)
    (4, 1)
    """
    if threads < 2 or not contents:
        return 1
    large = small = 0
    for raw in contents[:: max(1, len(contents) // _SAMPLE)]:
        with contextlib.suppress(BadImage):
            seen = look(raw)
            large, small = (large + 1, small) if seen.width * seen.height >= _LARGE else (large, small + 1)
    return threads if large >= small else 1


def each(work: Callable[[int], None], n: int, threads: int) -> list[BadImage | None]:
    """Calls ``work`` with 0 … n - 1 in threads; the :class:`BadImage` that each call raised, or None."""
    size = max(1, min(CHUNK, -(-n // max(1, threads))))
    starts = range(0, n, size)
    if threads < 2 or len(starts) < 2:
        return _chunk(work, 0, n)
    with ThreadPoolExecutor(threads) as pool:
        chunks = pool.map(lambda start: _chunk(work, start, min(start + size, n)), starts)
        return [bad for chunk in chunks for bad in chunk]


def _chunk(work: Callable[[int], None], start: int, stop: int) -> list[BadImage | None]:
    bad: list[BadImage | None] = [None] * (stop - start)
    for row in range(start, stop):
        try:
            work(row)
        except BadImage as error:
            bad[row - start] = error
    return bad


def _decode_into(raw: bytes, side: int, channels: int, out: NDArray[np.uint8]) -> None:
    try:
        seen = look(raw)
        fits = seen.width == seen.height == side
        pixels = whole(raw, seen, side, channels, out if fits else None)
        if not fits:
            out[:] = square(pixels, side)
        elif pixels.base is not out:
            out[:] = pixels
    except BadImage:
        out[:] = 0
        raise
