"""The part of an evaluation that is of values, in regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import metrics
from lithify.evaluation import coverage
from lithify.evaluation.faces import Model, Snapshot
from lithify.evaluation.insights import insights_of
from lithify.evaluation.mistakes import Miss, furthest


def valued(model: Model, snapshot: Snapshot, rows: NDArray[np.int64], raw: NDArray[np.float64]) -> dict[str, Any]:
    """The fields of a :class:`~lithify.evaluation.result.Result` that depend on the task, of raw scores of ``rows``."""
    y, predicted = snapshot.table.value[rows], model.draft.values(raw)
    measured = metrics.measure_values(y, predicted, level=_level(model))
    keys = snapshot.table.key[rows]
    return {
        "labels": (),
        "counts": {},
        "metrics": {
            metric.name: measured[metric.name]._asdict()
            | {"direction": metric.direction, "title": metric.titled(), "unit": metric.unit}
            for metric in metrics.METRICS
            if metric.name in measured
        },
        "y": y,
        "predicted": predicted,
        "probabilities": np.zeros((len(rows), 0)),
        "confusion": np.zeros((0, 0), dtype=np.int64),
        "verdicts": None,
        "coverage": None if model.conformal is None else coverage.of_intervals(model.conformal, predicted, y),
        "insights": insights_of(model, snapshot, rows, y - predicted, (), ()),
        "mistakes": tuple(
            Miss(int(rows[i]), keys[i].tobytes().hex(), float(y[i]), float(predicted[i]))
            for i in furthest(y, predicted).tolist()
        ),
    }


def _level(model: Model) -> float | None:
    """The level of the quantile that was learned, by the recipe on the card; None where the aim was another."""
    params: Mapping[str, Any] = model.card["recipe"].get("params", {})
    return float(params["quantile"]) if params.get("objective") == "quantile" else None
