"""Pictures of every format and kind: what they look like is what a person sees."""

from __future__ import annotations

import io
import sys

import numpy as np
import pictures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import ALL, PHOTO, photo, saved
from PIL import Image, ImageOps

from lithify.media import pixels
from lithify.media.images.turning import turn
from lithify.media.pixels import decode, decode_many, format_of, look, natural, to_pnm

EXACT = ["png", "lossless webp", "animated webp", "bmp", "tiff", "packed tiff", "tiff of two pages", "ppm"]
GREY = ["grey jpeg", "grey png", "1-bit png", "16-bit png", "pgm"]


@pytest.mark.parametrize("name", ALL)
def test_every_format(name):
    raw = ALL[name]()
    seen = look(raw)
    assert format_of(raw[:16]) == seen.format
    assert seen.format in name or name in ("ppm", "pgm")
    assert (seen.width, seen.height) == ((40, 48) if name == "turned jpeg" else (48, 40))
    assert seen.channels == (1 if name in GREY else 3)
    found = decode(raw)
    assert found.shape == (seen.height, seen.width, 3)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    expected = photo() if name not in GREY else np.asarray(PHOTO.convert("L").convert("RGB"))
    if name == "turned jpeg":
        expected = np.rot90(expected, -1)
    limit = 130 if name == "1-bit png" else 90 if name == "16-bit png" else 25
    assert np.abs(found.astype(int) - expected).mean() < limit
    if name in EXACT:
        assert np.array_equal(found, photo())
    assert decode(raw, side=16).shape == (16, 16, 3)
    assert decode(raw, side=16, channels=1).shape == (16, 16, 1)
    assert decode(raw, side=100).shape == (100, 100, 3)


@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"quality": 30}]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_has_the_bits_that_pillow_gives_it(options, mode):
    for seed, (width, height) in enumerate([(32, 32), (33, 31), (1, 1), (7, 200)]):
        raw = saved(Image.fromarray(photo(width, height, seed)).convert(mode), "JPEG", **options)
        assert np.array_equal(decode(raw), pictures.by_pillow(raw))
        grey = Image.open(io.BytesIO(raw))
        grey.draft("L", None)
        assert np.array_equal(decode(raw, channels=1)[:, :, 0], np.asarray(grey.convert("L")))


def test_a_jpeg_in_cmyk_is_not_inverted():
    white = saved(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG")
    red = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    assert decode(white).min() > 250
    assert np.abs(decode(red).astype(int) - [255, 0, 0]).max() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(orientation, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    raw = saved(PHOTO, kind, exif=pictures.oriented(orientation), **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(raw))))
    assert np.array_equal(decode(raw), expected)
    assert (look(raw).height, look(raw).width) == expected.shape[:2]
    assert look(raw).turned == (0 if kind == "TIFF" or orientation == 1 else orientation)


def test_exif_is_sought_in_its_segment_alone():
    exif = pictures.oriented(3).tobytes()
    raw = saved(PHOTO, "JPEG", comment=b"\xff\xe1" + b"\0\x20" + exif)
    assert look(raw).turned == 0
    with_icc = saved(PHOTO, "JPEG", exif=pictures.oriented(3), icc_profile=b"\xff\xc0" * 40_000)
    assert look(with_icc)[1:5] == (48, 40, 3, 3)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientations_that_do_not_exist_are_none(value):
    assert look(saved(PHOTO, "JPEG", exif=pictures.oriented(value))).turned == 0


def test_damaged_exif_neither_fails_nor_warns(recwarn, capfd):
    raw = bytearray(saved(PHOTO, "JPEG", exif=pictures.oriented(6)))
    at = raw.index(b"Exif\0\0") + 6
    raw[at + 8 : at + 10] = b"\xff\xff"
    upright = bytes(raw[: at + 10] + b"\xff" * 12 + raw[at + 22 :])
    assert decode(upright).shape == (40, 48, 3)
    png = saved(PHOTO, "PNG", exif=b"Exif\0\0MM\0*\0\0\xff\xff")
    assert np.array_equal(decode(png), photo())
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


def test_alpha_is_laid_over_white():
    pixel = np.zeros((2, 2, 4), dtype=np.uint8)
    pixel[0, 0] = [10, 20, 30, 255]
    pixel[0, 1] = [10, 20, 30, 0]
    pixel[1, 0] = [0, 0, 0, 51]
    expected = [[[10, 20, 30], [255] * 3], [[204] * 3, [255] * 3]]
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        raw = saved(Image.fromarray(pixel), kind, **options)
        assert decode(raw).tolist() == expected
        assert look(raw).channels == 3
    assert decode(to_pnm(pixel)).tolist() == expected
    grey = saved(Image.fromarray(pixel[:, :, [0, 3]]), "PNG")
    assert decode(grey, channels=1)[:, :, 0].tolist() == [[10, 255], [204, 255]]
    assert look(grey).channels == 1


def test_a_palette_with_transparency():
    image = Image.fromarray(np.array([[0, 1], [2, 1]], dtype=np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    expected = [[[255, 0, 0], [255] * 3], [[0, 0, 255], [255] * 3]]
    for kind in ("PNG", "GIF"):
        assert decode(saved(image, kind, transparency=1)).tolist() == expected
    half = decode(saved(image, "PNG", transparency=bytes([255, 51, 0]))).tolist()
    assert half == [[[255, 0, 0], [204, 255, 204]], [[255] * 3, [204, 255, 204]]]


def test_sixteen_bits_keep_their_high_byte():
    values = np.array([[0, 255, 256], [0x1234, 0xFF00, 0xFFFF]], dtype=np.uint16)
    expected = [[0, 0, 1], [0x12, 255, 255]]
    for raw in (saved(Image.fromarray(values), "PNG"), saved(Image.fromarray(values), "TIFF"), to_pnm(values)):
        assert decode(raw, channels=1)[:, :, 0].tolist() == expected
        assert look(raw).channels == 1
    rows = b"".join(b"\0" + np.repeat(row.astype(">u2"), 3).tobytes() for row in values)
    assert decode(pictures.png_of(3, 2, depth=16, data=rows))[:, :, 1].tolist() == expected
    clear = saved(Image.fromarray(values), "PNG", transparency=0x1234)
    assert decode(clear, channels=1)[:, :, 0].tolist() == [[0, 0, 1], [255, 255, 255]]


def test_numbers_without_an_agreed_brightness_are_refused():
    for array in (np.ones((4, 4), dtype=np.int32), np.ones((4, 4), dtype=np.float32)):
        with pytest.raises(pixels.BadImage) as caught:
            decode(saved(Image.fromarray(array), "TIFF"))
        assert caught.value.reason == "unreadable"


def test_the_square_of_a_picture():
    wide = photo(90, 30)
    raw = to_pnm(wide)
    assert np.array_equal(decode(raw, side=30), wide[:, 30:60])
    assert np.array_equal(decode(to_pnm(wide[:, :45]), side=30), wide[:, 7:37])
    assert np.array_equal(decode(to_pnm(wide.swapaxes(0, 1)), side=30), wide.swapaxes(0, 1)[30:60])
    expected = Image.fromarray(wide).resize((10, 10), Image.Resampling.BILINEAR, (30, 0, 60, 30))
    assert np.array_equal(decode(raw, side=10), np.asarray(expected))
    assert decode(to_pnm(np.full((64, 50), 7, dtype=np.uint8)), side=31).tolist() == [[[7] * 3] * 31] * 31


@pytest.mark.parametrize(("short", "least"), [(96, 48), (97, 48), (800, 48), (801, 50), (95, 48), (300, 100)])
def test_large_jpegs_are_decoded_at_a_fraction(short, least, monkeypatch):
    from lithify.media.images import decoding

    raw = saved(Image.fromarray(photo(short + 60, short)), "JPEG", quality=95)
    sizes = []
    monkeypatch.setattr(decoding, "square", lambda array, side: sizes.append(array.shape) or array)
    decode(raw, side=least)
    (height, _, _) = sizes[0]
    if short < 2 * least:
        assert height == short
    else:
        fractions = [-(-short * n // 8) for n in (1, 2, 3, 4)]
        assert height == min(size for size in fractions if size >= least)
    monkeypatch.undo()
    full = np.asarray(Image.open(io.BytesIO(raw)).resize((least, least), 2, (30, 0, 30 + short, short)))
    assert np.abs(decode(raw, side=least).astype(int) - full).mean() < 4


def test_colour_to_grey_and_back():
    raw = saved(PHOTO, "PNG")
    assert np.array_equal(decode(raw, channels=1)[:, :, 0], np.asarray(PHOTO.convert("L")))
    grey = decode(saved(PHOTO.convert("L"), "PNG"))
    assert (grey == grey[:, :, :1]).all()


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 8))
def test_turning(width, height, orientation):
    array = np.arange(width * height, dtype=np.uint8).reshape(height, width, 1)
    image = Image.fromarray(array[:, :, 0])
    image.getexif()[0x0112] = orientation
    assert np.array_equal(turn(array, orientation)[:, :, 0], np.asarray(ImageOps.exif_transpose(image)))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([np.uint8, np.uint16, np.float32, np.float64, np.bool_, np.int64]),
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3])),
    st.integers(0, 2**32),
)
def test_arrays_come_back_from_pnm(kind, shape, seed):
    values = np.random.default_rng(seed).integers(0, 256, shape)
    given_, expected = values.astype(kind), values
    if kind in (np.float32, np.float64):
        given_ = (values / 255).astype(kind)
    elif kind == np.uint16:
        given_ = (values * 257).astype(kind)
    elif kind == np.bool_:
        expected = (values > 0) * 255
    raw = to_pnm(given_)
    assert np.array_equal(decode(raw, channels=shape[2]), expected)
    if kind == np.uint8:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(raw))).reshape(shape), expected)
        assert raw == to_pnm(np.asfortranarray(given_))


def test_pnm_headers_of_others():
    assert decode(b"P5 # one\n#two\n 2\t1 # three\n 255\n\x05\x06", channels=1).tolist() == [[[5], [6]]]
    assert decode(b"P5\n2 1\n3\n\x01\x03", channels=1).tolist() == [[[85], [255]]]
    pam = b"P7\n# by hand\nHEIGHT 1\nWIDTH 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n\0\0"
    assert decode(pam, channels=1).tolist() == [[[255]]]
    for raw in (
        b"P5\n2 1\n0\n\x01\x03",
        b"P5\n2 1\n3\n\x01\x04",
        b"P5\n2 1\n255\n\x01",
        b"P7\nENDHDR\n",
        b"P6\n\xb2 1 255\n",
    ):
        with pytest.raises(pixels.BadImage, match="unreadable"):
            decode(raw)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 3), dtype=np.uint8),
        np.zeros((2, 2, 5), dtype=np.uint8),
        np.zeros(4, dtype=np.uint8),
        np.full((2, 2), 1.5),
        np.full((2, 2), np.nan),
        np.full((2, 2), -1),
        np.full((2, 2), 256),
        np.full((2, 2), "a"),
        np.full((2, 2), 1j),
    ],
)
def test_arrays_that_are_no_picture(array):
    with pytest.raises(pixels.BadImage):
        to_pnm(array)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_many_at_once_are_the_same_as_one_by_one(threads, channels, monkeypatch):
    from lithify.media.images import many

    monkeypatch.setattr(many, "CHUNK", 5)
    contents = [make() for make in ALL.values()]
    contents += [b"", contents[0][:-50], *(saved(photo(32, 32, seed), "JPEG") for seed in range(9))]
    out = np.full((len(contents), 32, 32, channels), 99, dtype=np.uint8)
    bad = decode_many(contents, 32, channels, out, threads)
    for row, raw in enumerate(contents):
        problem = bad[row]
        if problem is None:
            assert np.array_equal(out[row], decode(raw, 32, channels))
        else:
            assert (out[row] == 0).all()
    assert [(row - len(ALL), str(problem)) for row, problem in enumerate(bad) if problem] == [
        (0, "empty: no bytes"),
        (1, "unreadable: a jpeg cut short or damaged"),
    ]


def test_many_at_once_want_an_array_that_fits():
    with pytest.raises(ValueError, match="shape"):
        decode_many([b""], 4, 3, np.zeros((1, 4, 4, 1), dtype=np.uint8))


def test_thumbnails():
    raw = saved(Image.fromarray(photo(900, 300)), "JPEG")
    small = Image.open(io.BytesIO(pixels.thumbnail_png(raw, 90)))
    assert (small.format, small.size) == ("PNG", (90, 30))
    close = np.asarray(Image.open(io.BytesIO(raw)).resize((90, 30), 2)).astype(int)
    assert np.abs(np.asarray(small) - close).mean() < 4
    assert Image.open(io.BytesIO(pixels.thumbnail_jpeg(raw, 60))).size == (60, 20)
    grey = photo()[:, :, 0]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(pixels.thumbnail_png(grey, 99)))), grey)
    assert np.array_equal(natural(saved(PHOTO, "PNG")), photo())


@pytest.mark.parametrize("name", ["PIL", "simplejpeg"])
def test_a_missing_library_is_named(name, monkeypatch):
    from lithify import errors
    from lithify.media.images import libraries

    for function in (libraries.pillow, libraries.simplejpeg):
        function.cache_clear()
    raw = ALL["gif" if name == "PIL" else "jpeg"]()
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(errors.MissingExtra, match=r"lithify\[images\]"):
        decode(raw)
