"""The linear learner on hashed features: squared hinge loss, whole-number weights.

Minimises ``|w|^2 / 2 + C sum_i weight_i max(0, 1 - y_i (w.x_i + b))^2`` (Fan et al. 2008, "LIBLINEAR", L2-loss SVM).
``x_i`` are binary features scaled to length one. Several classes are learned one against the rest, all in the same
steps.

The sealed weights are 16-bit integers with one scale for each class, so a score is an exact integer sum followed by a
division and an addition: the same bits on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks, Hashed, TrainingData
from lithify.data.spill import Spill, release
from lithify.data.state import State
from lithify.errors import MalformedContainer, Unsupported
from lithify.features.base import Features
from lithify.kernels import compiled, fitting

KERNELS = "lithify.learners.linear.kernels"
_LARGEST = 32767
_PIECE_ROWS = 8192


@dataclass(frozen=True)
class HashedProblem:
    """Training rows with renumbered buckets; derived from the data alone, so never part of the state."""

    data: TrainingData
    first: NDArray[np.int64]
    columns: NDArray[np.int32]
    scale: NDArray[np.float64]
    target: NDArray[np.int32]
    cost: NDArray[np.float64]
    kept: NDArray[np.int64]
    outputs: int

    @property
    def size(self) -> int:
        """Of the weights: one for each bucket and output, the biases last."""
        return (len(self.kept) + 1) * self.outputs

    def grain(self, weights: NDArray[np.float64], lo: int, hi: int) -> tuple[float, NDArray[np.float64]]:
        """Loss and gradient of the rows ``lo`` to ``hi``."""
        kernels = compiled(KERNELS)
        gradient = np.zeros(len(weights))
        rows = (self.first, self.columns, self.scale)
        if self.outputs == 1:
            sign = np.where(self.target == 1, 1.0, -1.0)
            loss = kernels.binary_grain(*rows, sign, self.cost, weights, lo, hi, gradient)
        else:
            shape = (-1, self.outputs)
            loss = kernels.classes_grain(
                *rows, self.target, self.cost, weights.reshape(shape), lo, hi, gradient.reshape(shape)
            )
        release(self.columns[self.first[lo] : self.first[hi]])
        return loss, gradient

    def finish(self, weights: NDArray[np.float64]) -> State:
        """Integer weights for every bucket, and biases and scales."""
        block = block_of(self.data.blocks)
        weights = weights.reshape(-1, self.outputs)
        largest = np.maximum(np.abs(weights[:-1]).max(axis=0, initial=0.0), 2.0**-60)
        full = np.zeros((block.buckets, self.outputs), dtype=np.int16)
        full[self.kept] = np.rint(weights[:-1] * (_LARGEST / largest)).astype(np.int16)
        scale = largest / _LARGEST
        return State({"weights": full, "bias": weights[-1] / scale, "scale": scale})


def pose(data: TrainingData, C: float, min_rows: int) -> HashedProblem:
    """The problem of some data; buckets in fewer than ``min_rows`` training rows are left out."""
    kernels, block = compiled(KERNELS), block_of(data.blocks)
    found = np.zeros(block.buckets, dtype=np.int32)
    pieces = [data.train[at : at + _PIECE_ROWS] for at in range(0, len(data.train), _PIECE_ROWS)]
    for rows in pieces:
        kernels.count(block.start, block.index, rows, found)
        _release(block, rows)
    kept = np.flatnonzero(found >= min_rows)
    kept = kept[np.argsort(-found[kept], kind="stable")]  # frequent ones first, so that they share cache lines
    column = np.full(block.buckets, -1, dtype=np.int32)
    column[kept] = np.arange(len(kept), dtype=np.int32)
    lengths, scales, columns = [np.zeros(1, dtype=np.int64)], [], Spill(data.scratch)
    for rows in pieces:
        first, some, scale = kernels.compact(block.start, block.index, rows, column)
        lengths.append(np.diff(first))
        scales.append(scale)
        columns.append(some)
        _release(block, rows)
    return HashedProblem(
        data=data,
        first=np.cumsum(np.concatenate(lengths)),
        columns=columns.whole(),
        scale=np.concatenate(scales),
        target=data.target[data.train].astype(np.int32),
        cost=C * data.weight[data.train],
        kept=kept,
        outputs=1 if data.classes == 2 else data.classes,
    )


def predict(state: State, blocks: Blocks) -> NDArray[np.float64]:
    """Raw scores: one column for two labels, else one for each label."""
    block = block_of(blocks)
    out = np.zeros((len(block), state.arrays["weights"].shape[1]))
    kernels = fitting(KERNELS, len(block))
    if kernels.__name__ == KERNELS:
        _score_few(block, state.arrays["weights"], state.arrays["bias"], out)
    else:
        kernels.score_rows(block.start, block.index, state.arrays["weights"], state.arrays["bias"], out)
    out *= state.arrays["scale"]
    return out


def contributions(state: State, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Each bucket's weight over the root of how many there are; the bias is the base."""
    (name,) = blocks
    block = block_of(blocks)
    scale = state.arrays["scale"][column]
    index = block.index[: block.start[1]]
    root = np.sqrt(float(max(1, len(index))))
    shares = state.arrays["weights"][index, column].astype(np.float64) / root * scale
    return {name: shares}, float(state.arrays["bias"][column] * scale)


def audit(state: State, features: Features, classes: int) -> None:
    """Checks shapes and dtypes against the features and the labels."""
    outputs = 1 if classes == 2 else classes
    buckets = getattr(features, "buckets", -1)
    if classes < 2:
        raise MalformedContainer("Hashed features are learned from with labels.", expected="two at least")
    expected = {"weights": ((buckets, outputs), "int16"), "bias": ((outputs,), "float64")}
    expected["scale"] = expected["bias"]
    found = {name: (array.shape, str(array.dtype)) for name, array in state.arrays.items()}
    if found != expected or state.facts:
        raise MalformedContainer("The linear weights do not fit.", expected=str(expected), found=str(found))
    if not (np.isfinite(state.arrays["bias"]).all() and np.isfinite(state.arrays["scale"]).all()):
        raise MalformedContainer("The linear weights are not finite.")


def _release(block: Hashed, rows: NDArray[np.int64]) -> None:
    release(block.index[block.start[rows[0]] : block.start[rows[-1] + 1]])


def block_of(blocks: Blocks) -> Hashed:
    """The one hashed block a linear learner reads."""
    found = [block for block in blocks.values() if isinstance(block, Hashed)]
    if len(found) != 1 or len(blocks) != 1:
        raise Unsupported("The linear learner reads one hashed block.", found=", ".join(blocks))
    return found[0]


def _score_few(block: Hashed, weights: NDArray[np.int16], bias: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """:func:`linear_kernels.score_rows` in NumPy; integer sums are exact in any order, so the bits are the same."""
    for row in range(len(block)):
        index = block.index[block.start[row] : block.start[row + 1]]
        total = weights[index].sum(axis=0, dtype=np.int64)
        out[row] = total / np.sqrt(float(max(1, len(index)))) + bias
