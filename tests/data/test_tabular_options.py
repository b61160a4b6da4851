"""What a person may say about a table, from the command line and from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lithify import api, freezing, things
from lithify.cli import training
from lithify.cli.data import snapshot as command
from lithify.cli.parser import parse
from lithify.errors import UsageError
from lithify.parsing import field_kinds

TABLE = {"age": list(range(20, 60)) * 3, "job": ["a", "b", "c"] * 40, "target": ["x", "y"] * 60}


def test_kinds_of_fields_as_they_are_written() -> None:
    assert field_kinds(["age=number", "a=b=text"]) == {"age": "number", "a=b": "text"}
    assert field_kinds({"age": "number"}) == field_kinds("age=number") == {"age": "number"}
    assert field_kinds(None) == {}
    for wrong in (["age"], ["=number"]):
        with pytest.raises(UsageError, match="NAME=KIND"):
            field_kinds(wrong)
    with pytest.raises(UsageError, match=r"'age' has two kinds.*number and text"):
        field_kinds(["age=number", "age=text"])


@pytest.mark.parametrize("of", [command, training.train])
def test_the_options_of_commands(of: Any) -> None:
    words = [
        "t.csv",
        "--field",
        "a=number",
        "--field",
        "b=text",
        "--task",
        "regression",
        "--weight",
        "w",
        "--query",
        "q",
        "--sheet",
        "s",
        "--kind",
        "table",
    ]
    found = parse("x", of, words)
    assert found is not None
    assert (found["field"], found["task"], found["weight"]) == (["a=number", "b=text"], "regression", "w")
    assert (found["query"], found["sheet"], found["kind"]) == ("q", "s", "table")


def test_a_snapshot_of_an_object(tmp_path: Path) -> None:
    snap = api.snapshot(TABLE, fields=["age=category"], name="people", home=tmp_path / "home")
    assert snap.kind == "table"
    assert {field.name: (field.kind, field.role) for field in snap.fields} == {
        "age": ("category", "input"),
        "job": ("category", "input"),
        "target": ("category", "label"),
    }
    home = things.open_home(tmp_path / "home")
    assert freezing.find_or_make(home, TABLE, fields=["age=category"]).digest == snap.digest
    with pytest.raises(UsageError, match=r"is a snapshot.*--field"):
        freezing.find_or_make(home, "people", fields={"age": "number"})
