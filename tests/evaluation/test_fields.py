"""Cells by field, one cell changed, rows parted by a field."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.data.cells import decode, encode_row
from lithify.data.schema import Field
from lithify.evaluation.fields import FieldCells, cells_of, with_cell
from lithify.evaluation.parts import PARTS, between, parts_of

from .tables import FIELDS, rows_of

texts = st.none() | st.text("aä€\u0000x", min_size=1, max_size=4)
numbers = st.none() | st.floats(-1e9, 1e9)
a_row = st.fixed_dictionaries(
    {"age": numbers, "citizen": st.sampled_from([None, True, False]), "notes": texts, "work": texts}
)


@given(st.lists(a_row, min_size=1, max_size=4), numbers, texts)
def test_a_changed_cell_is_what_it_would_have_been_encoded_as(rows, age, work):
    plain = [encode_row(FIELDS, row)[0] for row in rows]
    changed = with_cell(FIELDS, with_cell(FIELDS, plain, "age", age), "work", work)
    cells = decode(FIELDS, changed)
    for i, row in enumerate(rows):
        expected = decode(FIELDS, [encode_row(FIELDS, row | {"age": age})[0]])
        np.testing.assert_array_equal(cells.numbers[i], expected.numbers[0])
        assert cells.strings[0][i] == expected.strings[0][0]
        assert cells.strings[1][i] == work
    again = with_cell(FIELDS, changed, "notes", None)
    assert decode(FIELDS, again).strings[0] == [None] * len(rows)
    assert decode(FIELDS, again).strings[1] == [work] * len(rows)


def test_missing_is_written_as_the_encoder_writes_it():
    plain = encode_row(FIELDS, {"age": 3.0, "work": "cook"})[0]
    assert with_cell(FIELDS, [plain], "age", None) == [encode_row(FIELDS, {"work": "cook"})[0]]
    assert with_cell(FIELDS, [plain], "work", None) == [encode_row(FIELDS, {"age": 3.0})[0]]


def test_cells_are_those_of_the_rows_without_free_text():
    contents, numbers, works = rows_of(40, 0)
    found = {one.field.name: one.values for one in cells_of(FIELDS, contents)}
    assert list(found) == ["age", "citizen", "hours <per week>", "joined", "work"]
    np.testing.assert_array_equal(found["age"], numbers[:, 0])
    assert found["work"].tolist() == works


def number(values, kind="number"):
    return FieldCells(Field("x", kind, "input"), np.array(values, dtype=float))


def category(values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return FieldCells(Field("x", "category", "input"), column)


def test_fifths_of_numbers_with_edges_of_few_digits():
    values = np.random.default_rng(0).normal(37.123, 9.0, 5000)
    parts = parts_of(number(values))
    sizes = np.bincount(parts.codes)
    assert len(parts.names) == len(sizes) == PARTS
    assert (np.abs(sizes - 1000) <= 200).all()
    assert max(len(edge.strip()) for name in parts.names for edge in name.split() if edge[0].isdigit()) <= 4
    bottom = float(parts.names[0].removeprefix("below "))
    np.testing.assert_array_equal(parts.codes == 0, values < bottom)


def test_an_edge_at_a_value_of_many_rows_is_short_too():
    g = np.random.default_rng(0)
    values = np.concatenate([g.random(300) * 100.0, np.full(700, 275315.80154355016), 3e5 + g.random(300) * 1e5])
    parts = parts_of(number(values))
    assert all(len(edge) <= 6 for name in parts.names for edge in name.split() if edge[0].isdigit()), parts.names
    assert len(set(parts.codes[300:1000])) == 1


def test_few_numbers_are_parts_by_themselves_and_rare_ones_are_in_none():
    parts = parts_of(number([1.0] * 60 + [2.5] * 60 + [7.0] * 10 + [np.nan] * 50))
    assert parts.names == ("1", "2.5", "missing")
    assert np.bincount(parts.codes + 1).tolist() == [10, 60, 60, 50]


def test_missing_cells_stay_out_of_the_fifths():
    parts = parts_of(number([*range(500), *[np.nan] * 30]))
    assert (parts.codes[-30:] == -1).all()
    assert (parts.codes[:-30] >= 0).all()


def test_categories_seen_often_enough():
    parts = parts_of(category(["b"] * 70 + ["a"] * 49 + [None] * 51 + ["missing"] * 50))
    assert sorted(parts.names) == ["b", "missing", "missing"]
    assert np.bincount(parts.codes + 1).tolist() == [49, 70, 50, 51]


def test_names_of_booleans_and_times():
    assert parts_of(number([0.0, 1.0] * 60, "boolean")).names == ("false", "true")
    names = parts_of(number(np.arange(500) * 86_400.0, "time")).names
    assert names[0].startswith("below 1970-0")


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1e300]), min_size=1, max_size=300))
def test_every_number_is_in_one_part(values):
    parts = parts_of(number(values), 1)
    assert (parts.codes >= 0).all()
    assert len(set(parts.names)) == len(parts.names) <= max(PARTS, 2)
    assert (np.bincount(parts.codes, minlength=len(parts.names)) > 0).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(parts.codes[order]) >= 0).all()


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_between_is_above_the_lower_and_at_most_the_upper(a, b):
    low, high = min(a, b), max(a, b)
    if low < high:
        assert low < between(low, high) <= high


@pytest.mark.parametrize(("low", "high", "expected"), [(37.2, 41.9, 40.0), (0.0012, 0.0019, 0.0015), (-3.0, 5.0, 1.0)])
def test_between_is_short(low, high, expected):
    found = between(low, high)
    assert len(str(found)) <= len(str(expected))
