"""Features of tables: numbers as they are, categories by code, the common words of texts.

What is fitted is a list of values for each category field and of words for each text field. A value that fewer than
``min_category_rows`` training rows have is in no list: it is rare, code 1, like one that was never seen, so that a
sealed model names nothing that only a few rows have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from lithify.data import params as parameters
from lithify.data.batches import Blocks
from lithify.data.cells import as_text
from lithify.data.decoding import Cells, decode, decode_row
from lithify.data.encoding import Layout
from lithify.data.schema import Field
from lithify.data.state import State
from lithify.features import lists
from lithify.features.base import Column, Features, Span
from lithify.features.known import Known, part_names, words_of
from lithify.features.lists import REVISION, Counts, demand

BLOCK_ROWS = 8192
"""Rows that fitting takes in at a time, however they come."""
FEW = 32
"""So many rows are quicker one at a time."""
SHOWN = 200
"""Letters of a text in a span."""

InputKind = Literal["number", "category", "boolean", "text", "time"]


@dataclass(frozen=True)
class TableParams:
    """Parameters of the features of tables.

    Attributes
    ----------
    fields : tuple of (str, str)
        Name and kind of each input field, sorted by name; what the contents are made of.
    min_category_rows : int
        Training rows that must have a value, or a word, for it to get a code, or a column, of its own; the rows of a
        group, such as copies, count as one.
    max_categories : int
        Values of one field that get a code of their own, the commonest.
    words : int
        Words of one text field that get a column of their own, the commonest that not nearly every text has.
    read : int
        Bytes of a text that are read.
    time_parts : bool
        Whether year, month, weekday and hour stand beside each time.
    """

    fields: tuple[tuple[str, InputKind], ...] = ()
    min_category_rows: Annotated[int, Ge(1), Le(1_000_000)] = 10
    max_categories: Annotated[int, Ge(1), Le(100_000)] = 1000
    words: Annotated[int, Ge(0), Le(10_000)] = 128
    read: Annotated[int, Ge(64), Le(1 << 20)] = 16000
    time_parts: bool = True

    def __post_init__(self) -> None:
        names = [name for name, _ in self.fields]
        if names != sorted(set(names)):
            raise parameters.Misfit("fields", "names in order, each once", f"{len(names)} names that are not")


class Table(Features):
    """See the module.

    >>> from lithify.data.cells import encode_row
    >>> fields = (Field("age", "number", "input"), Field("job", "category", "input"))
    >>> rows = [encode_row(fields, {"age": 39, "job": job})[0] for job in ("clerk", "smith", "clerk")]
    >>> table = Table(TableParams(fields=(("age", "number"), ("job", "category")), min_category_rows=2))
    >>> table.transform(table.fit([rows]), rows)["categories"].values.tolist()
    [[2], [1], [2]]
    """

    Params: ClassVar[type] = TableParams
    engine: ClassVar[Mapping[str, int | str]] = {"features.table": 1}

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._fields = tuple(Field(name, kind, "input") for name, kind in params.fields)
        self._at = Layout(self._fields)
        self._last: tuple[State, Known] | None = None
        self._times = [j for j, field in enumerate(self._at.numbers) if field.kind == "time" and params.time_parts]

    @classmethod
    def fingerprint(cls) -> Mapping[str, int | str]:
        """How lists are chosen."""
        return {"features.lists": REVISION}

    def fit(self, batches: Iterable[Sequence[bytes]], groups: NDArray[np.int64] | None = None) -> State:
        """Counts of values and words, by one pass in the order of the rows."""
        rows = 0
        counts = [Counts(least=self.params.min_category_rows) for _ in self._at.strings]
        filled = [0] * len(counts)
        for contents in _blocks_of(batches):
            cells = decode(self._fields, contents)
            its = None if groups is None else groups[rows : rows + len(contents)]
            rows += len(contents)
            for j, field in enumerate(self._at.strings):
                (_count_words if field.kind == "text" else _count_values)(counts[j], cells, j, its, self.params.read)
                filled[j] += int((~cells.strings.missing[:, j]).sum())
        return self._state(rows, counts, filled, groups is not None)

    def _state(self, rows: int, counts: list[Counts], filled: list[int], grouped: bool) -> State:
        p = self.params
        categories, words = [], []
        for field, one, held in zip(self._at.strings, counts, filled, strict=True):
            if field.kind == "text":  # a word in nearly every text tells nothing
                words.append(one.chosen(p.words, 0.9 * held, grouped))
            else:
                categories.append(one.chosen(p.max_categories, grouped=grouped))
        arrays = lists.pack("categories", categories) | lists.pack("words", words)
        inexact = [field.name for field, one in zip(self._at.strings, counts, strict=True) if not one.exact]
        return State(arrays, {"rows": rows, "inexact": inexact})

    def transform(self, state: State, contents: Sequence[bytes]) -> Blocks:
        """Blocks ``numbers`` (float64), ``categories`` (codes) and ``words`` (float32), those that have a column.

        Raises ``DataError`` for a content that is not of the fields.
        """
        known = self._known(state)
        if len(contents) == 1:
            return known.row(contents[0])
        if not 0 < len(contents) <= FEW:
            return known.rows(decode(self._fields, contents))
        rows = [known.row(content) for content in contents]
        return {name: _stacked([row[name] for row in rows]) for name in rows[0]}

    def columns(self, state: State) -> list[Column]:
        """Numbers with the parts of times, categories, words."""
        known = self._known(state)
        found = []
        for field in self._at.numbers:
            found.append(Column("numbers", field.name, field.kind))
            if field.kind == "time" and self.params.time_parts:
                found += [Column("numbers", name, "number", origin=field.name) for name in part_names(field.name)]
        categories, texts = iter(known.categories.values), iter(known.words.values)
        for field in self._at.strings:
            if field.kind != "text":
                values = tuple(value.decode() for value in next(categories))
                found.append(Column("categories", field.name, "category", values))
        for field in self._at.strings:
            if field.kind == "text":
                named = (f"{field.name}: {word.decode()}" for word in next(texts))
                found += [Column("words", name, "word", origin=field.name) for name in named]
        return found

    def spans(self, state: State, content: bytes) -> list[Span]:
        """One for each field, with its columns; a field without any column has none."""
        numbers, strings = decode_row(self._at, content)
        cells: list[tuple[Field, Any]] = [
            *zip(self._at.numbers, numbers, strict=True),
            *zip(self._at.strings, strings, strict=True),
        ]
        owned = dict(self._owned(self._known(state)))
        spans = []
        for field, cell in sorted(cells, key=lambda each: each[0].name):
            block, features = owned[field.name]
            text = as_text(field, cell)
            shown = f"{field.name} = {text[:SHOWN]}{'…' if len(text) > SHOWN else ''}"
            if len(features):
                spans.append(Span("field", block, shown, 0, 0, np.array(features, dtype=np.int64)))
        return spans

    def _owned(self, known: Known) -> Iterator[tuple[str, tuple[str, range]]]:
        """The block and the columns of each field."""
        at, codes, word, sizes = 0, 0, 0, iter(known.words.values)
        for j, field in enumerate(self._at.numbers):
            width = 1 + (len(part_names("")) if j in self._times else 0)
            yield field.name, ("numbers", range(at, at + width))
            at += width
        for field in self._at.strings:
            if field.kind == "text":
                width = len(next(sizes))
                yield field.name, ("words", range(word, word + width))
                word += width
            else:
                yield field.name, ("categories", range(codes, codes + 1))
                codes += 1

    def audit(self, state: State) -> None:
        """The lists sorted and of the right number, nothing else."""
        p, facts = self.params, state.facts
        demand(facts.keys() == {"rows", "inexact"}, "facts")
        demand(type(facts["rows"]) is int and facts["rows"] >= 0, "rows")
        names, inexact = [field.name for field in self._at.strings], facts["inexact"]
        demand(type(inexact) is list and all(name in names for name in inexact), "inexact")
        texts = sum(field.kind == "text" for field in self._at.strings)
        held = lists.audit("categories", state, len(names) - texts, p.max_categories, p.min_category_rows)
        held |= lists.audit("words", state, texts, p.words, p.min_category_rows)
        demand(state.arrays.keys() == held, "arrays")

    def _known(self, state: State) -> Known:
        """Made once for a state, as long as the same one comes."""
        last = self._last
        if last is None or last[0] is not state:
            last = (state, Known(state, self._at, self.params.read, self.params.time_parts))
            self._last = last
        return last[1]


def _count_values(counts: Counts, cells: Cells, column: int, groups: NDArray[np.int64] | None, read: int) -> None:
    import pyarrow.compute as pc

    values = cells.strings.arrow(column)
    found = pc.value_counts(values.drop_null())
    counts.add(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True))
    if groups is None:
        return
    known = values.dictionary_encode()
    names = known.dictionary.to_pylist()
    codes = known.indices.fill_null(-1).to_numpy()
    rare = np.array([not counts.met.often(name) for name in names] + [False], dtype=np.bool_)  # -1 is the last
    at = np.flatnonzero(rare[codes])
    for code, group in np.unique(np.stack([codes[at], groups[at]], axis=1), axis=0).tolist():
        counts.met.add(names[code], group)


def _count_words(counts: Counts, cells: Cells, column: int, groups: NDArray[np.int64] | None, read: int) -> None:
    found = [() if cell is None else set(words_of(cell, read)) for cell in cells.strings.raw(column)]
    counts.add(Counter(chain.from_iterable(found)).items())
    for words, group in zip(found, () if groups is None else groups.tolist(), strict=False):
        for word in words:
            counts.met.add(word, group)


def _blocks_of(batches: Iterable[Sequence[bytes]]) -> Iterator[list[bytes]]:
    """The contents in blocks of one size, whatever batches they come in."""
    kept: list[bytes] = []
    for content in chain.from_iterable(batches):
        kept.append(content)
        if len(kept) == BLOCK_ROWS:
            yield kept
            kept = []
    if kept:
        yield kept


def _stacked(blocks: list[Any]) -> Any:
    return replace(blocks[0], values=np.concatenate([block.values for block in blocks]))
