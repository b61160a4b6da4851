"""The command `retrain`: mail, tables and pictures, what it prints, and that it can be killed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lithify import canon
from lithify.cli import main
from lithify.learners import registry
from lithify.store.home import open_home

from .. import imaging
from .conftest import Place, Run, Tables, write_mail, write_table

KEYS = {
    "model", "champion", "alias", "parent", "snapshot", "replaced", "generation", "difference", "recipe_changes",
    "run", "sessions", "resumed", "comparison", "older", "verdict", "reasons", "notes", "next",
}  # fmt: skip
COUNTS = {
    "added", "known", "removed", "relabelled", "moved", "excluded", "copies", "quarantined", "reasons"
}  # fmt: skip
LAX = "margin = 1.0\nflips = false\nslices = false\n"
STRICT = LAX + "size = 0.001\n"
TINY = [
    "--set",
    "linear.steps=6",
    "--set",
    "linear.tolerance=1e-300",
    "--set",
    "features.body_bits=8",
    "--set",
    "folds=1",
]


def told(text: str) -> str:
    return " ".join(text.split())


def move_in(home: Path, model: Path, alias: str) -> str:
    """Copies a home to where the commands look, and serves a model there; returns its digest."""
    shutil.copytree(home, "home")
    assert main(["promote", str(model), alias, "-q"]) == 0
    return canon.digest(model.read_bytes())


@pytest.fixture
def served(lithify: Run, place: Place) -> str:
    """Digest of the model that ``spam`` serves."""
    write_mail(Path("new"), 40, first=60)
    Path("lax.toml").write_text(LAX)
    return move_in(place.home, place.model, "spam")


def test_json_is_a_contract(lithify: Run, served: str) -> None:
    done = lithify("retrain", "spam", "new", "--json", "--gates", "lax.toml", "--out", "new.lith", "--name", "more")
    assert done.status == 0, done.err
    found = done.json
    assert found.keys() == KEYS | {"path"}
    assert found["difference"].keys() == COUNTS
    assert (found["champion"], found["alias"]) == (served, "spam@production")
    assert (found["generation"], found["difference"]["added"], found["recipe_changes"]) == (1, 80, {})
    assert found["model"] == canon.digest(Path(found["path"]).read_bytes())
    assert found["comparison"]["champion"] == served
    assert found["comparison"]["generations"] == {"1": found["comparison"]["rows"]}
    assert [each.keys() for each in found["older"]] == [{"generation", "rows", "verdict", "deciding", "metrics"}]
    command = ["lithify", "promote", found["model"][7:19], "spam", "--expect", served[7:19]]
    assert shlex.split(found["next"]) == command
    assert lithify("history", "spam", "--json").json["entries"][-1]["model"] == served
    assert lithify(*command[1:]).status == 0
    assert open_home(Path("home")).aliases.get("spam") == found["model"]


def test_what_a_person_reads(lithify: Run, served: str) -> None:
    done = lithify("retrain", "spam", "new", "--gates", "lax.toml", "--report", "compared.html")
    assert done.status == 0, done.err
    assert "</html>" in Path("compared.html").read_text()
    for said in (
        f"Retraining spam@production serves {served[7:19]} now",
        "in 2 generations",
        "added 80 rows",
        "kept 120 rows of the parent not in the data: they stay",
        "relabelled 0 rows",
        "quarantined none",
        "the same, value by value",
        "Compared on the test rows of generation 1",
        "nothing was promoted",
        "generation 0, ",
        f"spam --expect {served[7:19]}",
    ):
        assert said in told(done.out), said
    assert max(map(len, done.out.splitlines())) <= 80
    assert "80 added" in told(done.err)
    again = lithify("retrain", "spam@production", "new", "--gates", "lax.toml")
    assert "finished; here is its model" in told(again.err)
    assert len(lithify("runs", "--json").json["runs"]) == 2


def test_a_recipe_that_is_changed_on_purpose_is_shown_key_by_key(lithify: Run, served: str) -> None:
    done = lithify("retrain", "spam", "new", "--set", "ham_loss=0.01", "--set", "seed=5", "-q")
    assert done.status == 0, done.err
    assert "ham_loss 0.001 -> 0.01" in told(done.out)
    assert "seed 0 -> 5" in told(done.out)


def test_a_worse_model_is_not_offered(lithify: Run, served: str) -> None:
    Path("strict.toml").write_text(STRICT)
    done = lithify("retrain", "spam", "new", "--gates", "strict.toml")
    assert done.status == 0, done.err
    text = told(done.out)
    assert "is worse" in text
    assert "lithify compare spam " in text
    assert "--force REASON" in text
    assert text.index("lithify compare") < text.index("lithify promote")
    assert lithify("retrain", "spam", "new", "--gates", "strict.toml", "--json").json["next"] is None


def test_nothing_new_is_said_and_is_no_mistake(lithify: Run, served: str, place: Place) -> None:
    done = lithify("retrain", "spam", place.mail)
    assert done.status == 0, done.err
    assert "nothing to train. spam@production stays as it is." in told(done.out)
    assert len(lithify("runs", "--json").json["runs"]) == 1
    found = lithify("retrain", "spam", place.mail, "--json").json
    assert (found["verdict"], found["model"], found["next"]) == ("none", None, None)


def test_files_that_are_not_written_are_told(lithify: Run, served: str, place: Place) -> None:
    asked = ("retrain", "spam", place.mail, "--out", "new.lith", "--report", "new.html")
    done = lithify(*asked)
    assert done.status == 0, done.err
    assert "new.lith was not written: there is no new model." in told(done.out)
    assert "new.html was not written: there is no comparison." in told(done.out)
    found = lithify(*asked, "--json").json
    assert found.keys() == KEYS | {"path", "report"}
    assert (found["path"], found["report"]) == (None, None)


def test_a_comparison_that_cannot_be_made_is_not_advised(lithify: Run, served: str) -> None:
    write_mail(Path("few"), 1, first=70)
    done = lithify("retrain", "spam", "few")
    assert done.status == 0, done.err
    assert "--force REASON" in told(done.out)
    assert "lithify compare" not in done.out


def test_labels_that_are_not_the_champions(lithify: Run, served: str) -> None:
    Path("new/spam").rename("new/junk")
    done = lithify("retrain", "spam", "new")
    assert done.status == 65
    assert "labels that the champion does not know: junk." in told(done.err)
    assert "another alias" in told(done.err)


def test_data_that_stands_alone(lithify: Run, served: str) -> None:
    write_mail(Path("all"), 90, first=30)
    done = lithify("retrain", "spam", "all", "--replace")
    assert done.status == 0, done.err
    assert "60 rows of what it replaces not in the data; gone" in told(done.out)
    assert "in 1 generation " in told(done.out)


@pytest.mark.parametrize(("words", "status", "said"), [
    (["span", "new"], 66, "Did you mean spam"),
    (["spam", "nowhere"], 66, "no path and no snapshot"),
    (["spam", "new", "--set", "seed"], 2, "no value"),
    (["spam", "new", "--set", "linear.stebs=3"], 2, "Did you mean 'steps'"),
    (["spam", "new", "--gates", "none.toml"], 66, "no file of gates"),
    (["spam", "new", "--out", "nowhere/new.lith"], 66, "no folder"),
    (["spam", "new", "--report", "new"], 2, "is a folder"),
    (["spam", "new", "--parent", "inbox", "--replace"], 2, "joins no parent"),
    (["spam", "new", "--threads", "0"], 2, "at least 1"),
    (["spam"], 2, "DATA"),
])  # fmt: skip
def test_mistakes(lithify: Run, served: str, words: list[str], status: int, said: str) -> None:
    done = lithify("retrain", *words)
    assert (done.status, "Traceback" in done.err) == (status, False), done.err
    assert said in told(done.err)
    assert len(lithify("runs", "--json").json["runs"]) == 1


@pytest.mark.parametrize("label", ["buys", "spent"])
def test_tables(lithify: Run, tables: Tables, label: str) -> None:
    model = getattr(tables, label)
    digest = move_in(tables.home, model, "people")
    write_table(Path("all.csv"), 800)
    done = lithify("retrain", "people", "all.csv", "--json")
    assert done.status == 0, done.err
    found = done.json
    assert (found["difference"]["added"], found["difference"]["known"], found["notes"]) == (400, 400, [])
    assert found["recipe_changes"] == {}
    assert found["comparison"]["deciding"] == ("accuracy" if label == "buys" else "rmse")
    write_table(Path("part.csv"), 100, first=300)
    shown = lithify("retrain", digest[7:19], "part.csv")
    assert shown.status == 0, shown.err
    assert "100 rows of the data say what rows of the parent say" in told(shown.out)
    assert "give the old rows too" in told(shown.out)


def test_pictures(lithify: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imaging_of_tests", imaging)
    monkeypatch.setitem(registry.BUILT_IN, "patches", "imaging_of_tests:Patches")
    for name, numbers in (("old", range(60)), ("new", range(100, 160))):
        for label in imaging.LABELS:
            Path(name, label).mkdir(parents=True)
            for number in numbers:
                Image.fromarray(imaging.picture(label, number)).save(Path(name, label, f"{number}.png"))
    words = ["--learner", "patches", "--set", "features.side=16", "--out", "photos.lith", "-q"]
    assert lithify("train", "old", *words).status == 0
    assert lithify("promote", "photos.lith", "photos").status == 0
    done = lithify("retrain", "photos", "new", "--json")
    assert done.status == 0, done.err
    assert done.json["difference"]["added"] > 120
    assert done.json["comparison"]["rows"] > 10


def test_a_session_ends_with_75_and_the_same_command_goes_on(lithify: Run, served: str) -> None:
    words = ["retrain", "spam", "new", "--set", "linear.steps=300", "--set", "linear.tolerance=1e-300"]
    done = lithify(*words, "--session", "0.01s", "--json")
    assert done.status == 75, done.err
    assert "Go on with the same command." in told(done.err)
    run = done.json["run"]
    found = lithify(*words, "--json").json
    assert (found["run"], found["resumed"], found["sessions"]) == (run, True, 2)


BASE = [sys.executable, "-m", "lithify"]


def run(*words: str, point: int = 0) -> tuple[int, Any]:
    """A command in a process of its own that kills itself by SIGKILL at that dangerous point."""
    env = {**os.environ, **({"LITHIFY_FAULT_KILL": str(point)} if point else {})}
    done = subprocess.run([*BASE, *words, "--json", "-q"], env=env, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout) if done.returncode == 0 else None


def test_killed_in_the_middle_it_goes_on_to_the_same_model(lithify: Run, served: str) -> None:
    """Killed while it makes the snapshot and while it trains; each time the same command goes on."""
    words = ["retrain", "spam", "new", *TINY, "--checkpoint-every", "1", "--home"]
    shutil.copytree("home", "whole")
    status, whole = run(*words, "whole")
    assert status == 0
    for point in (7, 45):
        assert run(*words, "home", point=point) == (-signal.SIGKILL, None)
    assert [row.state for row in open_home(Path("home")).catalog.runs()][1:] == ["running"]
    status, found = run(*words, "home")
    assert status == 0
    for name in ("model", "snapshot", "run", "parent", "difference", "recipe_changes", "next"):
        assert found[name] == whole[name], name
    assert open_home(Path("home")).aliases.get("spam") == served
