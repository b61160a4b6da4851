"""Findings on fields that tell the sides of the split apart, or when a row was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from lithify.data import split
from lithify.evaluation.audit.ageing import gap, outside
from lithify.evaluation.audit.alone import area, rank_correlation
from lithify.evaluation.audit.finding import Finding, Item
from lithify.evaluation.audit.scene import Column, Scene
from lithify.learners.folds import fold_of

LEAST_ROWS = 50
APART = 0.9
"""Area under the ROC curve from which a field tells the sides apart."""
LEANT_ON = 0.75
"""Area that such a field reaches on the target, from which a model will lean on it."""
OUTSIDE = 0.5
FOLLOWS = 0.99
FILLED = 0.9
"""Difference of the shares of missing cells before and after a date."""


def drift(scene: Scene, strength: Mapping[str, float]) -> Iterator[Finding]:
    """Fields that are others in test than in training, and fields that follow time."""
    yield from _sides(scene, strength)
    timed = ~np.isnan(scene.time)
    if timed.mean() >= 0.5 and timed.sum() >= LEAST_ROWS:
        yield from _following(scene, timed)
        yield from _filled(scene, timed)


def _sides(scene: Scene, strength: Mapping[str, float]) -> Iterator[Finding]:
    training, test = np.flatnonzero(scene.side == split.TRAIN), np.flatnonzero(scene.side == split.TEST)
    if min(len(training), len(test)) < LEAST_ROWS:
        return
    at = np.concatenate([training, test])
    is_test = (np.arange(len(at)) >= len(training)).astype(np.int64)
    fold = fold_of(scene.snapshot.table.group[scene.rows[at]], 5, 0)
    items, leant = [], []
    for column in scene.columns:
        figures = _apart(column, training, test, area(column.values[at], column.ordered, is_test, fold))
        if figures is not None:
            items.append(Item(column.name, figures))
            leant += [column.name] if strength.get(column.name, 0.0) >= _leant(scene) else []
    if not items:
        return
    expected = str(scene.snapshot.manifest["split"]["rule"]) in ("time", "group")
    yield Finding(
        "sides apart",
        "danger" if leant or not expected else "warning",
        "Fields that tell test rows from training rows: a model learns of them what no longer holds."
        if expected
        else "Fields that tell test rows from training rows, though the split should not depend on them.",
        f"{len(training):,} training rows and {len(test):,} test rows, inputs only",
        "Leave out what only counts on (running numbers, dates, versions), or replace it by a difference that stays "
        "in range, such as an age.",
        {"of them strong alone": ", ".join(leant) or None},
        tuple(sorted(items, key=lambda item: -float(item.figures["AUC of the side"] or 0.0))),
    )


def _leant(scene: Scene) -> float:
    return LEANT_ON if scene.snapshot.labels else 0.25


def _apart(
    column: Column, training: NDArray[np.int64], test: NDArray[np.int64], found: float | None
) -> dict[str, float | int | str | None] | None:
    """Figures of a field that tells the sides apart, None for one that does not.

    A field of a value of its own for each row, such as a text, is beyond all that was seen by nature.
    """
    values, later = column.values[training], column.values[test]
    beyond = outside(values, later, column.ordered)
    own = not column.ordered and len(np.unique(values)) > 0.5 * len(values)
    if (found or 0.0) < APART and (beyond < OUTSIDE or own):
        return None
    return {"AUC of the side": found, "test rows beyond training": beyond}


def _following(scene: Scene, timed: NDArray[np.bool_]) -> Iterator[Finding]:
    items = []
    for column in scene.columns:
        known = timed & ~np.isnan(column.values)
        if column.ordered and known.sum() >= LEAST_ROWS:
            value = rank_correlation(column.values[known], scene.time[known])
            items += [Item(column.name, {"rank correlation with time": value})] if abs(value) >= FOLLOWS else []
    if items:
        yield Finding(
            "follows time",
            "warning",
            "Fields that only go up, or only down, with time.",
            f"{int(timed.sum()):,} rows of all sides, inputs only",
            "Later rows will be beyond all that a model has seen. Leave them out, or take differences.",
            {},
            tuple(items),
        )


def _filled(scene: Scene, timed: NDArray[np.bool_]) -> Iterator[Finding]:
    items = []
    time = scene.time[timed].astype(np.int64)
    for column in scene.columns:
        found = gap(np.isnan(column.values[timed]), time)
        if found is not None and abs(found.after - found.before) >= FILLED:
            day = datetime.fromtimestamp(found.time, UTC).strftime("%Y-%m-%d")
            shares = {"missing before": found.before, "missing after": found.after}
            items.append(Item(column.name, {"changes on": day, **shares}))
    if items:
        yield Finding(
            "filled from a date on",
            "warning",
            "Fields that are missing before a date and filled in after it, or the other way round.",
            f"{int(timed.sum()):,} rows of all sides, inputs only",
            "A model takes the missing cell for a date. Leave the field out, or begin the data at that date.",
            {},
            tuple(items),
        )
