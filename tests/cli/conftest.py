from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lithify.cli import main

WORDS = {
    "ham": ("meeting", "kernel", "patch", "review", "lunch", "list", "thanks", "compile"),
    "spam": ("free", "money", "offer", "click", "guarantee", "winner", "credit", "pills"),
}


def message(label: str, number: int) -> bytes:
    """Mail of that label, whose time grows with the number; every one is unlike all others."""
    day = (
        f"{1 + number % 28} {('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun')[number // 28 % 6]} 2002 10:00:{number % 60:02}"
    )
    words = WORDS[label]
    body = " ".join(f"{words[(number + i) % 8]} {label[0]}{number * 31 + i * 7}x{i * i}" for i in range(25))
    head = f"From: a{number}@{label}.example\nSubject: {words[number % 8]} {number}\nDate: {day} +0000\n\n"
    return (head + body + "\n").encode()


def write_mail(folder: Path, count: int = 60, first: int = 0) -> Path:
    """A folder with sub-folders ham and spam."""
    for label in WORDS:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + count):
            (folder / label / f"{number:03}.eml").write_bytes(message(label, number))
    return folder


def rows(count: int = 400, first: int = 0) -> list[dict[str, object]]:
    """People: who buys depends on age and town, what they spend on age."""
    made: list[dict[str, object]] = []
    for number in range(first, first + count):
        age, town = 20 + number * 37 % 50, ("Ulm", "Köln", "Bonn, Rhein")[number % 3]
        noise = number * 7919 % 11
        buys = "yes" if (age > 45) != (town == "Ulm" and noise > 6) else "no"
        made.append({"age": age if noise != 3 else "", "town": town, "id": f"k{number:05}", "buys": buys,
                     "spent": 10 * age + 3 * noise + number % 2 / 2})  # fmt: skip
    return made


def write_table(path: Path, count: int = 400, first: int = 0, leave_out: tuple[str, ...] = ()) -> Path:
    """The people as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        names = [name for name in ("age", "town", "id", "buys", "spent") if name not in leave_out]
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows(count, first))
    return path


@dataclass(frozen=True)
class Done:
    """What a command line came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Done]


@pytest.fixture
def lithify(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command line in this process, in a folder of its own and with a home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LITHIFY_HOME", str(tmp_path / "home"))

    def run(*words: object) -> Done:
        capfd.readouterr()
        status = main([str(word) for word in words])
        out, err = capfd.readouterr()
        return Done(status, out, err)

    return run


@dataclass(frozen=True)
class Place:
    """A home with a snapshot named ``inbox`` and a model trained on it."""

    home: Path
    mail: Path
    model: Path


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Made once; tests that change a home make their own."""
    folder = tmp_path_factory.mktemp("place")
    mail = write_mail(folder / "mail")
    model = folder / "spam.lith"
    status = main(["train", str(mail), "--name", "inbox", "--out", str(model), "--home", str(folder / "home"), "-q"])
    assert status == 0
    return Place(folder / "home", mail, model)


@dataclass(frozen=True)
class Tables:
    """A home with the snapshots ``buys`` and ``spent`` of one table, and a model for each."""

    home: Path
    csv: Path
    buys: Path
    spent: Path


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Made once; tests that change a home make their own."""
    folder = tmp_path_factory.mktemp("tables")
    table, made = write_table(folder / "people.csv"), {}
    for label, other in (("buys", "spent"), ("spent", "buys")):
        made[label] = folder / f"{label}.lith"
        words = ["train", str(table), "--label", label, "--field", f"{other}=identifier", "--name", label]
        status = main([*words, "--learner", "tree", "--out", str(made[label]), "--home", str(folder / "home"), "-q"])
        assert status == 0
    return Tables(folder / "home", table, made["buys"], made["spent"])
