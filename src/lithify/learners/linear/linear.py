"""Linear models: on hashed features a support vector machine, on columns logistic or ridge regression; by L-BFGS.

A step is one evaluation of loss and gradient, shared out over grains. What is minimised, and what is sealed, is in
:mod:`lithify.learners.linear.hashed` and :mod:`lithify.learners.linear.columns`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from lithify.data.batches import Blocks, Hashed, TrainingData
from lithify.data.state import State
from lithify.features.base import Features, codes_of
from lithify.kernels import compiled
from lithify.learners.base import Learner, Partial
from lithify.learners.linear import columns as linear_columns
from lithify.learners.linear import hashed as linear_hashed
from lithify.learners.linear import lbfgs

_KERNELS = "lithify.learners.linear.kernels"


@dataclass(frozen=True)
class LinearParams:
    """Parameters of the linear learner.

    Attributes
    ----------
    C : float
        Weight of the loss against the penalty; larger fits the training rows closer. 0 leaves it to the kind of rows:
        20 for mail and text, 0.5 for tables.
    steps : int
        Evaluations of loss and gradient at most.
    tolerance : float
        Training stops once the gradient's length has fallen below this share of its first.
    memory : int
        Pairs of differences kept by L-BFGS.
    min_rows : int
        Buckets seen in fewer training rows have no weight; for hashed features only.
    bias_penalty : float
        Penalty of the bias; 1 as that of the weights.
    """

    C: Annotated[float, Ge(0), Le(1e6)] = 0.0
    steps: Annotated[int, Ge(1), Le(100_000)] = 30
    tolerance: Annotated[float, Ge(0), Le(1)] = 1e-4
    memory: Annotated[int, Ge(1), Le(50)] = 6
    min_rows: Annotated[int, Ge(1)] = 10
    bias_penalty: Annotated[float, Ge(0)] = 0.1

    QUALITIES: ClassVar[Mapping[str, Mapping[str, Any]]] = {"fast": {"steps": 15}, "best": {"steps": 80}}


class Linear(Learner):
    """See the module."""

    Params: ClassVar[type] = LinearParams
    engine: ClassVar[Mapping[str, int | str]] = {"learner.linear": 1}
    reads: ClassVar[tuple[str, ...]] = ("hashed", "columns")
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._problem: linear_hashed.HashedProblem | linear_columns.ColumnsProblem | None = None
        self._lock = threading.Lock()

    @classmethod
    def settle(cls, params: Any, rows: int, columns: int, classes: int, side: int = 0, channels: int = 0) -> Any:
        """The weight of the loss, where it is left to the kind of rows."""
        return replace(params, C=params.C or (0.5 if columns else 20.0))

    def steps(self, data: TrainingData) -> int:
        """One evaluation each."""
        return int(self.params.steps)

    def start(self, data: TrainingData) -> State:
        """All weights zero, no evaluation yet."""
        return lbfgs.begin(self._prepare(data).size)

    def grain(self, state: State, data: TrainingData, step: int, grain: int) -> Partial:
        """Loss and gradient of one share of the rows at the trial weights."""
        problem, rows = self._prepare(data), len(data.train)
        lo, hi = rows * grain // data.grains, rows * (grain + 1) // data.grains
        loss, gradient = problem.grain(state.arrays["trial"], lo, hi)
        return {"loss": np.array([loss]), "gradient": gradient}

    def apply(self, state: State, data: TrainingData, step: int, total: Partial) -> State:
        """Adds the penalty and moves on."""
        trial, outputs = state.arrays["trial"], self._prepare(data).outputs
        penalty = trial.copy()
        penalty[-outputs:] *= self.params.bias_penalty
        gradient = total["gradient"]
        gradient += penalty
        loss = float(total["loss"][0]) + 0.5 * compiled(_KERNELS).dot(trial, penalty)
        return lbfgs.advance(state, loss, gradient, self.params.memory)

    def done(self, state: State) -> bool:
        """Whether the gradient has all but vanished, or no step along it lowers the loss any more."""
        return lbfgs.converged(state, self.params.tolerance)

    def finish(self, state: State, data: TrainingData) -> State:
        """What predicts."""
        return self._prepare(data).finish(state.arrays["weights"])

    def predict(self, state: State, blocks: Blocks) -> NDArray[np.float64]:
        """Raw scores: for two classes (0, s), else one for each class; in regression the value."""
        out = _of(blocks).predict(state, blocks)
        # only a model of labels has hashed features, and of those two are learned as one
        two = out.shape[1] == 1 and (_is_hashed(blocks) or bool(state.facts.get("two")))
        return np.concatenate([np.zeros_like(out), out], axis=1) if two else out

    def contributions(self, state: State, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
        """Each feature's term of the sum; the bias is the base."""
        if state.arrays["weights"].shape[1] > 1 or not (_is_hashed(blocks) or state.facts.get("two")):
            found: tuple[dict[str, NDArray[np.float64]], float] = _of(blocks).contributions(state, blocks, column)
            return found
        shares, base = _of(blocks).contributions(state, blocks, 0)
        sign = 1.0 if column == 1 else -1.0
        return {name: sign * values for name, values in shares.items()}, sign * base

    def importances(self, state: State, features: Features, fitted: State) -> NDArray[np.float64] | None:
        """How far each column moves the scores of the training rows; unknown for hashed features."""
        shares = state.arrays.get("shares")
        return None if shares is None or not shares.sum() else shares / shares.sum()

    def audit(self, state: State, features: Features, fitted: State, classes: int) -> None:
        """Checks shapes and dtypes against the features and the labels."""
        columns = codes_of(features.columns(fitted))
        if columns:
            linear_columns.audit(state, columns, classes)
        else:
            linear_hashed.audit(state, features, classes)

    def admit(self, state: State, data: TrainingData) -> None:
        """Also: after the first evaluation there is all that the next ones look at, and nothing else."""
        super().admit(state, data)
        lbfgs.admit(state, self.params.memory)

    def figures(self, state: State) -> dict[str, float]:
        """Loss and gradient length."""
        return {name: state.facts[name] for name in ("loss", "length") if name in state.facts}

    def _prepare(self, data: TrainingData) -> linear_hashed.HashedProblem | linear_columns.ColumnsProblem:
        """The problem of these data; kept for the next step, made again after a resume."""
        with self._lock:
            if self._problem is None or self._problem.data is not data:
                self._problem = None  # two at a time would take twice the memory
                weight = self.params.C or self.settle(self.params, 0, not _is_hashed(data.blocks), 0).C
                if _is_hashed(data.blocks):
                    self._problem = linear_hashed.pose(data, weight, self.params.min_rows)
                else:
                    self._problem = linear_columns.pose(data, weight)
            return self._problem


def _is_hashed(blocks: Blocks) -> bool:
    return any(isinstance(block, Hashed) for block in blocks.values())


def _of(blocks: Blocks) -> Any:
    return linear_hashed if _is_hashed(blocks) else linear_columns
