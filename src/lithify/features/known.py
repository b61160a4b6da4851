"""What a fitted table knows, ready to be asked: columns of the blocks, codes of categories, columns of words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks, Codes, Dense
from lithify.data.decoding import Cells, decode_row
from lithify.data.encoding import Layout
from lithify.data.state import State
from lithify.features import lists
from lithify.features.times import PARTS, parts, parts_of

_WORD: Final = re.compile(rb"[0-9A-Za-z\x80-\xff]+").findall
_AT_ONCE: Final = 2**22
"""Columns times values of all columns that one table tells the codes of, at most."""
_PUNCTUATION: Final = re.compile(rb"\xc2[\x80-\xbf]|\xe2[\x80\x81][\x80-\xbf]|\xe3\x80[\x80-\xbf]").sub


def words_of(text: bytes, read: int) -> list[bytes]:
    r"""The words of a UTF-8 text: runs of letters and digits, ASCII letters made small.

    Only bytes are looked at, so that no version of Unicode matters. A text is cut after ``read`` bytes and the last
    character, which the cut may have broken.

    >>> words_of(b"A cat, a \xe2\x80\x9ccat\xe2\x80\x9d!", 100)
    [b'a', b'cat', b'a', b'cat']
    """
    if len(text) > read:
        text = text[:read].decode("utf-8", "ignore").encode()
    text = text.lower()
    return _WORD(text if text.isascii() else _PUNCTUATION(b" ", text))


class Known:
    """The lists of a state in the form that looking up is quick in.

    Attributes
    ----------
    categories, words : Lists
        Of the category fields and of the text fields.
    """

    def __init__(self, state: State, at: Layout, read: int, time_parts: bool) -> None:
        self.categories, self.words = lists.unpack("categories", state), lists.unpack("words", state)
        self.sizes = tuple(2 + len(values) for values in self.categories.values)
        self._at, self._read, self._parts = at, read, time_parts
        self._codes = [{value: code for code, value in enumerate(values, 2)} for values in self.categories.values]
        self._columns: list[dict[bytes, int]] = []
        for values in self.words.values:
            first = sum(map(len, self._columns))
            self._columns.append({value: column for column, value in enumerate(values, first)})
        self.width = sum(map(len, self._columns))
        self._category_at = [j for j, field in enumerate(at.strings) if field.kind != "text"]
        self._text_at = [j for j, field in enumerate(at.strings) if field.kind == "text"]
        self._times = [j for j, field in enumerate(at.numbers) if field.kind == "time" and time_parts]

    def row(self, content: bytes) -> Blocks:
        """The blocks of one row, by plain Python."""
        numbers, strings = decode_row(self._at, content)
        if self._times:
            numbers = [part for j, value in enumerate(numbers) for part in self._spread(j, value)]
        codes = [
            0 if (cell := strings[j]) is None else known.get(cell, 1)
            for j, known in zip(self._category_at, self._codes, strict=True)
        ]
        words = np.zeros((1, self.width), dtype=np.float32)
        for j, columns in zip(self._text_at, self._columns, strict=True):
            if columns:
                words[0, _found(strings[j], columns, self._read)] = 1.0
        return self._blocks(np.array([numbers]), np.array([codes], dtype=np.int32), words)

    def rows(self, cells: Cells) -> Blocks:
        """The blocks of many rows, by Arrow."""
        codes = self._coded(cells)
        words = np.zeros((len(codes), self.width), dtype=np.float32)
        for at, columns in zip(self._text_at, self._columns, strict=True):
            if columns:
                found = [_found(cell, columns, self._read) for cell in cells.strings.raw(at)]
                row = np.repeat(np.arange(len(found)), [len(each) for each in found])
                words[row, np.fromiter(chain.from_iterable(found), dtype=np.int64, count=len(row))] = 1.0
        return self._blocks(spread(cells.numbers, self._times), codes, words)

    def _spread(self, column: int, value: float) -> list[float]:
        return [value, *parts_of(value)] if column in self._times else [value]

    def _coded(self, cells: Cells) -> NDArray[np.int32]:
        """Codes (n, columns of categories): what all columns hold is looked up at once."""
        import pyarrow.compute as pc

        values, codes = self._lookup
        if values is None:
            return self._coded_one_by_one(cells)
        found = pc.index_in(cells.strings.flat, value_set=values).fill_null(len(values)).to_numpy()
        known = codes[np.arange(len(codes)), found.reshape(cells.strings.missing.shape)[:, self._category_at]]
        return np.where(cells.strings.missing[:, self._category_at], np.int32(0), known)

    @cached_property
    def _lookup(self) -> tuple[Any, NDArray[np.int32]]:
        """All values as an Arrow array, and the code of each in each column, (columns, values + 1); 1 where unknown.

        None in place of the values where there are none, or the codes would need too much room.
        """
        import pyarrow as pa

        values = {value: number for number, value in enumerate(dict.fromkeys(chain(*self.categories.values)))}
        if not 0 < len(self._codes) * len(values) <= _AT_ONCE:
            return None, np.empty((0, 0), dtype=np.int32)
        codes = np.ones((len(self._codes), len(values) + 1), dtype=np.int32)
        for column, known in enumerate(self._codes):
            codes[column, [values[value] for value in known]] = list(known.values())
        return pa.array(list(values), pa.large_binary()), codes

    def _coded_one_by_one(self, cells: Cells) -> NDArray[np.int32]:
        import pyarrow as pa
        import pyarrow.compute as pc

        codes = np.empty((len(cells.numbers), len(self._codes)), dtype=np.int32)
        for column, (at, values) in enumerate(zip(self._category_at, self.categories.values, strict=True)):
            known = pa.array(values, pa.large_binary())
            found = pc.index_in(cells.strings.arrow(at), value_set=known).fill_null(-1).to_numpy() + 2
            codes[:, column] = np.where(cells.strings.missing[:, at], 0, found)
        return codes

    def _blocks(self, numbers: NDArray[np.float64], codes: NDArray[np.int32], words: NDArray[np.float32]) -> Blocks:
        blocks: dict[str, Dense | Codes] = {}
        if numbers.shape[1]:
            blocks["numbers"] = Dense(numbers)
        if codes.shape[1]:
            blocks["categories"] = Codes(codes, self.sizes)
        if words.shape[1]:
            blocks["words"] = Dense(words)
        return blocks


def spread(numbers: NDArray[np.float64], times: Sequence[int]) -> NDArray[np.float64]:
    """Puts the parts of each time column of (n, k) numbers right after it."""
    if not times:
        return numbers
    pieces, start = [], 0
    for column in times:
        pieces += [numbers[:, start : column + 1], parts(numbers[:, column])]
        start = column + 1
    return np.concatenate([*pieces, numbers[:, start:]], axis=1)


def part_names(name: str) -> list[str]:
    """Names of the columns of a time field after the first."""
    return [f"{name} {part}" for part in PARTS]


def _found(cell: bytes | None, columns: dict[bytes, int], read: int) -> list[int]:
    return [] if cell is None else [columns[word] for word in words_of(cell, read) if word in columns]
