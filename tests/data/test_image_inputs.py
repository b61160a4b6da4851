"""Images to score, whatever they are given as."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lithify.data.inputs import read_inputs
from lithify.errors import DataError, NotFound, UsageError
from lithify.media.pixels import decode

Picture = Callable[..., bytes]
Pixels = Callable[..., np.ndarray]


def test_paths_and_bytes(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(0))
    path = tmp_path / "a.png"
    assert read_inputs(path, "image") == read_inputs(str(path), "image") == ([str(path)], [picture(0)])
    assert read_inputs(picture(1), "image") == ([""], [picture(1)])
    assert read_inputs([path, picture(1)], "image") == ([str(path), ""], [picture(0), picture(1)])
    assert read_inputs([], "image") == ([], [])


@pytest.mark.parametrize("place", ["folder", "zip"])
def test_folders_and_archives(place: str, picture: Picture, tmp_path: Path) -> None:
    path = tmp_path / "place"
    if place == "folder":
        (path / "in").mkdir(parents=True)
        for n in range(3):
            (path / "in" / f"{n}.png").write_bytes(picture(n))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for n in range(3):
                archive.writestr(f"{n}.png", picture(n))
    names, contents = read_inputs(path, "image")
    assert contents == [picture(n) for n in range(3)]
    assert [name[-5:] for name in names] == ["0.png", "1.png", "2.png"]
    assert len(read_inputs([path, picture(9)], "image")[1]) == 4


def test_arrays(pixels: Pixels) -> None:
    one = pixels(0)
    for array in (one, one.transpose(2, 0, 1), one / 255.0, one.astype(np.float32)):
        names, contents = read_inputs(array, "image")
        assert names == [""]
        assert np.array_equal(decode(contents[0]), one)
    assert np.array_equal(decode(read_inputs(one[..., 0], "image")[1][0], channels=1), one[..., :1])
    many = np.stack([pixels(n) for n in range(3)])
    for batch in (many, list(many), many.transpose(0, 3, 1, 2)):
        assert np.array_equal([decode(raw) for raw in read_inputs(batch, "image")[1]], many)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "CMYK", "1"])
def test_pillow_images(mode: str, pixels: Pixels) -> None:
    image = Image.fromarray(pixels(0)).convert(mode)
    (raw,) = read_inputs(image, "image")[1]
    expected = np.asarray(image.convert("L" if mode in ("1", "L", "LA") else "RGB"))
    assert np.array_equal(decode(raw, channels=1 if expected.ndim == 2 else 3).squeeze(), expected)


def test_pillow_images_are_turned_as_files_are(pixels: Pixels) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.fromarray(pixels(0)).save(stream, "png", exif=exif)
    opened = Image.open(io.BytesIO(stream.getvalue()))
    (raw,) = read_inputs(opened, "image")[1]
    assert np.array_equal(decode(raw), decode(stream.getvalue()))
    assert decode(raw).shape == (12, 10, 3)


@pytest.mark.parametrize("bad", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a"])
def test_bad_images_are_named(bad: bytes, picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(bad)
    with pytest.raises(DataError, match=r"bad\.png cannot be read as an image"):
        read_inputs([picture(0), tmp_path / "bad.png"], "image")
    with pytest.raises(DataError, match="Image 1 cannot be read as an image"):
        read_inputs([picture(0), bad], "image")


def test_bad_images_in_a_folder_are_named(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(0))
    (tmp_path / "b.png").write_bytes(picture(0)[:20])
    with pytest.raises(DataError, match=r"b.png cannot be read as an image"):
        read_inputs(tmp_path, "image")


@pytest.mark.parametrize("bad", [7, {"a": 1}, np.zeros(3), np.zeros((2, 2, 5)), [[1, 2]]])
def test_what_is_no_image_at_all(bad: Any) -> None:
    with pytest.raises(UsageError):
        read_inputs([bad], "image")


def test_nothing_at_a_path(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Cannot read"):
        read_inputs(tmp_path / "none.png", "image")
    with pytest.raises(NotFound):
        read_inputs("a\0b", "image")
