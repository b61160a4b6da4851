"""The worst slices, against counting by hand; and what chance makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from lithify import metrics
from lithify.data.schema import Field
from lithify.evaluation.fields import FieldCells
from lithify.evaluation.slices import SHOWN, slices


def columns(n, fields, seed=0):
    g = np.random.default_rng(seed)
    made = []
    for j in range(fields):
        column = np.empty(n, dtype=object)
        column[:] = g.choice(["red", "green", "blue", "rare"], n, p=[0.4, 0.35, 0.24, 0.01]).tolist()
        made.append(FieldCells(Field(f"field {j}", "category", "input"), column))
    return made


def test_a_bad_slice_comes_first_with_its_figures():
    found = columns(2000, 6)
    blue = found[3].values == "blue"
    missed = (np.random.default_rng(1).random(2000) < np.where(blue, 0.4, 0.1)).astype(float)
    result = slices(found, missed, "share")
    worst = result.worst[0]
    assert (worst.field, worst.value, worst.rows, worst.worse) == ("field 3", "blue", int(blue.sum()), True)
    assert worst.error == pytest.approx(missed[blue].mean())
    assert (worst.low, worst.high) == metrics.wilson(missed[blue].sum(), blue.sum())
    assert result.looked_at == 18
    assert result.error == pytest.approx(missed.mean())
    order = [(not one.worse, -one.low) for one in result.worst]
    assert order == sorted(order)
    assert len(result.worst) <= SHOWN


def test_values():
    found = columns(2000, 2)
    red = found[0].values == "red"
    missed = np.random.default_rng(1).normal(size=2000) * np.where(red, 3.0, 1.0)
    worst = slices(found, missed, "value").worst[0]
    assert (worst.field, worst.value, worst.worse) == ("field 0", "red", True)
    assert worst.error == pytest.approx(np.sqrt((missed[red] ** 2).mean()))
    assert worst.low < worst.error < worst.high


@pytest.mark.parametrize("unit", ["share", "value"])
def test_chance_alone_seldom_marks_a_slice(unit, monkeypatch):
    """Of 40 tables of nothing but noise with 90 slices each at most a few may have one that is marked."""
    monkeypatch.setattr("lithify.evaluation.slices.SHOWN", 1)  # marked ones come first
    marked = 0
    for seed in range(40):
        g = np.random.default_rng(1000 + seed)
        missed = (g.random(600) < 0.2).astype(float) if unit == "share" else g.normal(size=600)
        marked += any(one.worse for one in slices(columns(600, 30, seed), missed, unit).worst)
    assert marked <= 6


def test_small_slices_and_fields_of_one_value_are_not_looked_at():
    column = np.empty(100, dtype=object)
    column[:] = "same"
    alone = FieldCells(Field("x", "category", "input"), column)
    result = slices([alone], np.ones(100), "share")
    assert (result.looked_at, result.worst) == (0, ())
    assert slices(columns(40, 3), np.ones(40), "share").looked_at == 0


def test_no_mistakes_no_worst_slices():
    result = slices(columns(500, 3), np.zeros(500), "share")
    assert result.looked_at == 9
    assert result.worst == ()


def test_a_slice_of_nearly_all_rows_is_not_listed():
    """Four rows without an error are no reason to call all others worse."""
    column = np.array(["usual"] * 1196 + ["odd"] * 4, dtype=object)
    missed = np.concatenate([np.arange(1196) % 8 == 7, np.zeros(4)]).astype(float)
    found = slices([FieldCells(Field("gain", "category", "input"), column)], missed, "share")
    assert (found.looked_at, found.worst) == (0, ())
