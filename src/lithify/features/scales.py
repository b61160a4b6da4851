"""How the number columns of a table are spread: means, deviations and quantiles, by an ordered pass over the rows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify import rng
from lithify.data.state import State
from lithify.features.lists import demand

SAMPLE: Final = 1 << 14
"""Rows that quantiles are of; all rows while there are no more."""
QUANTILES: Final = 65
"""Quantile q of each column is that of probability (q + 0.5) / 65; the extremes of single rows are not kept."""
_LARGEST: Final = float(np.finfo(np.float64).max)
ARRAYS: Final = ("mean", "deviation", "present", "quantiles")


class Scales:
    """Statistics of k columns over the rows seen so far; NaN cells are left out.

    Blocks of rows must be cut in the same places each time: sums go from row to row and from block to block.
    """

    def __init__(self, width: int) -> None:
        self.rows = 0
        self.present = np.zeros(width, dtype=np.int64)
        self.mean = np.zeros(width)
        self._squares = np.zeros(width)
        self._sample = np.zeros((0, width))
        self._drawn = np.zeros(0, dtype=np.uint64)
        self._stream = rng.key(0, "quantiles of a table")

    def add(self, values: NDArray[np.float64]) -> None:
        """Takes in (n, k) numbers."""
        if values.shape[1] and len(values):
            self._moments(values)
            self._draw(values)
        self.rows += len(values)

    def _moments(self, values: NDArray[np.float64]) -> None:
        """Two passes over the block, then Chan, Golub, LeVeque 1979 to join it to what was there."""
        given = ~np.isnan(values)
        count = given.sum(axis=0)
        of = np.maximum(count, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = _total(np.where(given, values / of, 0.0))
            apart = np.where(given, values - mean, 0.0)
            shift, both = mean - self.mean, self.present + count
            share = count / np.maximum(both, 1)
            self._squares = _finite(self._squares + _total(apart * apart) + shift * shift * self.present * share)
            self.mean = _finite(np.where(self.present == 0, mean, self.mean + shift * share))
        self.present = both

    def _draw(self, values: NDArray[np.float64]) -> None:
        """Keeps the rows with the smallest draws: a sample of them all, whatever their number."""
        drawn = np.concatenate([self._drawn, rng.bits(self._stream, self.rows, len(values))])
        rows = np.concatenate([self._sample, values])
        if len(drawn) > SAMPLE:
            keep = np.sort(np.argsort(drawn, kind="stable")[:SAMPLE])
            drawn, rows = drawn[keep], rows[keep]
        self._drawn, self._sample = drawn, rows

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``mean``, ``deviation`` (k,) float64, ``present`` (k,) int64, ``quantiles`` (k, 65); zero without any cell.

        Deviations are of the whole, so of equal cells zero.
        """
        if not len(self.mean):
            return {}
        deviation = np.sqrt(self._squares / np.maximum(self.present, 1))
        quantiles = np.stack([_quantiles(column) for column in self._sample.T])
        return {"mean": self.mean, "deviation": deviation, "present": self.present, "quantiles": quantiles}


def audit(state: State, width: int, rows: int) -> set[str]:
    """Names of the arrays; ``MalformedContainer`` unless they are what :meth:`Scales.arrays` gives."""
    if not width:
        return set()
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(ARRAYS, (width,)) | {"quantiles": (width, QUANTILES)}
    for name, shape in shapes.items():
        array = state.arrays.get(name)
        demand(array is not None and array.shape == shape, name)
        assert array is not None
        demand(array.dtype == (np.int64 if name == "present" else np.float64), name)
        demand(bool(np.isfinite(array).all()), name)
    present = state.arrays["present"]
    demand(bool(((present >= 0) & (present <= rows)).all()), "present")
    demand(bool((state.arrays["deviation"] >= 0).all()), "deviation")
    demand(bool((np.diff(state.arrays["quantiles"], axis=1) >= 0).all()), "quantiles")
    return set(shapes)


def _quantiles(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of the column itself: the inverse of its empirical distribution."""
    found = np.sort(column[~np.isnan(column)])
    if not len(found):
        return np.zeros(QUANTILES)
    values: NDArray[np.float64] = found[(2 * np.arange(QUANTILES) + 1) * len(found) // (2 * QUANTILES)]
    return values


def _total(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the columns, from row to row: the same bits on every machine."""
    total: NDArray[np.float64] = np.cumsum(values, axis=0)[-1]
    return total


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.nan_to_num(values, nan=0.0, posinf=_LARGEST, neginf=-_LARGEST)
