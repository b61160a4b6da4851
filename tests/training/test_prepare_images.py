"""Images before the first step: features fitted on training rows, pixels through the cache, within its limit."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from lithify.data import decoded, pixel_cache, split
from lithify.data.batches import Pixels
from lithify.features.image import Image
from lithify.progress import silent
from lithify.recipe import Subject, params_of, parse, resolve, subject
from lithify.training import prepare as preparing
from lithify.training.settings import Settings

LABELS = ("cat", "dog")


def picture(number: int) -> bytes:
    values = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return b"P6\n16 12\n255\n" + values.tobytes()


class Snapshot:
    """What is used of one."""

    kind, task, labels, inputs, side, channels = "image", "classification", LABELS, (), 12, 3
    digest = "sha256:" + 64 * "0"

    def __init__(self, count: int) -> None:
        self.contents = sorted((picture(n) for n in range(count)), key=lambda raw: hashlib.sha256(raw).digest())
        sides = np.array([split.TRAIN, split.CALIBRATE, split.STOP, split.TEST])[np.arange(count) % 4]
        key = np.array([list(hashlib.sha256(raw).digest()) for raw in self.contents], dtype=np.uint8)
        self.table = SimpleNamespace(
            key=key,
            side=sides,
            label=np.arange(count, dtype=np.int32) % 2,
            weight=np.ones(count),
            group=np.arange(count),
        )

    def content(self, rows) -> list[bytes]:
        return [self.contents[row] for row in np.asarray(rows).tolist()]

    def batches(self, rows, size=7):
        for start in range(0, len(rows), size):
            yield rows[start : start + size], self.content(rows[start : start + size])


class Learns:
    """Learns nothing."""

    Params = SimpleNamespace
    reads = ("pixels",)

    def __init__(self, params) -> None:
        self.params = params


class Session:
    def __init__(self, patience: int = 10**6) -> None:
        self.patience = patience

    def check(self) -> None:
        self.patience -= 1
        if self.patience <= 0:
            raise InterruptedError


@pytest.fixture
def _stub(monkeypatch) -> None:
    monkeypatch.setattr(preparing, "learner", lambda name: Learns)
    real = preparing.recipes.params_of
    fake = lambda schema, *rest: SimpleNamespace() if schema is SimpleNamespace else real(schema, *rest)  # noqa: E731
    monkeypatch.setattr(preparing.recipes, "params_of", fake)
    monkeypatch.setattr(pixel_cache, "SEGMENT_ROWS", 8)


RECIPE = {"learner": "stub", "params": {}, "features": {"side": 12, "channels": 3}, "seed": 1, "grains": 2}


def prepared(home, snap, settings, session=None):
    return preparing.prepare(home, snap, RECIPE, session or Session(), silent, settings)


@pytest.mark.usefixtures("_stub")
def test_pixels_come_through_the_cache(tmp_path) -> None:
    home, snap = SimpleNamespace(cache=tmp_path), Snapshot(60)
    made = prepared(home, snap, Settings(threads=2))
    pixels = made.data.blocks["pixels"]
    assert isinstance(pixels, Pixels)
    assert made.rows.tolist() == [row for row in range(60) if row % 4 in (0, 2)]
    truth = decoded.decoded(snap.content(made.rows), 12, 3)
    assert pixels.take(np.arange(30)).tobytes() == truth.tobytes()
    assert made.fitted.facts["mean"] == pytest.approx((truth / 255).mean(axis=(0, 1, 2)), abs=1e-6)
    assert len(list(tmp_path.rglob("*.pixels"))) == 4
    Image(made.features.params).audit(made.fitted)


@pytest.mark.usefixtures("_stub")
def test_the_limit_of_the_settings_holds(tmp_path) -> None:
    home, snap = SimpleNamespace(cache=tmp_path), Snapshot(60)
    tight = prepared(home, snap, Settings(threads=1, cache_limit=1))
    assert not list(tmp_path.rglob("*.pixels"))
    wide = prepared(home, snap, Settings(threads=1))
    rows = np.array([3, 29, 3])
    assert tight.data.blocks["pixels"].take(rows).tobytes() == wide.data.blocks["pixels"].take(rows).tobytes()


@pytest.mark.usefixtures("_stub")
def test_a_session_that_ends_early_loses_no_segment(tmp_path) -> None:
    home, snap = SimpleNamespace(cache=tmp_path), Snapshot(60)
    for ended in range(1, 4):
        with pytest.raises(InterruptedError):
            prepared(home, snap, Settings(threads=1), Session(1))
        if len(list(tmp_path.rglob("*.pixels"))) == 4:
            break
        assert len(list(tmp_path.rglob("*.pixels"))) >= ended
    assert len(prepared(home, snap, Settings(threads=1), Session(1)).data.blocks["pixels"]) == 30


def test_recipes_know_the_size_of_a_snapshot() -> None:
    about = subject(Snapshot(8))
    assert about == Subject("image", "classification", LABELS, 4, (), 12, 3)
    features = resolve(parse({}), about)["features"]
    assert features == {"side": 12, "channels": 3}
    assert params_of(Image.Params, features, "features").side == 12
