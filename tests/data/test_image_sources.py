"""Images in folders, archives, shards and beside tables: recognised without being told."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.data import archives, images, layout
from lithify.data.archives import Tar
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.errors import TooFewRows, UnknownSource, UsageError

Picture = Callable[..., bytes]
Put = Callable[[Path, dict[str, bytes]], Path]


def rows(source: Source) -> list[Row]:
    found = list(source.rows())
    assert not [row for row in found if isinstance(row, Problem)]
    return [row for row in found if isinstance(row, Row)]


def problems(source: Source) -> list[tuple[str, str]]:
    return [(Path(row.origin).name, row.reason) for row in source.rows() if isinstance(row, Problem)]


def as_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def as_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


PLACES: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "tar": lambda home, files: as_tar(home / "a.tar", files),
    "tar.gz": lambda home, files: as_tar(home / "a.tgz", files, "w:gz"),
    "zip": lambda home, files: as_zip(home / "a.zip", files),
}


@pytest.fixture
def classes(picture: Picture) -> dict[str, bytes]:
    """Two classes in several formats, and files that are none."""
    forms = ["png", "jpeg", "webp", "bmp", "gif", "tiff"]
    files = {f"{'cat' if n % 2 else 'dog'}/{n}.{forms[n]}": picture(n, forms[n]) for n in range(6)}
    return files | {"cat/notes.xml": b"<a/>", "README.md": b"read me", "cat/.hidden.png": b"x"}


@pytest.mark.parametrize("place", ["folder", *PLACES])
def test_a_folder_per_class(place: str, classes: dict[str, bytes], put: Put, tmp_path: Path) -> None:
    path = put(tmp_path / "place", classes) if place == "folder" else PLACES[place](tmp_path, classes)
    source = open_source(path)
    assert source.kind == "image"
    assert "of images with one sub-folder per label (cat, dog); leaving aside 2" in source.describe()
    found = rows(source)
    assert {row.content: row.label for row in found} == {
        content: name.split("/")[0] for name, content in classes.items() if images.is_image(content[:64])
    }
    assert source.notes() == ["Left aside: cat/notes.xml, which is no image."]
    assert [row.content for row in rows(source)] == [row.content for row in found]


def test_sides_above_the_classes(picture: Picture, put: Put, tmp_path: Path) -> None:
    files = {f"x/{side}/{label}/1.png": b"" for side in ("train", "val", "test") for label in ("a", "b")}
    found = rows(open_source(put(tmp_path / "f", {name: picture(n) for n, name in enumerate(files)})))
    assert sorted((row.side, row.label) for row in found) == sorted(
        (side, label) for side in ("train", "validation", "test") for label in ("a", "b")
    )


def test_images_without_an_ending(picture: Picture, put: Put, tmp_path: Path) -> None:
    files = {f"{'ab'[n % 2]}/{n:08x}": picture(n, "jpeg") for n in range(6)}
    source = open_source(put(tmp_path / "f", files | {"a/list": b"not an image"}))
    assert source.kind == "image"
    assert len(rows(source)) == 6
    assert len(source.notes()) == 1


def test_mail_and_text_with_pictures_beside_stay_what_they_are(picture: Picture, put: Put, tmp_path: Path) -> None:
    mail = {f"{'ham' if n % 2 else 'spam'}/{n}": b"From: a@b.org\nSubject: %d\n\nhello" % n for n in range(6)}
    assert open_source(put(tmp_path / "mail", mail | {"ham/logo.png": picture(0)})).kind == "mail"
    text = {f"{'ab'[n % 2]}/{n}.txt": b"hello %d" % n for n in range(9)}
    assert open_source(put(tmp_path / "text", text | {"a/logo.png": picture(0)})).kind == "text"


def test_what_only_begins_like_an_image_is_text(put: Put, tmp_path: Path) -> None:
    files = {"a/1": b"P6 was a band", "a/2": b"BM is a car", "b/1": b"P5\nand so on", "b/2": b"II*", "b/3": b"GIF87"}
    assert open_source(put(tmp_path / "f", files)).kind == "text"


# --- bad things -----------------------------------------------------------------------------------------------------


def test_empty_and_huge_files_are_problems(
    picture: Picture, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 1 << 20)
    files = {
        "a/1.png": picture(1),
        "b/2.png": picture(2),
        "b/empty.png": b"",
        "a/huge.png": picture(3) + bytes(2 << 20),
    }
    assert problems(open_source(put(tmp_path / "f", files))) == [("huge.png", "too large"), ("empty.png", "empty")]


def test_nothing_there(put: Put, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TooFewRows, match="holds nothing to read"):
        open_source(tmp_path / "empty", kind="image")
    path = put(tmp_path, {"a.txt": b"hello"}) / "a.txt"
    with pytest.raises(UnknownSource, match="no images"):
        open_source(path, kind="image")


def test_options_that_mean_nothing(classes: dict[str, bytes], put: Put, tmp_path: Path) -> None:
    path = put(tmp_path / "f", classes)
    with pytest.raises(UsageError, match="labels of its own"):
        open_source(path, label="cat")
    with pytest.raises(UsageError, match="means nothing here"):
        open_source(path, time="when")
    with pytest.raises(UsageError, match="means nothing here"):
        open_source(path, group="camera")


# --- tables beside --------------------------------------------------------------------------------------------------

TABLES: dict[str, tuple[str, bytes]] = {
    "plain": ("labels.csv", b"file,label\n1.png,cat\n2.png,dog\n3.png,cat\n"),
    "tab": ("labels.tsv", b"filename\tclass\n1.png\tcat\n2.png\tdog\n3.png\tcat\n"),
    "lines": (
        "metadata.jsonl",
        b'{"file_name": "1.png", "label": "cat"}\n{"file_name": "2.png", "label": "dog"}\n'
        b'{"file_name": "3.png", "label": "cat"}\n',
    ),
    "no ending": ("train_labels.csv", b"id,breed\n1,cat\n2,dog\n3,cat\n"),
    "folder": ("labels.csv", b"path,target\nelsewhere/1.png,cat\nelsewhere/2.png,dog\nelsewhere/3.png,cat\n"),
    "one other column": ("a.csv", b"pic,which\n1.png,cat\n2.png,dog\n3.png,cat\n"),
    "text": ("labels.txt", b"1.png cat\n2.png dog\n3.png cat\n"),
    "text, label first": ("labels.txt", b"cat 1.png\ndog 2.png\ncat 3.png\n"),
}


@pytest.mark.parametrize("folder", ["", "images/"])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_beside(name: str, folder: str, picture: Picture, put: Put, tmp_path: Path) -> None:
    table, content = TABLES[name]
    files = {f"{folder}{n}.png": picture(n) for n in (1, 2, 3)}
    source = open_source(put(tmp_path / "f", files | {table: content}))
    assert source.kind == "image"
    assert f"with labels in {table} (cat, dog)" in source.describe()
    assert [row.label for row in rows(source)] == ["cat", "dog", "cat"]


def test_a_table_in_a_zip(picture: Picture, tmp_path: Path) -> None:
    files = {f"d/images/{n}.png": picture(n) for n in (1, 2)} | {"d/labels.csv": b"file,label\n1.png,a\n2.png,b\n"}
    assert [row.label for row in rows(open_source(as_zip(tmp_path / "a.zip", files)))] == ["a", "b"]


def test_columns_of_a_table_are_chosen(picture: Picture, put: Put, tmp_path: Path) -> None:
    files = {f"{n}.png": picture(n) for n in (1, 2)}
    table = b"file,colour,shape,where,split\n1.png,red,round,x,train\n2.png,blue,long,y,test\n"
    path = put(tmp_path / "f", files | {"labels.csv": table})
    with pytest.raises(UsageError, match=r"Cannot tell which column of labels.csv is the label.*--label"):
        open_source(path)
    found = rows(open_source(path, label="shape", group="where"))
    assert [(row.label, row.group, row.side) for row in found] == [("round", "x", "train"), ("long", "y", "test")]
    with pytest.raises(UsageError, match="no column 'camera'"):
        open_source(path, label="shape", group="camera")


def test_tables_named_after_sides(picture: Picture, put: Put, tmp_path: Path) -> None:
    files = {f"images/{n}.png": picture(n) for n in (1, 2, 3)}
    tables = {"train.csv": b"id,label\n1,a\n2,b\n", "test.csv": b"id,label\n3,a\n"}
    found = rows(open_source(put(tmp_path / "f", files | tables)))
    assert [(row.label, row.side) for row in found] == [("a", "train"), ("b", "train"), ("a", "test")]


def test_what_a_table_gets_wrong(picture: Picture, put: Put, tmp_path: Path) -> None:
    files = {f"{n}.png": picture(n) for n in (1, 2, 3, 4)}
    table = b"file,label\n1.png,a\n2.png,a\n2.png,b\n4.png,b\n9.png,b\n"
    source = open_source(put(tmp_path / "f", files | {"labels.csv": table}))
    assert problems(source) == [("2.png", "two labels"), ("3.png", "no label"), ("9.png", "unreadable")]


def test_a_table_of_other_things_does_not_hide_the_folders(picture: Picture, put: Put, tmp_path: Path) -> None:
    files = {"a/1.png": picture(1), "b/2.png": picture(2), "sizes.csv": b"file,width\n1.png,12\n2.png,12\n"}
    assert [row.label for row in rows(open_source(put(tmp_path / "f", files)))] == ["a", "b"]


# --- shards ---------------------------------------------------------------------------------------------------------

SAMPLES: dict[str, Callable[[int], tuple[str, bytes]]] = {
    "cls": lambda n: ("cls", b"%d" % (n % 2)),
    "txt": lambda n: ("txt", [b"0\n", b"1\n"][n % 2]),
    "json": lambda n: ("json", b'{"label": %d, "width": 3}' % (n % 2)),
    "json cls": lambda n: ("json", b'{"cls": "%d"}' % (n % 2)),
}


def samples(picture: Picture, numbers: range, which: str, folder: str = "") -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for n in numbers:
        ending, said = SAMPLES[which](n)
        files |= {f"{folder}{n:04d}.jpg": picture(n, "jpeg"), f"{folder}{n:04d}.{ending}": said}
    return files


@pytest.mark.parametrize("which", SAMPLES)
def test_one_shard(which: str, picture: Picture, tmp_path: Path) -> None:
    source = open_source(as_tar(tmp_path / "a.tar", samples(picture, range(6), which)))
    assert source.kind == "image"
    assert [(row.content, row.label) for row in rows(source)] == [(picture(n, "jpeg"), str(n % 2)) for n in range(6)]


def test_a_folder_of_shards(picture: Picture, tmp_path: Path) -> None:
    for shard, name in enumerate(["set-train-000", "set-train-001", "set-test-000"]):
        as_tar(tmp_path / f"{name}.tar", samples(picture, range(4 * shard, 4 * shard + 4), "cls"))
    source = open_source(tmp_path)
    assert source.describe() == "3 tar archives of images with labels in files .cls beside them"
    found = rows(source)
    assert [row.side for row in found] == ["test"] * 4 + ["train"] * 8
    assert {row.origin for row in found} >= {f"{tmp_path}/set-test-000.tar:0008.jpg"}
    before = source.signature()
    as_tar(tmp_path / "set-train-001.tar", samples(picture, range(9, 12), "cls"))
    assert open_source(tmp_path).signature() != before


def test_shards_of_classes(picture: Picture, tmp_path: Path) -> None:
    for n, side in enumerate(["train", "test"]):
        as_tar(tmp_path / f"{side}.tar", {f"{label}/1.png": picture(2 * n + i) for i, label in enumerate("ab")})
    found = rows(open_source(tmp_path))
    assert [(row.side, row.label) for row in found] == [("test", "a"), ("test", "b"), ("train", "a"), ("train", "b")]


def test_bad_samples(picture: Picture, tmp_path: Path) -> None:
    files = samples(picture, range(6), "json")
    files |= {"0001.json": b"[", "0002.json": b'{"width": 1}', "0003.json": b"{}" + b"[" * 10**5}
    del files["0004.json"]
    source = open_source(as_tar(tmp_path / "a.tar", files))
    assert problems(source) == [
        ("a.tar:0001.jpg", "bad record"),
        ("a.tar:0002.jpg", "bad record"),
        ("a.tar:0003.jpg", "bad record"),
        ("a.tar:0004.jpg", "no label"),
    ]


# --- without labels -------------------------------------------------------------------------------------------------


def test_images_without_labels(picture: Picture, put: Put, tmp_path: Path) -> None:
    path = put(tmp_path / "f", {f"{n}.png": picture(n) for n in range(3)})
    source = open_source(path, labelled=False)
    assert [(row.label, row.content) for row in rows(source)] == [(None, picture(n)) for n in range(3)]
    assert open_source(path / "1.png").describe() == "one image, without labels"
    assert [row.content for row in rows(open_source(path / "1.png"))] == [picture(1)]
    assert {row.label for row in rows(open_source(path, label="cat"))} == {"cat"}


# --- the quick way through a tar ------------------------------------------------------------------------------------


@given(st.binary(max_size=80), st.integers(0, 9999), st.sampled_from([tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]))
def test_a_plain_header_says_what_the_standard_library_says(name: bytes, size: int, form: Literal[0, 1, 2]) -> None:
    info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
    info.size = size
    header = info.tobuf(form, errors="surrogateescape")[:512]
    found = archives._plain_header(header)
    if found is not None:
        there = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        assert found == (there.name, there.size)
    elif name and b"\0" not in name and not name.endswith(b"/"):
        raise AssertionError("the common case goes the long way")


@given(st.integers(0, 511), st.integers(1, 255))
def test_a_flipped_byte_is_never_a_plain_header(at: int, flip: int) -> None:
    info = tarfile.TarInfo("cat/1.png")
    info.size = 77
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[at] ^= flip
    try:
        there = tarfile.TarInfo.frombuf(bytes(header), "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        assert archives._plain_header(bytes(header)) is None
    else:
        assert archives._plain_header(bytes(header)) in (None, (there.name, there.size))


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_read_both_ways(form: int, tmp_path: Path) -> None:
    contents = {f"{'x' * n}/{n}.bin": bytes([n]) * (700 * n) for n in range(0, 160, 20)} | {"e.bin": b""}
    contents["large.bin"] = bytes(2 << 20)
    with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name.lstrip("/"))
            info.size = len(content)
            info.mtime = 1.5 if form == tarfile.PAX_FORMAT else 1
            tar.addfile(info, io.BytesIO(content))
    place = Tar(tmp_path / "a.tar")
    expected = {name.lstrip("/"): content for name, content in contents.items()}
    for _ in range(3):
        assert {m.name: m.read(4 << 20) for m in place if not isinstance(m, Problem)} == expected


@given(
    st.text(st.sampled_from("aRrLlMmSsTtDdCc._/0git~"), max_size=14), st.sampled_from(["", ".msf", "README", ".jpg"])
)
def test_the_quick_look_at_names_is_the_long_one(name: str, end: str) -> None:
    assert layout.left_aside(name + end) == (layout._ASIDE.search(name + end) is not None)
