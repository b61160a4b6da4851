"""Evaluation of models of tables: both tasks, from figures to page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lithify import canon, metrics
from lithify.errors import DataError
from lithify.evaluation import drawing, plots
from lithify.evaluation.evaluate import evaluate
from lithify.evaluation.fields import with_cell
from lithify.evaluation.report import render
from lithify.evaluation.summary import headlines, measured_on, summary
from lithify.features.base import Column
from lithify.learners.forest.forest import Forest

from .tables import WORKS, StandInTableModel, make_table
from .test_report import Page

LABELS = ("low", "middling", "high")


@pytest.fixture(scope="module")
def binary():
    return evaluate(*make_table())


@pytest.fixture(scope="module")
def several():
    return evaluate(*make_table(labels=LABELS))


@pytest.fixture(scope="module")
def values():
    return evaluate(*make_table(task="regression"), looks=1)


def test_figures_of_values(values):
    model, snapshot = make_table(task="regression")
    rows = np.flatnonzero(snapshot.table.side == 3)
    y, predicted = snapshot.table.value[rows], model.values(model.raw(snapshot.content(rows)))
    np.testing.assert_array_equal(values.y, y)
    np.testing.assert_array_equal(values.predicted, predicted)
    expected = metrics.measure_values(y, predicted)
    assert list(values.metrics) == list(expected)
    assert values.metrics["rmse"]["value"] == expected["rmse"].value
    assert values.metrics["rmse"]["unit"] == "value"
    assert (values.labels, values.counts, values.verdicts) == ((), {}, None)
    assert values.probabilities.shape == (len(rows), 0)


def test_a_learned_quantile_is_held_to_its_level(values):
    model, snapshot = make_table(task="regression")
    model.card["recipe"]["params"] = {"objective": "quantile", "quantile": 0.8}
    found = evaluate(model, snapshot).metrics["pinball_loss"]
    assert found["value"] == metrics.pinball_loss(values.y, values.predicted, 0.8)
    assert "pinball_loss" not in values.metrics


def test_tables_have_no_figures_of_filters(binary, several):
    whole = ["auc", "accuracy", "balanced_accuracy", "f1", "log_loss", "brier", "calibration_error"]
    assert list(binary.metrics) == whole
    assert list(several.metrics) == whole
    text = Page(render(binary)).text
    assert not any(word in text for word in ("ROCA", "LAM", "hindsight", "missed at"))


class Drawn(StandInTableModel):
    """A model that is one tree: first it asks for the age, then for the work."""

    def tree(self):
        once = {"feature": [0, 1], "threshold": [40.0, 0.0], "left": [-1, -2], "right": [1, -3], "flags": [2, 1]}
        rest = {"value": [-1.0, 0.5, 1.0], "cover": [10.0, 5.0, 5.0], "gain": [1.0, 1.0], "set_bits": [4]}
        others = {"start": [0, 3], "output": [0], "set_start": [0, 1], "scale": [1.0], "bias": [0.0]}
        kinds = {"feature": np.int32, "left": np.int32, "right": np.int32, "flags": np.uint8, "set_bits": np.uint32}
        kinds |= {"start": np.int64, "output": np.int32, "set_start": np.int64}
        given = once | rest | others
        return Forest(**{name: np.array(values, kinds.get(name, float)) for name, values in given.items()})

    def columns(self):
        return [Column("numbers", "age", "number"), Column("categories", "work", "category", tuple(WORKS))]


def test_a_drawn_tree_says_where_missing_cells_go_only_where_there_are_some():
    model, snapshot = make_table(600, labels=("no", "yes"))
    drawn = Drawn("classification", ("no", "yes"))
    e = evaluate(drawn, snapshot)
    assert e.insights.complete == ("citizen", "hours <per week>", "joined", "notes", "work")
    shown = Page(render(e)).text
    assert "(or missing)" in shown
    rows = np.flatnonzero(snapshot.table.side == 3)
    whole = with_cell(model.fields, [snapshot.contents[row] for row in rows], "age", 39.0)
    for row, content in zip(rows.tolist(), whole, strict=True):
        snapshot.contents[row] = content
    e = evaluate(drawn, snapshot)
    assert "age" in e.insights.complete
    assert "(or missing)" not in Page(render(e)).text
    assert evaluate(model, snapshot).insights.complete == ()


def test_worst_mistakes_of_values_are_the_furthest_off(values):
    off = [abs(one.truth - one.predicted) for one in values.mistakes]
    assert off == sorted(off, reverse=True)
    assert off[0] == np.abs(values.y - values.predicted).max()
    for one in values.mistakes:
        assert values.snapshot.table.key[one.row].tobytes().hex() == one.key
        assert values.snapshot.table.value[one.row] == one.truth


@pytest.mark.parametrize("which", ["binary", "several", "values"])
def test_insights(which, request):
    e = request.getfixturevalue(which)
    names = [one.field for one in e.insights.dependence]
    assert names == ["work", "age", "joined", "hours <per week>"]  # "notes: night" is no field
    outputs = [name for name, _ in e.insights.dependence[0].curves]
    assert outputs == {"binary": ["yes"], "several": list(LABELS), "values": [""]}[which]
    assert e.insights.importances[0] == ("work", 0.4)
    assert e.insights.slices.worst
    assert e.model.asked < 4 * 20 * 1000 + 2 * len(e.snapshot.contents)


def test_the_noisy_slice_is_found(values):
    worst = values.insights.slices.worst[0]
    assert (worst.field, worst.value, worst.worse) == ("work", "<b>judge</b>", True)
    assert not any(one.field == "notes" for one in values.insights.slices.worst)


def test_coverage_of_labels_in_any_order():
    """Of two labels the positive one is shown last; the sets were fitted with the columns as the model has them."""
    model, snapshot = make_table(labels=("no", "yes"))
    plain = evaluate(model, snapshot).coverage
    model.spam = "no"
    turned = evaluate(model, snapshot)
    assert turned.labels == ("yes", "no")
    assert turned.coverage == plain
    assert {line.name for line in plain.lines} == {"no", "yes"}


@pytest.mark.parametrize("which", ["binary", "several", "values"])
def test_json_is_canonical(which, request):
    found = request.getfixturevalue(which).to_json()
    assert canon.loads(canon.dumps(found)) == found
    assert found["task"] == ("regression" if which == "values" else "classification")
    assert found["coverage"]["stated"] == 0.9
    assert found["insights"]["slices"]["looked_at"] > 10
    assert b"row number" not in canon.dumps(found)


@pytest.mark.parametrize("which", ["binary", "several", "values"])
def test_page(which, request):
    e = request.getfixturevalue(which)
    page = render(e, show_content=True)
    parsed = Page(page)
    assert parsed.open == []
    assert page.count("<svg") == {"binary": 10, "several": 10, "values": 9}[which]
    assert "<b>judge</b>" in parsed.text
    assert "age = 39" in parsed.text
    assert "citizen: true" in parsed.text
    for needed in ("Which fields count", "What age does", "Where it is worst", "Bonferroni", "Stated and found"):
        assert needed in parsed.text, needed
    assert "notes: row number" in parsed.text


def test_cells_of_rows_only_when_asked_for(values):
    assert "row number" not in Page(render(values)).text


@pytest.mark.parametrize("which", ["binary", "several", "values"])
def test_plots_of_tables_are_plain_json(which, request):
    e = request.getfixturevalue(which)
    made = [plots.importances(e.insights.importances), plots.coverage(e.coverage)]
    made += [plots.dependence(one, "probability") for one in e.insights.dependence]
    if e.task == "regression":
        made += [f(e.y, e.predicted) for f in (plots.agreement, plots.against_predicted, plots.histogram)]
    for spec in made:
        assert json.loads(json.dumps(spec, allow_nan=False)) == spec
        picture = drawing.svg(spec)
        assert "NaN" not in picture
        assert "undefined" not in picture


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e12])
@pytest.mark.parametrize("n", [2, 300, 3000])
def test_residual_plots_of_any_size(n, scale):
    g = np.random.default_rng(0)
    y = g.normal(size=n) * scale
    for predicted in (y + g.normal(size=n) * scale / 3, y, np.full(n, scale)):
        for made in (plots.agreement, plots.against_predicted, plots.histogram):
            json.dumps(made(y, predicted), allow_nan=False)
    bars = plots.histogram(y, y + g.normal(size=n) * scale)["layer"][0]["data"]["values"]
    assert sum(bar["y2"] for bar in bars) == n


def test_words_of_values(values):
    first, second, third = summary(values)
    assert first.startswith("Predictions are off by ")
    assert "of the variance" in second
    assert third.startswith("Intervals stated to hold the truth for 90.0 % of rows hold it for ")
    assert len(headlines(values)) == 4
    assert measured_on(values)[0] == f"{values.rows:,} rows of the test split, split by time."
    assert all(row.value and row.interval for row in values.table())


def test_a_model_and_a_snapshot_of_different_tasks():
    model, _ = make_table(300)
    _, snapshot = make_table(300, "regression")
    with pytest.raises(DataError, match="another task"):
        evaluate(model, snapshot)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_no_conformal_no_importances_and_tiny_splits(task):
    model, snapshot = make_table(300, task)
    model.conformal, model.importances = None, lambda: None
    snapshot.table.side[np.flatnonzero(snapshot.table.side == 3)[1:]] = 0
    e = evaluate(model, snapshot)
    assert (e.coverage, e.insights.importances, e.insights.dependence, e.rows) == (None, (), (), 1)
    assert "No field parts these rows" in render(e)
