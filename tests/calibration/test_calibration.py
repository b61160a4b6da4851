from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from lithify.calibration import apply_temperature, choose_cutoffs, fit_temperature, identity, verdict
from lithify.errors import TooFewRows, UsageError

shares = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.7, 0.9, 0.99, 1.0]), min_size=1, max_size=60)


def two(s):
    return np.stack([np.zeros(len(s)), s], axis=1)


def drawn(n=4000, seed=0, scale=1.0):
    g = np.random.default_rng(seed)
    y = (g.random(n) < 0.3).astype(int)
    return scale * (3.0 * y - 1.0 + g.normal(size=n) * 1.7), y


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_two_labels_against_plain_logistic_regression(scale):
    s, y = drawn(20_000, scale=scale)
    state = fit_temperature(two(s), y)
    plain = LogisticRegression(C=1e12).fit(s[:, None] / scale, y)
    assert state["slope"] * scale == pytest.approx(plain.coef_[0, 0], rel=2e-3)
    assert state["offset"] == pytest.approx(plain.intercept_[0], abs=2e-3)


def test_fit_is_a_minimum():
    """No small step from the fit lowers the loss on the drawn-in targets."""
    s, y = drawn(300)
    state = fit_temperature(two(s), y)
    positives = y.sum()
    t = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (len(y) - positives + 2))

    def loss(a, b):
        return np.logaddexp(0, a * s + b).sum() - (t * (a * s + b)).sum()

    best = loss(state["slope"], state["offset"])
    for da, db in ((1e-4, 0), (-1e-4, 0), (0, 1e-4), (0, -1e-4)):
        assert loss(state["slope"] + da, state["offset"] + db) > best


def test_many_labels_find_the_temperature():
    g = np.random.default_rng(0)
    logits = 2.0 * g.normal(size=(20_000, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (g.random((20_000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    state = fit_temperature(logits * 5.0, y)
    assert state["kind"] == "temperature"
    assert state["slope"] == pytest.approx(1 / 5.0, rel=0.03)


@pytest.mark.parametrize("labels", [2, 3])
def test_separable_rows_have_a_finite_answer(labels):
    y = np.arange(60) % labels
    state = fit_temperature(np.eye(labels)[y] * 8.0, y)
    p = apply_temperature(state, np.eye(labels)[y] * 8.0)
    assert (p.argmax(axis=1) == y).all()
    assert p.max() < 0.999


def test_order_is_kept_even_when_scores_point_the_wrong_way():
    s, y = drawn(500)
    p = apply_temperature(fit_temperature(two(-s), y), two(np.array([-1.0, 0.0, 2.0])))[:, 1]
    assert (np.diff(p) > 0).all()
    assert p.mean() == pytest.approx(y.mean(), abs=0.02)


def test_state_is_plain_json_and_deterministic():
    s, y = drawn(700)
    state = fit_temperature(two(s), y)
    assert json.loads(json.dumps(state)) == state == fit_temperature(two(s), y)
    turned = np.arange(len(y))[::-1]
    assert fit_temperature(two(s[turned]), y[turned]) == state


@pytest.mark.parametrize("labels", [2, 3])
def test_identity_is_the_plain_softmax(labels):
    raw = np.random.default_rng(0).normal(size=(9, labels))
    expected = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(apply_temperature(identity(labels), raw), expected, rtol=1e-12)


@pytest.mark.parametrize("labels", [2, 5])
def test_one_row_equals_its_row_in_a_batch(labels):
    g = np.random.default_rng(1)
    raw = g.normal(size=(64, labels)) * 20
    state = fit_temperature(raw, np.arange(64) % labels)
    batch = apply_temperature(state, raw)
    assert batch.shape == (64, labels)
    assert batch.sum(axis=1) == pytest.approx(np.ones(64))
    for i in range(64):
        np.testing.assert_array_equal(apply_temperature(state, raw[i : i + 1])[0], batch[i])


def test_extreme_scores_stay_probabilities():
    state = {"kind": "platt", "slope": 1.0, "offset": 0.0, "rows": 2}
    p = apply_temperature(state, two(np.array([-1e4, 1e4, -40.0])))
    assert np.isfinite(p).all()
    assert p[2, 1] == pytest.approx(math.exp(-40.0))


@pytest.mark.parametrize("raw", [[[0.0, 1.0]], [[0.0, math.nan], [0, 0]], [[1.0], [2.0]]])
def test_bad_scores_are_refused(raw):
    with pytest.raises(UsageError):
        fit_temperature(raw, [0, 1])


def test_one_label_is_refused():
    with pytest.raises(TooFewRows, match="two labels"):
        fit_temperature(two(np.ones(5)), np.ones(5, dtype=int))


def test_cutoff_holds_the_budget_for_new_ham():
    """Averaged over samples, new ham is lost at most at the stated rate, and nearly that often."""
    g = np.random.default_rng(0)
    losses = []
    for _ in range(400):
        ham = 0.5 + 0.5 * g.random(199)
        losses.append(1 - (choose_cutoffs(ham, [0.9], 0.05)["spam"] - 0.5) / 0.5)
    assert 0.045 < np.mean(losses) <= 0.0515


def test_exactly_enough_ham():
    ham = np.linspace(0.5, 0.99, 999)
    enough = choose_cutoffs(ham, [], 0.001)
    assert enough["held"]
    assert enough["spam"] == math.nextafter(0.99, 1.0)
    assert not choose_cutoffs(ham[1:], [], 0.001)["held"]
    assert choose_cutoffs(np.append(ham, np.linspace(0.5, 0.98, 1000)), [], 0.001)["spam"] < 0.99


def test_too_little_ham_is_said():
    cutoffs = choose_cutoffs([0.1] * 40 + [0.97], [0.99, 0.6], 0.001)
    assert cutoffs["spam"] == math.nextafter(0.97, 1.0)
    assert not cutoffs["held"]
    assert cutoffs["can_show"] == pytest.approx(3 / 41)
    assert "41 ham are too few" in cutoffs["text"][0]
    assert "999" in cutoffs["text"][0]
    assert cutoffs["seen"]["spam"] == {"ham": 0, "unsure": 1, "spam": 1}


@settings(max_examples=150, deadline=None)
@given(shares, shares, st.sampled_from([0.001, 0.01, 0.1, 0.5]))
def test_cutoffs_are_ordered_and_keep_the_budget_on_what_was_seen(ham, spam, budget):
    cutoffs = choose_cutoffs(ham, spam, budget)
    assert 0.5 <= cutoffs["unsure"] <= cutoffs["spam"]
    lost = sum(verdict(score, cutoffs) == "spam" for score in ham)
    assert lost <= budget * (len(ham) + 1)
    held_back = sum(verdict(score, cutoffs) != "ham" for score in ham)
    assert held_back <= 10 * max(budget * (len(ham) + 1), 1)
    seen = cutoffs["seen"]
    assert sum(seen["ham"].values()) == len(ham)
    assert sum(seen["spam"].values()) == len(spam)
    assert seen["ham"]["spam"] == lost
    assert json.loads(json.dumps(cutoffs)) == cutoffs


def test_verdicts_at_the_edges():
    cutoffs = {"spam": 0.9, "unsure": 0.6}
    assert [verdict(score, cutoffs) for score in (0.5999, 0.6, 0.8999, 0.9, 1.0)] == ["ham"] + ["unsure"] * 2 + [
        "spam"
    ] * 2


@pytest.mark.parametrize("budget", [0.0, 1.0, -1.0, math.nan])
def test_bad_budget_is_refused(budget):
    with pytest.raises(UsageError):
        choose_cutoffs([0.1], [0.9], budget)


def test_no_ham_is_refused():
    with pytest.raises(TooFewRows):
        choose_cutoffs([], [0.9], 0.1)


def test_many_rows_of_one_and_the_same_score_have_an_answer() -> None:
    y = (np.arange(100_000) % 3 == 0).astype(np.int64)
    state = fit_temperature(np.stack([np.zeros(len(y)), np.full(len(y), -3.3)], axis=1), y)
    assert state["slope"] > 0
    assert apply_temperature(state, [[0.0, -3.3]])[0, 1] == pytest.approx(1 / 3, abs=1e-3)
