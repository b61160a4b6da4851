"""The cells of a table's rows, field by field, and contents with one cell changed."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.cells import decode, layout
from lithify.data.schema import Field


@dataclass(frozen=True, eq=False)
class FieldCells:
    """The cells of one field in n rows.

    Attributes
    ----------
    field : Field
    values : (n,) float64, NaN where missing, or (n,) object: str, None where missing
    """

    field: Field
    values: NDArray[Any]


def cells_of(fields: Sequence[Field], contents: Sequence[bytes]) -> list[FieldCells]:
    """The cells of all input fields, in the order of their names; fields of free text are left out."""
    at, cells = layout(fields), decode(fields, contents)
    found = [FieldCells(one, cells.numbers[:, j]) for j, one in enumerate(at.numbers)]
    for j, one in enumerate(at.strings):
        if one.kind == "category":
            column = np.empty(len(contents), dtype=object)
            column[:] = cells.strings[j]
            found.append(FieldCells(one, column))
    return sorted(found, key=lambda item: item.field.name)


def complete(fields: Sequence[Field], batches: Iterable[Sequence[bytes]]) -> tuple[str, ...]:
    r"""Names of the input fields without a missing cell in any of the contents.

    >>> fields = (Field("age", "number", "input"), Field("job", "category", "input"))
    >>> complete(fields, [[b"\0\0\0\0\0\0\0\0" + b"\x02\0\0\0" + b"it"], [b"\0\0\0\0\0\0\0\0" + b"\xff\xff\xff\xff"]])
    ('age',)
    """
    at = layout(fields)
    names, gaps = [one.name for one in (*at.numbers, *at.strings)], np.zeros(len(fields), dtype=bool)
    for contents in batches:
        cells = decode(fields, contents)
        gaps |= np.append(np.isnan(cells.numbers).any(axis=0), cells.strings.missing.any(axis=0))
    return tuple(name for name, some in zip(names, gaps.tolist(), strict=True) if not some)


def with_cell(fields: Sequence[Field], contents: Sequence[bytes], name: str, value: float | str | None) -> list[bytes]:
    r"""The contents as they would be with this value, None for missing, in one field of every row.

    >>> fields = (Field("age", "number", "input"), Field("job", "category", "input"))
    >>> row = b"\0\0\0\0\0\0\0\0" + b"\x02\0\0\0" + b"it"
    >>> with_cell(fields, with_cell(fields, [row], "job", "chef"), "age", 2.0)
    [b'\x00\x00\x00\x00\x00\x00\x00@\x04\x00\x00\x00chef']
    """
    at = layout(fields)
    numbers = [field.name for field in at.numbers]
    if name in numbers:
        start = 8 * numbers.index(name)
        cell = struct.pack("<d", float("nan") if value is None else float(value) + 0.0)
        return [content[:start] + cell + content[start + 8 :] for content in contents]
    column, strings = [field.name for field in at.strings].index(name), decode(fields, contents).strings
    data = None if value is None else str(value).encode()
    length = struct.pack("<I", 0xFFFFFFFF if data is None else len(data))
    start, width = 8 * len(numbers) + 4 * column, len(at.strings)
    changed = []
    for row, content in enumerate(contents):
        first = int(strings.offsets[row * width])
        a, b = (at.head + int(strings.offsets[row * width + column + more]) - first for more in (0, 1))
        changed.append(content[:start] + length + content[start + 4 : a] + (data or b"") + content[b:])
    return changed
