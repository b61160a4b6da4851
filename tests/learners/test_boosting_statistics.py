"""Means of the label as columns: no row sees its own label, and what is sealed are means over all training rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify.data.batches import Codes, Dense, TrainingData
from lithify.errors import MalformedContainer
from lithify.learners.boosting import statistics_fit
from lithify.learners.boosting.boosting import Boosting
from lithify.learners.boosting.growing import judged_by
from lithify.learners.boosting.rules import BoostingParams, settle
from lithify.learners.boosting.statistics import Statistics
from lithify.learners.boosting.statistics_audit import audit
from lithify.learners.boosting.statistics_fit import Labelled
from lithify.learners.folds import fold_of

SMOOTHING = 10.0


def table(rows: int = 300, seed: int = 1, group: Any = None) -> TrainingData:
    """Two categories that only together tell the label, a number of four values, and one of many."""
    draw = np.random.default_rng(seed)
    codes = draw.integers(2, [5, 6], size=(rows, 2)).astype(np.int32)
    codes[::17, 0], codes[::19, 1] = 0, 1
    few = draw.integers(0, 4, rows).astype(np.float64)
    few[::23] = np.nan
    numbers = np.stack([few, draw.normal(size=rows)], axis=1)
    target = ((codes.sum(axis=1) % 2 == 0) ^ (draw.random(rows) < 0.1)).astype(np.int32)
    return TrainingData(
        blocks={"numbers": Dense(numbers), "categories": Codes(codes, (5, 6))},
        target=target,
        weight=np.ones(rows),
        train=np.arange(rows),
        stop=np.zeros(0, dtype=np.int64),
        classes=2,
        group=np.arange(rows) if group is None else group,
        seed=3,
        grains=1,
    )


def labelled(data: TrainingData) -> Labelled:
    return Labelled(data, data.target[data.train], np.ones(len(data.train)))


def fitted(data: TrainingData, most: int = 8) -> Statistics:
    found = labelled(data).fit(most)
    assert found is not None
    return found


def every(data: TrainingData) -> np.ndarray:
    return np.ones(len(data.train), dtype=np.bool_)


def trained(data: TrainingData, member: int = 0) -> np.ndarray:
    return labelled(data).training(fitted(data), every(data), member)["statistics"].values


def test_the_sealed_means_are_those_of_all_training_rows() -> None:
    data = table()
    found = fitted(data)
    assert found.columns.tolist() == [0, 2, 3]
    assert found.groups == [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]
    made = found.block(data.blocks)["statistics"].values
    codes, mean = data.blocks["categories"].values, data.target.mean()
    for row in range(0, 300, 7):
        same = data.target[(codes == codes[row]).all(axis=1)]
        assert made[row, 5] == pytest.approx((same.sum() + SMOOTHING * mean) / (len(same) + SMOOTHING))


@settings(max_examples=25, deadline=None)
@given(row=st.integers(0, 299), member=st.integers(0, 3))
def test_no_row_sees_its_own_label_nor_that_of_its_group(row: int, member: int) -> None:
    data = table(group=np.arange(300) // 3)
    turned = data.target.copy()
    mates = data.group == data.group[row]
    turned[row] = 1 - turned[row]
    before, after = trained(data, member), trained(replace(data, target=turned), member)
    shift = turned.mean() - data.target.mean()  # by the smoothing alone
    assert np.abs(after[mates] - before[mates]).max() <= abs(shift) + 1e-12


def test_other_rows_see_it() -> None:
    data = table()
    turned = data.target.copy()
    turned[7] = 1 - turned[7]
    seen = [np.abs(trained(replace(data, target=turned), m) - trained(data, m)).max() for m in range(4)]
    assert max(seen) > 2.0 / 300


def test_members_see_their_rows_in_different_orders() -> None:
    assert not np.array_equal(trained(table(), 0), trained(table(), 1))


def test_a_row_is_judged_by_means_of_other_folds_alone() -> None:
    data, params = table(), settle(BoostingParams(statistics=8, members=4), 300, 4, 2)
    fold = fold_of(data.group, 4, data.seed)
    turned = np.where(fold == 2, 1 - data.target, data.target)
    for each in (data, replace(data, target=turned)):
        found = judged_by(fitted(data), each, params, 2).table
        assert np.array_equal(found, judged_by(fitted(data), data, params, 2).table)
    assert not np.array_equal(judged_by(fitted(data), data, params, 2).table, fitted(data).table)


def test_what_only_two_categories_together_tell_is_learned() -> None:
    data = table(2000)
    losses = []
    for columns in (0, 4):
        given = BoostingParams(members=4, rounds=3, leaves=3, pairs=0, statistics=columns, column_share=1.0)
        learner = Boosting(settle(given, 2000, 4, 2))
        state = learner.start(data)
        while not learner.done(state) and state.facts["rounds"] < 3:
            state = learner.apply(state, data, 0, learner.grain(state, data, 0, 0))
        losses.append(state.facts["loss"])
    assert losses[1] < 0.97 * losses[0]


@pytest.mark.parametrize(("classes", "objective", "members"), [(3, "auto", 4), (0, "absolute", 4), (2, "auto", 1)])
def test_there_are_none_where_a_mean_says_little_or_nobody_may_see_it(classes, objective, members) -> None:
    asked = BoostingParams(statistics=5, objective=objective, members=members)
    assert settle(asked, 1000, 5, classes).statistics == 0


def test_a_table_without_few_codes_has_none() -> None:
    data = table()
    only = {"numbers": Dense(data.blocks["numbers"].values[:, 1:])}
    assert labelled(replace(data, blocks=only)).fit(5) is None


def test_many_rows_are_given_fewer_columns(monkeypatch) -> None:
    monkeypatch.setattr(statistics_fit, "_MOST_CELLS", 900)
    assert fitted(table()).columns.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("columns", lambda a: a[::-1].copy()),
        ("columns", lambda a: a + 2),
        ("columns", lambda a: a.astype(np.int32)),
        ("size", lambda a: a - 4),
        ("size", lambda a: a * 10**6),
        ("first", lambda a: a + 1),
        ("first", lambda a: a[:-1]),
        ("values", lambda a: a[::-1].copy()),
        ("values", lambda a: a * np.nan),
        ("table", lambda a: a[:-1]),
        ("table", lambda a: a * np.inf),
        ("table", lambda a: a[None]),
    ],
)
def test_damaged_means_are_refused(name: str, change: Any) -> None:
    arrays = fitted(table()).arrays()
    assert audit(arrays, 2, 2) is not None
    with pytest.raises(MalformedContainer):
        audit({**arrays, f"statistics_{name}": change(arrays[f"statistics_{name}"])}, 2, 2)
    with pytest.raises(MalformedContainer):
        audit({k: v for k, v in arrays.items() if k != f"statistics_{name}"}, 2, 2)


def test_codes_beyond_those_of_training_count_as_never_seen() -> None:
    data = table()
    found = fitted(data)
    strange = {"numbers": Dense(np.array([[9.0, 0.0]])), "categories": Codes(np.array([[4, 99]], np.int32), (5, 100))}
    unseen = {"numbers": Dense(np.array([[0.5, 0.0]])), "categories": Codes(np.array([[4, 1]], np.int32), (5, 6))}
    assert np.array_equal(found.block(strange)["statistics"].values, found.block(unseen)["statistics"].values)
