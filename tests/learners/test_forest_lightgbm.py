"""A forest gives the very bits of the LightGBM booster it comes from, and its shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lithify.errors import Unsupported
from lithify.learners.forest.audit import audit
from lithify.learners.forest.forest import Forest, concatenate, importances
from lithify.learners.forest.lightgbm import from_lightgbm
from lithify.learners.forest.scoring import add_trees, score
from lithify.learners.forest.shap import contributions

lightgbm = pytest.importorskip("lightgbm")

COLUMNS, CATEGORIES = 8, [5, 6]
ODD = [np.nan, np.inf, -np.inf, 1e-36, -1e-36, 1e-35, -1e-35, 1.0000000180025095e-35, -1.0000000180025095e-35]
ODD += [0.0, -0.0, -0.5, 1e10, 1e300, 79.0, 80.0, 5000.0]
KINDS = {
    "regression": {"objective": "regression"},
    "binary": {"objective": "binary", "bagging_fraction": 0.5, "bagging_freq": 1},
    "classes": {"objective": "multiclass", "num_class": 3, "num_leaves": 80},
    "zero as missing": {"objective": "regression", "zero_as_missing": True},
    "no missing": {"objective": "regression", "use_missing": False, "num_leaves": 50},
    "one or the rest": {"objective": "regression", "max_cat_to_onehot": 100},
}


def table(seed: int, rows: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(rows, COLUMNS)).round(2)
    found[:, 5:7] = rng.integers(0, (80, 5), (rows, 2))
    found[:, :3][rng.random((rows, 3)) < 0.1] = np.nan
    found[:, 3:5][rng.random((rows, 2)) < 0.5] = 0.0
    return found


def booster(given: dict[str, Any], rounds: int = 20) -> Any:
    x = table(0, 1500)
    y = np.nan_to_num(x[:, 0]) * x[:, 7] + x[:, 5] % 3 + x[:, 6] % 2 + x[:, 3]
    if given["objective"] != "regression":
        y = (y > 0).astype(float) + (y > 1) * ("num_class" in given)
    params = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 3, "cat_smooth": 1, "seed": 1, **given}
    return lightgbm.train(params, lightgbm.Dataset(x, y, categorical_feature=CATEGORIES), rounds)


def hostile(forest: Forest, rows: int) -> np.ndarray:
    """Rows with values on thresholds, just beside them, and odd ones everywhere."""
    rng, x = np.random.default_rng(1), table(2, rows)
    on = rng.choice(forest.threshold, x.shape)
    on = np.where(rng.random(x.shape) < 0.3, np.nextafter(on, rng.choice([-1, 1], x.shape)), on)
    x = np.where(rng.random(x.shape) < 0.2, on, x)
    return np.where(rng.random(x.shape) < 0.1, rng.choice(ODD, x.shape), x)


@pytest.mark.parametrize("given", KINDS.values(), ids=KINDS)
def test_scores_and_shares(given: dict[str, Any]) -> None:
    grown = booster(given)
    forest = from_lightgbm(grown)
    audit(forest, COLUMNS, forest.outputs)
    rows = hostile(forest, 3000)
    theirs = grown.predict(rows, raw_score=True, num_threads=1).reshape(len(rows), -1)
    assert np.array_equal(score(forest, rows), theirs)
    assert np.array_equal(np.concatenate([score(forest, row[None]) for row in rows[:200]]), theirs[:200])
    shares = contributions(forest, rows[:100])
    expected = grown.predict(rows[:100], pred_contrib=True).reshape(100, forest.outputs, -1).transpose(0, 2, 1)
    assert np.allclose(shares, expected, rtol=0, atol=1e-9)


def test_a_hundred_thousand_rows() -> None:
    grown = booster(KINDS["regression"], 40)
    forest = from_lightgbm(grown)
    rows = hostile(forest, 100_000)
    assert np.array_equal(score(forest, rows)[:, 0], grown.predict(rows, raw_score=True, num_threads=1))


def test_rounds_and_chunks() -> None:
    grown = booster(KINDS["classes"])
    rows = table(3, 100)
    some = from_lightgbm(grown.model_to_string(), 7)
    assert len(some) == 21
    assert np.array_equal(score(some, rows), grown.predict(rows, raw_score=True, num_iteration=7))
    rest = from_lightgbm(grown.model_to_string(start_iteration=7))
    totals = score(some, rows)
    add_trees(rest, rows, totals)
    assert np.array_equal(totals, grown.predict(rows, raw_score=True))
    assert np.array_equal(score(concatenate([some, rest]), rows), totals)


def test_importances_are_those_by_gain() -> None:
    grown = booster(KINDS["regression"])
    gain = grown.feature_importance("gain")
    assert np.allclose(importances(from_lightgbm(grown), COLUMNS), gain / gain.sum(), rtol=1e-5)


def test_nothing_to_split() -> None:
    data = lightgbm.Dataset(np.zeros((50, COLUMNS)), np.arange(50.0) % 7)
    forest = from_lightgbm(lightgbm.train({"verbose": -1, "num_threads": 1}, data, 3))
    audit(forest, 0, 1)
    assert np.allclose(score(forest, np.zeros((40, COLUMNS))), np.mean(np.arange(50) % 7))
    shares = contributions(forest, np.zeros((2, COLUMNS)))
    assert not shares[:, :-1].any()
    assert np.array_equal(shares[:, -1], score(forest, np.zeros((2, COLUMNS))))


@pytest.mark.parametrize(
    "given", [{"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, {"linear_tree": True}], ids=str
)
def test_what_a_forest_cannot_hold_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        from_lightgbm(booster({"objective": "regression", **given}, 3))
