"""Kernels of :mod:`lithify.data.pictures`: what a picture looks like from afar, and whether two look the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lithify.kernels import kernel

GRID = 12
CELLS = GRID * GRID
COARSE = 4
LUMA, CHROMA, SHAPE = 8, 8 + CELLS, 200
"""Where in the bytes of a signature the luma, the chroma and (as uint16) width, height and channels stand."""

_COSINES = np.array(
    [[round(1024 * math.cos(math.pi * (2 * c + 1) * k / (2 * GRID))) for c in range(GRID)] for k in range(8)],
    dtype=np.float64,
)


@kernel
def _overlaps(size: Any, first: Any, parts: Any) -> None:
    """For each pixel the first cell it lies in and how many of its 12 parts do; the next cell has the rest."""
    for i in range(size):
        cell = i * GRID // size
        first[i] = cell
        parts[i] = min((cell + 1) * size - i * GRID, GRID)


@kernel
def _cell_sums(pixels: Any) -> Any:
    """Sums over cells, (13, 13, 3) of which the last of each is spare; each pixel counts by its overlap.

    A cell is height/12 by width/12 pixels, in units of 1/144 pixel; no side is shorter than 12.
    """
    height, width, channels = pixels.shape
    lines = pixels.reshape(height, width * channels)
    across, left = np.empty(width, dtype=np.int64), np.empty(width, dtype=np.int64)
    down, upper = np.empty(height, dtype=np.int64), np.empty(height, dtype=np.int64)
    _overlaps(width, across, left)
    _overlaps(height, down, upper)
    # down first, whole lines at a time, which a processor does several numbers at once; then across
    columns = np.zeros((GRID + 1, width * channels), dtype=np.int32)
    for y in range(height):
        cell, part = down[y], np.int32(upper[y])
        rest = np.int32(GRID) - part
        for i in range(width * channels):
            columns[cell, i] += part * np.int32(lines[y, i])
        if rest:
            for i in range(width * channels):
                columns[cell + 1, i] += rest * np.int32(lines[y, i])
    sums = np.zeros((GRID + 1, GRID + 1, 3), dtype=np.int64)
    for cell in range(GRID):
        for x in range(width):
            first, part = across[x], left[x]
            for c in range(channels):
                value = np.int64(columns[cell, x * channels + c])
                sums[cell, first, c] += part * value
                sums[cell, first + 1, c] += (GRID - part) * value
    return sums


@kernel
def _hash(luma: Any) -> Any:
    """One bit for each of the 8 by 8 lowest cosine coefficients but the mean: is it above their median?"""
    half = np.zeros((8, GRID))  # whole numbers below 2**53: every sum is exact
    for k in range(8):
        for c in range(GRID):
            for d in range(GRID):
                half[k, d] += _COSINES[k, c] * luma[c, d]
    waves = np.zeros(64)
    for k in range(8):
        for m in range(8):
            for d in range(GRID):
                waves[8 * k + m] += _COSINES[m, d] * half[k, d]
    median = np.sort(waves[1:])[31]
    code = np.uint64(0)
    for bit in range(1, 64):
        if waves[bit] > median:
            code |= np.uint64(1) << np.uint64(bit)
    return code


@kernel
def sign(pixels: Any, out: Any) -> None:
    """Writes hash, luma and chroma of (h, w, 1 or 3) pixels into the bytes of a signature; no side is below 12."""
    height, width, channels = pixels.shape
    sums = _cell_sums(pixels)
    area = height * width
    luma = np.empty((GRID, GRID))
    colours = np.zeros((COARSE, COARSE, 2), dtype=np.int64)
    for c in range(GRID):
        for d in range(GRID):
            red, green, blue = sums[c, d, 0], sums[c, d, 0], sums[c, d, 0]
            if channels == 3:
                green, blue = sums[c, d, 1], sums[c, d, 2]
            bright = 77 * red + 150 * green + 29 * blue
            mean = (bright + 128 * area) // (256 * area)
            luma[c, d] = mean
            out[LUMA + GRID * c + d] = mean
            colours[c // 3, d // 3, 0] += 256 * blue - bright
            colours[c // 3, d // 3, 1] += 256 * red - bright
    for c in range(COARSE):
        for d in range(COARSE):
            for b in range(2):
                # half of the difference to luma, at 128 for grey
                mean = (colours[c, d, b] + 9 * 256 * area) // (18 * 256 * area)
                out[CHROMA + 2 * (COARSE * c + d) + b] = min(max(mean + 128, 0), 255)
    code = _hash(luma)
    for byte in range(8):
        out[byte] = (code >> np.uint64(8 * byte)) & np.uint64(255)


@kernel
def sign_many(pixels: Any, out: Any) -> None:
    """:func:`sign` of (n, h, w, 1 or 3) pixels, into (n, 256) bytes."""
    for row in range(len(pixels)):
        sign(pixels[row], out[row])


@kernel
def _differing(a: Any, b: Any) -> Any:
    """Bits in which two codes differ."""
    x = a ^ b
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    x = x + (x >> np.uint64(8))
    x = x + (x >> np.uint64(16))
    x = x + (x >> np.uint64(32))
    return np.int64(x & np.uint64(127))


@kernel
def _variation(a: Any) -> Any:
    """Absolute differences of the luma to its mean, times 144, summed."""
    total = np.int64(0)
    for i in range(LUMA, LUMA + CELLS):
        total += np.int64(a[i])
    away = np.int64(0)
    for i in range(LUMA, LUMA + CELLS):
        away += abs(CELLS * np.int64(a[i]) - total)
    return away


@kernel
def _edges(a: Any, b: Any) -> Any:
    """Steps between neighbouring cells: those of a, those of b, and the differences between both, summed."""
    of_a, of_b, between = np.int64(0), np.int64(0), np.int64(0)
    for c in range(GRID):
        for d in range(GRID):
            i = LUMA + GRID * c + d
            for reach in (1, GRID):
                if (reach == 1 and d == GRID - 1) or (reach == GRID and c == GRID - 1):
                    continue
                in_a = np.int64(a[i + reach]) - np.int64(a[i])
                in_b = np.int64(b[i + reach]) - np.int64(b[i])
                of_a += abs(in_a)
                of_b += abs(in_b)
                between += abs(in_a - in_b)
    return of_a, of_b, between


@kernel
def _same_shape(a: Any, b: Any) -> Any:
    """Width to height within a tenth of each other; ``a`` and ``b`` are width, height, channels."""
    one, two = np.int64(a[0]) * np.int64(b[1]), np.int64(b[0]) * np.int64(a[1])
    return 10 * abs(one - two) <= max(one, two)


@kernel
def alike(a: Any, b: Any, luma: Any, edges: Any) -> Any:
    """See :func:`lithify.data.pictures.alike`; ``luma`` and ``edges`` are limits in hundredths."""
    apart = np.int64(0)
    for i in range(LUMA, LUMA + CELLS):
        apart += abs(np.int64(a[i]) - np.int64(b[i]))
    varies = min(_variation(a), _variation(b))
    if 100 * CELLS * apart > luma * varies:
        return False
    of_a, of_b, between = _edges(a, b)
    if 100 * between > edges * min(of_a, of_b):
        return False
    tinted = np.int64(0)
    for i in range(CHROMA, CHROMA + 2 * COARSE * COARSE):
        tinted += abs(np.int64(a[i]) - np.int64(b[i]))
    # means: tinted / 32 halves of a level against varies / 144 / 144 levels
    return tinted * CELLS * CELLS <= varies * COARSE * COARSE


@kernel
def _root(parent: Any, row: Any) -> Any:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@kernel
def _join_two(marks: Any, shapes: Any, codes: Any, row: Any, other: Any, limits: Any, parent: Any) -> None:
    if _differing(codes[row], codes[other]) > limits[0] or not _same_shape(shapes[row], shapes[other]):
        return
    a, b = _root(parent, row), _root(parent, other)
    if a == b:
        return
    sides = min(shapes[row, 0], shapes[row, 1], shapes[other, 0], shapes[other, 1])
    small = min(np.int64(sides), limits[3])
    luma, edges = limits[1] * small // limits[3], limits[2] * small // limits[3]
    # the first of both groups too, if less so: small differences in a row do not join what is different at its ends
    if alike(marks[row], marks[other], luma, edges) and alike(marks[a], marks[b], luma * 6 // 5, edges * 6 // 5):
        parent[max(a, b)] = min(a, b)


@kernel
def join(marks: Any, shapes: Any, codes: Any, band: Any, order: Any, window: Any, limits: Any, parent: Any) -> None:
    """Joins rows with an equal band that are alike; ``order`` sorts the rows by band and then by the rest of the code.

    A row is compared with the first one of its band and the ``window`` before it.
    """
    head = 0
    for position in range(1, order.size):
        row = order[position]
        if band[row] != band[order[head]]:
            head = position
            continue
        _join_two(marks, shapes, codes, row, order[head], limits, parent)
        for before in range(max(head + 1, position - window), position):
            _join_two(marks, shapes, codes, row, order[before], limits, parent)
