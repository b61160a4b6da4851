"""One model on one split: figures with intervals, and everything a reader must know to trust them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.split import SIDES
from lithify.errors import DataError, TooFewRows, UsageError
from lithify.evaluation.faces import Model, Snapshot
from lithify.evaluation.labelled import labelled
from lithify.evaluation.report import write
from lithify.evaluation.result import Result
from lithify.evaluation.unusual import unusual_of
from lithify.evaluation.valued import valued


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
        When rows carry a label that the model does not know, or values where the model predicts labels.
    """
    if model.task != snapshot.task:
        raise DataError(
            "The model learned another task than the snapshot has.", expected=model.task, found=snapshot.task
        )
    if split not in SIDES:
        raise UsageError("There is no such split.", expected=", ".join(SIDES), found=split)
    rows = np.flatnonzero(np.isin(snapshot.table.side, SIDES[split]))
    if len(rows) == 0:
        raise TooFewRows(f"The {split} split has no rows.", hint="Make a snapshot with more rows, or another split.")
    raw, novelty = _predict(model, snapshot, rows)
    parts = (labelled if model.task == "classification" else valued)(model, snapshot, rows, raw)
    return Evaluation(
        model=model,
        snapshot=snapshot,
        split=split,
        task=model.task,
        rows=len(rows),
        generations={int(g): int(n) for g, n in zip(*_tally(snapshot.table.generation[rows]), strict=True)},
        keys=snapshot.table.key[rows],
        looks=looks,
        unusual=None if novelty is None else unusual_of(model, novelty),
        notes=tuple(_notes(model, snapshot, split, parts["counts"])),
        **parts,
    )


def _predict(
    model: Model, snapshot: Snapshot, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """The model's own prediction code, batch by batch, so that memory stays flat."""
    found = [model.draft.judge(contents) for _, contents in snapshot.batches(rows)]
    unusual = [each for _, each in found if each is not None]
    return np.concatenate([raw for raw, _ in found]), np.concatenate(unusual) if unusual else None


def _tally(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    found, counts = np.unique(values, return_counts=True)
    return found, counts


def _notes(model: Model, snapshot: Snapshot, split: str, counts: dict[str, int]) -> list[str]:
    notes = []
    if split != "test":
        notes.append(f"These are {split} rows: the model has seen them, so the figures flatter.")
    if model.card["data"]["snapshot"] not in (snapshot.digest, snapshot.manifest["parent"]):
        notes.append("The model was trained on another snapshot: it may have seen some of these rows.")
    missing = [label for label, rows in counts.items() if not rows]
    if missing:
        notes.append(f"No row is labelled {', '.join(missing)}: figures that need it are left out.")
    return notes
