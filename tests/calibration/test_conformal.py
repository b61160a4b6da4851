"""Coverage holds in finite samples, per label; too few rows claim nothing; states are plain and closed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify import canon
from lithify.conformal import apply_intervals, apply_sets, fit_intervals, fit_sets, form, sentences, sound
from lithify.errors import UsageError


def labelled(n, seed, classes=3):
    g = np.random.default_rng(seed)
    y = g.choice(classes, n, p=np.arange(classes, 0, -1) / sum(range(classes + 1)))
    raw = 1.5 * np.eye(classes)[y] + g.normal(size=(n, classes))
    p = np.exp(raw)
    return p / p.sum(axis=1, keepdims=True), y


def valued(n, seed):
    g = np.random.default_rng(seed)
    spread = g.gamma(2.0, 1.0, n)
    predicted = g.normal(size=n)
    return predicted, predicted + spread * g.normal(size=n), spread


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_sets_cover_each_label_as_stated_on_average_over_samples(coverage):
    p, y = labelled(30_000, 99)
    found = np.zeros(3)
    for seed in range(80):
        state = fit_sets(*labelled(150, seed), coverage)
        raw = p >= np.array(state["thresholds"])  # as sets are before none is left empty
        found += [raw[y == code, code].mean() for code in range(3)]
    # a mean over 80 samples of at least 20 rows: exact up to about 0.02; without the correction rare labels lose 0.04
    assert (found / 80 > coverage - 0.02).all(), found / 80
    assert (found / 80 < coverage + 0.06).all(), found / 80


@pytest.mark.parametrize("scaled", [False, True])
def test_intervals_cover_as_stated_on_average_over_samples(scaled):
    p, y, s = valued(20_000, 99)
    found = []
    for seed in range(200):
        fp, fy, fs = valued(19, seed)
        ends = apply_intervals(fit_intervals(fp, fy, 0.8, fs if scaled else None), p, s)
        found.append(((ends[:, 0] <= y) & (y <= ends[:, 1])).mean())
    assert np.mean(found) == pytest.approx(0.8, abs=0.02)  # without the correction it is 0.76


def test_spread_makes_intervals_narrower_where_rows_are_sure():
    predicted, y, spread = valued(5000, 0)
    plain, wide = fit_intervals(predicted, y), fit_intervals(predicted, y, spread=spread)
    assert wide["scaled"]
    assert not plain["scaled"]
    ends = apply_intervals(wide, predicted, spread)
    width = ends[:, 1] - ends[:, 0]
    assert np.corrcoef(width, spread)[0, 1] > 0.99
    covered = (ends[:, 0] <= y) & (y <= ends[:, 1])
    flat = np.abs(y - predicted) <= plain["margin"]
    unsure = spread > np.quantile(spread, 0.9)
    assert covered[unsure].mean() > 0.85 > flat[unsure].mean()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(2, 4), st.floats(0.05, 0.99), st.integers(0, 5))
def test_no_set_is_empty_and_held_says_whether_rows_were_enough(n, classes, coverage, seed):
    g = np.random.default_rng(seed)
    p, y = g.dirichlet(np.ones(classes), n), g.integers(0, classes, n)
    state = fit_sets(p.reshape(n, classes), y, coverage)
    assert state["rows"] == np.bincount(y, minlength=classes).tolist()
    sets = apply_sets(state, g.dirichlet(np.ones(classes), 50))
    assert sets.any(axis=1).all()
    for code in range(classes):
        enough = state["rows"][code] >= coverage / (1.0 - coverage) - 1e-6
        assert state["held"][code] == enough
        if not enough:
            assert sets[:, code].all()
    assert canon.loads(canon.dumps(state)) == state
    assert sound(state, classes)
    assert len(sentences(state, [str(code) for code in range(classes)])) == (1 if all(state["held"]) else 2)


def test_calibration_rows_themselves_are_covered():
    p, y = labelled(400, 1)
    sets = apply_sets(fit_sets(p, y, 0.9), p)
    assert all(sets[y == code, code].mean() >= 0.9 for code in range(3))


def test_an_otherwise_empty_set_holds_the_most_probable_label():
    state = {"kind": "sets", "coverage": 0.5, "thresholds": [0.9, 0.9], "rows": [9, 9], "held": [True, True]}
    assert apply_sets(state, [[0.6, 0.4], [0.5, 0.5], [0.95, 0.05]]).tolist() == [
        [True, False],
        [True, True],
        [True, False],
    ]


def test_too_few_rows_give_infinite_intervals():
    state = fit_intervals([0.0] * 8, [1.0] * 8, 0.9)
    assert (state["held"], state["margin"]) == (False, None)
    assert apply_intervals(state, [3.0]).tolist() == [[-math.inf, math.inf]]
    assert "too few" in sentences(state)[0]
    assert fit_intervals([0.0] * 9, [1.0] * 9, 0.9)["held"]
    assert not fit_intervals([], [], 0.9, [])["held"]


def test_no_spread_at_all_is_left_aside():
    state = fit_intervals([0.0] * 20, [1.0] * 20, 0.9, [0.0] * 20)
    assert not state["scaled"]
    assert apply_intervals(state, [0.0]).tolist() == [[-1.0, 1.0]]


def test_a_missing_spread_is_said():
    state = fit_intervals(*valued(40, 0)[:2], 0.9, valued(40, 0)[2])
    with pytest.raises(UsageError, match="spread"):
        apply_intervals(state, [0.0])
    with pytest.raises(UsageError, match="spread"):
        apply_intervals(state, [0.0], [-1.0])


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, math.nan])
def test_coverage_out_of_range(coverage):
    with pytest.raises(UsageError, match="overage"):
        fit_sets([[0.5, 0.5]], [0], coverage)
    with pytest.raises(UsageError, match="overage"):
        fit_intervals([0.0], [0.0], coverage)


def test_bad_shapes_are_refused():
    with pytest.raises(UsageError):
        fit_sets([0.5, 0.5], [0, 1])
    with pytest.raises(UsageError):
        fit_sets([[0.5, math.nan]], [0])
    with pytest.raises(UsageError):
        fit_intervals([0.0], [0.0, 1.0])


def test_forms_are_closed_and_forged_states_are_not_sound():
    sets, intervals = fit_sets(*labelled(90, 0)), fit_intervals(*valued(40, 0)[:2])
    for state, labels in ((sets, 3), (intervals, 0)):
        assert form(state).keys() == state.keys()
        assert sound(state, labels)
        assert not sound(state, labels + 1)
        assert not sound(state | {"coverage": 1.5}, labels)
        assert not sound(state | {"kind": "other"}, labels)
    assert not sound(sets | {"thresholds": [0.1, 0.2, math.nan]}, 3)
    assert not sound(sets | {"rows": [1, 1, -1]}, 3)
    assert not sound(sets | {"held": [False, False, False]}, 3)
    assert not sound(intervals | {"margin": math.inf}, 0)
    assert not sound(intervals | {"margin": None}, 0)
    assert not sound(intervals | {"margin": -1.0}, 0)
    assert not sound(intervals | {"scaled": True}, 0)
    assert not sound(intervals | {"rows": -5}, 0)
