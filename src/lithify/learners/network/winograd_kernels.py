"""The transforms of Winograd's convolution F(4 × 4, 3 × 3), forward and backward, over maps whose channels lie last.

A tile of 4 × 4 results of a 3 × 3 filter is had from 36 products instead of 144: with matrices A, B and G of small
numbers it is ``Aᵀ [(G w Gᵀ) ⊙ (Bᵀ x B)] A``, where ``x`` is the 6 × 6 window beneath it. The products of all tiles and
channels are 36 products of matrices, which others compute; what stands here goes into them and comes out, and for
gradients through the same matrices transposed. Sources: Winograd 1980, "Arithmetic Complexity of Computations"; Lavin
and Gray 2016, "Fast Algorithms for Convolutional Neural Networks" (arXiv:1509.09308), which gives A, B and G.

Up to ``LANES`` channels, of several tiles where each has fewer, are transformed at once in a scratch that stays in the
nearest cache: rows of ``LANES`` numbers, one for each of the 6 × 6 places of a window, of which a smaller one fills the
upper left. A transform works down the columns and writes what it makes as rows, so two of them do both directions.
Places are unsigned, and distances constant, or a compiler would not see that the numbers of a row can go side by side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lithify.kernels import kernel

LANES = 128
TILE, WINDOW, FILTER = 4, 6, 3
PRODUCTS = WINDOW * WINDOW
OF_INPUT, OF_FILTER, OF_GRADIENT, TO_OUTPUT, TO_INPUT, TO_FILTER = range(6)
"""Bᵀ x B, G w Gᵀ and A g Aᵀ; Aᵀ m A, B v Bᵀ and Gᵀ u G."""

_1, _2, _3 = np.uint64(LANES), np.uint64(2 * LANES), np.uint64(3 * LANES)
_4, _5, _6 = np.uint64(4 * LANES), np.uint64(5 * LANES), np.uint64(6 * LANES)
_12, _18, _24, _30 = np.uint64(12 * LANES), np.uint64(18 * LANES), np.uint64(24 * LANES), np.uint64(30 * LANES)
_TWO, _FOUR, _FIVE, _EIGHT = np.float32(2), np.float32(4), np.float32(5), np.float32(8)
_QUARTER, _SIXTH = np.float32(1 / 4), np.float32(1 / 6)
_TWELFTH, _TWENTY_FOURTH = np.float32(1 / 12), np.float32(1 / 24)
_ZERO = np.float32(0)


@kernel
def gather(
    maps: NDArray[np.float32],
    shape: tuple[int, int, int, int],
    which: int,
    window: tuple[int, int, int],
    products: NDArray[np.float32],
    pitch: int,
) -> None:
    """Transforms every window of some maps, zeros around them: ``products[k * pitch + tile * c + channel]``.

    Parameters
    ----------
    maps : (n * h * w * c,) array of float32
    shape : tuple of int
        n, h, w, c.
    which : int
        A transform ``OF_…``.
    window : tuple of int
        Its side, how far the next one is, and how far the first begins outside the map.
    products : array of float32
        To be written.
    pitch : int
        Numbers from a matrix to the next.
    """
    n, h, w, c = shape
    side, step, before = window
    given, made = np.empty(PRODUCTS * LANES, dtype=np.float32), np.empty(PRODUCTS * LANES, dtype=np.float32)
    down, across = -(-h // step), -(-w // step)
    tiles, together = n * down * across, max(1, LANES // c)
    for first in range(0, tiles, together):
        some = min(together, tiles - first)
        for channel in range(0, c, LANES):
            few = min(LANES, c - channel)
            for at in range(some):
                tile = first + at
                top, left = tile // across % down * step - before, tile % across * step - before
                for i in range(side):
                    for j in range(side):
                        y, x, lane = top + i, left + j, (WINDOW * i + j) * LANES + at * few
                        if 0 <= y < h and 0 <= x < w:
                            place = ((tile // (down * across) * h + y) * w + x) * c + channel
                            _copy(maps, place, given, lane, few)
                        else:
                            _clear(given, lane, few)
            _transform(which, given, made, side, WINDOW, some * few)
            for k in range(PRODUCTS):
                _copy(given, k * LANES, products, k * pitch + first * c + channel, some * few)


@kernel
def scatter(
    products: NDArray[np.float32],
    pitch: int,
    which: int,
    window: tuple[int, int, int],
    maps: NDArray[np.float32],
    shape: tuple[int, int, int, int],
) -> None:
    """The way back: what lies within the maps of each window; where windows overlap, their sum, in the order of tiles.

    Parameters
    ----------
    products, pitch, window, maps, shape
        As :func:`gather` has them; ``maps`` is written.
    which : int
        A transform ``TO_…``.
    """
    n, h, w, c = shape
    side, step, before = window
    given, made = np.empty(PRODUCTS * LANES, dtype=np.float32), np.empty(PRODUCTS * LANES, dtype=np.float32)
    down, across = -(-h // step), -(-w // step)
    tiles, together = n * down * across, max(1, LANES // c)
    if side > step:
        _clear(maps, 0, n * h * w * c)
    for first in range(0, tiles, together):
        some = min(together, tiles - first)
        for channel in range(0, c, LANES):
            few = min(LANES, c - channel)
            for k in range(PRODUCTS):
                _copy(products, k * pitch + first * c + channel, given, k * LANES, some * few)
            _transform(which, given, made, WINDOW, side, some * few)
            for at in range(some):
                tile = first + at
                top, left = tile // across % down * step - before, tile % across * step - before
                for i in range(side):
                    for j in range(side):
                        y, x, lane = top + i, left + j, (WINDOW * i + j) * LANES + at * few
                        if 0 <= y < h and 0 <= x < w:
                            place = ((tile // (down * across) * h + y) * w + x) * c + channel
                            if side > step:
                                _add(given, lane, maps, place, few)
                            else:
                                _copy(given, lane, maps, place, few)


@kernel
def _copy(source: NDArray[np.float32], start: int, target: NDArray[np.float32], place: int, count: int) -> None:
    a, b = np.uint64(start), np.uint64(place)
    for i in range(count):
        target[b + np.uint64(i)] = source[a + np.uint64(i)]


@kernel
def _add(source: NDArray[np.float32], start: int, target: NDArray[np.float32], place: int, count: int) -> None:
    a, b = np.uint64(start), np.uint64(place)
    for i in range(count):
        target[b + np.uint64(i)] += source[a + np.uint64(i)]


@kernel
def _clear(target: NDArray[np.float32], place: int, count: int) -> None:
    b = np.uint64(place)
    for i in range(count):
        target[b + np.uint64(i)] = _ZERO


@kernel
def _transform(
    which: int, given: NDArray[np.float32], made: NDArray[np.float32], columns: int, rows: int, lanes: int
) -> None:
    """From both directions, in place: ``columns`` are those of what is given, ``rows`` those of what is made."""
    if which == OF_INPUT:
        _of_input(given, made, columns, lanes)
        _of_input(made, given, rows, lanes)
    elif which == OF_FILTER:
        _of_filter(given, made, columns, lanes)
        _of_filter(made, given, rows, lanes)
    elif which == OF_GRADIENT:
        _of_gradient(given, made, columns, lanes)
        _of_gradient(made, given, rows, lanes)
    elif which == TO_OUTPUT:
        _to_output(given, made, columns, lanes)
        _to_output(made, given, rows, lanes)
    elif which == TO_INPUT:
        _to_input(given, made, columns, lanes)
        _to_input(made, given, rows, lanes)
    else:
        _to_filter(given, made, columns, lanes)
        _to_filter(made, given, rows, lanes)


@kernel
def _of_input(given: NDArray[np.float32], made: NDArray[np.float32], columns: int, lanes: int) -> None:
    """Bᵀ: (4 0 -5 0 1 0), (0 -4 -4 1 1 0), (0 4 -4 -1 1 0), (0 -2 -1 2 1 0), (0 2 -1 -2 1 0), (0 4 0 -5 0 1)."""
    for column in range(columns):
        for lane in range(lanes):
            a, b = np.uint64(column * LANES) + np.uint64(lane), np.uint64(WINDOW * column * LANES) + np.uint64(lane)
            d0, d1, d2 = given[a], given[a + _6], given[a + _12]
            d3, d4, d5 = given[a + _18], given[a + _24], given[a + _30]
            p, q, r, s = d4 - _FOUR * d2, d3 - _FOUR * d1, d4 - d2, _TWO * (d3 - d1)
            made[b] = _FOUR * d0 - _FIVE * d2 + d4
            made[b + _1] = p + q
            made[b + _2] = p - q
            made[b + _3] = r + s
            made[b + _4] = r - s
            made[b + _5] = _FOUR * d1 - _FIVE * d3 + d5


@kernel
def _to_input(given: NDArray[np.float32], made: NDArray[np.float32], columns: int, lanes: int) -> None:
    """B."""
    for column in range(columns):
        for lane in range(lanes):
            a, b = np.uint64(column * LANES) + np.uint64(lane), np.uint64(WINDOW * column * LANES) + np.uint64(lane)
            v0, v1, v2 = given[a], given[a + _6], given[a + _12]
            v3, v4, v5 = given[a + _18], given[a + _24], given[a + _30]
            p, q, r, s = v1 + v2, v1 - v2, v3 + v4, _TWO * (v3 - v4)
            made[b] = _FOUR * v0
            made[b + _1] = _FOUR * (v5 - q) - s
            made[b + _2] = -(_FIVE * v0) - _FOUR * p - r
            made[b + _3] = q + s - _FIVE * v5
            made[b + _4] = v0 + p + r
            made[b + _5] = v5


@kernel
def _to_output(given: NDArray[np.float32], made: NDArray[np.float32], columns: int, lanes: int) -> None:
    """Aᵀ: (1 1 1 1 1 0), (0 1 -1 2 -2 0), (0 1 1 4 4 0), (0 1 -1 8 -8 1)."""
    for column in range(columns):
        for lane in range(lanes):
            a, b = np.uint64(column * LANES) + np.uint64(lane), np.uint64(WINDOW * column * LANES) + np.uint64(lane)
            m0, m1, m2 = given[a], given[a + _6], given[a + _12]
            m3, m4, m5 = given[a + _18], given[a + _24], given[a + _30]
            p, q, r, s = m1 + m2, m1 - m2, m3 + m4, m3 - m4
            made[b] = m0 + p + r
            made[b + _1] = q + _TWO * s
            made[b + _2] = p + _FOUR * r
            made[b + _3] = q + _EIGHT * s + m5


@kernel
def _of_gradient(given: NDArray[np.float32], made: NDArray[np.float32], columns: int, lanes: int) -> None:
    """A."""
    for column in range(columns):
        for lane in range(lanes):
            a, b = np.uint64(column * LANES) + np.uint64(lane), np.uint64(WINDOW * column * LANES) + np.uint64(lane)
            g0, g1, g2, g3 = given[a], given[a + _6], given[a + _12], given[a + _18]
            p, q, r, s = g0 + g2, g1 + g3, g0 + _FOUR * g2, _TWO * g1 + _EIGHT * g3
            made[b] = g0
            made[b + _1] = p + q
            made[b + _2] = p - q
            made[b + _3] = r + s
            made[b + _4] = r - s
            made[b + _5] = g3


@kernel
def _of_filter(given: NDArray[np.float32], made: NDArray[np.float32], columns: int, lanes: int) -> None:
    """G: (1/4 0 0), -(1/6 1/6 1/6), (-1/6 1/6 -1/6), (1/24 1/12 1/6), (1/24 -1/12 1/6), (0 0 1)."""
    for column in range(columns):
        for lane in range(lanes):
            a, b = np.uint64(column * LANES) + np.uint64(lane), np.uint64(WINDOW * column * LANES) + np.uint64(lane)
            w0, w1, w2 = given[a], given[a + _6], given[a + _12]
            p, q, r, s = _SIXTH * (w0 + w2), _SIXTH * w1, _TWENTY_FOURTH * w0 + _SIXTH * w2, _TWELFTH * w1
            made[b] = _QUARTER * w0
            made[b + _1] = -p - q
            made[b + _2] = q - p
            made[b + _3] = r + s
            made[b + _4] = r - s
            made[b + _5] = w2


@kernel
def _to_filter(given: NDArray[np.float32], made: NDArray[np.float32], columns: int, lanes: int) -> None:
    """Gᵀ."""
    for column in range(columns):
        for lane in range(lanes):
            a, b = np.uint64(column * LANES) + np.uint64(lane), np.uint64(WINDOW * column * LANES) + np.uint64(lane)
            u0, u1, u2 = given[a], given[a + _6], given[a + _12]
            u3, u4, u5 = given[a + _18], given[a + _24], given[a + _30]
            p, q = _SIXTH * (u1 + u2), u3 + u4
            made[b] = _QUARTER * u0 - p + _TWENTY_FOURTH * q
            made[b + _1] = _SIXTH * (u2 - u1) + _TWELFTH * (u3 - u4)
            made[b + _2] = _SIXTH * q - p + u5
