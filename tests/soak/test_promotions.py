"""A thousand promotions by many processes at once, every few of which are killed while they are at it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.workflow.race import Race, small_model, variants

from lithify.store.home import open_home

PROCESSES = 8


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_promotions_with_random_kills(tmp_path: Path) -> None:
    base = small_model(tmp_path / "elsewhere")
    home = open_home(tmp_path / "home")
    models = [home.catalog.add_model(home.blobs.put(data)).digest for data in variants(base, PROCESSES + 4)]
    home.catalog.close()
    with Race(tmp_path / "home", models, processes=PROCESSES, whole=True, seed=5) as race:
        for number in range(1 + 1000 // PROCESSES):
            point = 1 + number // 5 % 4 if number % 5 == 0 else None  # each of the four in turn
            race.round(deaths=race.draw.choice((0, 0, 1, 1, 2, PROCESSES)), point=point)
        race.check()
        assert race.tries >= 1000
        assert race.killed > 50
        assert race.wins < len(race.home.aliases.history("spam")), "those that died after the commit had won"
