"""Linear classification on hashed features: squared hinge loss, ridge penalty, L-BFGS.

Minimises ``|w|^2 / 2 + C sum_i weight_i max(0, 1 - y_i (w.x_i + b))^2`` (Fan et al. 2008, "LIBLINEAR", L2-loss SVM)
with the two-loop recursion (Liu, Nocedal 1989, doi:10.1007/BF01589116). ``x_i`` are binary features scaled to length
one. A step is one evaluation of loss and gradient, shared out over grains; the line search halves. Several classes are
learned one against the rest, all in the same steps.

The sealed weights are 16-bit integers with one scale for each class, so a score is an exact integer sum followed by a
division and an addition: the same bits on every machine.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from lithify.data.batches import Blocks, Hashed, TrainingData
from lithify.data.spill import Spill, release
from lithify.data.state import State
from lithify.errors import MalformedContainer, Unsupported
from lithify.features.base import Features
from lithify.kernels import compiled, fitting
from lithify.learners.base import Learner, Partial

KERNELS = "lithify.learners.linear_kernels"
_SUFFICIENT = 1e-4
_LARGEST = 32767
_CURVATURE = 1e-12
_SMALLEST_RATE = 2.0**-20
_PIECE_ROWS = 8192
_MEASURED = ("loss", "length", "first_length")


@dataclass(frozen=True)
class LinearParams:
    """Parameters of the linear learner.

    Attributes
    ----------
    C : float
        Weight of the loss against the penalty; larger fits the training rows closer.
    steps : int
        Evaluations of loss and gradient at most.
    tolerance : float
        Training stops once the gradient's length has fallen below this share of its first.
    memory : int
        Pairs of differences kept by L-BFGS.
    min_rows : int
        Buckets seen in fewer training rows have no weight.
    bias_penalty : float
        Penalty of the bias; 1 as that of the weights.
    """

    C: Annotated[float, Gt(0), Le(1e6)] = 20.0
    steps: Annotated[int, Ge(1), Le(100_000)] = 30
    tolerance: Annotated[float, Ge(0), Le(1)] = 1e-4
    memory: Annotated[int, Ge(1), Le(50)] = 6
    min_rows: Annotated[int, Ge(1)] = 10
    bias_penalty: Annotated[float, Ge(0)] = 0.1

    QUALITIES: ClassVar[Mapping[str, Mapping[str, Any]]] = {"fast": {"steps": 15}, "best": {"steps": 80}}


@dataclass(frozen=True)
class _Problem:
    """Training rows with renumbered buckets; derived from the data alone, so never part of the state."""

    data: TrainingData
    first: NDArray[np.int64]
    columns: NDArray[np.int32]
    scale: NDArray[np.float64]
    target: NDArray[np.int32]
    cost: NDArray[np.float64]
    kept: NDArray[np.int64]
    outputs: int

    def edges(self, grain: int) -> tuple[int, int]:
        """First and last row of a grain."""
        rows, grains = len(self.target), self.data.grains
        return rows * grain // grains, rows * (grain + 1) // grains


class Linear(Learner):
    """See the module."""

    Params: ClassVar[type] = LinearParams
    engine: ClassVar[Mapping[str, int | str]] = {"learner.linear": 1}

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._problem: _Problem | None = None
        self._lock = threading.Lock()

    def steps(self, data: TrainingData) -> int:
        """One evaluation each."""
        return int(self.params.steps)

    def start(self, data: TrainingData) -> State:
        """All weights zero, no evaluation yet."""
        problem = self._prepare(data)
        size = (len(problem.kept) + 1) * problem.outputs
        zeros = np.zeros(size)
        return State({"weights": zeros, "trial": zeros}, {"pairs": 0, "rate": 1.0, "evaluations": 0})

    def grain(self, state: State, data: TrainingData, step: int, grain: int) -> Partial:
        """Loss and gradient of one share of the rows at the trial weights."""
        problem, kernels = self._prepare(data), compiled(KERNELS)
        lo, hi = problem.edges(grain)
        weights = state.arrays["trial"]
        gradient = np.zeros(len(weights))
        rows = (problem.first, problem.columns, problem.scale)
        if problem.outputs == 1:
            sign = np.where(problem.target == 1, 1.0, -1.0)
            loss = kernels.binary_grain(*rows, sign, problem.cost, weights, lo, hi, gradient)
        else:
            shape = (-1, problem.outputs)
            loss = kernels.classes_grain(
                *rows, problem.target, problem.cost, weights.reshape(shape), lo, hi, gradient.reshape(shape)
            )
        release(problem.columns[problem.first[lo] : problem.first[hi]])
        return {"loss": np.array([loss]), "gradient": gradient}

    def apply(self, state: State, data: TrainingData, step: int, total: Partial) -> State:
        """Takes the trial point or halves the way to it, and chooses the next."""
        kernels = compiled(KERNELS)
        penalty = self._penalty(state.arrays["trial"], self._prepare(data).outputs)
        gradient = total["gradient"]
        gradient += penalty
        loss = float(total["loss"][0]) + 0.5 * kernels.dot(state.arrays["trial"], penalty)
        facts = dict(state.facts, evaluations=state.facts["evaluations"] + 1)
        if "loss" not in facts:
            return self._accept(state, facts, loss, gradient)
        slope = kernels.dot(state.arrays["gradient"], state.arrays["direction"])
        if not loss <= facts["loss"] + _SUFFICIENT * facts["rate"] * slope:
            facts["rate"] = facts["rate"] * 0.5
            return self._propose(state, facts)
        return self._accept(state, facts, loss, gradient)

    def done(self, state: State) -> bool:
        """Whether the gradient has all but vanished, or no step along it lowers the loss any more."""
        facts = state.facts
        if facts["rate"] < _SMALLEST_RATE and facts["pairs"]:
            return True
        return "length" in facts and bool(facts["length"] <= self.params.tolerance * facts["first_length"])

    def finish(self, state: State, data: TrainingData) -> State:
        """Integer weights for every bucket, and biases and scales."""
        problem = self._prepare(data)
        block = _block(data.blocks)
        weights = state.arrays["weights"].reshape(-1, problem.outputs)
        largest = np.maximum(np.abs(weights[:-1]).max(axis=0, initial=0.0), 2.0**-60)
        full = np.zeros((block.buckets, problem.outputs), dtype=np.int16)
        full[problem.kept] = np.rint(weights[:-1] * (_LARGEST / largest)).astype(np.int16)
        scale = largest / _LARGEST
        return State({"weights": full, "bias": weights[-1] / scale, "scale": scale})

    def predict(self, state: State, blocks: Blocks) -> NDArray[np.float64]:
        """Raw scores: for two classes (0, s), else one for each class."""
        block = _block(blocks)
        out = np.zeros((len(block), state.arrays["weights"].shape[1]))
        kernels = fitting(KERNELS, len(block))
        if kernels.__name__ == KERNELS:
            _score_few(block, state.arrays["weights"], state.arrays["bias"], out)
        else:
            kernels.score_rows(block.start, block.index, state.arrays["weights"], state.arrays["bias"], out)
        out *= state.arrays["scale"]
        return np.concatenate([np.zeros_like(out), out], axis=1) if out.shape[1] == 1 else out

    def contributions(self, state: State, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
        """Each bucket's weight over the root of how many there are; the bias is the base."""
        (name,) = blocks
        block = _block(blocks)
        weights, outputs = state.arrays["weights"], state.arrays["weights"].shape[1]
        sign = 1.0
        if outputs == 1:
            sign, column = (1.0 if column == 1 else -1.0), 0
        scale = sign * state.arrays["scale"][column]
        index = block.index[: block.start[1]]
        root = np.sqrt(float(max(1, len(index))))
        shares = weights[index, column].astype(np.float64) / root * scale
        return {name: shares}, float(state.arrays["bias"][column] * scale)

    def audit(self, state: State, features: Features, classes: int) -> None:
        """Checks shapes and dtypes against the features and the labels."""
        outputs = 1 if classes == 2 else classes
        buckets = getattr(features, "buckets", -1)
        expected = {"weights": ((buckets, outputs), "int16"), "bias": ((outputs,), "float64")}
        expected["scale"] = expected["bias"]
        found = {name: (array.shape, str(array.dtype)) for name, array in state.arrays.items()}
        if found != expected or state.facts:
            raise MalformedContainer("The linear weights do not fit.", expected=str(expected), found=str(found))
        if not (np.isfinite(state.arrays["bias"]).all() and np.isfinite(state.arrays["scale"]).all()):
            raise MalformedContainer("The linear weights are not finite.")

    def admit(self, state: State, data: TrainingData) -> None:
        """Also: after the first evaluation there is all that the next ones look at, and nothing else."""
        super().admit(state, data)
        begun = "loss" in state.facts
        facts = {"pairs", "rate", "evaluations", *(_MEASURED if begun else ())}
        slots = range(min(state.facts["pairs"], self.params.memory))
        arrays = {"weights", "trial", *(("gradient", "direction") if begun else ())}
        arrays |= {f"{name}/{slot}" for name in ("moved", "turned") for slot in slots}
        numbers = all(type(fact) in (int, float) for fact in state.facts.values())
        if state.arrays.keys() != arrays or state.facts.keys() != facts or not numbers:
            raise MalformedContainer("The state in the checkpoint is not one of a linear training.")

    def figures(self, state: State) -> dict[str, float]:
        """Loss and gradient length."""
        return {name: state.facts[name] for name in ("loss", "length") if name in state.facts}

    def _accept(self, state: State, facts: dict[str, Any], loss: float, gradient: NDArray[np.float64]) -> State:
        """The trial point becomes the point; remembers the pair of differences and turns the gradient by them."""
        kernels = compiled(KERNELS)
        arrays = dict(state.arrays)
        if "gradient" in arrays:
            moved, turned = arrays["trial"] - arrays["weights"], gradient - arrays["gradient"]
            if kernels.dot(moved, turned) > _CURVATURE:
                slot = facts["pairs"] % self.params.memory
                arrays[f"moved/{slot}"], arrays[f"turned/{slot}"] = moved, turned
                facts["pairs"] += 1
        length = float(np.sqrt(kernels.dot(gradient, gradient)))
        facts |= {"loss": loss, "length": length, "first_length": facts.get("first_length", length)}
        arrays |= {"weights": arrays["trial"], "gradient": gradient}
        arrays["direction"] = self._direction(arrays, facts["pairs"])
        facts["rate"] = 1.0 if facts["pairs"] else 1.0 / max(length, 2.0**-60)
        return self._propose(State(arrays, facts), facts)

    def _propose(self, state: State, facts: dict[str, Any]) -> State:
        trial = state.arrays["weights"].copy()
        compiled(KERNELS).add_scaled(trial, facts["rate"], state.arrays["direction"])
        return State({**state.arrays, "trial": trial}, facts)

    def _direction(self, arrays: Mapping[str, NDArray[Any]], pairs: int) -> NDArray[np.float64]:
        """The two-loop recursion over the remembered pairs, oldest to newest."""
        kernels = compiled(KERNELS)
        direction: NDArray[np.float64] = -arrays["gradient"]
        recent = range(max(0, pairs - self.params.memory), pairs)
        known = [
            (arrays[f"moved/{i % self.params.memory}"], arrays[f"turned/{i % self.params.memory}"]) for i in recent
        ]
        inverse = [1.0 / kernels.dot(moved, turned) for moved, turned in known]
        shares = []
        for (moved, turned), rho in zip(reversed(known), reversed(inverse), strict=True):
            shares.append(rho * kernels.dot(moved, direction))
            kernels.add_scaled(direction, -shares[-1], turned)
        if known:
            direction *= 1.0 / (inverse[-1] * kernels.dot(known[-1][1], known[-1][1]))
        for (moved, turned), rho, share in zip(known, inverse, reversed(shares), strict=True):
            kernels.add_scaled(direction, share - rho * kernels.dot(turned, direction), moved)
        return direction

    def _penalty(self, weights: NDArray[np.float64], outputs: int) -> NDArray[np.float64]:
        penalty = weights.copy()
        penalty[-outputs:] *= self.params.bias_penalty
        return penalty

    def _prepare(self, data: TrainingData) -> _Problem:
        """The problem of these data; kept for the next step, made again after a resume."""
        with self._lock:
            if self._problem is None or self._problem.data is not data:
                self._problem = None  # two at a time would take twice the memory
                self._problem = self._compact(data)
            return self._problem

    def _compact(self, data: TrainingData) -> _Problem:
        kernels, block = compiled(KERNELS), _block(data.blocks)
        found = np.zeros(block.buckets, dtype=np.int32)
        pieces = [data.train[at : at + _PIECE_ROWS] for at in range(0, len(data.train), _PIECE_ROWS)]
        for rows in pieces:
            kernels.count(block.start, block.index, rows, found)
            _release(block, rows)
        kept = np.flatnonzero(found >= self.params.min_rows)
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
        return _Problem(
            data=data,
            first=np.cumsum(np.concatenate(lengths)),
            columns=columns.whole(),
            scale=np.concatenate(scales),
            target=data.target[data.train],
            cost=self.params.C * data.weight[data.train],
            kept=kept,
            outputs=1 if data.classes == 2 else data.classes,
        )


def _release(block: Hashed, rows: NDArray[np.int64]) -> None:
    release(block.index[block.start[rows[0]] : block.start[rows[-1] + 1]])


def _block(blocks: Blocks) -> Hashed:
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
