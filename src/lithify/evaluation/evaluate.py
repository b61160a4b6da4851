"""One model on one split: figures with intervals, and everything a reader must know to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import metrics
from lithify.calibration import verdict
from lithify.data.split import SIDES
from lithify.errors import DataError, TooFewRows, UsageError
from lithify.evaluation.faces import Model, Snapshot
from lithify.evaluation.facts import counts_of
from lithify.evaluation.mistakes import Mistake, worst
from lithify.evaluation.report import write
from lithify.evaluation.result import VERDICTS, Result


@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """A :class:`Result` that can be written down as a page."""

    def report(self, path: str | Path, show_content: bool = False) -> Path:
        """Writes the evaluation as one self-contained HTML page and returns its path.

        Parameters
        ----------
        path : str or Path
        show_content : bool
            Whether the worst mistakes are shown with their whole text, not only with short spans.
        """
        return write(self, Path(path), show_content)


def evaluate(model: Model, snapshot: Snapshot, split: str = "test", *, looks: int | None = None) -> Evaluation:
    """Measures a model on one split of a snapshot.

    Parameters
    ----------
    model : Model
    snapshot : Snapshot
    split : "test", "validation" or "train"
    looks : int, optional
        How often that split has been looked at, this time included.

    Raises
    ------
    UsageError
        For a split that does not exist.
    TooFewRows
        When the split has no rows.
    DataError
        When rows carry a label that the model does not know.
    """
    if split not in SIDES:
        raise UsageError("There is no such split.", expected=", ".join(SIDES), found=split)
    rows = np.flatnonzero(np.isin(snapshot.table.side, SIDES[split]))
    if len(rows) == 0:
        raise TooFewRows(f"The {split} split has no rows.", hint="Make a snapshot with more rows, or another split.")
    order = _positive_last(model)
    labels = tuple(model.labels[code] for code in order)
    y = _codes(labels, snapshot)[snapshot.table.label[rows]]
    probabilities = _predict(model, snapshot, rows)[:, order]
    keys = snapshot.table.key[rows]
    return Evaluation(
        model=model,
        snapshot=snapshot,
        split=split,
        labels=labels,
        rows=len(rows),
        counts=counts_of(y, labels),
        generations={int(g): int(n) for g, n in zip(*_tally(snapshot.table.generation[rows]), strict=True)},
        metrics=_measure(y, probabilities, labels),
        y=y,
        probabilities=probabilities,
        keys=keys,
        confusion=metrics.confusion(y, probabilities),
        verdicts=_verdicts(model.cutoffs, y, probabilities[:, -1], labels),
        looks=looks,
        mistakes=_mistakes(model.cutoffs, rows, keys, y, probabilities, labels),
        notes=tuple(_notes(model, snapshot, split, y, labels)),
    )


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


def _predict(model: Model, snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The model's own prediction code, batch by batch, so that memory stays flat."""
    raw = [model.draft.raw(contents) for _, contents in snapshot.batches(rows)]
    return model.draft.probabilities(np.concatenate(raw))


def _tally(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    found, counts = np.unique(values, return_counts=True)
    return found, counts


def _measure(y: NDArray[np.int64], p: NDArray[np.float64], labels: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    measured = metrics.measure(y, p)
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
    cutoffs: Mapping[str, Any] | None,
    rows: NDArray[np.int64],
    keys: NDArray[np.uint8],
    y: NDArray[np.int64],
    p: NDArray[np.float64],
    labels: tuple[str, ...],
) -> tuple[Mistake, ...]:
    predicted = metrics.Sample.of(y, p).predicted
    return tuple(
        Mistake(
            row=int(rows[i]),
            key=keys[i].tobytes().hex(),
            truth=labels[y[i]],
            predicted=labels[predicted[i]],
            probability=float(p[i, predicted[i]]),
            verdict=None if cutoffs is None else verdict(float(p[i, -1]), cutoffs),
        )
        for i in worst(y, p, predicted).tolist()
    )


def _notes(model: Model, snapshot: Snapshot, split: str, y: NDArray[np.int64], labels: tuple[str, ...]) -> list[str]:
    notes = []
    if split != "test":
        notes.append(f"These are {split} rows: the model has seen them, so the figures flatter.")
    if model.card["data"]["snapshot"] not in (snapshot.digest, snapshot.manifest["parent"]):
        notes.append("The model was trained on another snapshot: it may have seen some of these rows.")
    missing = [label for code, label in enumerate(labels) if not (y == code).any()]
    if missing:
        notes.append(f"No row is labelled {', '.join(missing)}: figures that need it are left out.")
    return notes
