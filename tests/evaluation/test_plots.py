from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest

from lithify.evaluation import drawing, marks, plots


def points(spec):
    return [point for layer in spec["layer"] for point in layer.get("data", {}).get("values", []) if "say" in point]


def specs(e):
    cutoff = None if e.model.cutoffs is None else e.model.cutoffs["spam"]
    made = [
        plots.roc(e.y, e.probabilities, e.labels, cutoff),
        plots.reliability(e.y, e.probabilities, e.labels),
        plots.scores(e.y, e.probabilities, e.labels, None if cutoff is None else {"spam": cutoff}),
        plots.confusion(e.confusion, e.labels),
    ]
    return made + ([plots.roc_corner(e.y, e.probabilities, e.labels, cutoff)] if len(e.labels) == 2 else [])


@pytest.mark.parametrize("which", ["evaluation", "many"])
def test_plots_are_plain_json_and_can_be_drawn(which, request):
    for spec in specs(request.getfixturevalue(which)):
        assert json.loads(json.dumps(spec, allow_nan=False)) == spec
        picture = drawing.svg(spec)
        assert picture.startswith("<svg")
        assert "NaN" not in picture
        assert "undefined" not in picture
        assert "aria-label" in picture


def test_roc_goes_from_corner_to_corner(evaluation):
    corners = points(plots.roc(evaluation.y, evaluation.probabilities, evaluation.labels))
    assert (corners[0]["x"], corners[0]["y"]) == (0.0, 0.0)
    assert (corners[-1]["x"], corners[-1]["y"]) == (1.0, 1.0)


def test_corner_puts_no_loss_at_the_left_edge(evaluation):
    spec = plots.roc_corner(evaluation.y, evaluation.probabilities, evaluation.labels)
    x = spec["layer"][0]["encoding"]["x"]
    assert x["scale"]["type"] == "log"
    assert x["scale"]["domain"][0] == 0.5 / evaluation.counts["ham"]
    assert min(point["x"] for point in points(spec)) >= x["scale"]["domain"][0]


def test_scores_count_every_row(evaluation):
    found = points(plots.scores(evaluation.y, evaluation.probabilities, evaluation.labels))
    assert sum(point["y"] for point in found if point["y"] > 0) == evaluation.counts["spam"]
    assert -sum(point["y"] for point in found if point["y"] < 0) == evaluation.counts["ham"]


def test_reliability_counts_every_row_within_its_interval(evaluation):
    found = [
        p for p in points(plots.reliability(evaluation.y, evaluation.probabilities, evaluation.labels)) if "rows" in p
    ]
    unique = {point["x"]: point for point in found}.values()
    assert sum(point["rows"] for point in unique) == evaluation.rows
    assert all(point["low"] <= point["y"] <= point["high"] for point in unique)


def test_thin_curves_stay_small():
    g = np.random.default_rng(0)
    y = g.integers(0, 2, 50_000)
    p = g.random(50_000)
    assert len(json.dumps(plots.roc(y, np.stack([1 - p, p], axis=1), ("a", "b")))) < 300_000


def test_labels_that_are_cut_alike_stay_apart():
    labels = ("x" * 30 + "1", "x" * 30 + "2", "short")
    values = plots.confusion(np.eye(3, dtype=np.int64), labels)["data"]["values"]
    assert len({(value["truth"], value["predicted"]) for value in values}) == 9


def test_colours_are_told_apart():
    assert len(set(marks.PALETTE.values())) == len(marks.PALETTE)


def test_data_of_a_specification_is_not_fetched():
    spec = {"data": {"url": "http://127.0.0.1:9/x.json"}, "mark": "point", "encoding": {}}
    with contextlib.suppress(ValueError):
        assert "127.0.0.1" not in drawing.svg(spec)


def test_corner_reaches_down_to_the_sealed_cutoff(evaluation):
    highest = float(evaluation.probabilities[:, 1].max())
    spec = plots.roc_corner(evaluation.y, evaluation.probabilities, evaluation.labels, highest)
    (dot,) = spec["layer"][-2]["data"]["values"]
    caught = (evaluation.probabilities[evaluation.y == 1, 1] >= highest).mean()
    assert dot["y"] == caught  # not lifted to the edge of the plot
