"""Images in columns of tables: their encoded bytes, or the paths of files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lithify.data.columns import Asked, named
from lithify.data.image_arrays import label_of
from lithify.data.image_index import CLASS_NAMES
from lithify.data.images import HEAD, image_row, is_image
from lithify.data.layout import listed
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.data.streams import open_regular, shown
from lithify.errors import UsageError
from lithify.media.pixels import MAX_BYTES

ROWS: Final = 256
_TRIED: Final = 20


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes
    ----------
    name : str
        For messages.
    schema : pyarrow.Schema
    batches : callable
        Gives its record batches, any number of times.
    side : str or None
        The side of a split that it is.
    base : Path or None
        The folder that paths in it are relative to and must not leave; None where they may be anywhere.
    """

    name: str
    schema: Any
    batches: Callable[[], Iterator[Any]]
    side: str | None = None
    base: Path | None = None
    names: dict[str, list[str]] = field(default_factory=dict)


class ImageColumns(Source):
    """Tables with one column of images and one of labels.

    An image is the encoded bytes in a column of bytes, or in a column of structs ``{bytes, path}`` as Hugging Face
    writes them; where there are no bytes, the file at the path is read.
    """

    kind = "image"

    def __init__(self, sheets: Sequence[Sheet], column: str, asked: Asked, words: str, signature: str) -> None:
        first = sheets[0]
        self._sheets = sheets
        self._column = column
        self._asked = asked
        self._label = label_column(first, column, asked)
        self._words = words
        self._signature = signature
        for role in ("side", "group"):
            if (name := getattr(asked, role)) is not None and name not in first.schema.names:
                raise UsageError(f"There is no column {name!r}.", found=listed_columns(first.schema.names))

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        labels = f"labels in {self._label!r}" if self._label else "without labels"
        return f"{self._words} with images in {self._column!r}, {labels}"

    def signature(self) -> str:
        """Changes when the rows or the way they are read do."""
        return f"{self._signature} {self._column} {self._asked}"

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in its order, a batch at a time."""
        for sheet in self._sheets:
            number = 0
            for batch in sheet.batches():
                for start in range(0, batch.num_rows, ROWS):
                    for row in self._rows(sheet, batch.slice(start, ROWS), number):
                        number += 1
                        yield row

    def _rows(self, sheet: Sheet, batch: Any, first: int) -> Iterator[Row | Problem]:
        cells = batch.column(self._column).to_pylist()
        labels, sides, groups = (
            [None] * len(cells) if name is None else batch.column(name).to_pylist()
            for name in (self._label, self._asked.side, self._asked.group)
        )
        names = sheet.names.get(self._label or "", [])
        for at, (cell, label, side, group) in enumerate(zip(cells, labels, sides, groups, strict=True)):
            origin = f"{sheet.name}:{first + at}"
            raw = _bytes(cell, sheet.base)
            text = label_of(label, names)
            if isinstance(raw, str):
                yield Problem(origin, "empty" if not raw else "unreadable", raw)
            elif text is None and self._label is not None and self._asked.labelled:
                yield Problem(origin, "no label")
            else:
                given = sheet.side if self._asked.side is None else label_of(side)
                yield image_row(raw, text, origin, side=given, group=label_of(group))


def _bytes(cell: Any, base: Path | None) -> bytes | str:
    """The bytes of an image, or what is wrong."""
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, dict) or (cell.get("bytes") is None and not cell.get("path")):
        return ""
    if isinstance(raw := cell.get("bytes"), bytes):
        return raw
    path = str(cell["path"])
    if base is not None and (path.startswith("/") or ".." in path.split("/")):
        return "a path that leads elsewhere"
    try:
        with open_regular((base or Path()) / path) as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        return "there is no file at its path"


def label_column(sheet: Sheet, column: str, asked: Asked) -> str | None:
    """The column of labels; None where there is none and none is needed."""
    rest = [name for name in sheet.schema.names if name not in (column, asked.side, asked.group)]
    if asked.label is not None:
        if asked.label not in rest:
            found_names = listed_columns(sheet.schema.names)
            raise UsageError(f"There is no column {asked.label!r} with labels.", found=found_names)
        return asked.label
    classes = [name for name in rest if sheet.names.get(name)]
    if len(classes) > 1:
        found = None
    else:
        found = named(rest, CLASS_NAMES) or (classes[0] if classes else None) or (rest[0] if len(rest) == 1 else None)
    if found is None and asked.labelled:
        raise UsageError(
            "Cannot tell which column is the label.",
            expected=f"one column called {', '.join(CLASS_NAMES[:3])} or the like",
            found=listed_columns(sheet.schema.names),
            hint="Name it with --label.",
        )
    return found


def listed_columns(names: Sequence[str]) -> str:
    """Names of columns for a sentence."""
    return f"the columns {listed([repr(shown(name)) for name in names], 20)}"


def image_column(sheet: Sheet) -> str | None:
    """The first column that holds images, None where there is none; looks at a few cells."""
    import pyarrow as pa

    types = pa.types
    some: list[str] = [
        column.name
        for column in sheet.schema
        if types.is_binary(column.type)
        or types.is_large_binary(column.type)
        or types.is_binary_view(column.type)
        or (types.is_struct(column.type) and {f.name for f in column.type} >= {"bytes", "path"})
    ]
    batch: Any = next(iter(sheet.batches()), None) if some else None
    for name in some if batch is not None else []:
        cells = [_bytes(cell, sheet.base) for cell in batch.column(name).slice(0, _TRIED).to_pylist()]
        if any(isinstance(raw, bytes) and is_image(raw[:HEAD]) for raw in cells):
            return name
    return None


def class_names(schema: Any) -> dict[str, list[str]]:
    """Names of the classes of each column of labels, as Hugging Face notes them in the metadata of a schema."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: [str(each) for each in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
