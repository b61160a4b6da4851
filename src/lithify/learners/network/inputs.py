"""What a network takes in: images as they are; a flat vector of numbers for rows of columns and of hashed features.

Numbers become piecewise linear encodings (Gorishniy, Rubachev, Babenko 2022, "On Embeddings for Numerical Features in
Tabular Deep Learning", arXiv:2203.05556): a number is written as how much of each bin between two quantiles of the
training rows lies below it, so a layer that follows can bend at every quantile. Beside them stand the number in units
of its spread, bounded, and a mark where it is missing. All of it is NumPy, element by element: the same bits anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import BLOCKS, Blocks, Codes, Dense, Hashed, Pixels
from lithify.errors import MalformedContainer, Unsupported

Kind = str
COLUMNS = ("column", "low", "inverse", "centre", "spread", "gap")
"""Names of the arrays that say how columns are encoded."""
_BOUND = 4.0
_WIDEST = 768
_MOST_BINS = 32
_ROWS = 50_000
"""Training rows at most whose quantiles the bins are made of."""


@dataclass(frozen=True)
class Inputs:
    """What goes into a network.

    Attributes
    ----------
    kind : str
        ``pixels``, ``hashed`` or ``columns``.
    side, channels : int
        Of images; channels are 1 or 3.
    numbers : int
        Columns of numbers.
    sizes : tuple of int
        How many codes each column of categories has.
    words : int
        Columns of words.
    buckets : int
        Of hashed features.
    width : int
        Values that a row has where it enters a network for ``hashed`` or ``columns``: such a network is given
        (n, width) float32. 0 for images.
    """

    kind: str
    side: int = 0
    channels: int = 0
    numbers: int = 0
    sizes: tuple[int, ...] = ()
    words: int = 0
    buckets: int = 0
    width: int = 0

    @property
    def columns(self) -> int:
        """Columns of a table."""
        return self.numbers + len(self.sizes) + self.words

    def to_json(self) -> dict[str, Any]:
        """As it stands in the facts of a finished state."""
        return {**asdict(self), "sizes": list(self.sizes)}


def from_json(found: Any) -> Inputs:
    """Reads :meth:`Inputs.to_json` strictly; ``MalformedContainer``."""
    names = {field.name for field in fields(Inputs)}
    whole = names - {"kind", "sizes"}
    if not isinstance(found, dict) or found.keys() != names or found["kind"] not in ("pixels", "hashed", "columns"):
        raise MalformedContainer("The network does not say what goes in.")
    sizes = found["sizes"]
    numbers = [found[name] for name in whole] + (sizes if isinstance(sizes, list) else [None])
    if not all(type(number) is int and 0 <= number < 2**31 for number in numbers):
        raise MalformedContainer("What goes into the network is not in whole numbers.")
    return Inputs(**{**found, "sizes": tuple(sizes)})


def inputs_of(blocks: Blocks) -> Inputs:
    """What blocks hold, without ``width``; ``Unsupported`` where no network reads them together."""
    names = ", ".join(blocks)
    found = list(blocks.values())
    if len(found) == 1 and isinstance(found[0], Hashed):
        return Inputs("hashed", buckets=found[0].buckets)
    if len(found) == 1 and isinstance(found[0], Pixels):
        _, side, _, channels = found[0].shape
        return Inputs("pixels", side=side, channels=channels)
    numbers, categories, words = (blocks.get(name) for name in BLOCKS)
    if not blocks or not blocks.keys() <= set(BLOCKS):
        raise Unsupported("A network reads images, columns, or one hashed block.", found=names)
    return Inputs(
        "columns",
        numbers=numbers.values.shape[1] if isinstance(numbers, Dense) else 0,
        sizes=categories.sizes if isinstance(categories, Codes) else (),
        words=words.values.shape[1] if isinstance(words, Dense) else 0,
    )


def channels_of(buckets: int) -> list[int]:
    """Where each of the tables that a hashed block is put together of begins, and where the last one ends.

    The tables have powers of two as their sizes, the largest first, so the digits of their sum tell them apart. Where
    two have one size the parts are others, which costs nothing but their meaning.

    >>> channels_of((1 << 19) + (1 << 18) + (1 << 16))
    [0, 524288, 786432, 851968]
    """
    starts = [0]
    for bit in reversed(range(buckets.bit_length())):
        if buckets >> bit & 1:
            starts.append(starts[-1] + (1 << bit))
    return starts


def folded(index: NDArray[np.uint32], bits: int) -> NDArray[np.int64]:
    """Buckets of a large table as those of one with 2**bits, by Fibonacci hashing (Knuth, TAOCP 3, 6.4).

    >>> folded(np.array([0, 1, 2, 3], dtype=np.uint32), 8).tolist()
    [0, 158, 60, 218]
    """
    mixed = index.astype(np.uint32) * np.uint32(0x9E3779B1)
    return (mixed >> np.uint32(32 - bits)).astype(np.int64)


def fit_columns(blocks: Blocks, train: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """How the numbers are encoded, from training rows alone; arrays by the names in :data:`COLUMNS`."""
    numbers = numbers_of(blocks)
    few = train[:: -(-len(train) // _ROWS)] if len(train) else train
    values = numbers[few].astype(np.float64)
    bins = max(1, min(_MOST_BINS, _WIDEST // max(1, values.shape[1])))
    column: list[int] = []
    low: list[float] = []
    inverse: list[float] = []
    centre, spread = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for j in range(values.shape[1]):
        known = np.sort(values[np.isfinite(values[:, j]), j])
        edges = _edges(known, bins)
        for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if 1e-300 < (b - a) * 1e-3 < 1e300:
                column.append(j)
                low.append(a)
                inverse.append(1.0 / (b - a))
        centre[j], spread[j] = _middle(known)
    gap = np.flatnonzero(np.isnan(values).any(axis=0))
    made = (np.array(column, np.int32), np.array(low), np.array(inverse), centre, spread, gap.astype(np.int32))
    return dict(zip(COLUMNS, made, strict=True))


def _edges(known: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Distinct values where these are few, else distinct quantiles."""
    distinct = np.unique(known)
    if len(distinct) <= bins + 1:
        return distinct
    return np.unique(known[(np.arange(bins + 1) * (len(known) - 1)) // bins])


def _middle(known: NDArray[np.float64]) -> tuple[float, float]:
    """Median, and one over the spread: half of what lies between the 5 % and the 95 % quantile; 0 where there is none.

    The factor makes it about a standard deviation of normally distributed values.
    """
    if not len(known):
        return 0.0, 0.0
    low, high = known[len(known) // 20], known[-1 - len(known) // 20]
    if low == high:
        low, high = known[0], known[-1]
    with np.errstate(all="ignore"):
        spread = (high - low) / 3.29
    usable = bool(1e-300 < spread < 1e300)
    return float(known[len(known) // 2]), 1.0 / float(spread) if usable else 0.0


def width_of(encoding: Mapping[str, NDArray[Any]], words: int) -> int:
    """How many values :func:`encode` makes of a row."""
    return len(encoding["column"]) + len(encoding["centre"]) + len(encoding["gap"]) + words


def encode(encoding: Mapping[str, NDArray[Any]], blocks: Blocks, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Some rows' numbers and words as (len(rows), width) float32, all finite and within [-4, 4] for any cell.

    In order: bins, numbers in units of their spread, marks of missing cells, words.
    """
    values = numbers_of(blocks)[rows].astype(np.float64)
    missing = np.isnan(values)
    with np.errstate(all="ignore"):
        bins = (values[:, encoding["column"]] - encoding["low"]) * encoding["inverse"]
        bins = np.where(missing[:, encoding["column"]], 0.0, np.minimum(np.maximum(bins, 0.0), 1.0))
        plain = np.where(encoding["spread"] > 0.0, values - encoding["centre"], 0.0) * encoding["spread"]
        plain = np.where(missing, 0.0, np.minimum(np.maximum(plain, -_BOUND), _BOUND))
    marks = missing[:, encoding["gap"]]
    words = np.minimum(np.maximum(np.nan_to_num(words_of(blocks)[rows]), -_BOUND), _BOUND)
    return np.concatenate([part.astype(np.float32) for part in (bins, plain, marks, words)], axis=1)


def owners(encoding: Mapping[str, NDArray[Any]], inputs: Inputs) -> list[NDArray[np.int64]]:
    """Which of the encoded values each column of numbers owns, and then each column of words."""
    bins, numbers = len(encoding["column"]), inputs.numbers
    found = []
    for j in range(numbers):
        marks = bins + numbers + np.flatnonzero(encoding["gap"] == j)
        found.append(np.concatenate([np.flatnonzero(encoding["column"] == j), [bins + j], marks]).astype(np.int64))
    first = bins + numbers + len(encoding["gap"])
    return found + [np.array([first + j]) for j in range(inputs.words)]


def numbers_of(blocks: Blocks) -> NDArray[np.floating[Any]]:
    """The block of numbers; (n, 0) where there is none."""
    block = blocks.get("numbers")
    return block.values if isinstance(block, Dense) else np.zeros((_rows(blocks), 0))


def words_of(blocks: Blocks) -> NDArray[np.floating[Any]]:
    """The block of words; (n, 0) where there is none."""
    block = blocks.get("words")
    return block.values if isinstance(block, Dense) else np.zeros((_rows(blocks), 0), dtype=np.float32)


def codes_of(blocks: Blocks) -> NDArray[np.int32]:
    """The block of categories; (n, 0) where there is none."""
    block = blocks.get("categories")
    return block.values if isinstance(block, Codes) else np.zeros((_rows(blocks), 0), dtype=np.int32)


def _rows(blocks: Blocks) -> int:
    return len(next(iter(blocks.values())))


def audit_columns(encoding: Mapping[str, NDArray[Any]], inputs: Inputs) -> None:
    """Raises ``MalformedContainer`` unless an encoding from a file fits the columns and makes finite numbers."""
    dtypes = {"column": np.int32, "gap": np.int32}
    sound = encoding.keys() == set(COLUMNS) and all(
        array.ndim == 1 and array.dtype == dtypes.get(name, np.float64) for name, array in encoding.items()
    )
    if sound:
        column, low, inverse, centre, spread, gap = (encoding[name] for name in COLUMNS)
        sound = len(column) == len(low) == len(inverse) and len(centre) == len(spread) == inputs.numbers
        sound = sound and all(np.isfinite(array).all() for array in (low, inverse, centre, spread))
        sound = sound and bool((inverse > 0).all() and (spread >= 0).all() and (np.diff(gap) > 0).all())
        sound = sound and all(not len(at) or (at.min() >= 0 and at.max() < inputs.numbers) for at in (column, gap))
    if not sound:
        raise MalformedContainer("The encoding of the columns does not fit.")
