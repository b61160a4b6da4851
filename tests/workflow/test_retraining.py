"""Retraining: the parent is found, the recipe kept, the run goes on, the two are compared, and nothing is promoted."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import lithify as lf
from lithify import recipe as recipes
from lithify import samples
from lithify.data.snapshot import open_snapshot
from lithify.errors import DataError, NotFound, RecipeError, RunChanged, SessionEnded, TooFewRows, UsageError
from lithify.learners import registry
from lithify.recipe import Subject
from lithify.store.home import Home
from lithify.workflow import comparing, same_recipe
from lithify.workflow.retraining import find_champion, retrain

from .. import imaging
from ..conftest import CANARY, message

TINY = {
    "folds": 1,
    "linear": {"steps": 6, "tolerance": 0.0},
    "features": {"body_bits": 8, "shape_bits": 8, "header_bits": 8, "read": 2000},
}


def put_mail(folder: Path, numbers: range, labels: tuple[str, ...] = ("ham", "spam")) -> Path:
    for label in labels:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            (folder / label / f"{CANARY}-{number}").write_bytes(message(label, number))
    return folder


def serve(home: Home, model: Any, alias: str = "spam") -> None:
    home.aliases.move(alias, model.digest, action="promote", who="me", why="")


@pytest.fixture
def spam(home: Home) -> Any:
    """A model of the snapshot ``mail``, served as ``spam``."""
    model = lf.train("mail", recipe=TINY, home=home)
    serve(home, model)
    return model


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Has every comparison end with that verdict; returns what was asked for."""

    def fix(said: str) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def compare(champion: Any, challenger: Any, snapshot: Any, **how: Any) -> Any:
            asked.append({"champion": champion.digest, "challenger": challenger.digest, "on": snapshot.digest, **how})
            return SimpleNamespace(verdict=said, reasons=("so it is",), rows=7, metrics={}, to_json=lambda: {})

        monkeypatch.setattr(comparing, "compare", compare)
        return asked

    return fix


def test_new_mail_joins_the_parent_of_what_the_alias_serves(home: Home, spam: Any, tmp_path: Path) -> None:
    parent = open_snapshot(home, "mail")
    new = put_mail(tmp_path / "new", range(200, 260))
    found = retrain("spam", new, home=home, name="mail-2")
    assert (found.alias, found.champion.digest, found.parent) == ("spam@production", spam.digest, parent.digest)
    assert found.snapshot.manifest["parent"] == parent.digest
    assert (found.growth.added, found.growth.removed, found.growth.known) == (120, 160, 0)
    assert found.generation == 1
    assert (found.changes, found.model.card["recipe"]) == ({}, spam.card["recipe"])
    tested = found.snapshot.table.generation[found.snapshot.rows("test")]
    assert found.comparison.rows == (tested == 1).sum()
    assert list(found.older) == [0]
    assert found.older[0].rows == (tested == 0).sum()
    assert home.aliases.all() == {"spam@production": spam.digest}
    assert home.catalog.names()["mail-2"] == found.snapshot.digest
    document = found.to_json()
    assert document["difference"]["added"] == 120
    assert document["older"][0]["generation"] == 0
    assert document["verdict"] in ("better", "not worse", "undecided", "worse")
    again = retrain("spam@production", new, home=home)
    assert (again.model.digest, again.outcome.run, again.outcome.resumed) == (
        found.model.digest,
        found.outcome.run,
        True,
    )
    assert len(home.catalog.sessions(found.outcome.run)) == 1


def test_the_model_is_the_one_that_train_makes_of_the_same_snapshot_and_recipe(
    home: Home, spam: Any, tmp_path: Path
) -> None:
    found = retrain(spam, put_mail(tmp_path / "new", range(200, 230)), home=home)
    assert lf.train(found.snapshot, recipe=TINY, home=home).digest == found.model.digest


def test_nothing_new_trains_nothing(home: Home, spam: Any, tmp_path: Path) -> None:
    runs = len(home.catalog.runs())
    found = retrain("spam", put_mail(tmp_path / "old", range(10)), home=home)
    assert (found.verdict, found.model, found.comparison, found.next) == ("none", None, None, ())
    assert (found.growth.known, found.growth.removed) == (20, 140)
    assert found.to_json()["run"] is None
    assert len(home.catalog.runs()) == runs
    same = retrain("spam", "mail", home=home, set=["seed=0"])
    assert same.verdict == "none"
    assert len(home.catalog.runs()) == runs


def test_another_recipe_on_the_same_rows_is_trained(home: Home, spam: Any) -> None:
    found = retrain("spam", "mail", home=home, set={"linear.steps": 9, "seed": 4})
    assert found.changes == {"params.steps": {"from": 6, "to": 9}, "seed": {"from": 0, "to": 4}}
    assert found.model.card["recipe"]["params"]["steps"] == 9
    assert found.generation == 0
    assert found.older == {}
    assert found.comparison.rows == len(found.snapshot.rows("test"))


def test_a_recipe_in_the_place_of_the_models(home: Home, spam: Any, tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(recipes.to_toml(spam.card["recipe"] | {"seed": 9}))
    new = put_mail(tmp_path / "new", range(200, 230))
    found = retrain("spam", new, home=home, recipe=file, set=["ham_loss=0.01"])
    assert found.changes == {"ham_loss": {"from": 0.001, "to": 0.01}, "seed": {"from": 0, "to": 9}}


def test_without_the_parent_it_says_what_to_do(home: Home, spam: Any, tmp_path: Path) -> None:
    new = put_mail(tmp_path / "new", range(200, 230))
    file = tmp_path / "spam.lith"
    file.write_bytes(bytes(spam.data))
    with pytest.raises(NotFound, match="not in this home") as caught:
        retrain(file, new, home=tmp_path / "other")
    assert spam.card["data"]["snapshot"][7:19] in caught.value.expected
    for way in ("lithify snapshot", "--parent", "--replace"):
        assert way in caught.value.hint
    found = retrain(file, new, home=tmp_path / "other", replace=True)
    assert (found.growth, found.alias, found.to_json()["difference"]) == (None, None, None)


def test_data_that_stands_alone(home: Home, spam: Any, tmp_path: Path) -> None:
    parent = open_snapshot(home, "mail")
    data = put_mail(tmp_path / "all", range(40, 140))
    found = retrain("spam", data, home=home, replace=True, split="hash")
    assert found.snapshot.manifest["parent"] is None
    assert found.snapshot.manifest["generations"] == [200]
    assert (found.growth.known, found.growth.added, found.growth.removed) == (80, 120, 80)
    assert found.growth.moved > 0
    assert found.parent == parent.digest
    test = found.snapshot.rows("test")
    learned = parent.table.key[parent.table.side != 3]
    seen = {key.tobytes() for key in learned} & {key.tobytes() for key in found.snapshot.table.key[test]}
    assert seen
    assert found.comparison.rows == len(test) - len(seen)


def test_a_snapshot_is_taken_as_it_is(home: Home, spam: Any, tmp_path: Path) -> None:
    new = put_mail(tmp_path / "new", range(200, 230))
    child = lf.snapshot(new, parent="mail", name="child", home=home)
    found = retrain("spam", "child", home=home)
    assert (found.snapshot.digest, found.growth.added, found.growth.known) == (child.digest, 60, 160)
    alone = lf.snapshot(new, name="alone", home=home, split="hash")
    with pytest.raises(UsageError, match="no generation"):
        retrain("spam", alone)
    with pytest.raises(UsageError, match="is a snapshot"):
        retrain("spam", "child", home=home, name="other")


def test_another_parent_such_as_one_without_withdrawn_rows(home: Home, spam: Any, tmp_path: Path) -> None:
    snap = open_snapshot(home, "mail")
    gone = snap.table.key[0].tobytes().hex()
    left = lf.withdraw("mail", [gone], home=home).snapshot
    found = retrain("spam", put_mail(tmp_path / "new", range(200, 230)), home=home, parent=left)
    assert found.parent == left.digest
    assert gone not in {key.tobytes().hex() for key in found.snapshot.table.key}
    with pytest.raises(UsageError, match="joins no parent"):
        retrain("spam", tmp_path / "new", home=home, parent=left, replace=True)


def test_relabelled_rows_alone_make_a_new_snapshot_and_no_generation(home: Home, spam: Any, tmp_path: Path) -> None:
    folder = tmp_path / "mended"
    (folder / "spam").mkdir(parents=True)
    (folder / "ham").mkdir()
    (folder / "spam" / "was-ham").write_bytes(message("ham", 3))
    (folder / "ham" / "as-before").write_bytes(message("ham", 4))
    found = retrain("spam", folder, home=home)
    assert (found.growth.relabelled, found.growth.added) == (1, 0)
    assert found.snapshot.digest != found.parent
    assert found.generation == 0
    assert found.model is not None


def test_a_generation_too_small_to_compare_on_is_undecided(home: Home, spam: Any, tmp_path: Path) -> None:
    found = retrain("spam", put_mail(tmp_path / "new", range(200, 201)), home=home, split="hash")
    assert found.growth.added == 2
    assert (found.verdict, found.comparison, found.next) == ("undecided", None, ())
    assert found.reasons
    assert list(found.older) == [0]
    assert found.promotion[-2:] == ("--expect", spam.digest[7:19])


def test_a_label_that_the_champion_does_not_know_is_refused_before_training(
    home: Home, spam: Any, tmp_path: Path
) -> None:
    new = put_mail(tmp_path / "new", range(200, 230), ("ham", "spam", "other"))
    with pytest.raises(DataError, match=r"does not know: other\. Expected: ham, spam\.") as caught:
        retrain("spam", new, home=home)
    assert "--replace" in caught.value.hint
    assert len(home.catalog.runs()) == 1
    found = retrain("spam", new, home=home, replace=True)
    assert found.model.labels == ("ham", "other", "spam")
    assert found.changes == {"spam": {"from": "spam", "to": ""}}  # of three labels none is the opposite of spam
    assert found.verdict == "undecided"
    assert "label" in found.reasons[0]


@pytest.mark.parametrize("said", ["better", "not worse", "undecided", "worse"])
def test_only_a_passing_verdict_names_the_command_that_promotes(
    home: Home, spam: Any, tmp_path: Path, verdict: Any, said: str
) -> None:
    asked = verdict(said)
    found = retrain("spam", put_mail(tmp_path / "new", range(200, 230)), home=home, gates=None)
    assert [call["generation"] for call in asked] == [1]
    promote = ("promote", found.model.digest[7:19], "spam", "--expect", spam.digest[7:19])
    assert found.promotion == promote
    assert found.next == (promote if said in ("better", "not worse") else ())
    assert (found.to_json()["next"] is None) == (found.next == ())


def test_gates_are_read_before_the_work(home: Home, spam: Any, tmp_path: Path) -> None:
    (tmp_path / "gates.toml").write_text("margn = 0.1\n")
    snapshots = len(home.catalog.snapshots())
    with pytest.raises(UsageError, match="margn"):
        retrain("spam", put_mail(tmp_path / "new", range(200, 230)), home=home, gates=tmp_path / "gates.toml")
    assert len(home.catalog.snapshots()) == snapshots


def test_a_session_that_ends_is_gone_on_with_by_the_same_call(home: Home, spam: Any, tmp_path: Path) -> None:
    new = put_mail(tmp_path / "new", range(200, 230))
    slow = {"linear.steps": 400, "linear.tolerance": 1e-300}
    for _ in range(2):
        with pytest.raises(SessionEnded) as ended:
            retrain("spam", new, home=home, set=slow, session=0.01, checkpoint_every=1)
        assert ended.value.hint == "Go on with the same command."
        assert home.catalog.run(ended.value.run).state == "interrupted"
    found = retrain("spam", new, home=home, set=slow)
    assert found.outcome.run == ended.value.run
    assert (found.outcome.resumed, found.outcome.sessions) == (True, 3)
    assert len({row.snapshot for row in home.catalog.runs()}) == 2


def test_data_that_changed_under_an_unfinished_run_is_told(home: Home, spam: Any, tmp_path: Path) -> None:
    new = put_mail(tmp_path / "new", range(200, 230))
    slow = {"linear.steps": 400, "linear.tolerance": 1e-300}
    with pytest.raises(SessionEnded) as ended:
        retrain("spam", new, home=home, set=slow, session=0.01)
    put_mail(new, range(230, 232))
    with pytest.raises(RunChanged) as caught:
        retrain("spam", new, home=home, set=slow)
    assert "lithify train --resume " + ended.value.run[7:19] in caught.value.hint
    assert "--new" in caught.value.hint
    assert retrain("spam", new, home=home, new=True).growth.added == 64


def test_a_split_that_was_asked_for_is_asked_of_the_new_rows_too(home: Home, tmp_path: Path) -> None:
    def table(first: int, count: int) -> dict[str, list[Any]]:
        numbers = range(first, first + count)
        cells = {"shop": [f"shop {n % 20}" for n in numbers], "size": [n * 37 % 101 + n / 1e4 for n in numbers]}
        return cells | {"target": ["no", "yes"] * (count // 2)}

    model = lf.train(table(0, 200), label="target", split="group:shop", learner="tree", home=home)
    found = retrain(model, table(200, 200), home=home)
    side_of: dict[int, set[int]] = {}
    for code, side in zip(found.snapshot.table.field_group.tolist(), found.snapshot.table.side.tolist(), strict=True):
        side_of.setdefault(code, set()).add(side)
    assert len(side_of) == 20
    assert all(len(sides) == 1 for sides in side_of.values())
    assert found.snapshot.manifest["split"]["rule"] == "group"


def test_groups_by_a_header_have_to_be_named_again(home: Home, tmp_path: Path) -> None:
    lf.train(put_mail(tmp_path / "old", range(60)), recipe=TINY, split="group:From", name="from", home=home)
    model = home.catalog.models()[-1].digest
    new = put_mail(tmp_path / "new", range(200, 230))
    with pytest.raises(UsageError, match="does not say by which"):
        retrain(model, new, home=home)
    assert retrain(model, new, home=home, split="group:From").growth.added == 60


def test_a_table_without_rows_is_refused_as_a_snapshot_of_it_is(home: Home, tmp_path: Path) -> None:
    sizes = [n * 37 % 101 for n in range(80)]
    model = lf.train({"size": sizes, "target": ["no", "yes"] * 40}, learner="tree", home=home)
    file = tmp_path / "head.csv"
    file.write_text("size,target\n")
    with pytest.raises(TooFewRows, match="The table has no rows"):
        lf.snapshot(file, home=home)
    with pytest.raises(TooFewRows, match="The table has no rows"):
        retrain(model, file, home=home)
    file.write_text("size,target\n1,\n")
    with pytest.raises(TooFewRows, match=r"There are no rows to learn from.*1 no label"):
        retrain(model, file, home=home)


def test_how_much_of_the_recipe_changed_is_counted(home: Home, spam: Any) -> None:
    told: list[str] = []
    retrain("spam", "mail", home=home, set=["seed=3"], report=lambda update: told.append(update.note or ""))
    assert "1 value of the recipe changed." in told


@pytest.mark.parametrize("label", ["target", "value"])
def test_a_table_is_read_with_the_fields_of_the_parent(home: Home, tmp_path: Path, label: str) -> None:
    def write(name: str, numbers: range) -> Path:
        lines = ["age,code,target,value"]
        lines += [f"{20 + n * 37 % 50},{n % 7},{'ab'[n * 37 % 50 > 25]},{n * 37 % 50 + n % 3}" for n in numbers]
        (tmp_path / name).write_text("\n".join(lines))
        return tmp_path / name

    other = "value" if label == "target" else "target"
    fields = {"code": "category", other: "identifier"}
    old = write("old.csv", range(150))
    model = lf.train(old, label=label, fields=fields, learner="tree", set=["tree.max_leaves=4"], home=home)
    serve(home, model, "ages")
    found = retrain("ages", write("new.csv", range(1000, 1150)), home=home)
    assert found.snapshot.fields == open_snapshot(home, found.parent).fields
    assert found.model.card["recipe"] == model.card["recipe"]
    assert found.model.task == ("classification" if label == "target" else "regression")
    assert found.comparison.rows > 0


def test_the_sample_of_mail_in_two_parts(tmp_path: Path) -> None:
    """Real mail: the first half is what is served, all of it is what is there now."""
    import tarfile

    with tarfile.open(samples.mail()) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # older Pythons know none
        archive.extractall(tmp_path / "all")
    root = next(path for path in (tmp_path / "all").rglob("ham")).parent
    for label in ("ham", "spam"):
        (tmp_path / "old" / label).mkdir(parents=True)
        for path in sorted((root / label).iterdir())[:300]:
            shutil.copy(path, tmp_path / "old" / label / path.name)
    small = TINY | {"features": TINY["features"] | {"body_bits": 12}, "linear": {"steps": 12}}
    old = lf.train(tmp_path / "old", recipe=small, split="hash", home=tmp_path / "home")
    found = retrain(old, root, home=tmp_path / "home", name="mail")
    assert found.growth.known + found.growth.added == len(found.snapshot)
    assert found.growth.removed == 0
    assert 800 < found.growth.added <= 900
    sides = found.snapshot.table.side[found.snapshot.table.generation == 1]
    assert 0.08 < np.isin(sides, [3]).mean() < 0.12
    assert found.model.card["test"]["metrics"]["accuracy"]["value"] > 0.85


@pytest.fixture
def patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick learner of pictures."""
    monkeypatch.setitem(sys.modules, "imaging_of_tests", imaging)
    monkeypatch.setitem(registry.BUILT_IN, "patches", "imaging_of_tests:Patches")


def test_pictures(home: Home, patches: None) -> None:
    def pictures(first: int, count: int) -> tuple[np.ndarray, list[str]]:
        labels = [label for label in imaging.LABELS for _ in range(count)]
        return np.stack([imaging.picture(label, first + n % count) for n, label in enumerate(labels)]), labels

    model = lf.train(pictures(0, 50), learner="patches", set=["features.side=16"], home=home)
    serve(home, model, "photos@canary")
    found = retrain("photos@canary", pictures(100, 50), home=home)
    assert found.growth.added > 100
    assert found.model.card["recipe"] == model.card["recipe"]
    assert found.comparison.rows >= 10
    assert found.promotion[2] == "photos@canary"


def test_an_alias_may_bear_the_name_of_a_folder(
    home: Home, spam: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spam").mkdir()
    assert find_champion(home, "spam")[0].digest == spam.digest
    serve(home, spam, "other")
    assert find_champion(home, "spam")[1] == "spam@production"
    assert find_champion(home, spam.digest)[1] == "other@production"
    with pytest.raises(NotFound):
        find_champion(home, "span")


# --- the recipe -----------------------------------------------------------------------------------------------------

ABOUT = Subject("table", "classification", ("no", "yes"), 500, (("age", "number"), ("job", "category")))


@pytest.fixture(scope="module")
def resolved() -> dict[str, Any]:
    return recipes.resolve(recipes.parse({"learner": "boosting", "boosting": {"rounds": 40}, "seed": 3}), ABOUT)


def again(resolved: dict[str, Any], about: Subject, *words: str) -> dict[str, Any]:
    return recipes.resolve(same_recipe.again(resolved, about, words), about)


@pytest.mark.parametrize("rows", [10, 501, 1_000_000])
def test_no_value_follows_the_number_of_rows(resolved: dict[str, Any], rows: int) -> None:
    assert again(resolved, replace(ABOUT, rows=rows)) == resolved


@pytest.mark.parametrize("kind", ["mail", "text", "table", "image"])
@pytest.mark.parametrize("quality", ["fast", "good"])
def test_every_default_recipe_is_kept(kind: str, quality: Any) -> None:
    fields = ABOUT.fields if kind == "table" else ()
    about = Subject(kind, "classification", ("ham", "spam"), 900, fields, *((32, 3) if kind == "image" else (0, 0)))
    first = recipes.resolve(recipes.parse({"quality": quality}), about)
    more = replace(about, rows=90_000, side=about.side * 3, channels=min(1, about.channels))
    assert again(first, more) == first
    assert again(first, more) == recipes.reread(first, about)


def test_what_other_fields_make_void_is_decided_anew(resolved: dict[str, Any]) -> None:
    wider = replace(ABOUT, fields=(*ABOUT.fields, ("town", "category")))
    found = same_recipe.changes(resolved, again(resolved, wider))
    assert list(found) == ["features.fields"]
    assert found["features.fields"]["to"] == [list(field) for field in wider.fields]


def test_another_learner_or_quality_comes_with_its_own_parameters(resolved: dict[str, Any]) -> None:
    tree = again(resolved, ABOUT, "learner=tree")
    assert (tree["learner"], tree["seed"]) == ("tree", 3)
    assert again(resolved, ABOUT, "tree.max_leaves=5")["params"]["max_leaves"] == 5
    fast = again(resolved, ABOUT, "quality=fast")
    asked = recipes.parse({"learner": "boosting", "seed": 3, "quality": "fast"})
    assert fast == recipes.resolve(asked, ABOUT)
    assert again(resolved, ABOUT, "quality=good", "learner=boosting") == resolved
    assert again(resolved, ABOUT, "boosting.rounds=7")["params"] == resolved["params"] | {"rounds": 7}


def test_a_recipe_that_cannot_be_says_how_to_change_it(resolved: dict[str, Any]) -> None:
    old = resolved | {"params": resolved["params"] | {"forgotten": 1}}
    with pytest.raises(RecipeError, match="forgotten") as caught:
        same_recipe.again(old, ABOUT)
    assert caught.value.hint
