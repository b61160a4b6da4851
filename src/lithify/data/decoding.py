"""Contents of rows back to cells: many at once as arrays, one alone as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify.data.encoding import NO_STRING, Layout, layout, malformed
from lithify.data.schema import Field

_INFINITE: Final = float("inf")


@dataclass(frozen=True)
class Strings:
    """The category and text cells of n rows, m columns.

    ``strings[j]`` is column j as a list of texts, None where missing.

    Attributes
    ----------
    data : bytes
        UTF-8 of all cells, row by row.
    offsets : (n * m + 1,) int64
    missing : (n, m) bool
    """

    data: bytes
    offsets: NDArray[np.int64]
    missing: NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.missing.shape[1])

    def __getitem__(self, column: int) -> list[str | None]:
        if not 0 <= column < len(self):
            raise IndexError(column)
        return [None if cell is None else cell.decode() for cell in self.raw(column)]

    def raw(self, column: int) -> list[bytes | None]:
        """A column as bytes."""
        width = len(self)
        start, stop = self.offsets[column:-1:width].tolist(), self.offsets[column + 1 :: width].tolist()
        data, gone = self.data, self.missing[:, column].tolist()
        return [None if none else data[a:b] for a, b, none in zip(start, stop, gone, strict=True)]

    def arrow(self, column: int) -> Any:
        """A column as an Arrow array of large binaries, null where missing."""
        import pyarrow as pa

        return self.flat.take(pa.array(np.arange(column, self.missing.size, len(self))))

    @cached_property
    def flat(self) -> Any:
        """All cells, row by row, as an Arrow array of large binaries, null where missing."""
        import pyarrow as pa

        known = pa.py_buffer(np.packbits(~self.missing.ravel(), bitorder="little"))
        buffers = [known, pa.py_buffer(self.offsets), pa.py_buffer(self.data)]
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), self.missing.size, buffers)


@dataclass(frozen=True)
class Cells:
    """The cells of n rows.

    Attributes
    ----------
    numbers : (n, k) float64
        NaN where missing.
    strings : Strings
        m columns.
    """

    numbers: NDArray[np.float64]
    strings: Strings


def decode(fields: Sequence[Field], contents: Sequence[bytes]) -> Cells:
    """The cells of some rows; columns in the order of :func:`layout`.

    Raises ``DataError`` for a content that is not of these fields.

    >>> from lithify.data.cells import encode_row
    >>> fields = (Field("age", "number", "input"), Field("job", "category", "input"))
    >>> cells = decode(fields, [encode_row(fields, {"age": 39, "job": "clerk"})[0]])
    >>> cells.numbers.tolist(), cells.strings[0]
    ([[39.0]], ['clerk'])
    """
    at = layout(fields)
    n, k, m = len(contents), len(at.numbers), len(at.strings)
    heads = b"".join([content[: at.head] for content in contents])
    if len(heads) != n * at.head:
        raise malformed()
    head = np.frombuffer(heads, dtype=np.uint8).reshape(n, at.head)
    numbers = np.ascontiguousarray(head[:, : 8 * k]).view("<f8").reshape(n, k)
    lengths = np.ascontiguousarray(head[:, 8 * k :]).view("<u4").reshape(n, m)
    missing = lengths == NO_STRING
    size = np.where(missing, 0, lengths).astype(np.int64)
    whole = np.fromiter(map(len, contents), dtype=np.int64, count=n)
    if np.isinf(numbers).any() or not np.array_equal(size.sum(axis=1), whole - at.head):
        raise malformed()
    offsets = np.zeros(n * m + 1, dtype=np.int64)
    np.cumsum(size, out=offsets[1:])
    data = b"".join([content[at.head :] for content in contents]) if m else b""
    _check_text(data, offsets)
    return Cells(numbers, Strings(data, offsets, missing))


def decode_row(at: Layout, content: bytes) -> tuple[list[float], list[bytes | None]]:
    """The numbers and the UTF-8 of the strings of one row, without Arrow; errors as :func:`decode`."""
    if len(content) < at.head:
        raise malformed()
    k, start = len(at.numbers), at.head
    values = at.struct.unpack_from(content)
    strings: list[bytes | None] = []
    for length in values[k:]:
        if length == NO_STRING:
            strings.append(None)
            continue
        strings.append(content[start : start + length])
        start += length
    numbers = list(values[:k])
    if start != len(content) or _INFINITE in numbers or -_INFINITE in numbers:
        raise malformed()
    if not content[at.head :].isascii():
        for cell in strings:
            _decoded(cell or b"")
    return numbers, strings


def _check_text(data: bytes, offsets: NDArray[np.int64]) -> None:
    """Every string on its own must be UTF-8: the whole is, and none starts inside of a character."""
    if data.isascii():
        return
    _decoded(data)
    first = np.frombuffer(data, dtype=np.uint8)[offsets[offsets < len(data)]]
    if ((first & 0xC0) == 0x80).any():
        raise malformed()


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise malformed() from None
