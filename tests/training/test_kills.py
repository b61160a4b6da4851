"""`kill -9` at any instant: whatever it hits, the run goes on to the same bits."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from tests.training.conftest import TINY
from tests.training.storm import Storm

from lithify.store.blobs import sweep
from lithify.store.home import open_home


@pytest.fixture(scope="module")
def storm(made, tmp_path_factory):
    with Storm(made, tmp_path_factory.mktemp("storm"), TINY) as storm:
        yield storm


def test_kills_at_dangerous_points(storm, digest) -> None:
    """Some all over the training, more at its end, where it is sealed and recorded; the long test goes to each."""
    points = _points(storm)
    for point in [*range(1, points - 16, points // 6), *range(points - 16, points + 1, 3)]:
        home = storm.fresh()
        assert storm.train(home, 1, point) == "killed"
        assert storm.train(home, 1 + point % 3) == digest, f"killed at point {point}"
        _check_clean(home)


def test_a_run_that_is_killed_again_and_again(storm, digest) -> None:
    """Every session dies a little later than the one before it; none of them undoes what was done."""
    home = storm.fresh()
    outcomes = [storm.train(home, 1 + n % 4, 12 + n % 7) for n in range(8)]
    assert "killed" in outcomes
    assert storm.train(home, 2) == digest
    _check_clean(home)


def test_kills_at_random_instants(storm, digest) -> None:
    whole = _seconds(storm)
    draw = random.Random(1)
    for number in range(6):
        home = storm.fresh()
        storm.train(home, 2, after=draw.uniform(0.0, whole))
        assert storm.train(home, 1 + number % 4) == digest
        _check_clean(home)


def _points(storm: Storm) -> int:
    """How many dangerous points an uninterrupted training has."""
    storm.train(storm.fresh())
    assert storm.points > 60
    return storm.points


def _seconds(storm: Storm) -> float:
    began = time.monotonic()
    storm.train(storm.fresh(), 2)
    return time.monotonic() - began


def _check_clean(folder: Path) -> None:
    """Nothing half-written is left where it could be taken for the whole."""
    home = open_home(folder)
    (row,) = home.catalog.runs()
    assert row.state == "finished"
    assert home.blobs.verified(row.model)
    assert len(home.catalog.models()) == 1
    run = home.run_folder(row.key)
    sweep(run)
    assert {path.name for path in run.iterdir()} <= {"lock"} | {path.name for path in run.glob("*.checkpoint")}
    home.catalog.close()
