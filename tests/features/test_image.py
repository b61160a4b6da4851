"""Features of images keep every promise; sizes are settled; the middle of the pixels is exact."""

from __future__ import annotations

import io
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from lithify.checks import feature_checks
from lithify.checks.common import block_digest, spoiled
from lithify.data import spill
from lithify.data.batches import Dense, Pixels
from lithify.data.snapshot import open_snapshot
from lithify.data.state import State
from lithify.errors import DataError, MalformedContainer, RecipeError
from lithify.features import blocks, image
from lithify.features.base import Features
from lithify.features.image import Image, ImageParams, edges, grid, settled_side
from lithify.progress import silent


def encoded(array: np.ndarray, form: str, **how) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(array).save(buffer, form, **how)
    return buffer.getvalue()


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def pgm(array: np.ndarray) -> bytes:
    return b"P5\n%d %d\n255\n" % array.shape[::-1] + array.tobytes()


ROWS = [
    encoded(values(12, 12, 3), "PNG"),
    encoded(values(12, 12, 3), "JPEG"),
    encoded(values(40, 30, 3), "JPEG", quality=80),
    encoded(values(9, 50, 3), "WEBP"),
    encoded(values(12, 12), "BMP"),
    encoded(values(20, 20, 4), "PNG"),
    encoded(values(12, 12), "GIF"),
    pgm(values(1, 1)),
]
ODD = [pgm(values(1, 300)), pgm(values(300, 2)), encoded(np.zeros((12, 12, 4), np.uint8), "PNG")] * 3
MADE = {"colour": Image(ImageParams(12, 3)), "grey": Image(ImageParams(9, 1)), "large": Image(ImageParams(32, 3))}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{on}-{name}")
        for on, features in MADE.items()
        for name, check in feature_checks(features, ROWS, ODD)
        if on == "colour" or "process" not in name
    ],
)
def test_contract(check) -> None:
    check()


@pytest.mark.parametrize("raw", [b"", b"hello", ROWS[1][:40], b"\xff\xd8\xff", b"P5\n9 9\n255\n"])
def test_what_is_no_image_is_an_error(raw) -> None:
    features = MADE["colour"]
    with pytest.raises(DataError, match="Image 1 cannot be decoded"):
        features.transform(features.fit([ROWS]), [ROWS[0], raw])


def test_many_rows_have_the_bits_of_few() -> None:
    features = MADE["colour"]
    state = features.fit([ROWS])
    many = features.transform(state, ROWS * 100)["pixels"]
    few = features.transform(state, ROWS)["pixels"]
    assert isinstance(many, Pixels)
    assert many.take(np.arange(800)).tobytes() == few.take(np.arange(8)).tobytes() * 100


def test_the_middle_and_the_spread_are_those_of_all_pixels() -> None:
    arrays = [values(16, 16, seed=seed) // (seed + 1) for seed in range(7)]
    facts = Image(ImageParams(16, 1)).fit([[pgm(array) for array in arrays]]).facts
    pixels = np.stack(arrays) / 255
    assert facts["mean"] == [float(np.float32(math.fsum(pixels.ravel()) / pixels.size))]
    assert facts["std"][0] == pytest.approx(pixels.std(), rel=1e-6)
    assert np.float32(facts["std"][0]) == facts["std"][0]


def test_only_the_first_rows_are_fitted(monkeypatch) -> None:
    rows = [pgm(values(8, 8, seed=seed)) for seed in range(9)]
    first = Image(ImageParams(8, 1)).fit([rows[:5]]).facts
    monkeypatch.setattr(image, "FITTED_ROWS", 5)

    def batches():
        yield rows[:3]
        yield rows[3:6]
        pytest.fail("more was read than is needed")

    assert Image(ImageParams(8, 1)).fit(batches()).facts == first
    monkeypatch.setattr(image, "FITTED_ROWS", 10**6)
    monkeypatch.setattr(image, "FITTED_BYTES", 5 * 64)
    assert Image(ImageParams(8, 1)).fit([rows]).facts == first


def test_flat_images_and_none_at_all_have_a_spread() -> None:
    features = Image(ImageParams(8, 1))
    for rows in ([], [pgm(np.zeros((8, 8), np.uint8))], [pgm(np.full((8, 8), 255, np.uint8))] * 2):
        state = features.fit([rows])
        features.audit(state)
        assert state.facts["std"] == [1.0]


@pytest.mark.parametrize(
    "facts",
    [
        {}, {"mean": [0.5]}, {"mean": [0.5], "std": [0.0]}, {"mean": [0.5], "std": [float("nan")]},
        {"mean": [1.5], "std": [0.5]}, {"mean": [True], "std": [0.5]}, {"mean": 0.5, "std": [0.5]},
        {"mean": [0.5, 0.5], "std": [0.5]}, {"mean": ["0"], "std": [0.5]}, {"mean": [0.5], "std": [0.5], "more": 1},
    ],
)  # fmt: skip
def test_a_state_that_no_fit_makes_is_refused(facts) -> None:
    features = Image(ImageParams(8, 1))
    features.audit(State({}, {"mean": [0], "std": [1]}))  # as a file gives 0.0 and 1.0 back
    with pytest.raises(MalformedContainer):
        features.audit(State({}, facts))
    for state, _ in spoiled(features.fit([])):
        with pytest.raises(MalformedContainer):
            features.audit(state)


@pytest.mark.parametrize("params", [ImageParams(), ImageParams(8), ImageParams(0, 3), ImageParams(7, 3)])
def test_a_size_that_is_not_settled_is_refused(params) -> None:
    facts = {"mean": [0.5] * params.channels, "std": [0.5] * params.channels}
    with pytest.raises(MalformedContainer):
        Image(params).audit(State({}, facts))


@given(st.integers(0, 10_000))
def test_sides_are_settled(short) -> None:
    side = settled_side(short)
    assert 8 <= side <= 224
    assert settled_side(side) == side
    assert settled_side(short + 1) >= side
    if short <= 40:
        assert side == max(8, short)
    elif short <= 96:
        assert side % 8 == 0
        assert abs(side - short) <= 4
    else:
        assert side in (128, 160, 224)


def test_settling_keeps_what_is_said() -> None:
    assert Image.settle(ImageParams(), 500, 1) == ImageParams(224, 1)
    assert Image.settle(ImageParams(50, 3), 500, 1) == ImageParams(50, 3)
    assert Image.settle(ImageParams(), 0, 0) == ImageParams(8, 3)
    with pytest.raises(RecipeError, match="too short"):
        Image.settle(ImageParams(side=7), 500, 1)


@given(st.integers(1, 512))
def test_the_grid_covers_the_image(side) -> None:
    at = edges(side)
    assert len(at) == grid(side) + 1 <= 9
    assert (at[0], at[-1]) == (0, side)
    assert (np.diff(at) >= 1).all()
    assert np.diff(at).max() - np.diff(at).min() <= 1


def test_spans_are_cells_row_by_row() -> None:
    spans = MADE["large"].spans(State(), ROWS[0])
    assert len(spans) == 64
    span = spans[10]
    assert (span.channel, span.block, span.text) == ("image", "pixels", "row 2, column 3")
    assert (span.start, span.end, span.features.tolist()) == (10, 10, [10])
    assert len(MADE["colour"].spans(State(), ROWS[0])) == 36


def test_versions_of_decoders_name_a_run_and_no_model() -> None:
    assert Image.fingerprint().keys() == {"pillow", "simplejpeg"}
    assert not Image.fingerprint().keys() & Image.engine.keys()
    assert Features.fingerprint() == {}


def test_no_decoder_is_loaded_with_the_features() -> None:
    code = (
        "import sys, lithify.features.image; sys.exit(bool({'PIL', 'simplejpeg', 'torch', 'pyarrow'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Both(Features):
    """Pixels and numbers side by side, as another package might make them."""

    Params = ImageParams
    engine = {"both": 1}  # noqa: RUF012

    def fit(self, batches):
        return State()

    def transform(self, state, contents):
        images = np.stack([np.full((2, 2, 1), len(content), np.uint8) for content in contents])
        return {"pixels": Pixels.of(images), "numbers": Dense(np.array([[float(len(c))] for c in contents]))}

    def spans(self, state, content):
        return []

    def audit(self, state):
        return None


@pytest.mark.parametrize("in_memory", [1 << 20, 0])
def test_pixels_of_other_features_are_kept_as_blocks(home, monkeypatch, in_memory) -> None:
    snap, features = open_snapshot(home, "text"), Both(ImageParams())
    rows = np.arange(len(snap))
    at_once = block_digest(blocks.assemble(snap, rows, features, State(), home.cache, silent))
    monkeypatch.setattr(blocks, "PIECE_ROWS", 50)
    monkeypatch.setattr(spill, "IN_MEMORY", in_memory)
    for _ in range(2):
        assert block_digest(blocks.assemble(snap, rows, features, State(), home.cache, silent)) == at_once
    assert len(list(home.cache.rglob("*.block"))) == -(-len(snap) // 50)
