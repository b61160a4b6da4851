"""A small home that every room may copy: made-up mail with two labels, and text with three."""

from __future__ import annotations

import csv
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from lithify import rng
from lithify.data.open import open_source
from lithify.data.snapshotting import snapshot
from lithify.store.home import Home, open_home

settings.register_profile("lithify", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("lithify")

for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:  # as nohup and shells leave them, and every process a test starts
        signal.signal(number, usual)

CANARY = "xylograph-canary"
WORDS = {
    "ham": ["meeting", "kernel", "patch", "thanks", "list", "minutes", "draft", "server", "regards", "review"],
    "spam": ["offer", "free", "money", "click", "credit", "prize", "guarantee", "order", "winner", "cheap"],
    "other": ["football", "goal", "weather", "rain", "sunny", "garden", "recipe", "soup", "travel", "train"],
}


def words(label: str, number: int, count: int = 30) -> str:
    """Mostly words of the label, some of the others, the same every time."""
    stream = rng.key(7, label, number)
    pool = [*WORDS[label] * 3, *WORDS["ham"], *WORDS["spam"], *WORDS["other"]]
    return " ".join(pool[at] for at in rng.below(stream, 0, len(pool), count).tolist())


def message(label: str, number: int) -> bytes:
    """One mail with a canary in its body, its headers and its address."""
    day = number % 28 + 1
    return (
        f"From: {CANARY}-sender{number} <{CANARY}{number}@example.com>\n"
        f"To: you@example.org\nSubject: {words(label, number, 4)} {CANARY}-subject\n"
        f"Date: {day} Jan 2015 10:00:00 +0000\nMessage-ID: <{CANARY}{label}{number}@example.com>\n\n"
        f"{words(label, number)}\n{CANARY}-body-{number}\n{words(label, number + 1000)}\n"
    ).encode()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a home with the snapshots ``mail`` and ``text``; to be copied, never changed."""
    folder = tmp_path_factory.mktemp("made")
    for label, count in (("ham", 90), ("spam", 70)):
        place = folder / f"{CANARY}-folder" / label
        place.mkdir(parents=True)
        for number in range(count):
            (place / f"{CANARY}-file-{number}").write_bytes(message(label, number))
    with open(folder / "texts.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows([words(label, n, 20), label] for label in ("ham", "spam", "other") for n in range(40))
    home = open_home(folder / "home")
    snapshot(open_source(folder / f"{CANARY}-folder"), home, name="mail")
    snapshot(open_source(folder / "texts.csv", label="label", text="text"), home, name="text")
    home.catalog.close()
    return folder / "home"


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Home:
    """A copy of the small home, to be changed at will."""
    shutil.copytree(made, tmp_path / "home")
    return open_home(tmp_path / "home")
