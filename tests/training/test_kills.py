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


def test_a_kill_at_every_dangerous_point(storm, digest) -> None:
    """Each point once, in one run after another: a run that survives N points is killed at the next one when resumed."""
    points = _points(storm, digest)
    assert points > 60
    for point in range(1, points + 1, max(1, points // 40)):
        home = storm.fresh()
        assert storm.train(home, 1, point) == "killed"
        assert storm.train(home, 1 + point % 3) == digest, f"killed at point {point}"
        _check_clean(home)


def test_a_run_that_is_killed_again_and_again(storm, digest) -> None:
    """Every session dies a little later than the one before it; none of them undoes what was done."""
    home = storm.fresh()
    outcomes = [storm.train(home, 1 + n % 4, 12 + n % 7) for n in range(16)]
    assert "killed" in outcomes
    assert storm.train(home, 2) == digest
    _check_clean(home)


def test_kills_at_random_instants(storm, digest) -> None:
    whole = _seconds(storm)
    draw = random.Random(1)
    for number in range(12):
        home = storm.fresh()
        storm.train(home, 2, after=draw.uniform(0.0, whole))
        assert storm.train(home, 1 + number % 4) == digest
        _check_clean(home)


@pytest.mark.soak
def test_two_hundred_kills(storm, digest) -> None:
    whole = _seconds(storm)
    draw = random.Random(2)
    points = _points(storm, digest)
    for point in range(1, points + 1):
        home = storm.fresh()
        assert storm.train(home, 1 + point % 3, point) == "killed"
        assert storm.train(home, 1 + point % 4) == digest
    for number in range(200):
        home = storm.fresh()
        while storm.train(home, 1 + number % 4, after=draw.uniform(0.3 * whole, 1.2 * whole)) == "killed":
            pass
        assert storm.train(home, 1) == digest
        _check_clean(home)


def _points(storm: Storm, digest: str) -> int:
    """How many dangerous points an uninterrupted training has."""
    low, high = 1, 2048
    while low < high:
        middle = (low + high) // 2
        if storm.train(storm.fresh(), 1, middle) == "killed":
            low = middle + 1
        else:
            high = middle
    return low - 1


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
