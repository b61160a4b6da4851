"""The end of a run: calibrate the draft, measure it on test rows with its own prediction code, seal it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import calibration
from lithify.data import split
from lithify.data.profile import profile
from lithify.data.snapshot import Snapshot
from lithify.data.state import State
from lithify.metrics import measure
from lithify.model.card import card
from lithify.model.draft import Draft
from lithify.model.sealed import seal
from lithify.training.plan import MODEL, Stage
from lithify.training.request import Request

MIN_CALIBRATION = 50
"""Rows of the calibration half below which held-out training rows join them."""


@dataclass(frozen=True)
class Evidence:
    """Raw scores of rows the scoring model has not seen, and their labels.

    Attributes
    ----------
    calibrate : (raw, y) of the calibration half of validation
    held_out : (raw, y) of training rows, each scored by a fold that has not seen it
    """

    calibrate: tuple[NDArray[np.float64], NDArray[np.int32]]
    held_out: tuple[NDArray[np.float64], NDArray[np.int32]]


def finish(
    snapshot: Snapshot, wanted: Request, draft: Draft, stages: list[Stage], states: Mapping[str, State]
) -> bytes:
    """Calibrates, measures and seals; returns the model file, whose card holds the test metrics."""
    evidence = _evidence(snapshot, draft, stages, states)
    draft = _calibrated(draft, evidence, wanted.recipe)
    test = snapshot.rows("test")
    raw, y = _scores(snapshot, draft, test)
    probabilities = draft.probabilities(raw)
    figures = _figures(y, probabilities, draft)
    facts = card(snapshot, wanted.recipe, wanted.engine, draft, figures, test, _calibration_note(evidence))
    reference = profile(draft.probabilities(np.concatenate([evidence.calibrate[0], evidence.held_out[0]])))
    return seal(draft, facts, reference)


def _evidence(snapshot: Snapshot, draft: Draft, stages: list[Stage], states: Mapping[str, State]) -> Evidence:
    rows = np.flatnonzero(snapshot.table.side == split.CALIBRATE)
    folds = [stage for stage in stages if stage.name != MODEL]
    raw = [states[stage.name].arrays["raw"] for stage in folds]
    held = np.concatenate([stage.score for stage in folds]) if folds else np.zeros(0, dtype=np.int64)
    empty = np.zeros((0, len(snapshot.labels)))
    return Evidence(
        calibrate=_scores(snapshot, draft, rows),
        held_out=(np.concatenate(raw) if raw else empty, snapshot.table.label[held]),
    )


def _calibrated(draft: Draft, evidence: Evidence, recipe: Mapping[str, Any]) -> Draft:
    """Probabilities from the calibration half, with held-out training rows where it is small; cut-offs from both."""
    raw, y = evidence.calibrate
    both = np.concatenate([raw, evidence.held_out[0]]), np.concatenate([y, evidence.held_out[1]])
    enough = len(y) >= MIN_CALIBRATION * len(draft.labels) and len(np.unique(y)) == len(draft.labels)
    if not enough:
        raw, y = both
    one_label = len(np.unique(y)) < 2
    fitted = calibration.identity(len(draft.labels)) if one_label else calibration.fit_temperature(raw, y)
    draft = replace(draft, calibration=fitted)
    if not recipe.get("spam"):
        return draft
    column = draft.labels.index(recipe["spam"])
    scores = draft.probabilities(both[0])[:, column]
    is_spam = both[1] == column
    if not (~is_spam).any():
        return draft
    return replace(draft, cutoffs=calibration.choose_cutoffs(scores[~is_spam], scores[is_spam], recipe["ham_loss"]))


def _scores(snapshot: Snapshot, draft: Draft, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    raw = [draft.raw(contents) for _, contents in snapshot.batches(rows, 4096)]
    empty = np.zeros((0, len(snapshot.labels)))
    return (np.concatenate(raw) if raw else empty), snapshot.table.label[rows]


def _figures(y: NDArray[np.int32], probabilities: NDArray[np.float64], draft: Draft) -> dict[str, Any]:
    """Test metrics with intervals, to six digits; of two labels the one that means spam is the positive one."""
    if not len(y):
        return {}
    if len(draft.labels) == 2 and draft.spam == draft.labels[0]:
        y, probabilities = 1 - y, probabilities[:, ::-1]
    return {
        name: {key: float(f"{value:.6g}") for key, value in measured._asdict().items()}
        for name, measured in measure(y, probabilities).items()
    }


def _calibration_note(evidence: Evidence) -> dict[str, int]:
    return {"validation_rows": len(evidence.calibrate[1]), "held_out_training_rows": len(evidence.held_out[1])}
