"""The command `compare`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import Place, Run, rows, write_table

from lithify.cli import main

KEYS = {
    "format", "champion", "challenger", "snapshot", "split", "task", "verdict", "reasons", "gates", "results",
    "deciding", "rows", "counts", "generations", "seen", "looks", "metrics", "mcnemar", "flips", "moved", "slices",
    "slices_looked_at", "latency", "size", "notes", "next",
}  # fmt: skip
"""Of the document; programs rely on them."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home, data and two models of it; to be copied, never changed."""
    folder = tmp_path_factory.mktemp("pair")
    table = write_table(folder / "people.csv", 900)
    for learner in ("tree", "linear"):
        words = ["train", str(table), "--label", "buys", "--field", "id=identifier", "--learner", learner]
        assert main([*words, "--out", str(folder / f"{learner}.lith"), "--home", str(folder / "home"), "-q"]) == 0
    return folder


@pytest.fixture
def here(pair: Path, tmp_path: Path, lithify: Run) -> Run:
    """The command line in a copy of that folder."""
    shutil.copytree(pair, tmp_path, dirs_exist_ok=True)
    return lithify


LAX = "margin = 0.9\nflips = false\nslices = false\n"
STRICT = "size = 0.001\n"


def test_for_people(here: Run) -> None:
    done = here("compare", "tree.lith", "linear.lith", "--quiet", "--report", "compared.html")
    assert done.status == 0, done.err
    first, *rest = done.out.splitlines()
    assert first in ("The challenger is better.", "The challenger is not worse.", "The challenger is worse.",
                     "Undecided: too few rows to tell.")  # fmt: skip
    assert any(line.startswith("figure") and line.split()[1:3] == ["champion", "challenger"] for line in rest)
    for words in ("Accuracy", "negative flips", "positive flips", "McNemar", "slices", "one row", "file", "test split"):
        assert words in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert "Report: compared.html" in done.out
    assert "</html>" in Path("compared.html").read_text()
    assert "Next:" not in done.out  # the champion is no alias


def test_for_programs(here: Run) -> None:
    done = here("compare", "tree.lith", "linear.lith", "--json", "--report", "compared.html")
    assert done.status == 0
    assert done.json.keys() == KEYS | {"report"}
    assert done.json["next"] is None
    assert done.json["metrics"]["accuracy"].keys() == {
        "champion", "challenger", "difference", "low", "high", "p", "direction", "title", "unit",
    }  # fmt: skip
    assert done.json["flips"]["negative"].keys() == {"rows", "share", "low", "high", "listed"}
    assert not Path("compared.html").read_text().count('http-equiv="refresh"')


def test_the_next_command_promotes(here: Run) -> None:
    Path("lax.toml").write_text(LAX)
    assert here("promote", "tree.lith", "buyers").status == 0
    assert here("promote", "linear.lith", "buyers").status == 77
    done = here("compare", "buyers", "linear.lith", "--gates", "lax.toml")
    assert "Next: lithify promote linear.lith buyers --expect " in done.out
    assert here(*done.out.split("Next: lithify ")[1].split()).status == 0
    Path("strict.toml").write_text(STRICT)
    done = here("compare", "buyers", "tree.lith", "--gates", "strict.toml")
    assert done.status == 0
    assert "The challenger is worse." in done.out
    assert "Next:" not in done.out


def test_a_verdict_can_be_required(here: Run) -> None:
    Path("lax.toml").write_text(LAX)
    Path("strict.toml").write_text(STRICT)
    words = ("compare", "tree.lith", "linear.lith", "--quiet")
    assert here(*words, "--gates", "lax.toml", "--require", "not-worse").status == 0
    refused = here(*words, "--gates", "strict.toml", "--require", "not-worse", "--json")
    assert refused.status == 77
    assert refused.json["verdict"] == "worse"
    assert here(*words, "--gates", "strict.toml", "--require", "better").status == 77
    assert here(*words, "--require", "best").status == 2


def test_new_rows_of_a_file(here: Run) -> None:
    write_table(Path("new.csv"), 300, 5_000)
    done = here("compare", "tree.lith", "linear.lith", "new.csv", "--label", "buys", "--split", "all", "--json")
    assert done.status == 0, done.err
    assert done.json["split"] == "all"
    assert done.json["rows"] + max(done.json["seen"].values()) <= len(rows(300, 5_000))


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("tree.lith", "tree.lith"), 2, "same model"),
        (("tree.lith", "linear.lith", "--split", "train"), 65, "neither model has learned from"),
        (("tree.lith", "linear.lith", "--generation", "4"), 2, "generation 4"),
        (("tree.lith", "linear.lith", "--generation", "0", "--all-generations"), 2, "not both"),
        (("tree.lith", "linear.lith", "--gates", "none.toml"), 66, "no file of gates"),
        (("tree.lith", "spam"), 66, "spam"),
        (("tree.lith", "linear.lith", "nowhere.csv"), 66, "nowhere.csv"),
    ],
)
def test_errors(here: Run, words: tuple[str, ...], status: int, said: str) -> None:
    done = here("compare", *words)
    assert done.status == status
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert json.loads(here("compare", *words, "--json").out)["message"]


def test_mail(place: Place, lithify: Run, tmp_path: Path) -> None:
    """What each cut-off does to the mail is said too."""
    shutil.copytree(place.home, tmp_path / "home")
    assert lithify("train", "inbox", "--set", "linear.steps=1", "--out", "weak.lith", "-q").status == 0
    done = lithify("compare", "weak.lith", place.model, "--json")
    assert done.status == 0, done.err
    assert {"ham_lost", "spam_caught"} <= done.json["metrics"].keys()
    assert lithify("compare", "weak.lith", place.model, "--report", "mail.html").status == 0
