"""Whether sets of labels and intervals of values hold the truth as often as a model states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import conformal, metrics
from lithify.data.schema import Field
from lithify.evaluation.fields import FieldCells
from lithify.evaluation.parts import FEWEST, parts_of

_PREDICTED = Field("predicted", "number", "input")


@dataclass(frozen=True)
class Covered:
    """Rows, and how many of them are covered, with the 95 % interval (Wilson) of the share.

    ``size`` is the mean number of labels in a set, or the median width of an interval; None where it has no end.
    """

    name: str
    rows: int
    covered: int
    share: float
    low: float
    high: float
    size: float | None


@dataclass(frozen=True)
class Coverage:
    """Stated coverage against what was found.

    Attributes
    ----------
    kind : "sets" or "intervals"
    stated : float
    whole : Covered
        All rows.
    lines : tuple of Covered
        Each label; or fifths of the rows by predicted value.
    sizes : dict of labels in a set to rows
        Empty for intervals.
    text : tuple of str
        What the model claims, in sentences.
    """

    kind: str
    stated: float
    whole: Covered
    lines: tuple[Covered, ...]
    sizes: dict[int, int]
    text: tuple[str, ...]


def of_sets(
    state: Mapping[str, Any], probabilities: NDArray[np.float64], y: NDArray[np.int64], labels: Sequence[str]
) -> Coverage:
    """Coverage of sets of labels, label by label.

    Parameters
    ----------
    state : mapping
        See :func:`lithify.conformal.fit_sets`.
    probabilities : (n, C) float64
        With the columns in the order that the state was fitted in.
    y : (n,) int64
        Positions in ``labels``, the names of those columns.
    """
    sets = conformal.apply_sets(state, probabilities)
    held, sizes = sets[np.arange(len(y)), y], sets.sum(axis=1)
    found, counts = np.unique(sizes, return_counts=True)
    return Coverage(
        kind="sets",
        stated=float(state["coverage"]),
        whole=_covered("all rows", held, float(sizes.mean())),
        lines=tuple(
            _covered(labels[code], held[y == code], float(sizes[y == code].mean())) for code in np.unique(y).tolist()
        ),
        sizes=dict(zip(found.tolist(), counts.tolist(), strict=True)),
        text=tuple(conformal.sentences(state, labels)),
    )


def of_intervals(state: Mapping[str, Any], predicted: NDArray[np.float64], y: NDArray[np.float64]) -> Coverage:
    """Coverage of intervals, also of fifths of the rows by predicted value.

    Parameters
    ----------
    state : mapping
        See :func:`lithify.conformal.fit_intervals`.
    predicted, y : (n,) float64
    """
    ends = conformal.apply_intervals(state, predicted)
    held = (ends[:, 0] <= y) & (y <= ends[:, 1])
    width = ends[:, 1] - ends[:, 0]
    parts = parts_of(FieldCells(_PREDICTED, predicted), FEWEST)
    inside = [parts.codes == code for code in range(len(parts.names))]
    return Coverage(
        kind="intervals",
        stated=float(state["coverage"]),
        whole=_covered("all rows", held, _middle(width)),
        lines=tuple(
            _covered(name, held[part], _middle(width[part])) for name, part in zip(parts.names, inside, strict=True)
        )
        or (_covered("all rows", held, _middle(width)),),
        sizes={},
        text=tuple(conformal.sentences(state)),
    )


def _covered(name: str, held: NDArray[np.bool_], size: float | None) -> Covered:
    rows, covered = len(held), int(held.sum())
    low, high = metrics.wilson(covered, rows)
    return Covered(name, rows, covered, covered / rows, low, high, size)


def _middle(width: NDArray[np.float64]) -> float | None:
    return float(np.median(width)) if np.isfinite(width).all() else None
