"""The linear learner on columns: logistic regression for labels, ridge regression for values.

Minimises ``|w|^2 / 2 + C sum_i weight_i loss_i``; the loss is the log loss (softmax for several labels; Hastie,
Tibshirani, Friedman 2009, "The Elements of Statistical Learning", 4.4) or half the squared error of the value in units
of its spread (Hoerl, Kennard 1970, doi:10.1080/00401706.1970.10488634). Numbers are in units of their spread, each
has a second weight for rows in which it is missing, and each code of a category and each word has a weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import numerics
from lithify.data.batches import BLOCKS, Blocks, Codes, Dense, TrainingData
from lithify.data.spill import release
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.kernels import compiled, fitting

KERNELS = "lithify.learners.linear.columns_kernels"
_SUMS = "lithify.learners.linear.kernels"
_ARRAYS = ("weights", "first", "mean", "inverse", "shares")


@dataclass(frozen=True)
class ColumnsProblem:
    """Training rows of columns; derived from the data alone, so never part of the state."""

    data: TrainingData
    numbers: NDArray[np.floating[Any]]
    codes: NDArray[np.int32]
    words: NDArray[np.floating[Any]]
    first: NDArray[np.int64]
    mean: NDArray[np.float64]
    inverse: NDArray[np.float64]
    target: NDArray[Any]
    cost: NDArray[np.float64]
    outputs: int
    center: float
    spread: float

    @property
    def size(self) -> int:
        """Of the weights, the biases last."""
        return (int(self.first[-1]) + int(self.words.shape[1]) + 1) * int(self.outputs)

    def grain(self, weights: NDArray[np.float64], lo: int, hi: int) -> tuple[float, NDArray[np.float64]]:
        """Loss and gradient of the rows ``lo`` to ``hi``."""
        kernels, rows = compiled(KERNELS), self.data.train[lo:hi]
        gradient = np.zeros((len(weights) // self.outputs, self.outputs))
        raw = np.empty((hi - lo, self.outputs))
        blocks = (self.numbers, self.codes, self.words, self.first, self.mean, self.inverse)
        kernels.scores(*blocks, weights.reshape(-1, self.outputs), rows, raw)
        losses, slope = self._losses(raw, self.target[lo:hi])
        cost = self.cost[lo:hi]
        kernels.gradient(*blocks, slope * cost[:, None], rows, gradient)
        if len(rows):
            for block in blocks[:3]:
                release(block[rows[0] : rows[-1] + 1])
        return compiled(_SUMS).dot(losses, cost), gradient.ravel()

    def _losses(
        self, raw: NDArray[np.float64], target: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Loss of each row, and its slope by each score."""
        if self.data.classes == 0:
            off = raw - ((target - self.center) / self.spread)[:, None]
            return 0.5 * off[:, 0] ** 2, off
        if self.outputs == 1:
            sign = np.where(target == 1, 1.0, -1.0)[:, None]
            return numerics.log1pexp(-sign * raw)[:, 0], -sign * numerics.sigmoid(-sign * raw)
        chances = numerics.softmax(raw)
        own = chances[np.arange(len(target)), target]
        chances[np.arange(len(target)), target] -= 1.0
        return -numerics.log(np.maximum(own, 1e-300)), chances

    def finish(self, weights: NDArray[np.float64]) -> State:
        """Weights, means and spreads, and how much each column moves the scores of the training rows."""
        scaled = weights.reshape(-1, self.outputs) * self.spread
        scaled[-1] += self.center
        arrays = {"weights": scaled, "first": self.first, "mean": self.mean, "inverse": self.inverse}
        return State(arrays | {"shares": self._shares(scaled)}, {"two": self.data.classes == 2})

    def _shares(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spread of what each column adds to the scores, over the training rows; (columns,)."""
        rows = self.data.train
        shares: list[float] = []
        k, codes, after = self.numbers.shape[1], self.first[:-1], int(self.first[-1])
        for j in range(k):
            share = float(np.count_nonzero(np.isfinite(self.numbers[rows, j]))) / max(1, len(rows))
            shares.append(float(np.abs(weights[j]).sum()) * share)
        for j, at in enumerate(codes.tolist()):
            counts = np.bincount(self.codes[rows, j], minlength=int(self.first[j + 1]) - at) / max(1, len(rows))
            own = weights[at : int(self.first[j + 1])]
            centre = (counts[:, None] * own).sum(axis=0)
            shares.append(float(np.sqrt((counts[:, None] * (own - centre) ** 2).sum(axis=0)).sum()))
        for j in range(self.words.shape[1]):
            share = float(np.count_nonzero(self.words[rows, j])) / max(1, len(rows))
            shares.append(float(np.abs(weights[after + j]).sum()) * np.sqrt(share * (1.0 - share)))
        return np.array(shares)


def pose(data: TrainingData, C: float) -> ColumnsProblem:
    """The problem of some data."""
    numbers, codes, words = parts(data.blocks)
    rows = data.train
    mean, inverse = np.zeros(numbers.shape[1]), np.zeros(numbers.shape[1])
    compiled(KERNELS).moments(numbers, rows, data.weight, mean, inverse)
    usable = np.isfinite(mean) & np.isfinite(inverse)  # not where cells are so large that their sum is none
    mean, inverse = np.where(usable, mean, 0.0), np.where(usable, inverse, 0.0)
    target, center, spread = data.target[rows], 0.0, 1.0
    if data.classes == 0:
        middle, over = np.zeros(1), np.zeros(1)
        compiled(KERNELS).moments(data.target[:, None], rows, data.weight, middle, over)
        center, spread = float(middle[0]), 1.0 / float(over[0]) if over[0] else 1.0
    return ColumnsProblem(
        data=data,
        numbers=numbers,
        codes=codes,
        words=words,
        first=_first(numbers.shape[1], data.blocks),
        mean=mean,
        inverse=inverse,
        target=target,
        cost=C * data.weight[rows],
        outputs=1 if data.classes == 2 else data.outputs,
        center=center,
        spread=spread,
    )


def predict(state: State, blocks: Blocks) -> NDArray[np.float64]:
    """Raw scores: one column for two labels and in regression, else one for each label."""
    numbers, codes, words = parts(blocks)
    arrays = state.arrays
    out = np.empty((len(numbers), arrays["weights"].shape[1]))
    kernels = fitting(KERNELS, len(numbers))
    made = (arrays["first"], arrays["mean"], arrays["inverse"], arrays["weights"])
    with np.errstate(all="ignore"):  # infinite cells, when the kernel is run as plain Python
        kernels.scores(numbers, codes, words, *made, np.arange(len(numbers)), out)
    return out


def contributions(state: State, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
    """What each column of the first row adds to one score; the bias is the base."""
    from lithify.learners.linear.columns_kernels import scaled

    numbers, codes, words = parts(blocks)
    weights, first = state.arrays["weights"][:, column], state.arrays["first"]
    k = numbers.shape[1]
    with np.errstate(all="ignore"):
        shares = [
            scaled(value, state.arrays["mean"][j], state.arrays["inverse"][j]) * weights[j]
            if value == value
            else weights[k + j]
            for j, value in enumerate(numbers[0].astype(np.float64).tolist())
        ]
    of_codes = weights[first[:-1] + codes[0]]
    of_words = np.where(words[0] != 0.0, weights[first[-1] : first[-1] + words.shape[1]], 0.0)
    found = {"numbers": np.array(shares, dtype=np.float64), "categories": of_codes, "words": of_words}
    return {name: found[name] for name in blocks}, float(weights[-1])


def audit(state: State, columns: Mapping[str, tuple[int, ...]], classes: int) -> None:
    """Checks shapes and dtypes against the labels and the columns; see :func:`lithify.features.base.codes_of`."""
    arrays = state.arrays
    outputs = 1 if classes == 2 else max(1, classes)
    dtypes = {"first": np.int64}
    fits = state.facts == {"two": classes == 2} and arrays.keys() == set(_ARRAYS)
    fits = fits and all(arrays[name].dtype == dtypes.get(name, np.float64) for name in _ARRAYS)
    fits = fits and all(np.isfinite(array).all() for array in arrays.values())
    if fits:
        numbers, categories, words = (columns.get(name, ()) for name in BLOCKS)
        first = np.cumsum([2 * len(numbers), *categories])
        shapes = {"mean": (len(numbers),), "inverse": (len(numbers),), "first": first.shape}
        shapes |= {"weights": (int(first[-1]) + len(words) + 1, outputs)}
        shapes |= {"shares": (len(numbers) + len(categories) + len(words),)}
        fits = columns.keys() <= set(BLOCKS) and all(arrays[name].shape == shapes[name] for name in _ARRAYS)
        fits = fits and np.array_equal(arrays["first"], first) and bool((arrays["shares"] >= 0).all())
    if not fits:
        raise MalformedContainer("The linear weights do not fit.")


def parts(blocks: Blocks) -> tuple[NDArray[np.floating[Any]], NDArray[np.int32], NDArray[np.floating[Any]]]:
    """The numbers, the codes and the words of some rows; a block that is not there has no columns."""
    rows = len(next(iter(blocks.values())))
    numbers, codes, words = (blocks.get(name) for name in BLOCKS)
    return (
        numbers.values if isinstance(numbers, Dense) else np.empty((rows, 0)),
        codes.values if isinstance(codes, Codes) else np.empty((rows, 0), dtype=np.int32),
        words.values if isinstance(words, Dense) else np.empty((rows, 0), dtype=np.float32),
    )


def _first(numbers: int, blocks: Blocks) -> NDArray[np.int64]:
    """Where the weights of the codes of each category begin, and where they end."""
    codes = blocks.get("categories")
    sizes = codes.sizes if isinstance(codes, Codes) else ()
    first = np.cumsum(np.array([2 * numbers, *sizes], dtype=np.int64))
    assert all(b > a for a, b in pairwise(first.tolist()))
    return first
