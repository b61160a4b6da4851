"""Hostile pictures: nothing but BadImage is raised, nothing is allocated for what a header claims, nothing is said."""

from __future__ import annotations

import struct
import threading
import tracemalloc
import warnings

import numpy as np
import pictures
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import ALL, saved
from PIL import Image

from lithify.media.images import libraries
from lithify.media.pixels import MAX_BYTES, BadImage, decode, look, to_pnm

RAWS = {name: make() for name, make in ALL.items()}
TWO = ["animated gif", "animated webp", "tiff of two pages"]
quick = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def checked(error: BadImage) -> str:
    assert error.reason in ("empty", "unreadable", "too large")
    assert error.detail
    return error.reason


def read(raw: bytes) -> str | None:
    """Reads everything; the reason if it is bad."""
    try:
        seen = look(raw)
        array = decode(raw)
    except BadImage as error:
        return checked(error)
    assert array.shape == (seen.height, seen.width, 3)
    assert array.dtype == np.uint8
    assert decode(raw, 5, 1).shape == (5, 5, 1)
    return None


@quick
@given(st.binary(max_size=200))
def test_any_bytes(raw):
    assert read(raw) is not None or raw[:2] in (b"P5", b"P6", b"P7", b"BM")


@quick
@given(st.sampled_from(sorted(RAWS)), st.binary(max_size=100))
def test_any_bytes_after_the_beginning_of_a_picture(name, rest):
    read(RAWS[name][:16] + rest)


@quick
@given(st.data())
def test_damaged_pictures(capfd, data):
    name = data.draw(st.sampled_from(sorted(RAWS)))
    raw = bytearray(RAWS[name])
    near = st.integers(0, min(len(raw), 300) - 1) | st.integers(0, len(raw) - 1)
    for at, value in data.draw(st.lists(st.tuples(near, st.integers(0, 255)), min_size=1, max_size=6)):
        raw[at] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(bytes(raw))
    # libtiff has a word of its own to say, and no way to be told not to
    assert capfd.readouterr() == ("", "") or "tiff" in name


@pytest.mark.parametrize("name", RAWS)
def test_pictures_cut_short(name, capfd):
    raw = RAWS[name]
    assert read(raw) is None
    for end in {0, 1, 2, 3, 8, 15, 16, 20, 30, len(raw) // 4, len(raw) // 2, len(raw) * 3 // 4}:
        reason = read(raw[:end])
        # of two frames the first may be whole
        assert reason == ("empty" if end == 0 else "unreadable") or (name in TWO and end > len(raw) // 3)
    assert capfd.readouterr() == ("", "")


def test_a_jpeg_without_its_last_bytes_is_cut_short():
    assert read(RAWS["jpeg"][:-2]) == "unreadable"
    assert read(RAWS["cmyk jpeg"][:-20]) == "unreadable"


def test_stray_bytes_in_a_jpeg_are_no_damage():
    raw = RAWS["jpeg"]
    assert np.array_equal(decode(raw + b"\0" * 100), decode(raw))
    assert np.array_equal(decode(raw[:-2] + b"\0\0\0\0" + raw[-2:]), decode(raw))
    assert look(raw[:2] + b"\xff\xff\xff" + raw[2:]) == look(raw)


def webp_of(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + size


def bomb_gif() -> bytes:
    """The screen is small, the frame upon it is not."""
    raw = bytearray(RAWS["gif"])
    at = raw.index(b",\0\0\0\0")
    raw[at + 5 : at + 9] = struct.pack("<HH", 65_000, 65_000)
    return bytes(raw)


def bomb_tiff() -> bytes:
    raw = bytearray(RAWS["packed tiff"])
    for tag in (256, 257):
        at = raw.index(struct.pack("<HHI", tag, 4, 1)) if struct.pack("<HHI", tag, 4, 1) in raw else None
        if at is None:
            at = raw.index(struct.pack("<HHI", tag, 3, 1))
            raw[at + 2 : at + 4] = b"\x04\0"
        raw[at + 8 : at + 12] = struct.pack("<I", 50_000)
    return bytes(raw)


def bomb_jpeg() -> bytes:
    raw = bytearray(RAWS["jpeg"])
    at = raw.index(b"\xff\xc0")
    raw[at + 5 : at + 9] = struct.pack(">HH", 50_000, 50_000)
    return bytes(raw)


BOMBS = {
    "png": lambda: pictures.png_of(50_000, 50_000, data=b"\0" * 10_000),
    "long png": lambda: pictures.png_of(65_501, 1, data=b"\0" * 196_504),
    "jpeg": bomb_jpeg,
    "jpeg of scans": lambda: RAWS["progressive jpeg"] + b"\xff\xda" * 501,
    "gif": bomb_gif,
    "gif screen": lambda: RAWS["gif"][:6] + struct.pack("<HH", 65_000, 65_000) + RAWS["gif"][10:],
    "tiff": bomb_tiff,
    "webp": lambda: webp_of(16_000, 16_000),
    "bmp": lambda: RAWS["bmp"][:18] + struct.pack("<ii", 50_000, 50_000) + RAWS["bmp"][26:],
    "tall bmp": lambda: RAWS["bmp"][:18] + struct.pack("<ii", 9_500, -11_000) + RAWS["bmp"][26:],
    "pnm": lambda: b"P5\n50000 50000 255\n",
    "pam": lambda: b"P7\nWIDTH 999999999\nHEIGHT 999999999\nDEPTH 4\nMAXVAL 255\nENDHDR\n",
    "just above": lambda: pictures.png_of(10_000, 10_001),
    "bytes": lambda: bytes(MAX_BYTES + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name):
    raw = BOMBS[name]()
    tracemalloc.start()
    try:
        with pytest.raises(BadImage) as caught:
            decode(raw, 8)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert caught.value.reason == "too large"


def test_a_large_picture_within_the_limits_is_told_no_warning():
    assert look(pictures.png_of(10_000, 10_000))[1:3] == (10_000, 10_000)
    with pytest.raises(BadImage, match="unreadable"):
        decode(pictures.png_of(10_000, 10_000, depth=1, colour=0, data=b"\0"))
    with pytest.raises(BadImage, match="too large"):
        to_pnm(np.broadcast_to(np.uint8(0), (20_000, 20_000)))


def test_walks_are_bounded():
    assert read(b"\xff\xd8" + b"\xff\xe0\0\x02" * 1_000_000) == "unreadable"
    assert read(b"\xff\xd8\xff" + b"\0" * 5_000_000) == "unreadable"
    assert read(b"\xff\xd8\xff" + b"\0\xff" * 2_000_000) == "unreadable"
    assert read(b"P5\n" + b"#\n" * 1_000_000) == "unreadable"
    assert read(b"P7\n" + b"#\n" * 1_000_000) == "unreadable"
    assert look(RAWS["png"][:33] + struct.pack(">I", 0) * 100_000).turned == 0


def test_the_filter_of_warnings_is_gone_afterwards():
    before = list(warnings.filters)
    with libraries.quietly(), libraries.quietly():
        assert len(warnings.filters) == len(before) + 1
    assert warnings.filters == before
    raw = saved(Image.new("P", (4, 4)), "PNG", transparency=bytes(3))
    threads = [threading.Thread(target=lambda: [decode(raw) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
