"""The verbs as Python functions, and what ``import lithify`` offers."""

from __future__ import annotations

from pathlib import Path

import pytest

import lithify as lf
from lithify import parsing, writing
from lithify.progress import Update


def _texts(path: Path, rows: int = 90) -> Path:
    words = {"a": "red green blue", "b": "one two three", "c": "dog cat bird"}
    lines = [
        f"{label},{text} {label}{i * 17} {label}{i * i} more{i % 7}"
        for i in range(rows)
        for label, text in words.items()
    ]
    path.write_text("label,text\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api") / "home"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _texts(tmp_path_factory.mktemp("data") / "texts.csv")


@pytest.fixture(scope="module")
def snap(home: Path, data: Path) -> lf.Snapshot:
    return lf.snapshot(data, name="texts", home=home)


@pytest.fixture(scope="module")
def model(snap: lf.Snapshot, home: Path) -> lf.Model:
    return lf.train(snap, home=home)


def test_everything_that_is_offered_is_there() -> None:
    assert [name for name in lf.__all__ if not hasattr(lf, name)] == []
    assert set(lf.__all__) <= set(dir(lf))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lf.nothing


def test_the_same_training_is_found_by_snapshot_name_and_path(
    snap: lf.Snapshot, model: lf.Model, home: Path, data: Path
) -> None:
    notes: list[str] = []

    def report(update: Update) -> None:
        notes.append(update.note)

    for thing in (snap, "texts", snap.digest[7:19], data, str(data)):
        assert lf.train(thing, home=home, report=report).digest == model.digest
    assert sum("finished" in note for note in notes) == 5


def test_model_predicts_explains_and_opens_again(model: lf.Model, home: Path, tmp_path: Path) -> None:
    assert model.predict(["red green blue"])[0].label == "a"
    assert model.explain("dog cat").items
    written = lf.train("texts", home=home, out=tmp_path / "m.lith")
    assert written.path == tmp_path / "m.lith"
    assert lf.open(tmp_path / "m.lith", verify=True).digest == model.digest
    assert lf.open(model.digest[7:19], home=home).digest == model.digest
    assert lf.verify(model, rebuild=True, home=home).digest == model.digest


def test_python_writes_no_file_unless_asked(
    model: lf.Model, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lf.train("texts", home=home)
    assert list(tmp_path.iterdir()) == []


def test_evaluation_counts_its_looks(model: lf.Model, snap: lf.Snapshot, tmp_path: Path) -> None:
    first, second = (lf.evaluate(model, snap).looks for _ in range(2))
    assert second == (first or 0) + 1
    assert lf.evaluate(model, snap, "validation").looks == 1
    assert lf.evaluate(model, snap).report(tmp_path / "r.html").stat().st_size > 1000


def test_recipe_from_file_mapping_and_single_values(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text('quality = "fast"\n[linear]\nsteps = 5\n')
    recipe = parsing.make_recipe(file, learner="linear", budget="1m", assignments=["seed=3"])
    assert (recipe.quality, recipe.learner, recipe.budget, recipe.seed) == ("fast", "linear", 60.0, 3)
    assert recipe.params == {"steps": 5}
    assert parsing.make_recipe(recipe) == recipe
    assert parsing.make_recipe({"seed": 4}).seed == 4
    with pytest.raises(lf.errors.RecipeError, match="Did you mean 'seed'"):
        parsing.make_recipe({"sed": 4})
    with pytest.raises(lf.errors.NotFound):
        parsing.make_recipe(tmp_path / "nothing.toml")


@pytest.mark.parametrize("text", ["", "m", "10x", "0s", "-5m", "1m1h", "1,5h", 0, float("nan")])
def test_what_is_no_length_of_time(text: str | float) -> None:
    with pytest.raises(lf.errors.UsageError):
        parsing.duration(text)


def test_given_split(tmp_path: Path) -> None:
    lines = [
        f"{('x', 'y')[i % 2]},word{i} {i * 7} other{i},{('train', 'test', 'validation')[i // 2 % 3]}" for i in range(60)
    ]
    (tmp_path / "t.csv").write_text("label,text,part\n" + "\n".join(lines) + "\n")
    made = lf.snapshot(tmp_path / "t.csv", split="given:part", home=tmp_path / "home")
    assert made.manifest["split"]["rule"] == "given"
    assert [len(made.rows(side)) for side in ("train", "validation", "test")] == [20, 20, 20]


def test_a_folder_cannot_be_a_model_file(tmp_path: Path) -> None:
    with pytest.raises(lf.errors.UsageError):
        writing.check_out(tmp_path)
    with pytest.raises(lf.errors.NotFound):
        writing.check_out(tmp_path / "no" / "m.lith")


def test_out_that_cannot_be_written_is_said_before_the_training(home: Path, tmp_path: Path) -> None:
    with pytest.raises(lf.errors.NotFound, match="no folder"):
        lf.train(tmp_path / "nothing", home=home, out=tmp_path / "no" / "m.lith")


COLUMNS: dict[str, list[object]] = {
    "age": [20 + number * 7 % 50 for number in range(300)],
    "town": [("Ulm", "Bonn", "Kiel")[number % 3] for number in range(300)],
    "target": [("yes", "no")[20 + number * 7 % 50 > 45] for number in range(300)],
}
RECORDS = [dict(zip(COLUMNS, cells, strict=True)) for cells in zip(*COLUMNS.values(), strict=True)]


def _frames() -> dict[str, object]:
    import pyarrow as pa

    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    return {
        "pandas": pandas.DataFrame(COLUMNS),
        "Polars": polars.DataFrame(COLUMNS),
        "Arrow": pa.table(COLUMNS),
        "columns": COLUMNS,
        "series": {name: pandas.Series(cells) for name, cells in COLUMNS.items()},
        "records": RECORDS,
    }


def test_frames_of_all_kinds_are_one_snapshot_and_get_one_prediction(home: Path) -> None:
    frames = _frames()
    digests = {lf.snapshot(frame, label="target", home=home).digest for frame in frames.values()}
    assert len(digests) == 1
    model = lf.train(frames["pandas"], label="target", learner="tree", quality="fast", home=home)
    assert lf.train(RECORDS, learner="tree", quality="fast", home=home).digest == model.digest
    probabilities = [model.predict_proba(frame).tolist() for frame in frames.values()]
    assert all(found == probabilities[0] for found in probabilities)
    assert [found.label for found in model.predict(frames["Polars"])] == COLUMNS["target"]
    assert model.predict({"age": 60, "town": "Ulm"})[0].label == "no"
    found = model.explain({"age": 60, "town": "Ulm"})
    assert found.base + sum(item.weight for item in found.items) == pytest.approx(found.score)
    assert found.items[0].text == "age = 60"
    with pytest.raises(lf.errors.UsageError, match="labels"):
        model.predict_values(COLUMNS)


def test_values_are_predicted(home: Path) -> None:
    columns = {**COLUMNS, "target": [3.0 * age + 0.5 for age in COLUMNS["age"]]}  # type: ignore[operator]
    model = lf.train(columns, learner="linear", home=home)
    assert model.task == "regression"
    values = model.predict_values(columns)
    assert abs(values - columns["target"]).max() < 15.0
    (found,) = model.predict({"age": 30, "town": "Kiel"})
    assert found.interval is not None
    assert found.value is not None
    assert found.interval[0] <= found.value <= found.interval[1]
    with pytest.raises(lf.errors.UsageError, match="regression"):
        model.predict_proba(columns)


def test_columns_that_are_missing_are_a_warning_and_others_are_none(home: Path) -> None:
    model = lf.train(RECORDS, learner="tree", home=home)
    with pytest.warns(UserWarning, match="'town'"):
        model.predict({"age": [30, 40]})
    assert len(model.predict({**COLUMNS, "more": [1] * 300})) == 300
    with pytest.raises(lf.errors.UsageError, match="None of the fields"):
        model.predict({"other": [1, 2]})


def test_files_are_predicted_one_after_the_other(home: Path, tmp_path: Path) -> None:
    model = lf.train(RECORDS, learner="tree", home=home)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("age,town\n30,Ulm\n60,Bonn\n")
    assert [found.label for found in model.predict([tmp_path / "a.csv", tmp_path / "b.csv"])] == ["yes", "no"] * 2
    assert len(model.predict(str(tmp_path / "a.csv"))) == 2


def test_a_frame_is_measured_as_the_model_reads_it(home: Path) -> None:
    model = lf.train(RECORDS, learner="tree", home=home)
    # here the ages alone would be labels of their own kind, and the towns one value that tells nothing
    other = {"age": [str(n % 60) for n in range(100)], "town": ["Ulm"] * 100, "target": ["yes", "no"] * 50}
    found = lf.evaluate(model, other, home=home)
    assert found.snapshot.manifest["fields"] == model.card["data"]["fields"]
    child = lf.snapshot(other, parent=lf.snapshot(RECORDS, home=home), home=home)
    assert child.manifest["generations"][1] > 0
