"""One row in plain Python gives the bits of many rows in arrays."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lithify import calibration, conformal, numerics

finite = st.floats(-1e6, 1e6)
rows = st.integers(2, 6).flatmap(lambda labels: st.lists(finite, min_size=labels, max_size=labels))
shares = st.floats(0.0, 1.0)


@given(st.floats())
def test_exponential_of_one_number(x: float) -> None:
    found, expected = numerics.exp_float(x), numerics.exp(np.full(8, x))[0]
    assert found == expected or (math.isnan(found) and math.isnan(expected))


@given(row=rows, slope=st.floats(1e-3, 1e3), offset=st.floats(-50.0, 50.0))
def test_probabilities_of_one_row(row: list[float], slope: float, offset: float) -> None:
    state = calibration.identity(len(row)) | {"slope": slope, "offset": offset}
    many = calibration.apply_temperature(state, np.tile(row, (8, 1)))
    assert calibration.apply_to_row(state, row) == many[0].tolist()


@given(row=st.lists(shares, min_size=2, max_size=6), data=st.data())
def test_set_of_one_row(row: list[float], data: st.DataObject) -> None:
    least = data.draw(st.lists(shares | st.sampled_from(row), min_size=len(row), max_size=len(row)))
    state = {"thresholds": least}
    assert conformal.set_of(state, row) == conformal.apply_sets(state, [row])[0].tolist()


@given(edges=st.sets(finite, max_size=4).map(sorted), value=st.floats(allow_nan=False), data=st.data())
def test_interval_of_one_row(edges: list[float], value: float, data: st.DataObject) -> None:
    margins = data.draw(st.lists(st.floats(0.0, 1e3), min_size=len(edges) + 1, max_size=len(edges) + 1))
    state = {"edges": edges, "margins": margins if edges else [None]}
    at = data.draw(st.sampled_from([value, *edges]))
    found = conformal.interval_of(state, at)
    expected = tuple(conformal.apply_intervals(state, [at])[0].tolist())
    assert [(a == b or (a != a and b != b)) for a, b in zip(found, expected, strict=True)] == [True, True]
