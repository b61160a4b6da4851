"""Partial dependence, against the plainest possible code; coverage; which values are shown."""

from __future__ import annotations

import numpy as np
import pytest

from lithify import conformal
from lithify.data.cells import decode
from lithify.data.schema import Field
from lithify.evaluation import coverage
from lithify.evaluation.dependence import GRID, SEEN, dependence, grid, sample
from lithify.evaluation.fields import FieldCells, cells_of

from .tables import FIELDS, make_table, rows_of, rule


def by_name(contents):
    return {one.field.name: one for one in cells_of(FIELDS, contents)}


def predict(contents):
    cells = decode(FIELDS, contents)
    return rule(cells.numbers, cells.strings[1])[:, None]


def test_curve_of_a_number():
    contents, numbers, works = rows_of(300, 0)
    found = dependence(FIELDS, contents, by_name(contents)["age"], predict, ("",), False)
    for at, mean in zip(found.at, found.curves[0][1], strict=True):
        changed = numbers.copy()
        changed[:, 0] = at
        assert mean == pytest.approx(rule(changed, works).mean())
    assert len(found.at) <= GRID
    assert found.rows == 300


def test_curves_of_a_category_and_a_boolean():
    contents, numbers, _ = rows_of(300, 0)
    found = dependence(FIELDS, contents, by_name(contents)["work"], predict, ("",), False)
    assert found.names[0] == "clerk"
    assert "tutor" not in found.names
    for name, mean in zip(found.names, found.curves[0][1], strict=True):
        assert mean == pytest.approx(rule(numbers, [name] * 300).mean())
    assert not found.ordered
    flags = dependence(FIELDS, contents, by_name(contents)["citizen"], predict, ("",), False)
    no, yes = flags.curves[0][1]
    assert (flags.names, yes - no) == (("false", "true"), pytest.approx(3.0))


def cells(values, kind="number"):
    return FieldCells(Field("x", kind, "input"), np.array(values, dtype=float))


def test_a_grid_shows_no_value_of_few_rows():
    g = np.random.default_rng(0)
    values = np.append(g.normal(100.0, 20.0, 999), 1e9)
    tried = np.array(grid(cells(values)))
    assert len(tried) == GRID
    assert tried.max() < 150.0
    assert not np.isin(tried, values).any()
    assert grid(cells([1.0] * SEEN + [2.0] * SEEN + [3.0] * (SEEN - 1))) == [1.0, 2.0]
    column = np.empty(2 * SEEN + 3, dtype=object)
    column[:] = ["a"] * (SEEN - 1) + ["b"] * SEEN + [None] * 4
    assert grid(FieldCells(Field("x", "category", "input"), column)) == ["b"]


@pytest.mark.parametrize("values", [[np.nan] * 50, [4.0] * 50, []])
def test_nothing_to_try(values):
    assert dependence(FIELDS, [b""], cells(values), predict, ("",), False) is None


def test_a_sample_goes_by_the_keys_and_not_by_the_order_of_rows():
    keys = np.random.default_rng(0).integers(0, 256, (500, 32)).astype(np.uint8)
    kept = sample(keys, 40)
    assert len(kept) == 40
    turned = np.random.default_rng(1).permutation(500)
    again = sample(keys[turned], 40)
    assert {keys[i].tobytes() for i in kept} == {keys[turned][i].tobytes() for i in again}
    expected = sorted(key.tobytes() for key in keys)[:40]
    assert sorted(keys[i].tobytes() for i in kept) == expected
    assert sample(keys, 1000).tolist() == list(range(500))


def test_coverage_of_sets_counts_what_the_sets_hold():
    model, snapshot = make_table(2000, labels=("a", "b", "c"))
    p = model.probabilities(model.raw(snapshot.contents))
    y = snapshot.table.label.astype(np.int64)
    found = coverage.of_sets(model.conformal, p, y, model.labels)
    sets = conformal.apply_sets(model.conformal, p)
    for line, code in zip(found.lines, range(3), strict=True):
        assert line.covered == sets[y == code, code].sum()
        assert line.rows == (y == code).sum()
        assert line.low < line.share < line.high
    assert sum(found.sizes.values()) == found.whole.rows == 2000
    assert found.whole.size == pytest.approx(sets.sum(axis=1).mean())
    assert found.stated == 0.9
    assert found.whole.share > 0.85


def test_coverage_of_intervals_by_predicted_value():
    model, snapshot = make_table(2000, "regression")
    predicted, y = model.values(model.raw(snapshot.contents)), snapshot.table.value
    found = coverage.of_intervals(model.conformal, predicted, y)
    ends = conformal.apply_intervals(model.conformal, predicted)
    assert found.whole.covered == ((ends[:, 0] <= y) & (y <= ends[:, 1])).sum()
    assert found.whole.size == pytest.approx(np.median(ends[:, 1] - ends[:, 0]))
    assert sum(line.rows for line in found.lines) == 2000
    assert len(found.lines) == 5
    few = coverage.of_intervals(conformal.fit_intervals([0.0], [1.0]), predicted[:7], y[:7])
    assert (few.whole.share, few.whole.size, len(few.lines)) == (1.0, None, 1)
