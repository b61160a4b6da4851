"""Near-duplicate pictures: how alike two are, and which rows belong together, so that no copy straddles a split.

From afar a picture is a grid of 12 by 12 cells, each the mean luma of its part, whatever the size of the picture, and
one of 4 by 4 cells for its colours. The hash says of the 8 by 8 lowest coefficients of the luma's cosine transform
which are above their median. Two pictures are candidates when their hashes differ in at most ``BITS`` of 64 bits and
agree in two of eight bytes, which of those at most six bits apart all do. Candidates are joined when :func:`alike`.

The differences are measured against how much the picture itself varies, in its tones and, apart, from cell to cell:
without the former, flat skies and white grounds would be copies of each other, and without the latter all horizons.
On the 60,000 pictures of CIFAR-10 this joins some 550 in 250 groups: copies scaled, compressed, recoloured or moved by
a pixel. Of 72 pairs that were looked at, none was false. Far looser limits (35 and 70 percent) join half as many again.
Handwritten digits are much alike by nature; of those that are joined a group may be of different writers.

Sources: Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions" (the hash by cosine
transform); Manku, Jain, Das Sarma 2007, "Detecting Near-Duplicates for Web Crawling" (tables of permuted bits); Barz,
Denzler 2019, "Do We Train on Test Data? Purging CIFAR of Near-Duplicates" (why).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from threading import Lock
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from lithify.data.picture_kernels import GRID
from lithify.kernels import compiled
from lithify.media.images.decoding import REVISION as DECODER
from lithify.media.images.decoding import whole
from lithify.media.images.headers import look
from lithify.media.images.many import each, fitting
from lithify.media.pixels import BadImage

BITS = 10
"""Of 64, in which the hashes of candidates may differ."""

LUMA_LIMIT = 25
"""Percent: difference of the luma of two copies, relative to how much the flatter one departs from its mean."""

EDGE_LIMIT = 55
"""Percent: difference of the steps from cell to cell of two copies, relative to the steps of the smoother one."""

FULL_SIDE = 24
"""Pixels. Below it there is less to tell pictures apart by, and the limits shrink in proportion."""

WINDOW = 32
"""Rows of a band that a row is compared with, besides the first: bounds the work where thousands share a band."""

LEAST = 48
"""Short side in pixels down to which large JPEGs are reduced while they are decoded for a signature."""

_BLOCK = 256
"""Pictures that each thread decodes before all of them are signed."""

Seen = tuple[NDArray[np.uint8], tuple[int, int, int]]
"""Pixels, and width, height and channels."""

REVISION = 100 * DECODER + 1
"""Changes whenever equal pictures could get other signatures."""


def signature(raw: bytes) -> NDArray[np.uint16]:
    r"""What a picture looks like from afar, (128,) uint16.

    As 256 bytes: hash (8), luma of 12 by 12 cells (144), blue and red difference of 4 by 4 cells (32), zeros; and as
    uint16 at [100], [101] and [102] width and height as shown and the channels (1 or 3).

    Raises
    ------
    BadImage
        When the bytes are no usable picture.

    Examples
    --------
    >>> found = signature(b"P6\n2 1\n255\nabcdef")
    >>> found[100:103].tolist()
    [2, 1, 3]
    """
    out = np.zeros((1, 128), dtype=np.uint16)
    _sign([_seen(raw)], out)
    found: NDArray[np.uint16] = out[0]
    return found


def signatures(
    contents: Sequence[bytes], threads: int = 1, decoding: Lock | None = None
) -> tuple[NDArray[np.uint16], list[BadImage | None]]:
    """Signatures of many pictures.

    Parameters
    ----------
    contents : sequence of bytes
    threads : int
        How many work at it; makes no difference to the result.
    decoding : Lock, optional
        Held while pictures are decoded, so that several callers do not hand the interpreter to and fro meanwhile.

    Returns
    -------
    (n, 128) uint16
        Zeros for a picture that is bad.
    list
        What is wrong with each picture, or None.
    """
    out, bad = np.zeros((len(contents), 128), dtype=np.uint16), list[BadImage | None]()
    count, lock = fitting(contents, threads), decoding or Lock()
    for at in range(0, len(contents), size := _BLOCK * count):
        some = contents[at : at + size]
        seen: list[Seen | None] = [None] * len(some)

        def work(row: int, some: Sequence[bytes] = some, seen: list[Seen | None] = seen) -> None:
            seen[row] = _seen(some[row])

        with lock:
            bad += each(work, len(some), count)
        _sign(seen, out[at : at + size])
    return out, bad


def _seen(raw: bytes) -> Seen:
    """A picture's pixels, reduced where it is large, none of its sides shorter than the grid; and its size."""
    seen = look(raw)
    pixels = whole(raw, seen, LEAST, seen.channels)
    short = min(pixels.shape[:2])
    if short < GRID:  # each pixel as a square of several, which makes the same cells
        pixels = pixels.repeat(-(-GRID // short), axis=0).repeat(-(-GRID // short), axis=1)
    return pixels, (seen.width, seen.height, seen.channels)


def _sign(seen: Sequence[Seen | None], out: NDArray[np.uint16]) -> None:
    """Writes the signatures of some pictures, those of one shape at once."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for row, one in enumerate(seen):
        if one is not None:
            shapes.setdefault(one[0].shape, []).append(row)
            out[row, 100:103] = one[1]
    for rows in shapes.values():
        marks = out[rows]
        _kernels().sign_many(np.stack([seen[row][0] for row in rows]), marks.view(np.uint8))  # type: ignore[index]
        out[rows] = marks


def alike(a: NDArray[np.uint16], b: NDArray[np.uint16]) -> bool:
    """Whether two pictures with these signatures are copies of each other, whatever their shapes.

    They are when the luma of their cells differs by at most ``LUMA_LIMIT`` percent of what the flatter one departs
    from its mean, the steps between neighbouring cells by at most ``EDGE_LIMIT`` percent of the smaller sum of steps,
    and the colours on average by no more than the luma varies. So pictures of one tone are copies only when they are
    equal. For pictures with a side of fewer than ``FULL_SIDE`` pixels :func:`groups` makes both limits smaller.
    """
    return bool(_kernels().alike(a.view(np.uint8), b.view(np.uint8), LUMA_LIMIT, EDGE_LIMIT))


def sizes(signatures: NDArray[np.uint16]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Widths, heights and channels, (n,) each; 0 for a picture that was bad."""
    width, height, channels = (signatures[:, at].astype(np.int64) for at in (100, 101, 102))
    return width, height, channels


def groups(signatures: NDArray[np.uint16], *together: NDArray[np.uint64]) -> NDArray[np.int64]:
    r"""Joins rows whose pictures are :func:`alike` and of the same shape, width to height, within a tenth.

    Two groups are joined by a pair only when their first rows are alike too, by limits a fifth wider, so that small
    differences in a row do not join what is different at its ends.

    Parameters
    ----------
    signatures : (n, 128) uint16
    together : (n,) uint64, any number of them
        Rows with the same code other than 0 are joined whatever their pictures.

    Returns
    -------
    (n,) int64
        For each row, the smallest row number of its group.

    Examples
    --------
    >>> slope, flat = b"P5\n3 1\n255\n\x00\x60\xff", b"P5\n3 1\n255\n\x60\x60\x60"
    >>> groups(np.array([signature(raw) for raw in (slope, flat, slope.replace(b"\x60", b"\x62"))])).tolist()
    [0, 1, 0]
    """
    rows = np.ascontiguousarray(signatures)
    parent = np.arange(len(rows), dtype=np.int64)
    codes = rows[:, :4].copy().view(np.uint64)[:, 0]
    marks, shapes = rows.view(np.uint8), rows[:, 100:103]
    limits = np.array([BITS, LUMA_LIMIT, EDGE_LIMIT, FULL_SIDE], dtype=np.int64)
    kernels = _kernels()
    for code, order in _sorted(codes):
        kernels.join(marks, shapes, codes, code >> np.uint64(48), order, WINDOW, limits, parent)
    unions = compiled("lithify.data.minhash")
    for code in together:
        named = np.flatnonzero(code)
        unions.unite(code, named[np.argsort(code[named], kind="stable")], parent)
    unions.flatten(parent)
    return parent


def _sorted(codes: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
    """The codes with each two of their bytes in front, and the order of these; one is sorted ahead, by a thread."""

    def one(pair: tuple[int, int]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        code = _with_first(codes, pair)
        return code, np.argsort(code, kind="stable")

    first, *later = combinations(range(8), 2)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(one, first)
        for pair in later:
            ready, coming = coming.result(), pool.submit(one, pair)
            yield ready
        yield coming.result()


def _with_first(codes: NDArray[np.uint64], pair: tuple[int, int]) -> NDArray[np.uint64]:
    """The codes with two of their bytes moved to the top."""
    parts = codes.copy().view(np.uint8).reshape(-1, 8)
    rest = [byte for byte in range(8) if byte not in pair]
    return np.ascontiguousarray(parts[:, [*rest, *pair]]).view(np.uint64)[:, 0]


def _kernels() -> ModuleType:
    return compiled("lithify.data.picture_kernels")
