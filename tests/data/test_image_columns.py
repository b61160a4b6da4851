"""Images in columns of Parquet, Arrow and Feather files, Arrow tables and Hugging Face data sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.errors import DamagedSource, UnknownSource, UsageError

Picture = Callable[..., bytes]
Put = Callable[[Path, dict[str, bytes]], Path]


def rows(source: Source) -> list[Row]:
    assert source.kind == "image"
    found = list(source.rows())
    assert not [row for row in found if isinstance(row, Problem)]
    return [row for row in found if isinstance(row, Row)]


def problems(source: Source) -> list[tuple[str, str]]:
    return [(row.reason, row.detail) for row in source.rows() if isinstance(row, Problem)]


def save_parquet(table: Any, path: Path) -> None:
    parquet.write_table(table, path, row_group_size=4)


def save_arrow(table: Any, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)


def save_stream(table: Any, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)


FORMS: dict[str, Callable[[Any, Path], None]] = {
    "a.parquet": save_parquet,
    "a.arrow": save_arrow,
    "stream.arrow": save_stream,
    "a.feather": lambda table, path: feather.write_feather(table, str(path)),
}
TYPES: dict[str, Callable[[list[bytes]], Any]] = {
    "binary": lambda raws: pa.array(raws, pa.binary()),
    "large": lambda raws: pa.array(raws, pa.large_binary()),
    "struct": lambda raws: pa.array([{"bytes": raw, "path": None} for raw in raws]).cast(
        pa.struct({"bytes": pa.binary(), "path": pa.string()})
    ),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("of", TYPES)
def test_files(name: str, of: str, picture: Picture, tmp_path: Path) -> None:
    raws = [picture(n, "jpeg") for n in range(9)]
    FORMS[name](
        pa.table({"id": list(range(9)), "img": TYPES[of](raws), "label": [n % 2 for n in range(9)]}), tmp_path / name
    )
    source = open_source(tmp_path / name)
    assert "with images in 'img', labels in 'label'" in source.describe()
    assert [(row.content, row.label) for row in rows(source)] == [(raw, str(n % 2)) for n, raw in enumerate(raws)]


def test_names_of_classes_and_sides(picture: Picture, tmp_path: Path) -> None:
    features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    for side, numbers in (("train-00000-of-00002", (0, 1)), ("train-00001-of-00002", (2, 3)), ("test-0", (4, 5))):
        table = pa.table({"image": TYPES["struct"]([picture(n) for n in numbers]), "label": [0, 1]})
        save_parquet(table.replace_schema_metadata(metadata), tmp_path / f"{side}.parquet")
    source = open_source(tmp_path)
    assert source.describe() == "3 files like a Parquet file with images in 'image', labels in 'label'"
    assert [(row.label, row.side) for row in rows(source)] == [
        (label, side) for side in ("test", "train", "train") for label in ("cat", "dog")
    ]


def test_columns_that_are_chosen(picture: Picture, tmp_path: Path) -> None:
    raws = TYPES["binary"]([picture(n) for n in range(2)])
    table = pa.table({"img": raws, "fine": [1, 2], "coarse": [0, 0], "where": ["x", "y"], "part": ["train", "test"]})
    save_parquet(table, tmp_path / "a.parquet")
    with pytest.raises(UsageError, match=r"Cannot tell which column is the label.*'fine', 'coarse'.*--label"):
        open_source(tmp_path / "a.parquet")
    found = rows(open_source(tmp_path / "a.parquet", label="fine", group="where", side="part"))
    assert [(row.label, row.group, row.side) for row in found] == [("1", "x", "train"), ("2", "y", "test")]
    with pytest.raises(UsageError, match="no column 'nothing'"):
        open_source(tmp_path / "a.parquet", label="nothing")
    assert [row.label for row in rows(open_source(tmp_path / "a.parquet", labelled=False))] == [None, None]


def test_bytes_that_are_no_images_are_a_table(tmp_path: Path) -> None:
    save_parquet(pa.table({"x": [1.0, 2.0] * 20, "label": ["a", "b"] * 20}), tmp_path / "a.parquet")
    assert open_source(tmp_path / "a.parquet").kind == "table"
    with pytest.raises(UnknownSource, match="no images"):
        open_source(tmp_path / "a.parquet", kind="image")


def test_files_that_paths_lead_to(picture: Picture, put: Put, tmp_path: Path) -> None:
    put(tmp_path, {"data/in/1.png": picture(1), "secret.png": picture(2)})
    cells = [
        {"bytes": picture(0), "path": "x.png"},
        {"bytes": None, "path": "in/1.png"},
        {"bytes": None, "path": "../secret.png"},
        {"bytes": None, "path": str(tmp_path / "secret.png")},
        {"bytes": None, "path": "in/2.png"},
        {"bytes": None, "path": None},
        None,
    ]
    save_parquet(pa.table({"image": pa.array(cells), "label": list("ababaab")}), tmp_path / "data" / "a.parquet")
    source = open_source(tmp_path / "data" / "a.parquet")
    assert [row.content for row in source.rows() if isinstance(row, Row)] == [picture(0), picture(1)]
    assert problems(source) == [
        ("unreadable", "a path that leads elsewhere"),
        ("unreadable", "a path that leads elsewhere"),
        ("unreadable", "there is no file at its path"),
        ("empty", ""),
        ("empty", ""),
    ]


def test_labels_that_are_missing(picture: Picture, tmp_path: Path) -> None:
    table = pa.table({"img": TYPES["binary"]([picture(n) for n in range(3)]), "label": pa.array([None, "", "a"])})
    save_parquet(table, tmp_path / "a.parquet")
    assert problems(open_source(tmp_path / "a.parquet")) == [("no label", "")] * 2


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_damaged_files(name: str, picture: Picture, tmp_path: Path) -> None:
    table = pa.table({"img": TYPES["binary"]([picture(n) for n in range(9)]), "label": list("abababaab")})
    FORMS[name](table, tmp_path / name)
    raw = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DamagedSource):
        list(open_source(tmp_path / name).rows())


def test_an_arrow_table(picture: Picture) -> None:
    raws = [picture(n) for n in range(4)]
    table = pa.table({"image": raws, "label": ["a", "b", "a", "b"]})
    source = open_source(table)
    assert [(row.content, row.label) for row in rows(source)] == list(zip(raws, "abab", strict=True))
    assert source.signature() == open_source(table).signature() != open_source(table.slice(1)).signature()
    assert open_source(pa.table({"x": [1, 2], "label": ["a", "b"]})).kind == "table"


# --- Hugging Face ---------------------------------------------------------------------------------------------------


def data_set(raws: list[bytes]) -> Any:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    cells = [{"bytes": raw, "path": None} for raw in raws]
    return datasets.Dataset.from_dict({"image": cells, "label": [n % 2 for n in range(len(raws))]}, features=features)


def test_a_data_set(picture: Picture) -> None:
    raws = [picture(n, "jpeg") for n in range(6)]
    whole = data_set(raws)
    source = open_source(whole)
    assert source.describe() == "a Hugging Face data set with images in 'image', labels in 'label'"
    assert [(row.content, row.label) for row in rows(source)] == list(zip(raws, ["cat", "dog"] * 3, strict=True))
    some = whole.select([4, 1])
    assert [row.content for row in rows(open_source(some))] == [raws[4], raws[1]]
    assert open_source(some).signature() != source.signature()


def test_splits_of_a_data_set_are_sides(picture: Picture) -> None:
    parts = {"train": data_set([picture(n) for n in range(4)]), "test": data_set([picture(n) for n in range(4, 6)])}
    found = rows(open_source(datasets.DatasetDict(parts)))
    assert [(row.side, row.label) for row in found] == [("train", "cat"), ("train", "dog")] * 2 + [
        ("test", "cat"),
        ("test", "dog"),
    ]


def test_a_data_set_of_files(picture: Picture, put: Put, tmp_path: Path) -> None:
    put(tmp_path, {f"{n}.png": picture(n) for n in range(2)})
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    files = [str(tmp_path / f"{n}.png") for n in range(2)]
    made = datasets.Dataset.from_dict({"image": files, "label": ["a", "b"]}, features=features)
    assert [(row.content, row.label) for row in rows(open_source(made))] == [(picture(0), "a"), (picture(1), "b")]


def test_data_sets_that_hold_no_images() -> None:
    with pytest.raises(UnknownSource, match=r"no column of images.*'x', 'label'"):
        open_source(datasets.Dataset.from_dict({"x": [1, 2], "label": ["a", "b"]}))
    with pytest.raises(UsageError, match="streaming=False"):
        open_source(datasets.Dataset.from_dict({"x": [1]}).to_iterable_dataset())
