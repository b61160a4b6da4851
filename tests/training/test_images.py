"""The network on tiny images: threads, processes, cuts, kills, the pixel cache and rebuilding change no bit."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.training import pictures
from tests.training.storm import Storm

from lithify.data.snapshot import open_snapshot
from lithify.errors import SessionEnded
from lithify.model.model import Model, open_model
from lithify.recipe import parse
from lithify.store.home import Home, open_home
from lithify.training.run import Outcome, Settings, rebuild, train

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
STOPS = Settings(threads=2, session=1e-9, checkpoint_every=1)


@pytest.fixture(scope="module", autouse=True)
def as_networks_need():
    """This process stands for a worker: networks need one that was started with their environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in pictures.needs().items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def frozen(tmp_path_factory) -> Path:
    """A home with the snapshot; to be copied, never changed."""
    return pictures.make(tmp_path_factory.mktemp("pictures") / "home")


@pytest.fixture
def home(frozen, tmp_path) -> Home:
    return open_home(Path(shutil.copytree(frozen, tmp_path / "home")))


@pytest.fixture(scope="module")
def whole(frozen, tmp_path_factory) -> Model:
    """The model of an uninterrupted training on one thread."""
    return run(open_home(Path(shutil.copytree(frozen, tmp_path_factory.mktemp("whole") / "home")))).model


def run(home: Home, settings: Settings = Settings(threads=1), **changed: Any) -> Outcome:  # noqa: B008
    asked = parse(pictures.recipe(**changed))
    return train(home, open_snapshot(home, pictures.NAME), asked, source=pictures.NAME, settings=settings)


def test_it_learns_and_says_so(whole) -> None:
    model = open_model(bytes(whole.data), verify=True)
    assert (model.kind, model.labels) == ("image", ("blue", "green", "red"))
    assert model.card["test"]["rows"] > 5
    images, labels = pictures.arrays()
    found = model.predict(images[::7])
    assert sum(each.label == label for each, label in zip(found, labels[::7], strict=True)) > 0.8 * len(found)
    alone = model.predict(images[7])
    assert alone[0].probabilities == found[1].probabilities


def test_threads_and_stops_at_every_step_change_no_bit(home, whole) -> None:
    reached: list[int] = []
    outcome = None
    while outcome is None:
        try:
            outcome = run(home, replace(STOPS, threads=1 + len(reached) % 3))
        except SessionEnded:
            reached.append(home.catalog.runs()[0].step)
    assert len(reached) > 4
    assert reached == list(range(len(reached)))  # the first session decodes the images
    assert outcome.model.digest == whole.digest


def test_processes_change_no_bit(home, whole) -> None:
    """A session of one step in two processes, then to the end in four."""
    with pytest.raises(SessionEnded):
        run(home, STOPS)
    with pytest.raises(SessionEnded, match="after step 1"):
        run(home, Settings(processes=2, threads=2, session=1e-9))
    outcome = run(home, Settings(processes=4, threads=1))
    assert (outcome.model.digest, outcome.sessions) == (whole.digest, 3)


def test_the_pixel_cache_changes_no_bit(home, whole) -> None:
    """Taken away between two sessions, and then not allowed a byte."""
    with pytest.raises(SessionEnded):
        run(home, STOPS)
    kept = list(home.cache.glob("pixels-*"))
    assert kept
    for folder in kept:
        shutil.rmtree(folder)
    assert run(home, Settings(threads=2, cache_limit=0)).model.digest == whole.digest


def test_rebuilding_gives_the_same_bytes(whole, frozen, tmp_path) -> None:
    other = open_home(Path(shutil.copytree(frozen, tmp_path / "other")))
    assert rebuild(other, whole, settings=Settings(threads=3)) == bytes(whole.data)
    assert other.catalog.runs() == []


def test_kills_cost_no_bit(frozen, whole, tmp_path) -> None:
    """At some points all over the run, again and again in one home, and at an instant that is none of them."""
    with Storm(frozen, tmp_path, pictures.recipe(), pictures.NAME) as storm:
        assert storm.train(storm.fresh(), 2) == whole.digest
        points, draw = storm.points, random.Random(6)
        assert points > 30
        for point in range(2, points, points // 5):
            home = storm.fresh()
            assert storm.train(home, 1 + point % 3, point) == "killed"
            assert storm.train(home, 1 + point % 2) == whole.digest, f"killed at point {point}"
        home = storm.fresh()
        outcomes = [storm.train(home, 1 + n % 3, 9 + n) for n in range(4)]
        assert outcomes[0] == "killed"
        storm.train(home, 2, after=draw.uniform(0.01, 0.3))
        assert storm.train(home, 1) == whole.digest
