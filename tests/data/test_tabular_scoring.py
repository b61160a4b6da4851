"""Tables to be scored with the fields of a model."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from lithify.data.cells import encode_row
from lithify.data.open import open_source
from lithify.data.schema import Field, Problem, Row
from lithify.data.tabular import TableSource
from lithify.data.tabular_scoring import open_to_score, tables_to_score
from lithify.errors import UsageError

FIELDS = (
    Field("age", "number", "input"),
    Field("job", "category", "input"),
    Field("sure", "boolean", "input"),
    Field("target", "category", "label"),
    Field("who", "identifier", "left out"),
)


def content(**row: Any) -> bytes:
    return encode_row(FIELDS, row)[0]


def score(thing: Any) -> tuple[list[str], list[bytes], list[str]]:
    found = list(tables_to_score(thing, FIELDS))
    origins = [origin.rpartition(":")[2] for batch in found for origin in batch.origins]
    return origins, [row for batch in found for row in batch.contents], found[-1].notes


def test_columns_are_matched_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("extra,job,age,who\nx,clerk,39,7\nx,never seen,soon,8\nx,1\n")
    origins, contents, notes = score(path)
    assert origins == ["2", "3"]
    assert contents == [content(age=39, job="clerk"), content(job="never seen")]
    assert notes == [
        "Not there, and missing in every row: 'sure'.",
        "Left out, since unknown: 'extra'.",
        "age: 1 cell is no number and counts as missing",
        "1 record could not be read.",
    ]


def test_bad_records_keep_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("job,age\na,1\nb\nc,3\n")
    rows = list(open_to_score(path, FIELDS).rows())
    assert {type(row) for row in rows} == {Row, Problem}
    assert [row.content for row in rows if isinstance(row, Row)] == [content(age=1, job="a"), content(age=3, job="c")]


def test_a_table_of_one_text_is_read_with_the_fields(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\nhello\n")
    fields = (Field("text", "category", "input"),)
    assert [row.content for row in open_to_score(path, fields).rows() if isinstance(row, Row)] == [
        encode_row(fields, {"text": "hello"})[0]
    ]


def test_objects_and_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [content(age=39, job="clerk", sure=True)]
    assert score({"age": [39], "job": ["clerk"], "sure": [True]})[1] == expected

    class Stdin:
        buffer = io.BytesIO(b"sure,age,job\nyes,39,clerk\n")

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert score("-")[1] == expected


def test_no_rows_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("age,job,sure\n")
    assert score(path) == ([], [], [])


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("height,weight\n1,2\n")
    with pytest.raises(UsageError, match=r"None of the fields is there.*'age', 'job', 'sure'.*'height', 'weight'"):
        list(tables_to_score(path, FIELDS))


def test_a_table_with_labels_like_that_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("job,age,sure,target,who\n7,1,0,x,a\n8,2,1,y,b\n9,3,1,,c\n")
    source = open_source(path, like=FIELDS)
    assert isinstance(source, TableSource)
    assert [(field.name, field.kind) for field in source.fields] == [(field.name, field.kind) for field in FIELDS]
    rows = list(source.rows())
    assert [(row.label, row.content) for row in rows if isinstance(row, Row)] == [
        ("x", content(age=1, job="7", sure=False)),
        ("y", content(age=2, job="8", sure=True)),
    ]
    assert [row.reason for row in rows if isinstance(row, Problem)] == ["no label"]
    path.write_text("job,age,sure,answer\n7,1,0,x\n")
    with pytest.raises(UsageError, match=r"no column 'target'.*--label"):
        open_source(path, like=FIELDS)
    assert [row.label for row in open_source(path, like=FIELDS, label="answer").rows() if isinstance(row, Row)] == ["x"]


def test_a_table_without_labels_and_without_a_model(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,x\n2,y\n")
    source = open_source(path, labelled=False)
    assert [(field.name, field.kind, field.role) for field in source.fields] == [
        ("a", "number", "input"),
        ("b", "category", "input"),
    ]
    assert [row.label for row in source.rows() if isinstance(row, Row)] == [None, None]
    assert source.describe() == "a CSV file with 2 input fields, without labels"
