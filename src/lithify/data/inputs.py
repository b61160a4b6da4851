"""Things to score: from paths, bytes, texts and frames to the canonical contents a model was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lithify.data import text
from lithify.data.cells import encode_row
from lithify.data.image_inputs import read_images
from lithify.data.mail import RAW_LIMIT
from lithify.data.schema import Field
from lithify.data.streams import open_regular, shown
from lithify.data.tabular_scoring import tables_to_score
from lithify.errors import NotFound, UnknownSource
from lithify.media import mime


def read_inputs(
    inputs: Any, kind: Literal["mail", "text", "table", "image"], fields: Sequence[Field] = ()
) -> tuple[list[str], list[bytes]]:
    """Names and canonical contents of one input or of several.

    Parameters
    ----------
    inputs
        For mail and text: what :func:`read_input` takes, or a sequence of it. For a table: a mapping from field to cell
        or a sequence of them; a frame, columns, or the path of a file of rows. For images: see
        :func:`lithify.data.image_inputs.read_images`.
    kind : "mail", "text", "table" or "image"
    fields : sequence of Field
        The input fields of a table, sorted by name.
    """
    if kind == "image":
        return read_images(inputs)
    if kind != "table":
        several = [inputs] if isinstance(inputs, (str, bytes, Path)) else list(inputs)
        names = [item if isinstance(item, str) else str(item) if isinstance(item, Path) else "" for item in several]
        return names, [read_input(item, kind) for item in several]
    if isinstance(inputs, Mapping) and not any(_is_column(cell) for cell in inputs.values()):
        return [""], [encode_row(fields, inputs)[0]]
    if isinstance(inputs, (list, tuple)) and all(isinstance(item, Mapping) for item in inputs):
        return [""] * len(inputs), [encode_row(fields, item)[0] for item in inputs]
    return _read_tables(inputs, tuple(fields))


def as_columns(data: Any) -> Any:
    """A list of dicts as a dict of columns, in the order in which they first come; anything else as it is.

    >>> as_columns([{"a": 1}, {"a": 2, "b": "x"}])
    {'a': [1, 2], 'b': [None, 'x']}
    """
    if not (isinstance(data, (list, tuple)) and data and all(isinstance(item, Mapping) for item in data)):
        return data
    names = list(dict.fromkeys(name for item in data for name in item))
    return {name: [item.get(name) for item in data] for name in names}


def _read_tables(inputs: Any, fields: tuple[Field, ...]) -> tuple[list[str], list[bytes]]:
    """Of one table, or of several in a list; what is wrong with them is a warning.

    That there are other columns besides is none: frames are often scored with their labels in them.
    """
    several = inputs if isinstance(inputs, list) and inputs and all(map(_is_table, inputs)) else [inputs]
    names, contents, notes = [], [], []
    for table in several:
        for found, some, said in tables_to_score(table, fields):
            names += found
            contents += some
            notes += [note for note in said if not note.startswith("Left out, since unknown")]
    if notes:
        warnings.warn(" ".join(notes), stacklevel=5)
    return names, contents


def _is_table(item: object) -> bool:
    return isinstance(item, (str, Path)) or hasattr(item, "columns") or hasattr(item, "__arrow_c_stream__")


def _is_column(cell: object) -> bool:
    if isinstance(cell, np.ndarray):
        return cell.ndim > 0
    return hasattr(cell, "__len__") and not isinstance(cell, (str, bytes))


def read_input(item: str | bytes | Path, kind: Literal["mail", "text"]) -> bytes:
    r"""The canonical content of one input.

    Parameters
    ----------
    item : str, bytes or Path
        Mail: the path of a message file, or the raw message as bytes. Text: the text itself as str or bytes, or the
        Path of a text file.
    kind : "mail" or "text"
        What it is.

    Returns
    -------
    bytes
        As ``Row.content``; empty for an empty input, since everything can be scored.

    Raises
    ------
    NotFound
        There is no file at the path, or it cannot be read.
    UnknownSource
        The path is a folder, a pipe or a device.

    Examples
    --------
    >>> read_input(b"Subject: hello\r\n\r\nhello", "mail"), read_input("hello\r\n", "text")
    (b'Subject: hello\n\nhello', b'hello\n')
    """
    if kind == "text" and isinstance(item, str):
        return text.canonical(item)[0]
    raw = item if isinstance(item, bytes) else _read(item)
    return mime.canonical(raw)[0] if kind == "mail" else text.canonical(text.decode(raw))[0]


def _read(item: str | Path) -> bytes:
    name = shown(str(item))[:200]
    try:
        path = Path(item)
        if path.exists() and not path.is_file():
            raise UnknownSource(f"{name} is no file.", expected="one message or text", hint="Give the files in it.")
        with open_regular(path) as file:
            return file.read(RAW_LIMIT)
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or "no path"
        hint = "Check the path; a message itself is passed as bytes."
        raise NotFound(f"Cannot read {name}.", found=found, hint=hint) from error
