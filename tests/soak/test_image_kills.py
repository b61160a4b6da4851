"""The long storm on images: the network in every share of threads and processes, killed wherever it hurts."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from tests.training import pictures
from tests.training.storm import Storm

from lithify.store.home import Home, open_home
from lithify.store.lock import held

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
SHARES = [(1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (4, 1)]
CASES: list[dict[str, Any]] = [
    {},
    {"optimiser": "sgd", "crop": 0.5, "erase": 0.2, "colour": 0.3, "views": 6},
    {"optimiser": "adamw", "precision": "bf16", "convolutions": "tiled", "ema": 0.0},
    {"net": "deep", "width": 0.1, "depth": 1},
    {"net": "residual", "width": 0.05, "depth": 1},
    {"class_weight": "balanced", "clip": 0.5, "dropout": 0.2, "schedule": "smooth"},
]


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("options", CASES, ids=lambda options: " ".join(map(str, options.values())) or "plain")
def test_kills_of_every_share_and_option(tmp_path, monkeypatch, options) -> None:
    for name, value in pictures.needs().items():
        monkeypatch.setenv(name, value)
    made = pictures.make(tmp_path / "made")
    with Storm(made, tmp_path, pictures.recipe(**options), pictures.NAME) as storm:
        digest = storm.train(storm.fresh(), 1)
        assert digest.startswith("sha256:")
        points, draw = storm.points, random.Random(8)
        for processes, threads in SHARES:
            assert storm.train(storm.fresh(), threads, processes=processes) == digest
        for point in range(1, points + 1, 4 if options else 1):
            home = storm.fresh()
            assert storm.train(home, 1 + point % 3, point) == "killed"
            assert storm.train(home, 1 + point % 4) == digest
        for number in range(12):
            processes, threads = SHARES[number % len(SHARES)]
            home = storm.fresh()
            while (said := _killed(storm, home, threads, processes, draw)) != digest:
                assert said == "killed" or "status" in said, said
            _check_clean(home, digest)


def _killed(storm: Storm, home: Path, threads: int, processes: int, draw: random.Random) -> str:
    """Trains and strikes: the first process at an instant, or the worker where it is about to write."""
    if processes > 1 and draw.random() < 0.5:
        said = storm.train(home, threads, point=draw.randrange(1, 60), processes=processes)
    else:
        whole = 0.6 if processes == 1 else 12.0
        said = storm.train(home, threads, after=draw.uniform(0.02, whole), processes=processes)
    _wait_until_free(home)
    return said


def _wait_until_free(folder: Path) -> None:
    """Those that outlived the one that was killed go by themselves, and soon."""
    home = open_home(folder)
    deadline = time.monotonic() + 60
    while any(held(home.lock(row.key).path) for row in home.catalog.runs()):
        assert time.monotonic() < deadline, "a process of a killed run holds its lock"
        time.sleep(0.05)
    home.catalog.close()


def _check_clean(folder: Path, digest: str) -> None:
    home: Home = open_home(folder)
    (row,) = home.catalog.runs()
    assert (row.state, row.model) == ("finished", digest)
    assert home.blobs.verified(row.model)
    home.catalog.close()
