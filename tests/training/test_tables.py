"""Every learner on tables of every task: threads, cuts, kills, moves and rebuilding change no bit."""

from __future__ import annotations

import functools
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training import tables
from tests.training.storm import Storm
from tests.training.tables import LEARNERS, RARE, TASKS

from lithify.data.open import open_source
from lithify.data.params import read
from lithify.data.snapshot import open_snapshot
from lithify.data.snapshotting import snapshot
from lithify.errors import SessionEnded, TooFewRows
from lithify.learners.network.network import Network
from lithify.model.model import open_model
from lithify.progress import Reporter, Update, silent
from lithify.recipe import parse
from lithify.store.home import Home, open_home
from lithify.training import run as runs
from lithify.training.pack import pack, unpack
from lithify.training.run import Outcome, Settings, rebuild, resolved, resume, train

ALL = [pytest.param(learner, task, id=f"{learner}-{task}") for learner in LEARNERS for task in TASKS]
STOPS = Settings(threads=2, session=1e-9, checkpoint_every=1)


@pytest.fixture(scope="module", autouse=True)
def as_networks_need():
    """This process stands for a worker: networks need one that was started with their environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in Network.needs(read(Network.Params, LEARNERS["network"])).items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def frozen(tmp_path_factory) -> Path:
    """A home with a table for every task; to be copied, never changed."""
    return tables.make(tmp_path_factory.mktemp("tables") / "home")


@pytest.fixture
def home(frozen, tmp_path) -> Home:
    return open_home(Path(shutil.copytree(frozen, tmp_path / "home")))


@pytest.fixture(scope="module")
def whole(frozen, tmp_path_factory):
    """The outcome of an uninterrupted training on one thread."""
    home = open_home(Path(shutil.copytree(frozen, tmp_path_factory.mktemp("whole") / "home")))

    @functools.cache
    def trained(learner: str, task: str) -> Outcome:
        return run(home, learner, task, Settings(threads=1))

    return trained


def run(
    home: Home,
    learner: str,
    task: str,
    settings: Settings = Settings(threads=2),  # noqa: B008
    report: Reporter = silent,
    **changed: Any,
) -> Outcome:
    document = tables.recipe(learner, **changed)
    return train(home, open_snapshot(home, task), parse(document), source=task, settings=settings, report=report)


@pytest.mark.parametrize(("learner", "task"), ALL)
def test_threads_and_stops_at_every_step_change_no_bit(home, whole, learner, task) -> None:
    expected = whole(learner, task)
    reached = []
    outcome = None
    while outcome is None:
        try:
            outcome = run(home, learner, task, replace(STOPS, threads=1 + len(reached) % 3))
        except SessionEnded:
            reached.append(home.catalog.runs()[0].step)
    assert len(reached) > 1
    assert reached == list(range(1, len(reached) + 1))
    assert (outcome.model.digest, outcome.sessions) == (expected.model.digest, len(reached) + 1)


@pytest.mark.parametrize(("learner", "task"), ALL)
def test_rebuilding_gives_the_same_bytes(whole, frozen, tmp_path, learner, task) -> None:
    other = open_home(Path(shutil.copytree(frozen, tmp_path / "other")))
    model = whole(learner, task).model
    assert rebuild(other, model, settings=Settings(threads=3)) == bytes(model.data)
    assert other.catalog.runs() == []


@pytest.mark.parametrize(("learner", "task"), ALL)
def test_what_is_sealed_is_whole(whole, learner, task) -> None:
    model = open_model(bytes(whole(learner, task).model.data), verify=True)
    card, regression = model.card, task == "values"
    assert (model.task, model.kind) == ("regression" if regression else "classification", "table")
    assert [field.name for field in model.fields] == sorted(tables.FIELDS)
    assert {field.name: field.kind for field in model.fields} == tables.FIELDS
    assert card["data"]["task"] == model.task
    assert [field["role"] for field in card["data"]["fields"] if field["name"] == "target"] == ["label"]
    assert card["recipe"]["learner"] == learner
    assert card["test"]["rows"] == sum(card["data"]["split"]["counts"]["test"].values()) > 10
    assert ("rmse" if regression else "accuracy") in card["test"]["metrics"]
    assert model.conformal is not None
    assert model.conformal["kind"] == ("intervals" if regression else "sets")
    assert model.draft.calibration["kind"] == {"two": "platt", "three": "temperature", "values": "values"}[task]
    assert sum(model.reference["histogram" if regression else "predicted"]) == model.reference["rows"] > 0
    assert card["calibration"]["held_out_training_rows"] > 0
    importances = model.draft.importances()
    assert importances is not None
    assert {name for name, _ in importances} <= set(tables.FIELDS)
    assert (model.draft.tree() is not None) == (learner == "tree")


@pytest.mark.parametrize(("learner", "task"), ALL)
def test_a_model_says_the_same_of_a_row_alone_and_explains_it(whole, learner, task) -> None:
    model = whole(learner, task).model
    rows = tables.columns(task, rows=40, first=1000)
    rows = [{name: rows[name][at] for name in tables.FIELDS} for at in range(40)]
    rows += [{}, {"age": "not a number", "job": "never seen"}, {"income": float("inf"), "age": -1e308, "note": ""}]
    found = model.predict(rows)
    assert len(found) == len(rows)
    for row, prediction in zip(rows, found, strict=True):
        alone = model.explain(row)
        assert alone.prediction == prediction
        assert abs(alone.base + sum(item.weight for item in alone.items) - alone.score) <= 1e-9 * max(
            1.0, abs(alone.score)
        )
        if task == "values":
            assert prediction.interval is not None
            assert prediction.interval[0] <= prediction.value <= prediction.interval[1]
        else:
            assert prediction.labels
            assert set(prediction.labels) <= set(model.labels)
            assert abs(sum(prediction.probabilities.values()) - 1.0) < 1e-12


@pytest.fixture(scope="module")
def storm(frozen, tmp_path_factory):
    with Storm(frozen, tmp_path_factory.mktemp("storm"), tables.recipe("tree"), "two") as storm:
        yield storm


KILLED = [("tree", "two"), ("boosting", "values"), ("boosting", "three"), ("ensemble", "two"), ("linear", "values")]


@pytest.mark.parametrize(("learner", "task"), KILLED)
def test_kills_cost_no_bit(storm, whole, learner, task) -> None:
    digest = whole(learner, task).model.digest
    storm.turn(tables.recipe(learner), task)
    assert storm.train(storm.fresh(), 2) == digest
    points, draw = storm.points, random.Random(4)
    assert points > 10
    home = storm.fresh()
    for point in sorted(draw.sample(range(2, points), 3)):  # one run that is killed again and again
        said = storm.train(home, 1 + point % 3, point)
        assert said in ("killed", digest)
    assert storm.train(home, 2) == digest
    home = storm.fresh()
    storm.train(home, 2, after=draw.uniform(0.01, 0.2))
    assert storm.train(home, 1) == digest


@pytest.mark.parametrize(("learner", "task"), [("boosting", "two"), ("ensemble", "values"), ("tree", "three")])
def test_a_run_moves_between_homes(home, whole, tmp_path, learner, task) -> None:
    for _ in range(2):
        with pytest.raises(SessionEnded) as ended:
            run(home, learner, task, STOPS)
    packed = pack(home, ended.value.run, tmp_path / "run.tar")
    other = open_home(tmp_path / "other")
    assert unpack(other, packed) == ended.value.run
    outcome = resume(other, ended.value.run)
    assert (outcome.model.digest, outcome.resumed) == (whole(learner, task).model.digest, True)


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_budget_is_timed_kept_and_remembered(home, learner, monkeypatch) -> None:
    snap = open_snapshot(home, "two")
    for budget in (1e-6, 3600.0):
        asked = parse({**tables.recipe(learner), "budget": budget})
        first = resolved(home, snap, asked)
        assert first["params"].keys() == resolved(home, snap, parse(tables.recipe(learner)))["params"].keys()
        with monkeypatch.context() as patch:
            patch.setattr(runs, "_seconds_per_step", lambda *_: pytest.fail("it was decided already"))
            assert resolved(home, snap, asked) == first
            outcome = train(home, snap, asked, source="two", settings=Settings(threads=2))
        assert outcome.model.card["recipe"] == first
        outcome.model.verify()
    usual = resolved(home, snap, parse(tables.recipe(learner)))["params"]
    if learner == "ensemble":  # where there is a contest, time that is left buys more bags
        assert first["params"]["repeats"] > usual["repeats"]
        usual["repeats"] = first["params"]["repeats"]
    assert first["params"] == usual


def test_a_time_split_learns_forward(home) -> None:
    source = open_source(tables.columns("values"), label="target", fields=tables.FIELDS, time="seen")
    snap = snapshot(source, home, rule="time")
    for learner in ("linear", "boosting"):
        made = train(home, snap, parse(tables.recipe(learner)), source="t", settings=Settings(threads=2))
        made.model.verify()
        assert "seen" not in [field.name for field in made.model.fields]


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("rows", [4, 30])
def test_a_handful_of_rows_is_learned_from(tmp_path, learner, rows) -> None:
    home = open_home(tmp_path / "few")
    for task in ("two", "values"):
        values = tables.columns(task, rows=rows)
        if task == "two":
            values["target"] = ["no", "yes"] * (rows // 2)
        source = open_source({"age": values["age"], "target": values["target"]}, fields={"age": "number"})
        snap = snapshot(source, home, rule="hash")
        made = train(home, snap, parse(tables.recipe(learner)), source=task, settings=Settings(threads=1))
        made.model.verify()
        made.model.predict({"age": 40.0})


ODD: dict[str, dict[str, Any]] = {
    "huge values": {"x": [n % 7 + 0.5 for n in range(120)], "target": [(n % 5 - 2.0) * 1e99 for n in range(120)]},
    "values next to nothing": {"x": [n % 7 + 0.5 for n in range(120)], "target": [n % 5 * 1e-300 for n in range(120)]},
    "numbers of any size": {"x": [(n % 7 - 3) * 5e307 for n in range(120)], "target": ["a", "b"] * 60},
    "one value": {"x": [n % 7 + 0.5 for n in range(120)], "target": [3.5] * 120},
    "one outlier": {"x": [n % 7 + 0.5 for n in range(120)], "target": [1e12, *(n / 3 for n in range(119))]},
    "no weight": {"x": [n % 7 + 0.5 for n in range(120)], "w": [0.0] * 120, "target": ["a", "b"] * 60},
    "few weights": {"x": [n % 7 + 0.5 for n in range(120)], "w": [0.0, 0.0, 1.5] * 40, "target": ["a", "b"] * 60},
    "a label once": {"x": [n % 7 + 0.5 for n in range(120)], "target": [*(["a", "b"] * 59), "c", "a"]},
    "many labels": {"x": [n % 7 + 0.5 for n in range(120)], "target": [f"l{n % 40}" for n in range(120)]},
    "categories that are all rare": {"c": [f"c{n}" for n in range(120)], "target": ["a", "b"] * 60},
}  # fmt: skip


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("what", ODD)
def test_odd_tables_are_learned_from(tmp_path, learner, what) -> None:
    home, columns = open_home(tmp_path / "odd"), ODD[what]
    task = "regression" if isinstance(columns["target"][0], float) else "classification"
    kinds = {"c": "category"} if "c" in columns else {"x": "number"}
    source = open_source(columns, fields=kinds, task=task, weight="w" if "w" in columns else None)
    snap = snapshot(source, home, rule="hash")
    model = train(home, snap, parse(tables.recipe(learner)), source="odd", settings=Settings(threads=1)).model
    model.verify()
    assert np.isfinite(model.raw(snap.content(np.arange(len(snap))))).all()
    model.predict([{}, {"x": 1.5}])


@pytest.mark.parametrize("learner", LEARNERS)
def test_texts_without_a_common_word_are_refused(tmp_path, learner) -> None:
    home = open_home(tmp_path / "odd")
    columns = {"t": [f"u{n} v{7 * n}" for n in range(120)], "target": ["a", "b"] * 60}
    snap = snapshot(open_source(columns, kind="table", label="target", fields={"t": "text"}), home)
    with pytest.raises(TooFewRows, match="Nothing is left to learn from"):
        train(home, snap, parse(tables.recipe(learner)), source="odd")


def test_no_cell_that_few_rows_hold_gets_out(home, whole, caplog, capfd) -> None:
    """Neither into a model nor into what is said, kept or logged; not even the words of texts."""
    said: list[str] = []

    def note(update: Update) -> None:
        said.append(repr(update))

    for learner in LEARNERS:
        with pytest.raises(SessionEnded) as ended:
            run(home, learner, "two", STOPS, report=note)
        (checkpoint,) = home.run_folder(ended.value.run).glob("*.checkpoint")
        said += [str(ended.value), repr(checkpoint.read_bytes())]
        outcome = run(home, learner, "two", report=note)
        said += [repr(outcome.model.card), repr(bytes(outcome.model.data))]
    said += [repr(bytes(whole(learner, task).model.data)) for learner in LEARNERS for task in TASKS]
    home.catalog.close()
    said += [caplog.text, *capfd.readouterr()]
    said += [repr(path.read_bytes()) for path in home.path.glob("catalog.sqlite*")]
    said += [repr(path.read_bytes()) for path in home.cache.rglob("*") if path.is_file()]
    assert not any(RARE in text or "xylograph" in text for text in said)


def test_nothing_in_a_model_is_as_long_as_its_rows(whole, frozen) -> None:
    """No scores of rows, no memberships, no keys: no tensor has an extent that is a number of rows."""
    home = open_home(frozen)
    for task in TASKS:
        snap = open_snapshot(home, task)
        sizes = {len(snap), *(len(snap.rows(side)) for side in ("train", "validation", "test"))}
        sizes |= {int((snap.table.side == side).sum()) for side in range(4)}
        sizes |= {int((snap.table.side <= side).sum()) for side in range(4)}
        keys = [key.tobytes() for key in snap.table.key]
        for learner in LEARNERS:
            model = whole(learner, task).model
            own = {n for n in sizes if n > 30}
            shapes = {name: array.shape for name, array in model._sealed.file.tensors.items()}
            assert not [name for name, shape in shapes.items() if own & set(shape)], shapes
            data = bytes(model.data)
            assert not any(key[:8] in data or key.hex()[:12].encode() in data for key in keys)
