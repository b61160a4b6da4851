"""Every command with tables: classification and regression, for people and with --json, and what can go wrong."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import lithify as lf
from lithify.cli import kernels
from lithify.cli import rows as streams

from .conftest import Run, Tables, rows, write_table


def told(text: str) -> str:
    return " ".join(text.split())


def test_snapshot_shows_fields_with_reasons(lithify: Run) -> None:
    write_table(Path("people.csv"))
    done = lithify("snapshot", "people.csv", "--label", "buys", "--name", "people")
    assert done.status == 0, done.err
    text = told(done.out)
    for said in (
        "400 of a table (",
        "Fields: 3 inputs, 1 left out",
        "label: 2 different values",
        "town category",
        "id",
    ):
        assert said in text
    assert "identifier left out: " in text
    assert "near-duplicates" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    shown = told(lithify("show", "people").out)
    assert "town category" in shown
    assert "id identifier left out" in shown
    fields = lithify("show", "people", "--json").json["manifest"]["fields"]
    assert {field["name"]: field["kind"] for field in fields}["age"] == "number"


def test_snapshot_of_values_counts_rows_and_says_their_range(lithify: Run) -> None:
    write_table(Path("people.csv"), leave_out=("buys",))
    done = lithify("snapshot", "people.csv", "--label", "spent")
    assert "spent, from 200 to 720" in told(done.out)
    assert "320" in next(line for line in done.out.splitlines() if line.strip().startswith("train"))
    assert "()" not in done.out


def test_child_of_a_table_is_read_with_the_fields_of_its_parent(lithify: Run) -> None:
    write_table(Path("old.csv"))
    write_table(Path("new.csv"), 40, first=1000)
    lithify("snapshot", "old.csv", "--label", "buys", "--name", "old")
    lithify("snapshot", "new.csv", "--name", "new", "--parent", "old")
    found = lithify("diff", "old", "new", "--json").json
    assert (found["added"]["rows"], found["removed"]["rows"]) == (40, 0)
    gone = write_table(Path("less.csv"), 40, leave_out=("buys",))
    done = lithify("snapshot", gone, "--parent", "old")
    assert done.status == 2
    assert "no column 'buys'" in done.err


@pytest.mark.parametrize("learner", ["linear", "tree"])
@pytest.mark.parametrize("label", ["buys", "spent"])
def test_train_prints_fitting_figures(lithify: Run, tables: Tables, learner: str, label: str) -> None:
    done = lithify("train", label, "--learner", learner, "--home", tables.home)
    assert done.status == 0, done.err
    names = ("Accuracy", "AUC", "Sets of labels") if label == "buys" else ("Root mean squared error", "R²", "Intervals")
    for said in (*names, "95 % interval", "test rows", "NEW.csv"):
        assert said in done.out
    assert "loss of" not in done.out
    assert list(Path().glob(f"{label}-*.lith"))


def test_train_by_boosting_and_ensemble(lithify: Run, tables: Tables) -> None:
    pytest.importorskip("lightgbm")
    few = ("--set", "boosting.rounds=10", "--set", "boosting.members=2")
    done = lithify("train", "buys", *few, "--home", tables.home, "--json")
    assert done.status == 0, done.err
    assert {"accuracy", "auc"} <= set(done.json["metrics"])
    members = 'ensemble.members=[{learner="linear", steps=3}, {learner="boosting", rounds=5, members=2}]'
    done = lithify("train", "spent", "--set", members, "--home", tables.home, "--json")
    assert done.status == 0, done.err
    assert {"rmse", "mae", "r_squared"} <= set(done.json["metrics"])


def test_without_lightgbm_it_is_said_how_to_get_it(
    lithify: Run, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    done = lithify("train", "buys", "--learner", "boosting", "--set", "seed=5", "--home", tables.home)
    assert done.status == 69
    assert "pip install 'lithify[boost]'" in done.err


@pytest.mark.parametrize("learner", ["ensemble", "tree", "linear", "boosting"])
def test_shown_recipe_can_be_given_back(lithify: Run, tables: Tables, learner: str) -> None:
    shown = lithify("train", "spent", "--home", tables.home, "--show-recipe", "--learner", learner)
    Path("r.toml").write_text(shown.out)
    again = lithify("train", "spent", "--home", tables.home, "--show-recipe", "--recipe", "r.toml")
    assert again.out == shown.out
    if learner == "ensemble":
        members = tomllib.loads(shown.out)["ensemble"]["members"]
        assert {member["learner"] for member in members} == {"boosting", "linear"}


def test_model_is_named_after_its_data_without_suffixes(lithify: Run, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pandas.read_csv(write_table(tmp_path / "people.csv")).to_parquet("people.parquet")
    done = lithify("train", "people.parquet", "--label", "buys", "--learner", "tree")
    assert done.status == 0, done.err
    assert [path.name.split("-")[0] for path in Path().glob("*.lith")] == ["people"]


@pytest.mark.parametrize("label", ["buys", "spent"])
def test_lines_are_what_python_says(lithify: Run, tables: Tables, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ROWS", 7)
    write_table(Path("new.csv"), 50, first=2000)
    model = tables.buys if label == "buys" else tables.spent
    done = lithify("predict", model, "new.csv", "--json")
    assert done.status == 0, done.err
    said = [found.to_json() for found in lf.open(model).predict(Path("new.csv"))]
    assert done.lines == said
    assert done.out.splitlines() == [json.dumps(each) for each in said]
    assert [line["input"] for line in done.lines] == [f"new.csv:{number}" for number in range(2, 52)]
    assert set(done.lines[0]) - {"input", "model"} == (
        {"label", "probabilities", "labels"} if label == "buys" else {"value", "interval"}
    )


def test_prediction_for_people_is_one_line_a_row(lithify: Run, tables: Tables) -> None:
    write_table(Path("new.csv"), 5)
    done = lithify("predict", tables.buys, "new.csv")
    assert len(done.out.splitlines()) == 5
    assert done.out.split()[0] in ("yes", "no")
    assert "new.csv:2" in done.out
    assert done.err == ""  # that the label is there, and fields that were left out, is nothing to remark on
    line = lithify("predict", tables.spent, "new.csv").out.splitlines()[0]
    assert " to " in line
    assert line.endswith("new.csv:2")


def test_prediction_tells_of_columns_that_differ(lithify: Run, tables: Tables) -> None:
    Path("new.csv").write_text("age,street\n30,Hauptstraße\nmany,\n")
    done = lithify("predict", tables.buys, "new.csv", "--json")
    assert done.status == 0
    assert "Not there, and missing in every row: 'town'." in told(done.err)
    assert "Left out, since unknown: 'street'." in told(done.err)
    assert "age: 1 cell is no number and counts as missing" in told(done.err)
    Path("other.csv").write_text("a,b\n1,2\n")
    done = lithify("predict", tables.buys, "other.csv")
    assert done.status == 2
    assert "None of the fields is there" in done.err


def test_prediction_of_records_that_cannot_be_read(lithify: Run, tables: Tables) -> None:
    Path("new.csv").write_text("age,town\n30,Ulm\n31,Ulm,3\n32,Bonn\n33,Ulm\n7\n8\n")
    Path("more.csv").write_text("age,town\n1\n30,Ulm\n")
    done = lithify("predict", tables.buys, "new.csv", "nowhere.csv", "more.csv", "--json")
    assert done.status == 65
    files = {"new.csv": range(2, 8), "more.csv": range(2, 4)}
    new, more = ([f"{name}:{number}" for number in numbers] for name, numbers in files.items())
    assert [line["input"] for line in done.lines] == [*new, "nowhere.csv", *more]
    bad = ["new.csv:3", "new.csv:6", "new.csv:7", "nowhere.csv", "more.csv:2"]
    assert [line["input"] for line in done.lines if "problem" in line] == bad
    assert "bad record" in lithify("predict", tables.buys, "new.csv").out
    assert lithify("predict", tables.buys, "nowhere.csv").status == 66


@pytest.mark.parametrize(
    "text", ['{"age": 61, "town": "Ulm"}', '{"age": 61, "town": "Ulm"}\n', "town,age\nUlm,61\n", "age\ttown\n61\tUlm\n"]
)
def test_prediction_from_standard_input(
    lithify: Run, tables: Tables, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (expected,) = lf.open(tables.buys).predict({"age": 61, "town": "Ulm"})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    (line,) = lithify("predict", tables.buys, "-", "--json").lines
    assert line["probabilities"] == expected.probabilities


def test_one_column_from_standard_input(lithify: Run, tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    def given(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    given("age\n40\n61\n")
    found = lithify("predict", tables.buys, "-", "--json").lines
    expected = lf.open(tables.buys).predict([{"age": 40}, {"age": 61}])
    assert [line["probabilities"] for line in found] == [each.probabilities for each in expected]
    for text in ("words\n40\n", ""):
        given(text)
        done = lithify("predict", tables.buys, "-")
        assert done.status == 65
        assert "Standard input has no records." in told(done.err)


def test_part_of_a_database(lithify: Run, tables: Tables) -> None:
    with sqlite3.connect("p.db") as database:
        database.execute("create table people (age real, town text, buys text)")
        database.execute("create table other (x real)")
        people = [(row["age"] or None, row["town"], row["buys"]) for row in rows(100)]
        database.executemany("insert into people values (?, ?, ?)", people)
    database.close()
    assert len(lithify("predict", tables.buys, "p.db", "--sheet", "people", "--json").lines) == 100
    query = "select * from people where age > 60"
    few = lithify("predict", tables.buys, "p.db", "--query", query, "--json").lines
    assert 0 < len(few) < 100
    found = lithify("evaluate", tables.buys, "p.db", "--sheet", "people", "--home", Path("home"), "--json")
    assert found.status == 0, found.err
    assert found.json["rows"] == 10


def test_options_of_other_kinds_are_refused(lithify: Run, tables: Tables) -> None:
    write_table(Path("new.csv"), 5)
    for words in (["--text", "town"], ["--sheet", "x"], ["--query", "select 1"]):
        assert lithify("predict", tables.buys, "new.csv", *words).status == 2
    swapped = lithify("predict", tables.buys, tables.spent)
    assert swapped.status == 2
    assert "is a model" in swapped.err


@pytest.mark.parametrize("label", ["buys", "spent"])
def test_explanation_adds_up(lithify: Run, tables: Tables, label: str) -> None:
    model = tables.buys if label == "buys" else tables.spent
    write_table(Path("new.csv"), 5)
    found = lithify("explain", model, "new.csv", "--row", "3", "--json").json
    assert found["input"] == "new.csv:3"
    total = found["base"] + sum(item["weight"] for item in found["contributions"])
    assert total == pytest.approx(found["score"], rel=1e-9)
    if label == "spent":
        assert found["score"] == found["value"]
    shown = lithify("explain", model, "new.csv", "--row", "3").out
    assert "age = 57" in shown
    assert "base: a row of which nothing is known" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_explanation_needs_one_row(lithify: Run, tables: Tables) -> None:
    write_table(Path("new.csv"), 5)
    for words, said in (([], "--row N"), (["--row", "1"], "rows 2 to 6"), (["--row", "7"], "no row 7")):
        done = lithify("explain", tables.buys, "new.csv", *words)
        assert done.status == 2
        assert said in told(done.err)
    write_table(Path("one.csv"), 1)
    assert lithify("explain", tables.buys, "one.csv").status == 0


def test_show_model(lithify: Run, tables: Tables) -> None:
    shown = told(lithify("show", tables.spent).out)
    for said in (
        "task regression",
        "predicts spent",
        "What counts most",
        "age number",
        "Intervals hold",
        "id identifier",
    ):
        assert said in shown
    document = lithify("show", tables.buys, "--json").json
    assert document["task"] == "classification"
    assert sum(document["importances"].values()) == pytest.approx(1.0)
    assert document["conformal"]["kind"] == "sets"


def test_verify_rebuilds_and_evaluate_reads_as_the_model_does(lithify: Run, tables: Tables) -> None:
    assert lithify("verify", tables.spent, "--rebuild", "--home", tables.home).status == 0
    write_table(Path("new.csv"), 300, first=3000)
    done = lithify("evaluate", tables.spent, "new.csv", "--home", Path("home"), "--report", "r.html")
    assert done.status == 0, done.err
    assert "Root mean squared error" in done.out
    assert "off by" in done.out
    assert Path("r.html").stat().st_size > 10_000
    wrong = lithify("evaluate", tables.spent, "buys", "--home", tables.home)
    assert wrong.status == 65
    assert "another task" in wrong.err


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["snapshot", "people.csv"], 2, "Name it with --label"),
        (["snapshot", "people.csv", "--label", "buy"], 2, "the columns"),
        (["snapshot", "people.csv", "--label", "buys", "--time", "buys"], 2, "at once"),
        (["snapshot", "people.csv", "--label", "buys", "--field", "age"], 2, "NAME=KIND"),
        (["snapshot", "people.csv", "--label", "buys", "--field", "age=colour"], 2, "colour"),
        (["snapshot", "people.csv", "--label", "buys", "--task", "regression"], 2, "numbers"),
        (["snapshot", "people.csv", "--label", "buys", "--task", "guessing"], 2, "classification or regression"),
        (["snapshot", "people.csv", "--label", "buys", "--query", "select 1"], 2, "SQLite"),
        (["snapshot", "empty.csv"], 65, "empty"),
        (["snapshot", "header.csv", "--label", "buys"], 65, "no rows"),
        (["train", "people.csv", "--label", "buys", "--learner", "forest"], 2, "There is no learner"),
    ],
)
def test_bad_input_is_one_paragraph(lithify: Run, words: list[str], status: int, text: str) -> None:
    write_table(Path("people.csv"))
    Path("empty.csv").touch()
    Path("header.csv").write_text("age,buys\n")
    done = lithify(*words)
    assert done.status == status, done.err
    assert done.err.startswith("Error: ")
    assert text in told(done.err)
    assert done.out == ""


def test_kernels_are_those_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(kernels, "_compiled", lambda name: asked.append(name) or [Path(name)])
    for kind, learner, some in (
        ("mail", "auto", "minhash"),
        ("table", "auto", "boosting.kernels"),
        ("table", "tree", "tree.kernels"),
        ("table", "ensemble", "linear.columns_kernels"),
    ):
        asked.clear()
        assert kernels.cached(kernels._needed(kind, learner))
        assert any(some in name for name in asked)
    asked.clear()
    assert kernels.cached(kernels._needed("table", "of another package"))
    assert asked == []
    assert all(find_spec(name) for names in kernels.MODULES.values() for name in names)


@pytest.mark.parametrize("labels", [0, 2, 3])
def test_made_up_tables_have_every_kind_of_column(labels: int, tmp_path: Path) -> None:
    made = lf.snapshot(kernels._table(labels), home=tmp_path, task="classification" if labels else "regression")
    assert len(made.labels) == labels
    assert {field.kind for field in made.inputs} == {"number", "category", "text"}


def test_an_image_given_to_a_model_of_tables(lithify: Run, tables: Tables) -> None:
    Path("digit.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    done = lithify("predict", tables.buys, "digit.png")
    assert done.status == 65
    assert "digit.png is an image. Expected: rows of a table." in told(done.err)
