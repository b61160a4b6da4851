"""Copies of pictures: what is joined, and what only looks a little alike."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from lithify.data import picture_kernels
from lithify.data.pictures import alike, groups, signature, signatures, sizes
from lithify.media.images import many
from lithify.media.pixels import BadImage, to_pnm


def photo(seed: int, width: int = 64, height: int = 48) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def raw(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def sign(image: Image.Image | np.ndarray) -> np.ndarray:
    return signature(raw(image))


def joined(*images: Image.Image | np.ndarray) -> list[int]:
    return groups(np.array([sign(image) for image in images])).tolist()


PHOTO = photo(0, 160, 120)

COPIES = {
    "another format": lambda: Image.open(io.BytesIO(raw(PHOTO, "WEBP", quality=60))),
    "compressed": lambda: Image.open(io.BytesIO(raw(PHOTO, "JPEG", quality=15))),
    "smaller": lambda: PHOTO.resize((64, 48)),
    "a third": lambda: PHOTO.resize((53, 40), Image.Resampling.BICUBIC),
    "larger": lambda: PHOTO.resize((500, 375), Image.Resampling.BICUBIC),
    "grey": lambda: PHOTO.convert("L"),
    "brighter": lambda: PHOTO.point(lambda value: min(255, value + 8)),
    "moved": lambda: PHOTO.crop((3, 2, 160, 120)),
    "noisy": lambda: Image.fromarray(
        (np.asarray(PHOTO) + np.random.default_rng(1).normal(0, 12, (120, 160, 3))).clip(0, 255).astype(np.uint8)
    ),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_joined(name):
    assert joined(photo(7), PHOTO, photo(8), COPIES[name]()) == [0, 1, 2, 1]


def test_others_are_not():
    square = photo(3, 60, 60)
    others = [PHOTO, ImageOps.mirror(PHOTO), ImageOps.flip(PHOTO), ImageOps.invert(PHOTO), square, square.rotate(90)]
    assert joined(*others, square.resize((60, 90))) == list(range(7))
    found = groups(np.array([sign(photo(seed, 32, 32)) for seed in range(400)]))
    assert found.tolist() == list(range(400))


def test_flat_skies_and_white_grounds_are_not_joined_for_being_flat():
    rows = np.linspace(200, 215, 32)[:, None, None]
    sky = np.broadcast_to(rows, (32, 32, 3)).astype(np.uint8)
    pictures_ = []
    for x, y in ((4, 4), (20, 6), (8, 22), (22, 24)):
        bird = sky.copy()
        bird[y : y + 5, x : x + 6] = 60
        pictures_.append(bird)
    for x in (3, 14, 25):
        page = np.full((32, 32, 3), 255, dtype=np.uint8)
        page[8:24, x : x + 4] = 0
        pictures_.append(page)
    assert joined(*pictures_, *pictures_) == [*range(7), *range(7)]


def test_one_tone_is_a_copy_of_itself_only():
    red, other = np.full((20, 20, 3), [200, 10, 10], np.uint8), np.full((20, 20, 3), [10, 107, 10], np.uint8)
    assert np.array_equal(sign(red)[4:76], sign(other)[4:76])
    grey = np.full((20, 20), 67, np.uint8)
    lighter = np.full((20, 20), 69, np.uint8)
    assert joined(red, other, grey, lighter, red, grey) == [0, 1, 2, 3, 0, 2]


def test_small_pictures_want_a_closer_look():
    image = photo(5, 64, 64)
    noise = np.random.default_rng(2).normal(0, 1, (64, 64, 3))
    for side, copies in ((48, True), (8, False)):
        small = np.asarray(image.resize((side, side), Image.Resampling.BOX))
        other = (small + noise[:side, :side] * (30 if side == 48 else 12)).clip(0, 255).astype(np.uint8)
        assert alike(sign(small), sign(other))
        assert (joined(small, other) == [0, 0]) is copies


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (5, 3), (12, 12), (13, 31), (32, 32), (50, 24)])
@pytest.mark.parametrize("channels", [1, 3])
def test_cells_are_means_by_area(size, channels):
    width, height = size
    array = np.random.default_rng(width).integers(0, 256, (height, width, channels), dtype=np.uint8)
    found = signature(to_pnm(array)).view(np.uint8)
    fine = array.repeat(12, axis=0).repeat(12, axis=1).astype(np.float64)
    cells = fine.reshape(12, height, 12, width, channels).mean((1, 3))
    luma = cells[:, :, 0] if channels == 1 else cells @ np.array([77, 150, 29]) / 256
    assert np.abs(found[8:152].reshape(12, 12) - luma).max() <= 0.5001
    coarse = cells.reshape(4, 3, 4, 3, channels).mean((1, 3))
    mean = luma.reshape(4, 3, 4, 3).mean((1, 3))
    tints = (coarse[:, :, [-1, 0]] - mean[:, :, None]) / 2 + 128
    assert np.abs(found[152:184].reshape(4, 4, 2) - tints.clip(0, 255)).max() <= 0.5001
    assert (found[184:200] == 0).all()
    assert (found[206:] == 0).all()


def test_the_plain_kernels_give_the_same():
    array = np.asarray(photo(1, 20, 17))
    plain = np.zeros(256, dtype=np.uint8)
    with np.errstate(over="ignore"):
        picture_kernels.sign(array, plain)
        differing = picture_kernels._differing(np.uint64(0xFFFF00FF00000001), np.uint64(2**64 - 1))
    assert np.array_equal(plain[:200], signature(to_pnm(array)).view(np.uint8)[:200])
    assert differing == (~np.uint64(0xFFFF00FF00000001)).item().bit_count()


def test_sizes_are_those_shown():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = raw(photo(0, 30, 20), "JPEG", exif=exif)
    found, bad = signatures([turned, raw(photo(0, 500, 400).convert("L"), "JPEG"), b"no picture"])
    assert [part.tolist() for part in sizes(found)] == [[20, 500, 0], [30, 400, 0], [3, 1, 0]]
    assert [problem and problem.reason for problem in bad] == [None, None, "unreadable"]
    with pytest.raises(BadImage):
        signature(b"")


def test_many_at_once_are_the_same_as_one_by_one(monkeypatch):
    monkeypatch.setattr(many, "CHUNK", 4)
    contents = [raw(photo(seed, 30 + seed, 40), "JPEG" if seed % 2 else "PNG") for seed in range(13)]
    one_by_one = np.array([signature(content) for content in contents])
    for threads in (1, 3):
        found, bad = signatures(contents, threads)
        assert np.array_equal(found, one_by_one)
        assert bad == [None] * 13


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_rows_does_not_matter(order):
    family = [photo(seed, 40, 40) for seed in range(4)]
    signed = np.array([sign(each.resize((side, side))) for each in family for side in (40, 60, 33)])

    def parts(group, names):
        return {frozenset(names[i] for i in np.flatnonzero(group == g)) for g in np.unique(group)}

    expected = {frozenset(range(3 * f, 3 * f + 3)) for f in range(4)}
    assert parts(groups(signed), list(range(12))) == expected
    assert parts(groups(signed[list(order)]), list(order)) == expected


def test_a_row_of_small_differences_does_not_join_its_ends():
    first, last = (np.asarray(photo(seed, 40, 40)).astype(np.float64) for seed in (1, 2))
    steps = [(first * (1 - t) + last * t).astype(np.uint8) for t in np.linspace(0, 1, 13)]
    signed = [sign(step) for step in steps]
    assert all(alike(a, b) for a, b in pairwise(signed))
    found = groups(np.array(signed))
    assert found[0] != found[-1]
    assert found[0] == found[1]


def test_codes_join_whatever_the_pictures_say():
    signed = np.array([sign(photo(seed)) for seed in range(5)])
    field = np.array([5, 0, 5, 0, 0], dtype=np.uint64)
    old = np.array([0, 1, 1, 0, 0], dtype=np.uint64)
    assert groups(signed, field, old).tolist() == [0, 0, 0, 3, 4]
    assert groups(signed[:0], field[:0]).tolist() == []


def test_thousands_of_copies_and_a_stranger_among_them():
    copies = np.repeat(sign(np.full((30, 30), 255, np.uint8))[None], 3000, axis=0)
    page = np.full((30, 30), 255, np.uint8)
    page[14:16, 14:16] = 250
    signed = np.concatenate([copies[:1500], sign(page)[None], copies[1500:]])
    found = groups(signed)
    assert found[1500] == 1500
    assert (np.delete(found, 1500) == 0).all()
