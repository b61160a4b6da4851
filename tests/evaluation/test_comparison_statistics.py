"""The statistics of a comparison: arrays in, figures and a verdict out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lithify import metrics
from lithify.data.schema import Field
from lithify.errors import DataError, NotFound, UsageError
from lithify.evaluation.comparison.binomial import at_least, holm, two_sided
from lithify.evaluation.comparison.findings import find
from lithify.evaluation.comparison.flips import flips, further_off
from lithify.evaluation.comparison.gates import Gates
from lithify.evaluation.comparison.paired import Difference, bonett_price, differences, mean_limits, of_shares
from lithify.evaluation.comparison.slices import slices, worse_by_t
from lithify.evaluation.comparison.verdict import judge, of_metric
from lithify.evaluation.fields import FieldCells
from lithify.evaluation.parts import Parts, parts_of
from lithify.metrics import Sample, Values

ALL = tuple(metrics.METRICS)


def labelled(n: int, seed: int, right: float = 0.85, labels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """True labels and probabilities that are right for about that share."""
    g = np.random.default_rng(seed)
    y = np.arange(n) % labels
    p = g.dirichlet(np.full(labels, 0.7), n)
    best = np.where(g.random(n) < right, y, (y + 1) % labels)
    top = p.argmax(axis=1)
    p[np.arange(n), top], p[np.arange(n), best] = p[np.arange(n), best], p[np.arange(n), top].copy()
    return y, p


def exchanged(n: int, seed: int, apart: float) -> tuple[Sample, Sample]:
    """Two judges that are exactly as good as each other, and differ on about a share ``apart`` of the rows."""
    g = np.random.default_rng(seed)
    y = g.integers(0, 2, n)
    first = np.where(g.random(n) < 0.9, 0.8, 0.3)
    second = np.where(g.random(n) < apart, np.where(g.random(n) < 0.9, 0.7, 0.2), first)
    swap = g.random(n) < 0.5
    a, b = np.where(swap, second, first), np.where(swap, first, second)
    return Sample.of(y, np.where(y == 1, a, 1 - a)), Sample.of(y, np.where(y == 1, b, 1 - b))


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_mcnemar_is_exact(a: int, b: int) -> None:
    expected = stats.binomtest(a, a + b).pvalue if a + b else 1.0
    assert two_sided(a, b) == pytest.approx(expected, rel=1e-9)
    assert at_least(a, a + b) == pytest.approx(stats.binom.sf(a - 1, a + b, 0.5), rel=1e-9, abs=1e-300)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_is_what_the_textbook_says(p: list[float]) -> None:
    order = np.argsort(p, kind="stable")
    raised = np.minimum(1.0, np.maximum.accumulate(np.sort(p) * np.arange(len(p), 0, -1)))
    expected = np.empty(len(p))
    expected[order] = raised
    np.testing.assert_allclose(holm(p), expected)


@pytest.mark.parametrize("n", [6, 50, 400])
def test_the_tail_of_t(n: int) -> None:
    for shift in (-0.2, 0.0, 0.1, 0.4):
        gaps = np.random.default_rng(n).normal(size=n) + shift
        expected = stats.ttest_1samp(gaps, 0.0, alternative="greater").pvalue
        assert worse_by_t(gaps) == pytest.approx(expected, rel=0.03, abs=1e-6)
        low, high = mean_limits(gaps)
        interval = stats.ttest_1samp(gaps, 0.0).confidence_interval()
        np.testing.assert_allclose([low, high], [interval.low, interval.high], rtol=0.01, atol=0.01)


def test_intervals_of_equal_models_do_not_collapse() -> None:
    y, p = labelled(300, 1)
    found = differences(Sample.of(y, p), Sample.of(y, p), [metrics.accuracy, metrics.log_loss])
    assert found["accuracy"].difference == 0.0
    assert found["accuracy"].low == pytest.approx(-0.0092, abs=1e-4)
    assert found["accuracy"].high == pytest.approx(0.0092, abs=1e-4)
    assert found["accuracy"].p == found["log_loss"].p == 1.0


def test_pairing_narrows_the_interval() -> None:
    y, p = labelled(800, 2)
    q = np.clip(p + np.random.default_rng(0).normal(size=(800, 1)) * [[-0.03, 0.03]], 0.001, 0.999)
    paired = differences(Sample.of(y, p), Sample.of(y, q), [metrics.brier])["brier"]
    alone = [metrics.measure(y, each, (metrics.brier,))["brier"] for each in (p, q)]
    assert paired.high - paired.low < 0.3 * (alone[0].high - alone[0].low)
    assert paired.difference == pytest.approx(alone[1].value - alone[0].value)


@pytest.mark.parametrize("labels", [2, 4])
def test_every_metric_covers_its_own_difference(labels: int) -> None:
    y, p = labelled(400, 3, 0.85, labels)
    q = labelled(400, 4, 0.8, labels)[1]
    found = differences(Sample.of(y, p), Sample.of(y, q), ALL)
    assert {"accuracy", "auc", "f1", "log_loss"} <= found.keys()
    for name, each in found.items():
        own = next(metric for metric in ALL if metric.name == name)
        assert each.difference == pytest.approx(own(y, q) - own(y, p))
        assert each.low <= each.difference <= each.high
        assert 0.0 < each.p <= 1.0


def test_values_of_any_size() -> None:
    g = np.random.default_rng(5)
    y = g.normal(size=300)
    a, b = y + g.normal(size=300), y + 0.5 * g.normal(size=300)
    for scale in (1.0, 1e-160, 1e160):
        found = differences(Values.of(y * scale, a * scale), Values.of(y * scale, b * scale), ALL)
        assert found["rmse"].high < 0.0 < found["r_squared"].low
        assert all(np.isfinite([each.low, each.high]).all() for each in found.values())
        assert found["rmse"].difference == pytest.approx(
            scale * (np.sqrt(((y - b) ** 2).mean()) - np.sqrt(((y - a) ** 2).mean()))
        )
    level = differences(Values.of(y, a, 0.9), Values.of(y, b, 0.9), ALL)["pinball_loss"]
    assert level.low < level.difference < level.high < 0.0


def test_coverage_of_the_interval_of_paired_shares() -> None:
    """Bonett and Price hold what they state, with few rows and few that differ."""
    g, hit = np.random.default_rng(6), 0
    for _ in range(2_000):
        only_a, only_b, _same = g.multinomial(150, [0.03, 0.05, 0.92])
        low, high = bonett_price(only_a, only_b, 150)
        hit += low <= 0.02 <= high
    assert 0.935 <= hit / 2_000 <= 0.985


def test_flips_are_the_worst_first() -> None:
    y = np.array([1, 1, 1, 0, 0, 1])
    a = Sample.of(y, [0.9, 0.9, 0.9, 0.1, 0.9, 0.1])
    b = Sample.of(y, [0.9, 0.4, 0.1, 0.6, 0.2, 0.2])
    found = flips(a, b)
    assert found.negative.rows == 3
    assert found.worst.tolist() == [2, 1, 3]  # 0.1, 0.4, 0.4 for the true label
    assert found.best.tolist() == [4]
    assert (found.both_right, found.both_wrong) == (1, 1)
    assert (found.negative.low, found.negative.high) == metrics.wilson(3, 6)
    assert flips(a, b, listed=1).worst.tolist() == [2]
    grown = further_off(np.zeros(3), np.array([1.0, 1.0, 3.0]), np.array([2.0, 5.0, 0.0]))
    assert grown.tolist() == [1, 0]


def test_a_slice_that_got_worse_is_found_among_many() -> None:
    g = np.random.default_rng(7)
    n = 2_000
    x = g.normal(size=(n, 6))
    y = g.integers(0, 2, n)
    job = np.array(["clerk", "cook", "nurse", "smith"], dtype=object)[g.integers(0, 4, n)]
    right = g.random(n) < 0.9
    again = np.where(g.random(n) < 0.3, g.random(n) < 0.9, right)  # as good, on other rows
    a = Sample.of(y, np.where(right, y, 1 - y))
    b = Sample.of(y, np.where(again & ~((job == "cook") & (g.random(n) < 0.08)), y, 1 - y))
    parts = [("job", parts_of(FieldCells(Field("job", "category", "input"), job)))]
    parts += [(f"x{j}", parts_of(FieldCells(Field(f"x{j}", "number", "input"), x[:, j]))) for j in range(6)]
    found = slices(a, b, parts, 0.05)
    assert [one.value for one in found if one.worse] == ["cook"]
    assert len(found) == 4 + 6 * 5
    cook = found[0]
    mine = job == "cook"
    assert cook.rows == mine.sum()
    assert cook.difference == pytest.approx(((b.y != b.predicted)[mine]).mean() - ((a.y != a.predicted)[mine]).mean())
    lost, won = (
        (one & ~other & mine).sum() for one, other in ((right, b.y == b.predicted), (b.y == b.predicted, right))
    )
    assert cook.p == pytest.approx(stats.binomtest(int(lost), int(lost + won), alternative="greater").pvalue)
    assert cook.low < cook.difference < cook.high


def test_slices_of_values() -> None:
    g = np.random.default_rng(8)
    y, half = g.normal(size=1_000), np.arange(1_000) % 2
    a = y + g.normal(size=1_000)
    b = y + g.normal(size=1_000) * np.where(half == 1, 1.5, 0.7)
    found = slices(Values.of(y, a), Values.of(y, b), [("half", Parts(("left", "right"), half))], 0.05)
    assert [(one.value, one.worse) for one in found] == [("right", True), ("left", False)]
    assert found[0].challenger == pytest.approx(np.sqrt(((y - b)[half == 1] ** 2).mean()))
    assert found[0].low < found[0].difference < found[0].high
    assert found[1].high < 0.0


def difference(low: float, value: float, high: float, direction: str = "higher") -> Difference:
    return Difference(0.9, 0.9 + value, value, low, high, 0.5, direction, "Accuracy", "share")


@pytest.mark.parametrize(
    ("interval", "state"),
    [
        ((0.001, 0.01, 0.02), "passed"),
        ((-0.009, 0.0, 0.009), "passed"),
        ((-0.008, -0.005, -0.002), "passed"),  # worse, by no more than allowed
        ((-0.02, 0.0, 0.02), "open"),
        ((-0.03, -0.012, 0.001), "open"),
        ((-0.03, -0.02, -0.01), "failed"),
        ((-0.012, -0.006, -0.001), "failed"),
    ],
)
def test_the_state_of_a_metric(interval: tuple[float, float, float], state: str) -> None:
    assert of_metric("accuracy", difference(*interval), 0.01, 1_000).state == state
    low, value, high = interval
    assert of_metric("log_loss", difference(-high, -value, -low, "lower"), 0.01, 1_000).state == state


def test_rows_that_would_decide() -> None:
    found = of_metric("accuracy", difference(-0.02, 0.0, 0.02), 0.01, 1_000)
    assert found.rows == 4_000  # an interval half as long takes four times the rows
    hopeless = of_metric("accuracy", difference(-0.03, -0.0099, 0.01), 0.01, 1_000)
    assert hopeless.rows is None


def test_one_failed_gate_makes_it_worse_and_an_open_one_undecided() -> None:
    y = np.arange(2_000) % 2
    wrong = np.zeros(2_000, dtype=bool)
    wrong[:200] = True
    a = Sample.of(y, np.where(wrong, 1 - y, y))
    for lost, verdict in ((0, "better"), (20, "better"), (22, "undecided"), (60, "worse")):
        b = np.array(y)
        b[300 : 300 + lost] = 1 - b[300 : 300 + lost]  # so many negative flips, and 200 positive ones
        found = find(a, Sample.of(y, b), measured=(metrics.accuracy,))
        assert found.judgement.verdict == verdict, lost
    assert "Negative flips: 60 of 2,000 rows" in found.judgement.reasons[0]
    assert find(a, Sample.of(y, b), (), Gates(flips=None)).judgement.verdict == "better"


def test_time_and_size_count_only_where_a_gate_asks() -> None:
    y = np.arange(600) % 2
    a = b = Sample.of(y, y)
    times = {"latency": 9.0, "size": 9.0}
    assert find(a, b, times=times).judgement.verdict == "not worse"
    for gates in (Gates(latency=2.0), Gates(size=2.0)):
        found = find(a, b, gates=gates, times=times)
        assert found.judgement.verdict == "worse"
        assert "9.00 times the champion's" in found.judgement.reasons[0]


def test_other_metrics_as_gates() -> None:
    y, p = labelled(1_000, 9)
    a, b = Sample.of(y, p), Sample.of(y, np.clip(0.5 + 3.0 * (p - 0.5), 0.0, 1.0))  # the same labels, too sure of them
    assert find(a, b).judgement.verdict == "not worse"
    found = find(a, b, gates=Gates(metrics={"log_loss": 0.01}))
    assert found.judgement.verdict == "worse"
    assert [gate.state for gate in found.judgement.gates if gate.gate == "log_loss"] == ["failed"]
    with pytest.raises(DataError, match="cannot be measured"):
        find(a, b, gates=Gates(metric="rmse"))


def test_shares_of_cutoffs() -> None:
    a, b = np.arange(500) < 3, np.arange(500) < 20
    found = of_shares(a, b, "lower", "Ham lost")
    assert found.gain[2] < 0.0
    assert found.p == two_sided(0, 17)
    judged = judge(Gates(metrics={"ham_lost": 0.001}), "ham_lost", {"ham_lost": found}, None, (), 500)
    assert judged.verdict == "worse"


def test_equally_good_challengers_are_seldom_called_better() -> None:
    """About two in a hundred are; a rule that looks at one side at 5 %, or at no interval, calls more than 5 % so."""
    verdicts: Counter[str] = Counter()
    for seed in range(200):
        pair = exchanged(300, seed, 0.08 if seed % 2 else 0.3)
        parts = [("label", Parts(("no", "yes"), pair[0].y))]
        verdicts[find(*pair, parts, Gates(flips=None), measured=(metrics.accuracy,)).judgement.verdict] += 1
    assert verdicts["better"] <= 10
    assert verdicts["worse"] <= 16  # at most 5 % by a slice, half of that by the metric, and chance on top


def test_equally_good_predictors_of_values() -> None:
    better = 0
    for seed in range(150):
        g = np.random.default_rng(seed)
        y, common = g.normal(size=250), g.standard_t(4, size=250)
        a, b = (y + common + 0.4 * g.standard_t(4, size=250) for _ in range(2))
        better += find(Values.of(y, a), Values.of(y, b), measured=(metrics.rmse,)).judgement.verdict == "better"
    assert better <= 9


def test_truly_better_challengers_are_called_so() -> None:
    found = 0
    for seed in range(8):
        g = np.random.default_rng(seed)
        y = g.integers(0, 2, 1_500)
        wrong = g.random(1_500) < 0.10
        mended = wrong & (g.random(1_500) < 0.3)
        a, b = np.where(wrong, 1 - y, y), np.where(wrong & ~mended, 1 - y, y)
        found += find(Sample.of(y, a), Sample.of(y, b), measured=(metrics.accuracy,)).judgement.verdict == "better"
    assert found == 8


def test_gates_from_a_file(tmp_path) -> None:
    file = tmp_path / "gates.toml"
    file.write_text('metric = "auc"\nrelative = 0.01\nflips = false\nlatency = 2\n[metrics]\nlog_loss = 0.02\n')
    gates = Gates.read(file)
    assert gates == Gates(metric="auc", relative=0.01, flips=None, latency=2.0, metrics={"log_loss": 0.02})
    assert gates.to_json()["metrics"] == {"log_loss": 0.02}
    for text, said in (
        ("flipss = 1", "Did you mean flips?"),
        ("flips = 2", "a number >= 0 and <= 1"),
        ('metric = "acuracy"', "Did you mean accuracy?"),
        ("margin = 0.1\nrelative = 0.1", "Two margins"),
        ("[metrics]\nlog_loss = -1", "a number >= 0"),
        ("[metrics]\nlogloss = 1", "Did you mean log_loss?"),
        ("slices = 1", "true or false"),
        ("=", "not TOML"),
    ):
        file.write_text(text)
        with pytest.raises(UsageError) as caught:
            Gates.read(file)
        assert said in str(caught.value)
    with pytest.raises(NotFound):
        Gates.read(tmp_path / "none.toml")
