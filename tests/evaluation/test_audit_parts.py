"""The parts of an audit on arrays: each finds what was planted, and nothing where nothing was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lithify.evaluation.audit import alone, leaks, noise
from lithify.evaluation.audit.ageing import gap, outside
from lithify.evaluation.audit.finding import Finding, Item, ordered, rounded
from lithify.evaluation.audit.tokens import count, of_mail, of_text, tell, with_absence
from lithify.evaluation.audit.twins import significant, twins

N = 3000


@pytest.fixture
def g():
    return np.random.default_rng(5)


def fold(n=N):
    return np.arange(n) * 7919 % alone.FOLDS


def test_a_useless_field_tells_nothing(g):
    y = (g.random(N) < 0.2).astype(np.int64)
    for values, order in ((g.normal(size=N), True), (g.integers(0, 9, N).astype(float), False)):
        assert abs(alone.area(values, order, y, fold()) - 0.5) < 0.06
        assert alone.explained(values, order, g.normal(size=N), fold()) < 0.02


def test_a_name_of_each_row_tells_nothing(g):
    y = (g.random(N) < 0.5).astype(np.int64)
    assert abs(alone.area(g.permutation(N).astype(float), False, y, fold()) - 0.5) < 0.05


def test_area_of_a_strong_field_is_that_of_its_values(g):
    y = (g.random(N) < 0.3).astype(np.int64)
    values = g.normal(size=N) + 1.5 * y
    assert alone.area(values, True, y, fold()) == pytest.approx(roc_auc_score(y, values), abs=0.02)
    assert alone.area(-values, True, y, fold()) == pytest.approx(alone.area(values, True, y, fold()), abs=0.01)


def test_missing_cells_can_give_the_target_away(g):
    y = (g.random(N) < 0.3).astype(np.int64)
    values = np.where(y == 1, g.normal(size=N), np.nan)
    assert alone.area(values, True, y, fold()) == 1.0


def test_several_labels_and_labels_with_few_rows(g):
    y = g.integers(0, 4, N)
    assert alone.area(y.astype(float), False, y, fold()) == pytest.approx(1.0)
    assert alone.area(y.astype(float), False, np.zeros(N, dtype=np.int64), fold()) is None
    assert alone.area(y.astype(float), False, (np.arange(N) < 5).astype(np.int64), fold()) is None


def test_explained_share_does_not_mind_a_curve_or_extremes(g):
    x = g.normal(size=N)
    y = np.exp(3.0 * x)
    y[0] = 1e12
    assert alone.explained(x, True, y, fold()) > 0.99
    assert alone.explained(x, True, np.ones(N), fold()) == 0.0


@given(st.lists(st.one_of(st.just(float("nan")), st.integers(-5, 5).map(float)), min_size=1, max_size=60))
def test_ranks_are_whole_and_add_up_to_nothing(values):
    found = alone.ranks(np.array(values))
    assert (found == np.round(found)).all()
    assert found.sum() == 0.0


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"a": 0.995, "b": 0.8}, "danger"),
        ({"a": 0.99995, "b": 0.9999}, "danger"),
        ({"a": 0.995, "b": 0.988}, "warning"),
        ({"a": 0.97, "b": 0.7}, "warning"),
        ({"a": 0.97, "b": 0.95}, None),
        ({"a": 0.9, "b": 0.5}, None),
        ({"a": 0.995, "b": 0.994, "c": 0.8}, "danger"),  # two leaks do not hide one another
    ],
)
def test_what_counts_as_a_leak(found, expected):
    assert leaks.severity("a", found) == expected


def noisy(g, share, classes=2, n=N):
    """Well told labels, of which a share was changed; probabilities that know the truth up to some doubt."""
    truth = g.integers(0, classes, n)
    p = np.full((n, classes), 0.08 / max(1, classes - 1))
    p[np.arange(n), truth] = 0.92
    p = p * np.exp(0.3 * g.normal(size=p.shape))
    p /= p.sum(axis=1, keepdims=True)
    flipped = g.random(n) < share
    y = np.where(flipped, (truth + g.integers(1, classes, n)) % classes, truth)
    return p, y, flipped


@pytest.mark.parametrize("classes", [2, 5])
def test_planted_noise_is_found_and_its_share_estimated(g, classes):
    p, y, flipped = noisy(g, 0.05, classes)
    found = noise.doubt(p, y)
    assert flipped[found.suspects[:50]].mean() >= 0.95
    assert found.share == pytest.approx(flipped.mean(), abs=0.01)
    assert found.joint.sum() == pytest.approx(1.0)


def test_no_noise_no_suspects(g):
    p, y, _ = noisy(g, 0.0)
    found = noise.doubt(p, y)
    assert len(found.suspects) == 0
    assert found.share == 0.0


def test_a_label_without_rows(g):
    p, y, _ = noisy(g, 0.05, 3)
    assert np.isfinite(noise.doubt(p, np.minimum(y, 1)).joint).all()


def test_residuals_are_measured_by_their_neighbours(g):
    predicted = g.random(N)
    y = predicted + g.normal(size=N) * np.where(predicted > 0.5, 10.0, 0.1)
    y[np.flatnonzero(predicted < 0.4)[0]] += 3.0
    z = noise.standardised(y, predicted)
    assert np.abs(z).argmax() == np.flatnonzero(predicted < 0.4)[0]
    assert z.std() < 1.5
    assert (noise.standardised(np.ones(9), np.ones(9)) == 0.0).all()


def test_planted_twins_are_found_whatever_stands_behind_their_third_digit(g):
    train, other = np.arange(2500), np.arange(2500, N)
    columns = [g.normal(size=N) for _ in range(4)] + [g.lognormal(3.0, 2.0, N)]
    for column in columns:
        column[:] = significant(column)
        column[2500:2600] = column[:100] * (1.0 + 1e-5 * g.uniform(-1, 1, 100))
    found = twins([(column, True) for column in columns], train, other)
    assert set(found.rows.tolist()) == set(range(2500, 2600))
    assert found.beyond_chance == pytest.approx(100 / 500, abs=0.01)


def test_no_twins_in_clean_data(g):
    train, other = np.arange(2500), np.arange(2500, N)
    free = [(g.normal(size=N), True) for _ in range(5)]
    assert twins(free, train, other).beyond_chance == 0.0
    one = g.normal(size=N)
    close = [(one + 0.001 * g.normal(size=N), True) for _ in range(5)]  # twins by chance alone
    assert twins(close, train, other).beyond_chance < 0.05
    assert twins(free[:1], train, other) is None  # too little to tell
    assert twins(free, train, other[:0]) is None


def test_outside():
    assert outside(np.array([1.0, 2.0]), np.array([np.nan]), True) == 0.0
    assert outside(np.array([1.0, 2.0]), np.array([2.0, 3.0]), False) == 0.5


def test_gap_finds_the_date_from_which_on_a_field_is_filled(g):
    time = g.permutation(N).astype(np.int64) * 86400
    missing = time < 1000 * 86400
    found = gap(missing, time)
    assert (found.time, found.before, found.after) == (1000 * 86400, 1.0, 0.0)
    assert abs(gap(g.random(N) < 0.3, time).before - gap(g.random(N) < 0.3, time).after) < 0.3
    assert gap(np.zeros(N, dtype=bool), time) is None
    assert gap(missing, np.zeros(N, dtype=np.int64)) is None


def test_tokens_of_mail_name_no_content_and_no_single_message():
    held = of_mail(
        b"Received: from gw.example by x id AB12345678\nMessage-ID: <1.2@host.example>\nSubject: canary\n\ncanary"
    )
    assert {"received:", "received gw.example", "message-id host.example", "subject:"} <= held
    assert not any("canary" in token or "12345" in token or "1.2" in token for token in held)
    assert of_mail(b"") == of_text(b"") == set()


def test_tokens_are_counted_by_part_and_rare_ones_left_out():
    contents = [b"common word"] * 30 + [b"common rare"] * 5
    found = count(contents, np.array([0] * 20 + [1] * 15), 2, of_text)
    assert found.names == ["common", "word"]
    assert found.counts.tolist() == [[20, 15], [20, 10]]
    both = with_absence(found, [False, True])
    assert both.names[2] == "no word"
    assert both.counts[2].tolist() == [0, 5]
    assert count([], np.zeros(0, dtype=np.int64), 2, of_text).names == []


def test_tell_looks_at_the_label_it_is_given():
    held, sizes = np.array([[0, 40]]), np.array([50, 50])
    assert tell(held, sizes).label.tolist() == [1]
    assert tell(held, sizes, np.array([0])).margin.tolist() == [-0.8]


def test_findings_are_ordered_and_figures_rounded():
    found = [Finding(str(i), severity, "", "", "") for i, severity in enumerate(("note", "danger", "note", "warning"))]
    assert [finding.kind for finding in ordered(found)] == ["1", "3", "0", "2"]
    assert rounded(0.12345678) == 0.123457
    many = Finding("k", "note", "t", "r", "a", {}, tuple(Item(str(i)) for i in range(300)), "rows", 1000).to_json()
    assert (many["found"], many["listed"], len(many["items"])) == (1000, 200, 200)
