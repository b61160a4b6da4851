"""Kinds, roles and the task are found out by stated rules, and every decision says why."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify import rng
from lithify.data.cells import Reader, encode_row
from lithify.data.fields import Asked, infer
from lithify.errors import TooFewRows, UsageError

N = 60


def table(**columns) -> pa.RecordBatch:
    """Each column repeated or cut to N rows, and a label."""
    made = {}
    for name, cells in columns.items():
        made[name] = cells if isinstance(cells, pa.Array) else pa.array([cells[i % len(cells)] for i in range(N)])
    rows = max(len(column) for column in made.values())
    return pa.record_batch(
        made | ({} if "y" in made else {"y": pa.array(["a", "b"] * (rows // 2) + ["a"] * (rows % 2))})
    )


def inferred(asked=None, **columns):
    batch = table(**columns)
    return infer(batch.schema.names, [batch], asked or Asked(label="y"))


def only(cells, kind: str | None = None):
    """The field of a column of such cells."""
    asked = Asked(label="y", kinds={} if kind is None else {"x": kind})
    return next(one for one in inferred(asked, x=cells).fields if one.name == "x")


NAMES = ["Ada", "Bob", "Cleo", "Dan", "Eve"]
TEXTS = [f"this is note number {i} of all of them" for i in range(N)]


@pytest.mark.parametrize(
    ("cells", "kind", "role", "why"),
    [
        (["1", "2.5", "-3e2"], "number", "input", "all of 60 cells are numbers"),
        (["1,000", "2,500.5"], "number", "input", "all of 60 cells are numbers"),
        (["1.000,5", "2,5", "7"], "number", "input", "numbers with a decimal comma"),
        (["1", "NA", "2"], "number", "input", '40 cells are numbers, all that are not missing ("?" and the like'),
        (["1", "", "2"], "number", "input", "40 cells are numbers, all that are not missing"),
        (["1", "inf"], "number", "input", "30 infinite ones too"),
        (["0", "1"], "number", "input", "all of 60 cells are numbers"),
        (["00501", "10001"], "category", "input", "2 different values"),
        (["yes", "no", "No"], "boolean", "input", "all of 60 cells are yes or no"),
        (["T", "F", "?"], "boolean", "input", "t or f"),
        (["yes", "no", "perhaps"], "category", "input", "3 different values"),
        (["2020-01-01", "2020-02-03 10:00"], "time", "input", "all of 60 cells are dates or times"),
        (["31/01/2020", "1/2/2020"], "time", "input", "the day comes first, 30 days above 12 say so"),
        (["01/31/2020", "1/2/2020"], "time", "input", "the month comes first, 30 days above 12 say so"),
        (["01/31/2020", "1/2/2020", "13/2/2020", "1/30/2020"], "time", "input", "15 dates the other way"),
        (["01/02/2020", "1/3/2020"], "time", "input", "is a guess"),
        (NAMES, "category", "input", "5 different values"),
        (["NA", "?", "x"], "category", "input", "3 different values"),
        (TEXTS, "text", "input", "9.0 words in a cell"),
        ([f"u{i:04d}" for i in range(N)], "identifier", "left out", "all of its cells are different"),
        (["a"], "category", "left out", "all cells are equal"),
        (["a", ""], "category", "input", "1 different value"),
        ([""], "category", "left out", "all cells are missing"),
        ([7], "number", "left out", "all cells are equal"),
        ([None], "category", "left out", "all cells are missing"),
        ([1, 2, 3], "number", "input", "all of 60 cells are numbers"),
        ([1.5, None], "number", "input", "30 cells are numbers, all that are not missing"),
        ([1.5, 2.0, float("inf"), float("nan")], "number", "input", "15 infinite ones too"),
        ([True, False], "boolean", "input", "true or false"),
        ([Decimal("1.5"), Decimal("2")], "number", "input", "all of 60 cells are numbers"),
        ([dt.date(2020, 1, 1), dt.date(2020, 1, 2)], "time", "input", "all of 60 cells are times"),
        ([[1], [2]], "category", "left out", "of type list, which is not read"),
        ([b"x", b"y"], "category", "left out", "of type binary, which is not read"),
    ],
)  # fmt: skip
def test_kinds(cells, kind, role, why):
    found = only(cells)
    assert (found.kind, found.role) == (kind, role)
    assert why in found.why


@pytest.mark.parametrize(
    ("name", "cells", "role"),
    [
        ("id", list(range(100, 160)), "left out"),
        ("user_id", [str(7 * i) for i in range(N)], "left out"),
        ("PassengerId", list(range(1, 61)), "left out"),
        ("", list(range(60)), "left out"),
        ("amount", [7 * i for i in range(N)], "input"),
        ("year", list(range(1900, 1960)), "input"),
        ("user_id", [i % 30 for i in range(N)], "input"),
        ("valid", [7 * i for i in range(N)], "input"),
    ],
)
def test_whole_numbers_that_name_rows(name, cells, role):
    found = {one.name: one for one in inferred(None, **{name: cells}).fields}[name]
    assert found.role == role
    assert (found.kind == "identifier") == (role == "left out")


def test_a_categorical_column_is_one_whatever_its_values():
    found = only(pa.array([str(i) for i in range(N)]).dictionary_encode())
    assert (found.kind, found.role) == ("category", "input")
    assert "categorical" in found.why


def test_kinds_can_be_set():
    assert only(["1", "2"], "category").kind == "category"
    assert only(["1", "2"], "identifier").role == "left out"
    assert only([f"u{i:04d}" for i in range(N)], "category").role == "input"
    assert only(["7"], "number").role == "input"
    with pytest.raises(UsageError, match="no such kind"):
        only(["1"], "colour")
    with pytest.raises(UsageError, match="Did you mean 'x'"):
        inferred(Asked(label="y", kinds={"xx": "number"}), x=["1"])


def test_an_odd_cell_in_many_does_not_change_the_kind():
    cells = pa.array(["oops", *map(str, range(999))])
    found = only(cells)
    assert found.kind == "number"
    assert "999 of 1,000 cells are numbers, the others count as missing" in found.why
    assert only(pa.array(["oops", "oops", *map(str, range(100))])).kind != "number"


@pytest.mark.parametrize(
    ("cells", "task", "kind", "why"),
    [
        (["a", "b"], "classification", "category", "2 different values"),
        (["yes", "no"], "classification", "category", "2 different values"),
        ([True, False], "classification", "boolean", "true or false"),
        (["0", "1"], "classification", "number", "at most 20 whole numbers are labels"),
        (["1.0", "2.0"], "classification", "number", "at most 20 whole numbers are labels"),
        ([1.5, 2.5], "regression", "number", "not all whole"),
        (["1.5", "2.5"], "regression", "number", "not all whole"),
        (list(range(20)), "classification", "number", "20 different values"),
        (list(range(21)), "regression", "number", "more than 20"),
        ([f"u{i:04d}" for i in range(N)], "classification", "category", "60 different values"),
        (["2020-01-01", "2020-01-02"], "classification", "category", "2 different values"),
    ],
)
def test_the_task_is_told_by_the_label(cells, task, kind, why):
    found = inferred(None, x=["1", "2"], y=cells)
    label = next(one for one in found.fields if one.role == "label")
    assert (found.task, label.kind) == (task, kind)
    assert why in label.why


def test_the_task_can_be_set():
    assert inferred(Asked(label="y", task="regression"), x=["1"], y=["0", "1"]).task == "regression"
    assert inferred(Asked(label="y", task="classification"), x=["1"], y=[1.5, 2.5]).task == "classification"
    with pytest.raises(UsageError, match="cannot be learned as a number"):
        inferred(Asked(label="y", task="regression"), x=["1"], y=["a", "b"])


def test_plain_names_of_the_label():
    for name in ("target", "Label", "CLASS", " y "):
        batch = pa.record_batch({"x": ["1", "2"], name: ["a", "b"]})
        assert next(f.name for f in infer(["x", name], [batch], Asked()).fields if f.role == "label") == name
    batch = pa.record_batch({"x": ["1"], "z": ["a"]})
    with pytest.raises(UsageError, match=r"Found: the columns 'x', 'z'\. Name it with --label\."):
        infer(["x", "z"], [batch], Asked())
    with pytest.raises(UsageError, match=r"Several columns could be the label\. Found: the columns 'y', 'target'"):
        infer(["y", "x", "target"], [], Asked())
    with pytest.raises(UsageError, match=r"no column 'tarjet'.*Did you mean 'target'"):
        infer(["x", "target"], [], Asked(label="tarjet"))


def test_roles():
    found = inferred(
        Asked(label="y", time="t", group="g", weight="w", side="s"),
        x=["1", "2"], t=["13/01/2020", "1/2/2020"], g=list(range(N)), w=[1.0, 2.0], s=["train", "test"],
    )  # fmt: skip
    assert {one.name: (one.kind, one.role) for one in found.fields} == {
        "g": ("number", "group"), "s": ("category", "side"), "t": ("time", "time"),
        "w": ("number", "weight"), "x": ("number", "input"), "y": ("category", "label"),
    }  # fmt: skip
    assert [one.name for one in found.fields] == sorted("gstwxy")
    epochs = inferred(Asked(label="y", time="t"), x=["1", "2"], t=["951868800", "951868801"])
    assert "read as seconds since 1970" in next(one.why for one in epochs.fields if one.name == "t")
    for asked, what in (
        (Asked(label="y", time="x"), "cannot be the time"),
        (Asked(label="y", weight="x"), "cannot be the weight"),
        (Asked(label="y", group="y"), "cannot be both the label and the group"),
        (Asked(label="y", group="nothing"), "no column 'nothing' to be the group"),
    ):
        with pytest.raises(UsageError, match=what):
            inferred(asked, x=NAMES)


def test_nothing_to_learn_from():
    with pytest.raises(TooFewRows, match="no rows"):
        infer(["x", "y"], [], Asked())
    with pytest.raises(TooFewRows, match="no cell that is not missing"):
        inferred(None, x=["1"], y=["", " "])


def test_what_a_person_is_told():
    found = inferred(
        None,
        k=["a"],
        d=["1/2/2020", "2/3/2020"],
        n=["1", "?", "2"],
        plain=["1", "2"],
        u=[f"u{i:04d}" for i in range(N)],
    )
    notes = {note.split(":")[0].split(" ")[0]: note for note in found.notes}
    assert notes.keys() == {"k", "d", "n", "u"}
    assert notes["k"] == "k is left out: all cells are equal"
    assert notes["n"] == "n: 20 cells such as NA or ? count as missing"
    assert "guess" in notes["d"]


def test_forms_reach_the_reader():
    """Month first and decimal commas are decided over the column, and every cell is read so."""
    found = inferred(None, d=["1/2/2020", "1/31/2020"], n=["1.000,5", "3,25"])
    rows = Reader(found.fields).read(pa.record_batch({"d": ["2/1/2020"], "n": ["2.000"]}))
    assert rows.contents == [encode_row(found.fields, {"d": "2020-02-01T00:00:00", "n": 2000})[0]]
    assert rows.misfits == {}


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_batches_do_not_matter(seed, size):
    pool = ["1", "2", "x", "", "NA", "1/2/2020", "13/2/2020", "yes", "no", "a b c d", "007", "1,5"]
    draws = rng.below(rng.key(seed, "cells"), 0, len(pool), 80).reshape(40, 2)
    batch = pa.record_batch({"x": [pool[i] for i in draws[:, 0]], "y": [pool[i] or "z" for i in draws[:, 1]]})
    at_once = infer(["x", "y"], [batch], Asked())
    pieces = [batch.slice(start, size) for start in range(0, 40, size)]
    assert infer(["x", "y"], pieces, Asked()) == at_once
    assert [one.why for one in infer(["x", "y"], pieces, Asked()).fields] == [one.why for one in at_once.fields]


def test_many_different_values_are_counted_up_to_a_limit():
    words = pa.array(np.char.add("w", (np.arange(140_000) // 2).astype(str)))
    found = infer(["x", "y"], [table(x=words)], Asked())
    assert found.fields[0].why == "more than 65,536 different values"
    assert found.fields[0].kind == "category"
    numbers = pa.array(np.arange(140_000) // 2 * 3)
    assert infer(["id", "y"], [table(id=numbers)], Asked()).fields[0].kind == "number"
