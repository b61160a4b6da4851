"""A command that only looks something up, or works on the file of a model, leaves no home behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..signers import pair
from .conftest import Place, Run

COMMANDS = [
    ("evaluate", "nothing@production", "{model}", 66),
    ("compare", "nothing@production", "{model}", 66),
    ("compare", "{model}", "{model}", "rows.csv", 2),
    ("retrain", "nothing", "rows.csv", 66),
    ("sign", "{model}", "--key", "{key}", "--out", "its.sig", 0),
    ("show", "{model}", 0),
    ("verify", "{model}", 0),
    ("history", "nothing", 66),
    ("rollback", "nothing", 66),
    ("runs", 66),
    ("ls", 0),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(map(str, words[:-1])))
def test_no_home_is_made(lithify: Run, place: Place, tmp_path: Path, words: tuple[str | int, ...]) -> None:
    *asked, status = words
    names = {"model": place.model, "key": pair(tmp_path).private}
    home = tmp_path / "nowhere"
    done = lithify(*(str(word).format(**names) for word in asked), "--home", home)
    assert done.status == status, done.err
    assert not home.exists()
