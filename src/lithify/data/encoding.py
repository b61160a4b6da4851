"""A row of a table as bytes and back: the canonical encoding of its input fields.

Fields are in the order of their names. First come the number, time and boolean fields as little-endian float64 (one
NaN for a missing cell, no negative zero, no infinities; time in seconds UTC, boolean 0 or 1), then for each category
or text field the length of its UTF-8 as little-endian u32 (``0xFFFFFFFF`` for a missing cell), then those strings one
after the other. The head has one size for all rows of a table, so that many rows are read and written at once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from lithify.data.schema import Field
from lithify.errors import DataError

NUMERIC: Final = ("number", "time", "boolean")
NO_STRING: Final = 0xFFFFFFFF
_KEPT = 32
_layouts: dict[int, tuple[Sequence[Field], Layout]] = {}


class Layout:
    """Where each input field stands in a row's content.

    Attributes
    ----------
    numbers, strings : tuple of Field
        The fields of the two parts, in the order of their names.
    head : int
        Bytes before the strings.
    """

    def __init__(self, fields: Iterable[Field]) -> None:
        inputs = sorted((field for field in fields if field.role == "input"), key=lambda field: field.name)
        self.numbers = tuple(field for field in inputs if field.kind in NUMERIC)
        self.strings = tuple(field for field in inputs if field.kind not in NUMERIC)
        self.struct = struct.Struct(f"<{len(self.numbers)}d{len(self.strings)}I")
        self.head = self.struct.size


def layout(fields: Sequence[Field]) -> Layout:
    """The layout of some fields; made once for as long as the same sequence is asked for."""
    kept = _layouts.get(id(fields))
    if kept is not None and kept[0] is fields:
        return kept[1]
    if len(_layouts) >= _KEPT:
        _layouts.clear()
    made = Layout(fields)
    if isinstance(fields, tuple):  # what can be changed cannot be remembered
        _layouts[id(fields)] = (fields, made)
    return made


def malformed() -> DataError:
    """The error for a content that is not of the fields."""
    return DataError(
        "A row is not of the fields of this table.", hint="Give rows by their columns, or contents from a snapshot."
    )
