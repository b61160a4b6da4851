"""The end of a run: calibrate the draft, measure it on test rows with its own prediction code, seal it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import calibration, conformal
from lithify.data import split
from lithify.data.profile import profile, profile_values
from lithify.data.snapshot import Snapshot
from lithify.metrics import measure, measure_values, of_kind
from lithify.model import unknowns
from lithify.model.card import card
from lithify.model.draft import Draft
from lithify.model.sealed import open_sealed, seal
from lithify.training.request import Request

MIN_CALIBRATION = 50
"""Rows of the calibration half for each label below which held-out training rows join them."""
MIN_CONFORMAL = 100
"""The same for sets and intervals."""
BATCH = {"image": 1024}
"""Rows whose contents are read at a time, where they are large."""


@dataclass(frozen=True)
class Evidence:
    """Raw scores of rows the scoring model has not seen, and what is true of them: codes of labels, or values.

    Attributes
    ----------
    calibrate : (raw, y) of the calibration half of validation
    held_out : (raw, y) of training rows, each scored by a part or a fold that has not seen it
    """

    calibrate: tuple[NDArray[np.float64], NDArray[Any]]
    held_out: tuple[NDArray[np.float64], NDArray[Any]]

    @property
    def both(self) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """All of it."""
        raw, y = zip(self.calibrate, self.held_out, strict=True)
        return np.concatenate(raw), np.concatenate(y)


def finish(
    snapshot: Snapshot, wanted: Request, draft: Draft, held: tuple[NDArray[np.float64], NDArray[np.int64]]
) -> bytes:
    """Calibrates, measures and seals; returns the model file, whose card holds the test metrics.

    ``held`` are raw scores of training rows by what has not seen them, and the numbers of the rows.
    """
    calibrate = np.flatnonzero(snapshot.table.side == split.CALIBRATE)
    unseen = _scores(snapshot, draft, calibrate)
    evidence = Evidence((unseen[0], _truth(snapshot, calibrate)), (held[0], _truth(snapshot, held[1])))
    draft = _calibrated(draft, evidence, wanted.recipe)
    test = snapshot.rows("test")
    scores = _scores(snapshot, draft, test)
    with ThreadPoolExecutor(1) as beside:  # the metrics need one core for some seconds
        measured = beside.submit(_figures, _truth(snapshot, test), scores[0], draft)
        draft = unknowns.with_novelty(draft, snapshot, unseen)
        unknown = unknowns.figures(draft, snapshot, test, scores)
        figures = measured.result()
    facts = card(snapshot, wanted.recipe, wanted.engine, draft, figures, test, _calibration_note(evidence), unknown)
    raw = evidence.both[0]
    reference = profile_values(draft.values(raw)) if draft.task == "regression" else profile(draft.probabilities(raw))
    data = seal(draft, facts, reference)
    open_sealed(data)  # what could not be opened again must not count as finished
    return data


def _truth(snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Codes of the labels of some rows, or their values."""
    return snapshot.table.label[rows] if snapshot.labels else snapshot.table.value[rows]


def _calibrated(draft: Draft, evidence: Evidence, recipe: Mapping[str, Any]) -> Draft:
    """Probabilities from the calibration half, with held-out training rows where it is small; cut-offs from both."""
    draft = replace(draft, calibration=_calibration(draft, evidence))
    if "coverage" in recipe:
        draft = replace(draft, conformal=_conformal(draft, evidence, recipe["coverage"]))
    if not recipe.get("spam"):
        return draft
    column = draft.labels.index(recipe["spam"])
    raw, y = evidence.both
    scores, is_spam = draft.probabilities(raw)[:, column], y == column
    if not (~is_spam).any():
        return draft
    return replace(draft, cutoffs=calibration.choose_cutoffs(scores[~is_spam], scores[is_spam], recipe["ham_loss"]))


def _calibration(draft: Draft, evidence: Evidence) -> dict[str, Any]:
    labels = len(draft.labels)
    raw, y = evidence.calibrate
    if not (len(y) >= MIN_CALIBRATION * labels and len(np.unique(y)) == labels):
        raw, y = evidence.both
    return calibration.fit_temperature(raw, y) if labels and len(np.unique(y)) > 1 else calibration.identity(labels)


def _conformal(draft: Draft, evidence: Evidence, coverage: float) -> dict[str, Any]:
    """From the calibration half; with held-out training rows where a label, or all of it, has few rows there."""
    raw, y = evidence.calibrate
    fewest = min(np.bincount(y, minlength=len(draft.labels))) if draft.labels else len(y)
    if fewest < MIN_CONFORMAL:
        raw, y = evidence.both
    if draft.task == "regression":
        return conformal.fit_intervals(draft.values(raw), y, coverage)
    return conformal.fit_sets(draft.probabilities(raw), y, coverage)


def _scores(snapshot: Snapshot, draft: Draft, rows: NDArray[np.int64]) -> unknowns.Scores:
    """Raw scores of some rows and, of images, their embeddings where the learner gives any."""
    found = [_score(draft, contents) for _, contents in snapshot.batches(rows, BATCH.get(draft.kind, 4096))]
    raw = [np.zeros((0, draft.outputs)), *(raw for raw, _ in found)]
    embedding = [each for _, each in found if each is not None]
    return np.concatenate(raw), np.concatenate(embedding) if embedding else None


def _score(draft: Draft, contents: Sequence[bytes]) -> unknowns.Scores:
    return draft.score_all(contents) if draft.kind == "image" else (draft.raw(contents), None)


def _figures(y: NDArray[Any], raw: NDArray[np.float64], draft: Draft) -> dict[str, Any]:
    """Test metrics with intervals, to six digits; of two labels the one that means spam is the positive one."""
    if not len(y):
        return {}
    if draft.task == "regression":
        measured = measure_values(y, draft.values(raw))
    else:
        probabilities = draft.probabilities(raw)
        if len(draft.labels) == 2 and draft.spam == draft.labels[0]:
            y, probabilities = 1 - y, probabilities[:, ::-1]
        measured = measure(y, probabilities, of_kind(draft.kind))
    return {
        name: {key: float(f"{value:.6g}") for key, value in found._asdict().items()} for name, found in measured.items()
    }


def _calibration_note(evidence: Evidence) -> dict[str, int]:
    return {"validation_rows": len(evidence.calibrate[1]), "held_out_training_rows": len(evidence.held_out[1])}
