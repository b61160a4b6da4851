"""What boosting minimises: slopes and curvatures that LightGBM grows by, and losses that say when to stop.

They are our own rather than LightGBM's, so that they have the same bits everywhere, and so that one binned data set
serves all members at once: whatever differs between members lies in the slopes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import numerics
from lithify.kernels import compiled

KERNELS = "lithify.learners.boosting.kernels"
_SMOOTHING = 0.5
"""Rows added to each label, so that one without any still has a chance."""


@dataclass(frozen=True)
class Loss:
    """One loss; ``raw`` is (r, outputs) float64, ``target`` and ``cost`` are (r,).

    Attributes
    ----------
    name : str
        ``labels``, ``squared`` or ``tilted``: the pinball loss, whose level 0.5 is half the absolute error.
    outputs : int
        Columns of raw scores: one for two labels and in regression.
    level : float
        Of the pinball loss.
    """

    name: str
    outputs: int
    level: float = 0.5

    @property
    def renews(self) -> bool:
        """Whether leaves take quantiles of what is left instead of a step along the slope."""
        return self.name == "tilted"

    def start(self, target: NDArray[Any], cost: NDArray[np.float64]) -> NDArray[np.float64]:
        """(outputs,) the best constant score."""
        if self.name == "squared":
            return np.array([compiled(KERNELS).moments(target, cost)[0]])
        if self.name == "tilted":
            return self.quantiles(np.zeros(len(target), dtype=np.int64), target, cost, np.zeros(1))
        totals = compiled(KERNELS).class_costs(target, cost, max(2, self.outputs)) + _SMOOTHING
        chances = numerics.log(totals / compiled(KERNELS).total(totals))
        return chances[1:] - chances[:1] if self.outputs == 1 else chances

    def slopes(
        self, raw: NDArray[np.float64], target: NDArray[Any], cost: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Slopes and curvatures, (outputs * r,) float32 each, class after class."""
        slope, curve = np.empty(raw.size, dtype=np.float32), np.empty(raw.size, dtype=np.float32)
        kernels = compiled(KERNELS)
        if self.name == "squared":
            kernels.squared(raw, target, cost, slope, curve)
        elif self.name == "tilted":
            kernels.tilted(raw, target, cost, self.level, slope, curve)
        elif self.outputs == 1:
            kernels.two_labels(raw, target, cost, slope, curve)
        else:
            kernels.more_labels(raw, target, cost, slope, curve)
        return slope, curve

    def total(
        self, raw: NDArray[np.float64], target: NDArray[Any], cost: NDArray[np.float64], rows: NDArray[np.int64]
    ) -> float:
        """Its weighted sum over some rows."""
        kernels = compiled(KERNELS)
        if self.name == "squared":
            return float(kernels.squared_loss(raw, target, cost, rows))
        if self.name == "tilted":
            return float(kernels.tilted_loss(raw, target, cost, self.level, rows))
        one = kernels.two_labels_loss if self.outputs == 1 else kernels.more_labels_loss
        return float(one(raw, target, cost, rows))

    def quantiles(
        self, leaf: NDArray[np.int64], off: NDArray[np.float64], cost: NDArray[np.float64], out: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The weighted quantile of ``off`` in each leaf; ``out``, which is changed, where a leaf holds no weight."""
        compiled(KERNELS).leaf_quantiles(np.argsort(off, kind="stable"), leaf, off, cost, self.level, out)
        return out


def loss_of(params: Any, classes: int) -> Loss:
    """The loss that the parameters of boosting ask for; ``classes`` is 0 in regression."""
    if classes:
        return Loss("labels", 1 if classes == 2 else classes)
    if params.objective in ("absolute", "quantile"):
        return Loss("tilted", 1, params.quantile if params.objective == "quantile" else 0.5)
    return Loss("squared", 1)
