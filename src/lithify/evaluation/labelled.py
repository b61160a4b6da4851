"""The part of an evaluation that is of labels and probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import metrics
from lithify.calibration import verdict
from lithify.errors import DataError
from lithify.evaluation import coverage
from lithify.evaluation.faces import Model, Snapshot
from lithify.evaluation.facts import counts_of
from lithify.evaluation.insights import insights_of
from lithify.evaluation.mistakes import PER_LABEL, PICTURES, Mistake, worst

VERDICTS = ("ham", "unsure", "spam")


def labelled(model: Model, snapshot: Snapshot, rows: NDArray[np.int64], raw: NDArray[np.float64]) -> dict[str, Any]:
    """The fields of a :class:`~lithify.evaluation.result.Result` that depend on the task, of raw scores of ``rows``.

    Raises ``DataError`` when rows carry a label that the model does not know.
    """
    order = _positive_last(model)
    labels = tuple(model.labels[code] for code in order)
    y = _codes(labels, snapshot)[snapshot.table.label[rows]]
    ours = model.draft.probabilities(raw)
    p = ours[:, order]
    predicted = metrics.Sample.of(y, p).predicted
    held = (
        None if model.conformal is None else coverage.of_sets(model.conformal, ours, np.array(order)[y], model.labels)
    )
    return {
        "labels": labels,
        "counts": counts_of(y, labels),
        "metrics": _measure(y, p, labels, snapshot.kind),
        "y": y,
        "predicted": predicted,
        "probabilities": p,
        "confusion": metrics.confusion(y, p),
        "verdicts": _verdicts(model.cutoffs, y, p[:, -1], labels),
        "coverage": held,
        "insights": insights_of(model, snapshot, rows, (predicted != y).astype(np.float64), order, labels),
        "mistakes": _mistakes(model, snapshot, rows, y, p, predicted, labels),
    }


def _positive_last(model: Model) -> list[int]:
    """Order of the model's columns in which, of two labels, the positive one is last."""
    order = list(range(len(model.labels)))
    return order[::-1] if len(order) == 2 and model.spam == model.labels[0] else order


def _codes(labels: tuple[str, ...], snapshot: Snapshot) -> NDArray[np.int64]:
    """The position in ``labels`` of each of the snapshot's labels."""
    unknown = [label for label in snapshot.labels if label not in labels]
    if unknown:
        raise DataError(
            "The snapshot has labels that the model was not trained on.",
            expected=", ".join(labels),
            found=", ".join(unknown),
            hint="Evaluate on a snapshot with the same labels, or train on this one.",
        )
    return np.array([labels.index(label) for label in snapshot.labels], dtype=np.int64)


def _measure(
    y: NDArray[np.int64], p: NDArray[np.float64], labels: tuple[str, ...], kind: str
) -> dict[str, dict[str, Any]]:
    measured = metrics.measure(y, p, metrics.of_kind(kind))
    return {
        metric.name: measured[metric.name]._asdict()
        | {"direction": metric.direction, "title": metric.titled(labels), "unit": metric.unit}
        for metric in metrics.METRICS
        if metric.name in measured
    }


def _verdicts(
    cutoffs: Mapping[str, Any] | None, y: NDArray[np.int64], score: NDArray[np.float64], labels: tuple[str, ...]
) -> dict[str, dict[str, int]] | None:
    if cutoffs is None:
        return None
    which = (score >= cutoffs["unsure"]).astype(np.int64) + (score >= cutoffs["spam"])
    return {label: counts_of(which[y == code], VERDICTS) for code, label in enumerate(labels)}


def _mistakes(
    model: Model,
    snapshot: Snapshot,
    rows: NDArray[np.int64],
    y: NDArray[np.int64],
    p: NDArray[np.float64],
    predicted: NDArray[np.int64],
    labels: tuple[str, ...],
) -> tuple[Mistake, ...]:
    cutoffs, keys = model.cutoffs, snapshot.table.key
    images = snapshot.kind == "image"
    found = worst(y, p, predicted, per_label=PICTURES if images else PER_LABEL)
    return tuple(
        Mistake(
            row=int(rows[i]),
            key=keys[rows[i]].tobytes().hex(),
            truth=labels[y[i]],
            predicted=labels[predicted[i]],
            probability=float(p[i, predicted[i]]),
            verdict=None if cutoffs is None else verdict(float(p[i, -1]), cutoffs),
            others=_others(p[i], int(y[i]), int(predicted[i]), labels) if images else (),
        )
        for i in found.tolist()
    )


def _others(p: NDArray[np.float64], y: int, predicted: int, labels: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """The most probable labels but the predicted one, the true one among them."""
    order = [code for code in np.argsort(-p, kind="stable").tolist() if code != predicted]
    some = order[:2] if y in order[:2] else [*order[:1], y]
    return tuple((labels[code], float(p[code])) for code in some)
