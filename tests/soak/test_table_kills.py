"""The long storm on tables: every learner, task and option, killed at dangerous points and at random instants."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.training import tables
from tests.training.storm import Storm

from lithify.store.home import open_home

BOOSTING: dict[str, Any] = {**tables.BOOSTING, "rounds": 6}
ENSEMBLE = tables.LEARNERS["ensemble"]
SEARCH = [{"learner": "boosting", **BOOSTING, "leaves": leaves} for leaves in (2, 3, 4, 5)]
CASES: list[tuple[str, str, dict[str, Any]]] = [
    *(("tree", task, {}) for task in tables.TASKS),
    ("tree", "two", {"one_standard_error": True, "class_weight": "balanced", "criterion": "entropy"}),
    ("tree", "three", {"folds": 0}),
    ("tree", "values", {"alpha": 0.01}),
    *(("boosting", task, {}) for task in tables.TASKS),
    *(("boosting", "two", {**BOOSTING, "members": members}) for members in (1, 4, 8)),
    ("boosting", "three", {**BOOSTING, "extra": True, "class_weight": "balanced"}),
    ("boosting", "two", {**BOOSTING, "chunk": 1, "row_share": 0.5, "column_share": 0.4}),
    ("boosting", "values", {**BOOSTING, "objective": "absolute"}),
    ("boosting", "values", {**BOOSTING, "objective": "quantile", "quantile": 0.8}),
    ("boosting", "values", {**BOOSTING, "pairs": 2}),
    ("boosting", "two", {**BOOSTING, "statistics": 4}),
    ("boosting", "two", {**BOOSTING, "rounds": 60, "patience": 2}),
    *(("linear", task, {}) for task in tables.TASKS),
    ("linear", "two", {"steps": 30, "tolerance": 0.1}),
    *(("ensemble", task, {}) for task in tables.TASKS),
    ("ensemble", "two", {**ENSEMBLE, "candidates": SEARCH, "rungs": [1, 2, 3], "keep": 2}),
    ("ensemble", "values", {**ENSEMBLE, "candidates": [], "rungs": [], "shrink": 0.5}),
    ("ensemble", "three", {**ENSEMBLE, "members": [{"learner": "tree"}, {"learner": "linear", "steps": 3}]}),
]  # fmt: skip


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("learner", "task", "options"), CASES)
def test_kills_of_every_learner_and_option(tmp_path, learner, task, options) -> None:
    made = tables.make(tmp_path / "made")
    with Storm(made, tmp_path, tables.recipe(learner, **options), task) as storm:
        digest = storm.train(storm.fresh(), 1)
        assert digest.startswith("sha256:")
        points, draw = storm.points, random.Random(5)
        for point in range(1, points + 1, 3 if options else 1):
            home = storm.fresh()
            assert storm.train(home, 1 + point % 3, point) == "killed"
            assert storm.train(home, 1 + point % 4) == digest
        for number in range(10):
            home = storm.fresh()
            while storm.train(home, 1 + number % 4, after=draw.uniform(0.02, 0.3)) == "killed":
                pass
            assert storm.train(home, 2) == digest
        _check_clean(home)


def _check_clean(folder: Any) -> None:
    home = open_home(folder)
    (row,) = home.catalog.runs()
    assert row.state == "finished"
    assert home.blobs.verified(row.model)
    home.catalog.close()
