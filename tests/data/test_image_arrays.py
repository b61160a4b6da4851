"""Images as NumPy arrays, in NumPy files, in IDX files and in the binary version of CIFAR."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithify.data.image_arrays import as_images
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.errors import DamagedSource, UnknownSource, UnsafeSource, UsageError
from lithify.media.pixels import decode

Pixels = Callable[..., np.ndarray]


def rows(source: Source) -> list[Row]:
    assert source.kind == "image"
    found = list(source.rows())
    assert not [row for row in found if isinstance(row, Problem)]
    return [row for row in found if isinstance(row, Row)]


@pytest.fixture
def stack(pixels: Pixels) -> np.ndarray:
    """Six images (6, 10, 12, 3)."""
    return np.stack([pixels(n) for n in range(6)])


LABELS = ["cat", "dog", "cat", "dog", "cat", "dog"]
CODES = np.array([0, 1, 0, 1, 0, 7])


# --- in memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, "unit"])
@pytest.mark.parametrize("shape", ["last", "first", "grey", "grey last", "alpha"])
def test_a_pair_of_arrays(shape: str, dtype: Any, stack: np.ndarray) -> None:
    x = {
        "last": stack,
        "first": stack.transpose(0, 3, 1, 2),
        "grey": stack[..., 0],
        "grey last": stack[..., :1],
        "alpha": np.concatenate([stack, np.full_like(stack[..., :1], 255)], axis=3),
    }[shape]
    x = x / np.float32(255) if dtype == "unit" else x.astype(dtype)
    source = open_source((x, CODES))
    found = rows(source)
    assert [row.label for row in found] == ["0", "1", "0", "1", "0", "7"]
    channels = 1 if shape.startswith("grey") else 3
    decoded = np.stack([decode(row.content, channels=channels) for row in found])
    assert np.array_equal(decoded, stack[..., :channels])
    assert source.signature() == open_source((x.copy(), list(CODES))).signature()
    other = x.copy()
    other[0, 0, 0] = other[0, 0, 0] // 2 + 1 if dtype != "unit" else 0.123
    assert source.signature() != open_source((other, CODES)).signature()


def test_equal_pixels_are_equal_rows(stack: np.ndarray) -> None:
    as_bytes, as_floats = (rows(open_source((x, LABELS))) for x in (stack, stack / 255.0))
    assert as_bytes == as_floats


def test_sixteen_bits_are_kept(stack: np.ndarray) -> None:
    deep = stack.astype(np.uint16) * 257
    (first, *_) = rows(open_source((deep, LABELS)))
    assert first.content.startswith(b"P6\n12 10\n65535\n")
    assert np.array_equal(decode(first.content), stack[0])


def test_labels_of_many_kinds(stack: np.ndarray) -> None:
    for y in (LABELS, np.array(LABELS), np.array([[label] for label in LABELS]), np.array(LABELS, dtype=object)):
        assert [row.label for row in rows(open_source((stack, y)))] == LABELS
    assert [row.label for row in rows(open_source((stack, CODES.astype(np.float64)[:, None])))][-1] == "7"
    found = list(open_source((stack, [*LABELS[:5], None])).rows())
    assert [row.reason for row in found if isinstance(row, Problem)] == ["no label"]


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.zeros((6, 10, 12, 3)) - 1.5, LABELS, "no pixels.*normalised"),
        (np.full((6, 10, 12), np.nan), LABELS, "no pixels"),
        (np.zeros((6, 10, 12, 5)), LABELS, "holds no images"),
        (np.zeros((6, 10, 12, 3, 2)), LABELS, "holds no images"),
        (np.zeros((6, 10, 12), dtype="c8"), LABELS, "holds no images"),
        (np.zeros((6, 10, 12)), LABELS[:5], "one label for each"),
        (np.zeros((6, 10, 12)), np.eye(6), r"one label for each.*argmax"),
    ],
)
def test_arrays_that_are_no_images(x: np.ndarray, y: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        open_source((x, y))


def test_channels_are_moved_only_where_that_is_plain() -> None:
    assert as_images(np.zeros((2, 3, 8, 8))).shape == (2, 8, 8, 3)
    assert as_images(np.zeros((2, 3, 8, 4))).shape == (2, 3, 8, 4)
    assert as_images(np.zeros((2, 3, 3, 3))).shape == (2, 3, 3, 3)


def test_a_table_is_still_a_table() -> None:
    x = np.arange(40.0).reshape(20, 2)
    assert open_source((x, ["a", "b"] * 10)).kind == "table"
    with pytest.raises(UsageError, match="holds no images"):
        open_source((x, ["a", "b"] * 10), kind="image")
    with pytest.raises(UnknownSource, match="no images in this object"):
        open_source({"a": [1, 2]}, kind="image")


def test_a_list_of_images_of_several_sizes(pixels: Pixels) -> None:
    images = [pixels(0), pixels(1, (9, 30)), pixels(2)[..., 0]]
    found = rows(open_source((images, ["a", "b", "a"])))
    assert [decode(row.content).shape for row in found] == [(10, 12, 3), (30, 9, 3), (10, 12, 3)]
    with pytest.raises(UsageError, match="holds no images"):
        open_source(([images[0], images[1] / 255], ["a", "b"]))


def test_a_dict_of_sides(stack: np.ndarray) -> None:
    found = rows(open_source({"x_train": stack[:4], "y_train": LABELS[:4], "x_test": stack[4:], "y_test": LABELS[4:]}))
    assert [row.side for row in found] == ["train"] * 4 + ["test"] * 2


# --- NumPy files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", [("x", "y"), ("X", "y"), ("images", "labels"), ("image", "target"), ("train_images", "train_labels")]
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(names: tuple[str, str], save: Callable[..., None], stack: np.ndarray, tmp_path: Path) -> None:
    save(tmp_path / "a.npz", **{names[0]: stack, names[1]: np.array(LABELS)})
    found = rows(open_source(tmp_path / "a.npz"))
    assert [row.label for row in found] == LABELS
    assert {row.side for row in found} == {"train" if "train" in names[0] else None}
    assert np.array_equal(decode(found[3].content), stack[3])


@pytest.mark.parametrize("form", ["x_{}", "{}_x"])
def test_npz_with_sides(form: str, stack: np.ndarray, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {}
    for n, side in enumerate(["train", "val", "test"]):
        arrays[form.format(side)] = stack[2 * n : 2 * n + 2]
        arrays[form.format(side).replace("x", "y")] = CODES[2 * n : 2 * n + 2]
    np.savez(tmp_path / "a", **arrays)
    assert [row.side for row in rows(open_source(tmp_path / "a.npz"))] == ["train"] * 2 + ["validation"] * 2 + [
        "test"
    ] * 2


def test_npy_and_fortran_order(stack: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(stack))
    source = open_source(tmp_path / "a.npy", labelled=False)
    assert source.describe() == "a NumPy file of images, without labels"
    assert np.array_equal(decode(rows(source)[2].content), stack[2])


def test_objects_are_never_unpickled(stack: np.ndarray, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    np.savez(tmp_path / "a.npz", x=stack, y=np.array([Trap()] * 6, dtype=object))
    with pytest.raises(UnknownSource, match=r"Python objects.*run any code"):
        open_source(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", np.array([Trap()] * 6, dtype=object))
    with pytest.raises(UnknownSource, match="Python objects"):
        open_source(tmp_path / "a.npy")
    assert not (tmp_path / "ran").exists()


def test_npz_whose_names_say_nothing(stack: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=stack, mean=CODES)
    with pytest.raises(UsageError, match=r"holds no images by the names of its arrays.*weights, mean"):
        open_source(tmp_path / "a.npz")


def npy(header: str, content: bytes) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 2, 2)}", bytes(8)),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 2)}", bytes(8)),
        npy("{'descr': 'nonsense', 'fortran_order': False, 'shape': (2, 2, 2)}", bytes(8)),
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"nothing like it",
    ],
)
def test_npz_that_lies(content: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(DamagedSource):
        open_source(tmp_path / "a.npz")


def test_an_npz_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lithify.data.streams.MIN_BOMB", 1 << 16)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((100, 256, 256), np.uint8), y=np.zeros(100))
    with pytest.raises(UnsafeSource, match="times its size"):
        open_source(tmp_path / "a.npz")


# --- IDX ------------------------------------------------------------------------------------------------------------


def idx(values: np.ndarray) -> bytes:
    return (
        bytes((0, 0, 8, values.ndim))
        + struct.pack(f">{values.ndim}I", *values.shape)
        + values.astype(np.uint8).tobytes()
    )


def write_idx(folder: Path, stack: np.ndarray, ending: str = "", mark: str = "-") -> Path:
    pack = gzip.compress if ending else bytes
    folder.mkdir()
    for side, part in (("train", slice(0, 4)), ("t10k", slice(4, 6))):
        (folder / f"{side}-images{mark}idx3-ubyte{ending}").write_bytes(pack(idx(stack[part, ..., 0])))
        (folder / f"{side}-labels{mark}idx1-ubyte{ending}").write_bytes(pack(idx(CODES[part])))
    return folder


@pytest.mark.parametrize(("ending", "mark"), [("", "-"), (".gz", "-"), ("", ".")])
def test_idx(ending: str, mark: str, stack: np.ndarray, tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "mnist", stack, ending, mark)
    source = open_source(folder)
    assert source.describe() == "a folder with 2 IDX files of images"
    found = rows(source)
    assert sorted((row.side, row.label) for row in found) == sorted(
        (side, str(code)) for side, code in zip(["train"] * 4 + ["test"] * 2, CODES, strict=True)
    )
    pixels = {decode(row.content, channels=1).tobytes() for row in found}
    assert pixels == {image.tobytes() for image in stack[..., 0]}
    alone = rows(open_source(folder / f"train-images{mark}idx3-ubyte{ending}"))
    assert [(row.side, row.label) for row in alone] == [(None, str(code)) for code in CODES[:4]]


def test_idx_in_a_tar(stack: np.ndarray, tmp_path: Path) -> None:
    write_idx(tmp_path / "mnist", stack, ".gz")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "mnist", "mnist")
    assert len(rows(open_source(tmp_path / "a.tar"))) == 6


def test_idx_without_labels(stack: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "new.bin"
    path.write_bytes(idx(stack[..., 0]))
    assert [row.label for row in rows(open_source(path, labelled=False))] == [None] * 6


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"x", lambda raw: raw[:10]])
def test_damaged_idx(change: Callable[[bytes], bytes], stack: np.ndarray, tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "mnist", stack)
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DamagedSource, match="train-images"):
        list(open_source(folder).rows())


def test_idx_with_too_few_labels(stack: np.ndarray, tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "mnist", stack)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(CODES[:1]))
    with pytest.raises(DamagedSource, match="2 images, but 1 labels"):
        list(open_source(folder).rows())


# --- CIFAR ----------------------------------------------------------------------------------------------------------


def batch(numbers: range, pixels: Pixels, before: int = 1) -> bytes:
    planes = [pixels(n, (32, 32)).transpose(2, 0, 1).tobytes() for n in numbers]
    return b"".join(bytes([5] * (before - 1) + [n % 3]) + plane for n, plane in zip(numbers, planes, strict=True))


def ten(pixels: Pixels) -> dict[str, bytes]:
    return {
        "data_batch_1.bin": batch(range(3), pixels),
        "data_batch_2.bin": batch(range(3, 5), pixels),
        "test_batch.bin": batch(range(5, 8), pixels),
        "batches.meta.txt": b"airplane\nautomobile\nbird\n\n",
        "readme.html": b"<html>",
    }


@pytest.mark.parametrize("place", ["folder", "tar.gz"])
def test_cifar_ten(place: str, pixels: Pixels, tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-batches-bin"
    path.mkdir()
    for name, content in ten(pixels).items():
        (path / name).write_bytes(content)
    if place == "tar.gz":
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
            tar.add(path, path.name)
        path = tmp_path / "a.tar.gz"
    source = open_source(path)
    assert "CIFAR-10 in its binary version" in source.describe()
    found = sorted(rows(source), key=lambda row: row.origin.rpartition("/")[2])
    names = ["airplane", "automobile", "bird"]
    assert [(row.label, row.side) for row in found] == [(names[n % 3], "train" if n < 5 else "test") for n in range(8)]
    assert np.array_equal(decode(found[6].content), pixels(6, (32, 32)))


@pytest.mark.parametrize(("label", "expected"), [(None, "fine0"), ("fine", "fine0"), ("coarse", "coarse5")])
def test_cifar_hundred(label: str | None, expected: str, pixels: Pixels, tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.bin").write_bytes(batch(range(2), pixels, before=2))
    for which in ("fine", "coarse"):
        (tmp_path / f"{which}_label_names.txt").write_bytes(b"".join(b"%s%d\n" % (which.encode(), n) for n in range(9)))
    found = rows(open_source(tmp_path, label=label))
    assert [row.side for row in found] == ["test"] * 2 + ["train"] * 2
    assert found[0].label == expected
    with pytest.raises(UsageError, match="no labels 'medium'"):
        open_source(tmp_path, label="medium")


def test_damaged_cifar(pixels: Pixels, tmp_path: Path) -> None:
    for name, content in ten(pixels).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "test_batch.bin").write_bytes(batch(range(2), pixels)[:-1])
    with pytest.raises(DamagedSource, match="whole images"):
        list(open_source(tmp_path).rows())
    (tmp_path / "test_batch.bin").write_bytes(b"\x09" + batch(range(1), pixels)[1:])
    bad = [row for row in open_source(tmp_path).rows() if isinstance(row, Problem)]
    assert [(row.reason, row.detail) for row in bad] == [("bad record", "its label has no name")]


@pytest.mark.parametrize("names", [["data_batch_1", "test_batch", "batches.meta"], ["train", "test", "meta"]])
def test_pickled_cifar_is_refused(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_bytes(pickle.dumps({b"data": bytes(40), b"labels": [1]}, protocol=2))
    with pytest.raises(UnknownSource, match=r"pickled: reading it could run any code.*binary version"):
        open_source(tmp_path)
    stream = io.BytesIO(pickle.dumps({"data": list(range(9))}, protocol=4))
    (tmp_path / "one.pkl").write_bytes(stream.getvalue())
    with pytest.raises(UnknownSource, match="pickled"):
        open_source(tmp_path / "one.pkl")


def test_an_empty_stack() -> None:
    source = open_source((np.zeros((0, 4, 4), np.uint8), []))
    assert list(source.rows()) == []
