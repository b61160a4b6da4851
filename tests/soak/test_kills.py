"""The long storm: every dangerous point, and two hundred random instants."""

from __future__ import annotations

import random

import pytest
from tests.training.conftest import digest as digest
from tests.training.test_kills import _check_clean, _points, _seconds
from tests.training.test_kills import storm as storm


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills(storm, digest) -> None:
    whole = _seconds(storm)
    draw = random.Random(2)
    points = _points(storm)
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
