"""Cells of tables: whatever they come in, the same row gives the same bytes, and gets back what it was."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify.data import grammar, values
from lithify.data.cells import Reader, as_text, decode, decode_row, encode_row, layout
from lithify.data.schema import Field
from lithify.data.split import TIME_MISSING
from lithify.errors import DataError

FIELDS = (
    Field("a", "number", "input"),
    Field("b", "category", "input"),
    Field("c", "boolean", "input"),
    Field("d", "text", "input"),
    Field("e", "time", "input"),
    Field("f", "number", "input"),
)
GONE = [None, "", " ", "NA", "?", math.nan]
plain_text = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.floats(allow_nan=False, width=64) | st.integers(-(2**53), 2**53)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda t: t.replace(microsecond=0))


def read(fields, columns: dict, task="classification"):
    return Reader(fields, task).read(pa.record_batch(columns))


def one(kind: str, cell: object, form: str = "") -> object:
    """What a cell is read as, the same in a column and in a dict; ``unread`` where it cannot be."""
    fields = (Field("x", kind, "input", form=form),)
    columns = read(fields, {"x": pa.array([cell])})
    content, misfits = encode_row(fields, {"x": cell})
    assert columns.contents == [content]
    assert columns.misfits == misfits
    cells = decode(fields, [content])
    found = cells.numbers[0, 0].item() if cells.numbers.size else cells.strings[0][0]
    return "unread" if misfits else None if found is None or found != found else found


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(numbers, plain_text, st.booleans(), plain_text, moments, st.booleans()), max_size=8))
def test_strings_types_and_dicts_give_the_same_bytes(rows):
    """A CSV, a typed frame and one dict after another."""
    rows = [{n: (None if gone and n != "b" else v) for n, v in zip("abcde", row, strict=False)} for *row, gone in rows]
    rows = [row | {"f": None if row["a"] is None else float(row["a"])} for row in rows]
    typed = {
        "a": pa.array([None if row["a"] is None else float(row["a"]) for row in rows], pa.float64()),
        "b": pa.array([row["b"] for row in rows], pa.string()).dictionary_encode(),
        "c": pa.array([row["c"] for row in rows], pa.bool_()),
        "d": pa.array([row["d"] for row in rows], pa.large_string()),
        "e": pa.array([row["e"] for row in rows], pa.timestamp("ms")),
        "f": pa.array([row["f"] for row in rows], pa.float64()),
    }
    written = {
        name: pa.array(["" if row[name] is None else f" {row[name]}\t" for row in rows], pa.string())
        for name in "abcdef"
    }
    by_type, by_text = read(FIELDS, typed), read(FIELDS, written)
    assert by_type.contents == by_text.contents == [encode_row(FIELDS, row)[0] for row in rows]
    assert not by_type.misfits
    assert not by_text.misfits


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(plain_text, st.from_regex(r"[-+]?[0-9,.]{1,9}(e[0-9]{1,3})?"), st.sampled_from(GONE))))
def test_any_text_is_read_alike_in_a_column_and_in_a_dict(cells):
    cells = [cell for cell in cells if not isinstance(cell, float)]
    for kind in ("number", "boolean", "time", "category", "text"):
        for form in ("", "1.234,5", "m/d/y"):
            fields = (Field("x", kind, "input", form=form),)
            columns = read(fields, {"x": pa.array(cells, pa.string())})
            rows = [encode_row(fields, {"x": cell}) for cell in cells]
            assert columns.contents == [content for content, _ in rows]
            assert columns.misfits.get("x", 0) == sum("x" in misfits for _, misfits in rows)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(allow_infinity=False), plain_text, plain_text), min_size=1, max_size=20))
def test_what_goes_in_comes_out(rows):
    fields = (Field("d", "text", "input"), Field("n", "number", "input"), Field("s", "category", "input"))
    contents = [encode_row(fields, {"n": n, "s": s, "d": d})[0] for n, s, d in rows]
    cells = decode(fields, contents)
    for i, (n, s, d) in enumerate(rows):
        assert struct.pack("<d", cells.numbers[i, 0]) == struct.pack("<d", n + 0.0 if n == n else math.nan)
        assert cells.strings[1][i] == (s.strip(grammar.STRIPPED) or None)
        assert cells.strings[0][i] == (d.strip(grammar.STRIPPED) or None)
        alone, strings = decode_row(layout(fields), contents[i])
        assert np.array_equal(alone, cells.numbers[i], equal_nan=True)
        assert strings == [cells.strings.raw(j)[i] for j in range(2)]
        assert [cells.strings.arrow(j)[i].as_py() for j in range(2)] == strings


def test_the_layout_is_the_one_promised():
    fields = (
        Field("z", "number", "input"), Field("b", "category", "input"), Field("a", "text", "input"),
        Field("k", "boolean", "input"), Field("y", "category", "label"), Field("i", "identifier", "left out"),
    )  # fmt: skip
    content, misfits = encode_row(fields, {"z": -0.0, "b": None, "a": "née", "k": "Yes", "y": "no", "i": 3})
    assert content == struct.pack("<ddII", 1.0, 0.0, 4, 0xFFFFFFFF) + "née".encode()
    assert misfits == {}
    assert math.copysign(1, struct.unpack_from("<dd", content)[1]) == 1


@pytest.mark.parametrize(
    ("kind", "cell", "found"),
    [
        ("number", "1,234,567.5", 1234567.5),
        ("number", "12,34", "unread"),
        ("number", "+5", 5.0),
        ("number", "1e400", None),
        ("number", "-inf", None),
        ("number", "Infinity", None),
        ("number", "1_000", "unread"),
        ("number", "0x10", "unread"),
        ("number", "١", "unread"),
        ("number", "-", None),
        ("number", True, 1.0),
        ("number", Decimal("0.1"), 0.1),
        ("number", 2**63 - 1, float(2**63 - 1)),
        ("number", datetime(2020, 1, 1), "unread"),
        ("boolean", "T", 1.0),
        ("boolean", "no", 0.0),
        ("boolean", 0, 0.0),
        ("boolean", 2, "unread"),
        ("boolean", "perhaps", "unread"),
        ("time", "2000-03-01", 951868800.0),
        ("time", "2000-03-01T00:00:00.25Z", 951868800.25),
        ("time", "2000-03-01 01:00:00+01:00", 951868800.0),
        ("time", "1/3/2000", 951868800.0),
        ("time", "1.3.00", 951868800.0),
        ("time", "3/1/2000 12:30 AM", 946859400.0),
        ("time", "951868800", 951868800.0),
        ("time", 951868800000, 951868800.0),
        ("time", date(2000, 3, 1), 951868800.0),
        ("time", datetime(2000, 3, 1, 1, tzinfo=timezone(timedelta(hours=1))), 951868800.0),
        ("time", "2001-02-29", "unread"),
        ("time", "0000-01-01", "unread"),
        ("time", "2000-01-01 24:00:00", "unread"),
        ("time", "soon", "unread"),
        ("time", 1e300, "unread"),
        ("category", "NA", "NA"),
        ("category", "  ", None),
        ("category", 3, "3"),
        ("category", 3.0, "3"),
        ("category", 2.5, "2.5"),
        ("category", False, "false"),
        ("category", date(2000, 3, 1), "2000-03-01"),
        ("category", math.nan, None),
        ("text", " two  words ", "two  words"),
        ("category", [1], "unread"),
        ("number", [1], "unread"),
        ("number", b"1", "unread"),
    ],
)  # fmt: skip
def test_how_a_cell_is_read(kind, cell, found):
    assert one(kind, cell) == found


def test_the_form_decides_what_a_cell_leaves_open():
    assert one("time", "3/1/2000", "m/d/y") == 951868800.0
    assert one("time", "1.3.2000", "m/d/y") == 951868800.0
    assert one("time", "13/1/2000", "m/d/y") == "unread"
    assert one("number", "1.234,5", "1.234,5") == 1234.5
    assert one("number", "1.234", "1.234,5") == 1234.0


@settings(deadline=None)
@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_dates_are_those_of_the_calendar(moment):
    exact = round((moment - datetime(1970, 1, 1)) / timedelta(microseconds=1)) / 1e6
    assert grammar.time(moment.isoformat()) == exact
    assert values.number(moment, "time") == exact
    assert grammar.time(moment.strftime("%d/%m/") + f"{moment.year:04d}") == (exact // 86400) * 86400


def test_numpy_scalars_are_read():
    fields = (Field("a", "number", "input"), Field("b", "category", "input"), Field("t", "time", "input"))
    row = {"a": np.float32(0.5), "b": np.int64(3), "t": np.datetime64("1970-01-02")}
    assert encode_row(fields, row) == encode_row(fields, {"a": "0.5", "b": "3", "t": "86400"})
    assert encode_row(fields, {"a": np.datetime64("NaT"), "t": np.datetime64("NaT")})[1] == {}


def test_roles_are_read_apart():
    fields = (
        Field("g", "number", "group"), Field("s", "category", "side"), Field("t", "time", "time"),
        Field("w", "number", "weight"), Field("x", "number", "input"), Field("y", "number", "label"),
    )  # fmt: skip
    batch = {"x": ["1", "2"], "y": ["1.0", ""], "t": ["1970-01-01 00:00:01.9", "soon"], "g": [7, None],
             "w": [2.0, None], "s": ["train", "test"], "unknown": [1, 2]}  # fmt: skip
    columns = read(fields, {name: pa.array(column) for name, column in batch.items()})
    assert columns.labels == ["1", None]
    assert columns.values is None
    assert columns.times.tolist() == [1, TIME_MISSING]
    assert columns.groups == ["7", None]
    assert columns.sides == ["train", "test"]
    assert columns.weights[0] == 2.0
    assert np.isnan(columns.weights[1])
    assert columns.misfits == {"t": 1}
    assert np.isnan(read(fields, {"x": pa.array(["1"])}, "regression").values).all()
    again = read(fields, {name: pa.array(column) for name, column in batch.items()}, "regression")
    assert again.labels is None
    assert again.values[0] == 1.0


def test_a_column_that_is_not_there_is_missing():
    assert read(FIELDS, {"a": pa.array([1.0])}).contents == [encode_row(FIELDS, {"a": 1})[0]]
    assert read(FIELDS, {"a": pa.array([], pa.float64())}).contents == []
    assert read((), {"a": pa.array([1.0])}).contents == [b""]


def test_slices_and_chunks_are_read_as_they_stand():
    table = pa.table({"a": pa.chunked_array([["1", "2"], ["x"]]), "b": pa.chunked_array([["p"], [None, "q"]])})
    contents = [encode_row(FIELDS, row)[0] for row in table.to_pylist()]
    assert Reader(FIELDS).read(table).contents == contents
    assert Reader(FIELDS).read(table.slice(1)).contents == contents[1:]
    assert Reader(FIELDS).read(table.combine_chunks().to_batches()[0].slice(1, 1)).contents == contents[1:2]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_units_of_timestamps(unit):
    moments = pa.array([datetime(2000, 3, 1, 1), None], pa.timestamp(unit))
    zoned = moments.cast(pa.timestamp(unit, "Europe/Paris"))
    for column in (moments, zoned):
        found = Reader(FIELDS).read(pa.record_batch({"e": column})).contents
        assert found[0] == encode_row(FIELDS, {"e": datetime(2000, 3, 1, 1, tzinfo=UTC)})[0]
        assert found[1] == encode_row(FIELDS, {})[0]


GOOD = encode_row(FIELDS, {"a": 1, "b": "é", "d": "ab"})[0]


@pytest.mark.parametrize(
    "bad",
    [
        b"", GOOD[:-1], GOOD + b"x", GOOD[:39] + b"\x7f", GOOD[:-3] + b"\xff\xff\xff",
        struct.pack("<4d2I", math.inf, 0, 0, 0, 0, 0), struct.pack("<4d2I", 0, 0, 0, 0, 1, 1) + "é".encode(),
        struct.pack("<4d2I", 0, 0, 0, 0, 0xFFFFFFFE, 0),
    ],
)  # fmt: skip
def test_malformed_contents_are_refused(bad):
    with pytest.raises(DataError, match="not of the fields"):
        decode(FIELDS, [GOOD, bad])
    with pytest.raises(DataError, match="not of the fields"):
        decode_row(layout(FIELDS), bad)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_crash(data):
    """Many and one alone agree on what is a row."""
    outcomes = []
    for call in (lambda: decode(FIELDS, [data]), lambda: decode_row(layout(FIELDS), data)):
        try:
            call()
            outcomes.append(True)
        except DataError:
            outcomes.append(False)
    assert outcomes[0] == outcomes[1]


def test_lone_surrogates_do_not_stop_a_row():
    assert decode(FIELDS, [encode_row(FIELDS, {"b": "a\ud800"})[0]]).strings[0] == ["a?"]


def test_cells_for_people():
    time = Field("t", "time", "input")
    assert as_text(time, 951868800.5) == "2000-03-01T00:00:00.500000"
    assert as_text(Field("n", "number", "input"), 3.0) == "3"
    assert as_text(Field("b", "boolean", "input"), 1.0) == "true"
    assert as_text(Field("c", "category", "input"), b"x") == "x"
    assert {as_text(time, None), as_text(time, math.nan)} == {"missing"}
