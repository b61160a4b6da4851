from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify.learners.network.augment import Augment, augment, defaults, normalised, resized

MEAN = np.array([0.5, 0.4, 0.3], dtype=np.float32)
STD = np.array([0.25, 0.2, 0.3], dtype=np.float32)
EVERYTHING = Augment(flip=True, shift=2, crop=0.5, erase=0.4, colour=0.3)
PLAIN = Augment()


def _images(n: int, side: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def _shown(pixels, rows, epochs, how, side=None, seed=7, dtype=torch.float32):
    channels = pixels.shape[3]
    return augment(pixels, rows, epochs, seed, how, MEAN[:channels], STD[:channels], side or pixels.shape[1], dtype)


def _back(shown: torch.Tensor, channels: int = 3) -> np.ndarray:
    """The pixels again."""
    values = shown.float().permute(0, 2, 3, 1).numpy() * (STD[:channels] * 255) + MEAN[:channels] * 255
    return np.rint(values).astype(np.uint8)


@pytest.mark.parametrize("how", [Augment(flip=True, shift=2), EVERYTHING, Augment(erase=0.5), Augment(colour=0.4)])
@pytest.mark.parametrize(("side", "channels"), [(9, 3), (16, 1)])
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_an_image_does_not_depend_on_its_batch(how, side, channels, data):
    pixels = _images(12, side, channels)
    rows, epochs = np.arange(12) * 1000 + 3, np.arange(12) % 3
    whole = _shown(pixels, rows, epochs, how)
    few = np.array(data.draw(st.lists(st.integers(0, 11), min_size=1, max_size=12)))
    assert torch.equal(_shown(pixels[few], rows[few], epochs[few], how), whole[few])


def test_the_result_is_as_promised():
    for dtype in (torch.float32, torch.bfloat16):
        shown = _shown(_images(4, 10), np.arange(4), 0, EVERYTHING, side=8, dtype=dtype)
        assert shown.shape == (4, 3, 8, 8)
        assert shown.dtype == dtype
        assert shown.is_contiguous(memory_format=torch.channels_last)


def test_nothing_happens_unless_asked():
    pixels = _images(3, 8)
    shown = _shown(pixels, np.arange(3), 5, PLAIN)
    assert (_back(shown) == pixels).all()
    plain = ((pixels[0, 0, 0] / 255.0) - MEAN) / STD
    np.testing.assert_allclose(shown[0, :, 0, 0].numpy(), plain, rtol=1e-4, atol=1e-5)
    assert torch.equal(normalised(torch.from_numpy(pixels).float(), MEAN, STD).permute(0, 3, 1, 2), shown)


def test_every_image_is_mirrored_in_every_second_epoch():
    pixels, rows = _images(64, 6), np.arange(64)
    turned = [_back(_shown(pixels, rows, epoch, Augment(flip=True))) for epoch in range(3)]
    mirrored = [(each == pixels[:, :, ::-1]).all(axis=(1, 2, 3)) for each in turned]
    straight = [(each == pixels).all(axis=(1, 2, 3)) for each in turned]
    assert all((a ^ b).all() for a, b in zip(mirrored, straight, strict=True))
    assert (mirrored[0] == straight[1]).all()
    assert (mirrored[0] == mirrored[2]).all()
    assert 15 < mirrored[0].sum() < 49


def test_a_shift_is_a_window_of_the_mirrored_border():
    pixels, rows = _images(200, 7), np.arange(200)
    shown = _back(_shown(pixels, rows, 0, Augment(shift=2)))
    padded = np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    where = {(y, x): (padded[:, y : y + 7, x : x + 7] == shown).all(axis=(1, 2, 3)) for y in range(5) for x in range(5)}
    assert (sum(where.values()) == 1).all()
    assert min(found.sum() for found in where.values()) > 0


def test_draws_differ_by_epoch_row_and_seed():
    pixels = np.repeat(_images(1, 16), 8, axis=0)
    how = Augment(crop=0.3, colour=0.3)
    rows = np.arange(8)
    shown = _shown(pixels, rows, 0, how)
    assert len({image.numpy().tobytes() for image in shown}) == 8
    assert not torch.equal(shown, _shown(pixels, rows, 1, how))
    assert not torch.equal(shown, _shown(pixels, rows, 0, how, seed=8))
    assert torch.equal(shown, _shown(pixels, rows, 0, how))


def test_erasing_sets_a_square_to_the_mean():
    pixels = np.full((100, 20, 20, 3), 255, dtype=np.uint8)
    gone = (_shown(pixels, np.arange(100), 0, Augment(erase=0.5)) == 0).all(dim=1)
    sizes = gone.sum(dim=(1, 2))
    assert int(sizes.max()) == 100
    assert int(sizes.min()) >= 25  # a quarter is left when its middle lies in a corner
    for square in gone:
        assert (square == (square.any(dim=1)[:, None] & square.any(dim=0)[None])).all()


def test_a_crop_of_an_even_image_is_even():
    pixels = np.full((5, 40, 40, 3), 77, dtype=np.uint8)
    shown = _shown(pixels, np.arange(5), 0, Augment(crop=0.2), side=24)
    assert (_back(shown) == 77).all()


def test_colours_stay_in_range_and_grey_stays_grey():
    grey = np.repeat(_images(20, 8, 1), 3, axis=3)
    shown = _back(_shown(grey, np.arange(20), 0, Augment(colour=0.9))).astype(int)
    assert np.ptp(shown, axis=3).max() <= 1
    assert not (shown == grey).all()


def test_resizing():
    pixels = _images(3, 12)
    assert resized(pixels, 12) is pixels
    assert resized(pixels, 5).shape == (3, 5, 5, 3)
    assert (resized(pixels[1:2], 5) == resized(pixels, 5)[1:2]).all()


def test_defaults_go_by_the_images():
    assert defaults(28, 1, 10).flip is False
    assert defaults(32, 3, 10).flip is True
    assert defaults(32, 3, 10).crop == 1.0
    assert defaults(224, 3, 1000).crop < 1.0
    assert defaults(224, 3, 1000).shift == 0
