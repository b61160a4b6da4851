"""promote, rollback, history, and how show and ls tell what is served."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.workflow.race import variants

import lithify as lf

from .conftest import Place, Run, Tables


@pytest.fixture
def files(place: Place, tmp_path: Path) -> tuple[Path, Path]:
    """Two model files in the folder where the commands run, and a home of its own that knows neither."""
    shutil.copy(place.model, tmp_path / "old.lith")
    (tmp_path / "new.lith").write_bytes(variants(lf.open(place.model), 1)[0])
    return Path("old.lith"), Path("new.lith")


def digest(file: Path) -> str:
    return lf.open(file).digest


def test_promote_refuse_force_and_roll_back(lithify: Run, files: tuple[Path, Path]) -> None:
    old, new = files
    done = lithify("promote", old, "spam", "--why", "to begin with")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"ok  spam@production serves {digest(old)[7:19]}, by ")
    assert "already" in lithify("promote", old, "spam").out
    done = lithify("promote", new, "spam")
    assert done.status == 77
    assert "lithify compare spam@production new.lith" in " ".join(done.err.split())
    done = lithify("promote", new, "spam", "--force", "a new scam", "--expect", digest(old)[7:19])
    assert done.status == 0
    assert f"instead of {digest(old)[7:19]}" in done.out
    assert "Forced" in done.out
    assert done.out.endswith("To undo: lithify rollback spam\n")
    assert lithify("promote", old, "spam", "--force", "x", "--expect", digest(old)).status == 77
    done = lithify("rollback", "spam", "--why", "too strict")
    assert done.out.startswith(f"ok  spam@production serves {digest(old)[7:19]} instead of {digest(new)[7:19]}")
    assert lithify("rollback", "spam").status == 2


def test_documents(lithify: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = files
    names = {"alias", "number", "action", "model", "previous", "who", "at", "why", "forced", "evidence", "parent"}
    names.add("digest")
    first = lithify("promote", old, "spam", "--by", "me", "--expect", "none", "--json").json
    assert first.keys() == names | {"changed"}
    assert (first["changed"], first["who"], first["evidence"]["verdict"]) == (True, "me", "first")
    assert lithify("promote", old, "spam", "--json").json == first | {"changed": False}
    lithify("promote", new, "spam", "--force", "trying")
    last = lithify("rollback", "spam", "--to", digest(old), "--json").json
    told = lithify("history", "spam", "--json").json
    assert told.keys() == {"alias", "model", "verified", "head", "entries"}
    assert (told["alias"], told["model"], told["verified"]) == ("spam@production", digest(old), True)
    assert told["head"] == last["digest"]
    assert [entry["action"] for entry in told["entries"]] == ["promote", "promote", "rollback"]
    assert told["entries"][0] | {"changed": True} == first
    refused = lithify("promote", new, "spam", "--json")
    assert refused.json["code"] == "promotion-refused"
    moved = lithify("promote", new, "spam", "--expect", "none", "--json")
    assert moved.json["code"] == "alias-moved"


def test_history_reads_as_a_table(lithify: Run, files: tuple[Path, Path]) -> None:
    old, new = files
    why = "because " * 30
    lithify("promote", old, "spam", "--by", "somebody-with-a-very-long-name@a-machine.example", "--why", "a\x1b[31mb")
    lithify("promote", new, "spam", "--by", "me", "--force", why)
    done = lithify("history", "spam")
    head, first, red, second, *rest = done.out.splitlines()
    assert head.split() == ["#", "when", "who", "action", "model", "on"]
    assert first.startswith("1  ")
    assert first.endswith(f"…  promote  {digest(old)[7:19]}  first")
    assert red == "   a\ufffd[31mb"
    assert second.split()[-4:] == ["me", "promote", digest(new)[7:19], "forced"]
    assert " ".join(" ".join(rest).split()).startswith(why.strip())
    assert all(len(line) <= 80 for line in done.out.splitlines()[:-1])
    assert done.out.splitlines()[-1].startswith("ok  the chain of 2 entries is whole, up to sha256:")


def test_a_changed_history_is_found(lithify: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    lithify("promote", files[0], "spam", "--why", "honest")
    with sqlite3.connect(tmp_path / "home" / "catalog.sqlite") as catalog:
        catalog.execute("DROP TRIGGER history_stays")
        catalog.execute("UPDATE history SET entry = replace(entry, 'honest', 'forged')")
    catalog.close()
    for words in (["history", "spam"], ["rollback", "spam"], ["promote", files[1], "spam", "--force", "trying"]):
        done = lithify(*words)
        assert done.status == 65
        assert "spam@production was changed" in " ".join(done.err.split())
    assert lithify("history", "spam", "--json").json["code"] == "history-broken"


def test_show_and_ls_tell_what_is_served(lithify: Run, files: tuple[Path, Path]) -> None:
    old, new = files
    assert lithify("ls", "--json").json["aliases"] == []
    lithify("promote", old, "spam", "--by", "me", "--why", "to begin with")
    lithify("promote", new, "spam@canary", "--by", "you")
    shown = lithify("show", "spam").out
    assert shown.startswith(f"Model {digest(old)[7:19]}")
    assert "serves as  spam@production, promoted 20" in shown
    assert "by me: to begin with" in " ".join(shown.split())
    assert lithify("show", "spam@canary").out.startswith(f"Model {digest(new)[7:19]}")
    (alias,) = lithify("show", "spam", "--json").json["aliases"]
    assert alias.keys() == {"alias", "model", "since", "by", "action", "why", "forced", "entries"}
    assert (alias["alias"], alias["model"], alias["by"]) == ("spam@production", digest(old), "me")
    lithify("promote", new, "spam", "--force", "trying")
    assert lithify("show", digest(old), "--json").json["aliases"] == []
    assert "serves as" not in lithify("show", digest(old)).out
    listed = lithify("ls", "--json").json["aliases"]
    assert [(each["alias"], each["model"]) for each in listed] == [
        ("spam@canary", digest(new)),
        ("spam@production", digest(new)),
    ]
    assert "spam@canary" in lithify("ls").out


@pytest.mark.parametrize("alias", ["deadbeef", "spam@", "a b", "@canary"])
@pytest.mark.parametrize("words", [["promote", "old.lith"], ["rollback"], ["history"]])
def test_what_cannot_be_an_alias(lithify: Run, files: tuple[Path, Path], words: list[str], alias: str) -> None:
    lithify("promote", "old.lith", "spam")
    done = lithify(*words, alias)
    assert done.status == 2
    assert "cannot be an alias" in done.err


def test_a_damaged_model_is_refused(lithify: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "new.lith").write_bytes((tmp_path / "old.lith").read_bytes()[:-1])
    assert lithify("promote", "new.lith", "spam").status == 65
    assert lithify("promote", "nothing.lith", "spam").status == 66
    assert lithify("history", "spam").status == 66


def test_another_kind_task_or_other_labels_are_said_at_once(
    lithify: Run, files: tuple[Path, Path], tables: Tables, tmp_path: Path
) -> None:
    shutil.copy(tables.buys, tmp_path / "buys.lith")
    shutil.copy(tables.spent, tmp_path / "spent.lith")
    lithify("promote", "buys.lith", "income")
    done = lithify("promote", "old.lith", "income")
    assert (done.status, "lithify compare" in done.err) == (77, False)
    assert "income judges rows of tables, old.lith mail." in " ".join(done.err.split())
    assert "--force REASON" in " ".join(done.err.split())
    done = lithify("promote", "spent.lith", "income")
    assert "income is for classification, spent.lith for regression." in " ".join(done.err.split())
    assert lithify("promote", "old.lith", "income", "--force", "a new task").status == 0


def test_a_comparison_and_its_gates_are_shown(
    lithify: Run, files: tuple[Path, Path], place: Place, tmp_path: Path
) -> None:
    old, new = files
    shutil.copytree(place.home, tmp_path / "home")
    (tmp_path / "gates.toml").write_text("margin = 0.5\nflips = false\nslices = false\n")
    lithify("promote", old, "spam")
    made = lithify("compare", "spam", new, "--gates", "gates.toml", "--json").json
    assert made["verdict"] == "not worse"
    promoted = lithify("promote", new, "spam", "--json").json["evidence"]
    assert promoted["gates"] == {"margin": 0.5, "flips": None, "slices": False}
    comparison = promoted["comparison"]
    lithify("rollback", "spam")
    done = lithify("promote", new, "spam")
    assert f"On: not worse {comparison[7:15]} (gates: flips off, margin 0.5, slices off)" in done.out
    assert "gates: flips off, margin 0.5, slices off" in lithify("history", "spam").out
    shown = lithify("show", comparison[7:19])
    assert shown.out.startswith("The challenger is not worse.")
    assert "flips off" in shown.out
    assert "accuracy" in shown.out.lower()
    document = lithify("show", comparison, "--json").json
    assert (document["verdict"], document["metrics"]) == (made["verdict"], made["metrics"])
