"""What the cells of a column look like, counted batch by batch in bounded memory."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify.data import columnar, grammar

WATCHED: Final = 1 << 16
"""Different values that are told apart; beyond it only that there are more."""
_FLAGS = 32
_MONTH_SECOND = r"^(?:1[3-9]|[23][0-9])[/-][0-9]"
_MONTH_FIRST = r"^[0-9]{1,2}[/-](?:1[3-9]|[23][0-9])[/-]"


class Look:
    """Counts over the cells of one column.

    Attributes
    ----------
    rows, cells : int
        All rows; those whose cell is not empty.
    types : set of str
        ``text``, ``number``, ``boolean``, ``time``, ``category``, or the name of an Arrow type that cannot be read.
    words : int
        Cells that are a word for missing.
    numbers, commas, coded, infinite : int
        Numbers; numbers if the comma is decimal; whole numbers with leading zeros; infinities.
    times, days, month_second, month_first : int
        Dates and times of any form; those that start with a day or a month; those with a day above twelve that tells
        the order.
    flags : Counter
        Cells such as yes and no, in small letters.
    distinct : set
        Different values, as long as they are fewer than ``WATCHED``.
    watched : int
        Cells that ``distinct`` was made of.
    blanks, letters : int
        Blanks and bytes in all cells.
    whole, running : bool
        All numbers are whole; each is one more than the one before it.
    """

    def __init__(self) -> None:
        self.rows = self.cells = self.words = self.numbers = self.commas = self.coded = self.infinite = 0
        self.times = self.days = self.month_second = self.month_first = self.blanks = self.letters = self.watched = 0
        self.types: set[str] = set()
        self.flags: Counter[str] = Counter()
        self.distinct: set[Any] = set()
        self.whole = self.running = True
        self.first: float | None = None
        self._last: float | None = None

    @property
    def known(self) -> int:
        """Cells that are neither empty nor a word for missing."""
        return self.cells - self.words

    def add(self, column: Any) -> None:
        """Counts the cells of an Arrow array."""
        import pyarrow as pa

        self.rows += len(column)
        if pa.types.is_null(column.type) or len(column) == column.null_count:
            return
        if not columnar.supported(column.type):
            self.types.add(str(column.type).partition("<")[0])
            return
        if pa.types.is_dictionary(column.type) and columnar.is_text(column.type.value_type):
            self.types.add("category")
        column = columnar.plain(column)
        if columnar.is_text(column.type):
            self.types.add("text")
            self._texts(columnar.texts(column).drop_null())
        else:
            timed, flag = pa.types.is_temporal(column.type), pa.types.is_boolean(column.type)
            self.types.add("time" if timed else "boolean" if flag else "number")
            values, _ = columnar.numbers(column, "time" if timed else "number")
            self._numbers(values[~np.isnan(values)], _infinite(column))

    def _numbers(self, values: NDArray[np.float64], infinite: int) -> None:
        self.cells += len(values) + infinite
        self.numbers += len(values)
        self.infinite += infinite
        self._watch(np.unique(values).tolist(), len(values))
        self._run(values)

    def _run(self, values: NDArray[np.float64]) -> None:
        if not len(values):
            return
        self.first = float(values[0]) if self.first is None else self.first
        self.whole = self.whole and bool((values == np.floor(values)).all())
        joined = values if self._last is None else np.concatenate([[self._last], values])
        with np.errstate(over="ignore"):
            self.running = self.running and self.whole and bool((np.diff(joined) == 1).all())
        self._last = float(values[-1])

    def _watch(self, values: list[Any], cells: int) -> None:
        if len(self.distinct) < WATCHED:
            self.distinct.update(values)
            self.watched += cells

    def _texts(self, cells: Any) -> None:
        """Every different text of the batch is looked at once."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found = pc.value_counts(cells)
        every = _Counted(found.field("values"), found.field("counts").to_numpy())
        self.cells += len(cells)
        self._watch(every.values.to_pylist(), len(cells))
        self.letters += every.sum(pc.binary_length(every.values))
        self.blanks += every.sum(pc.count_substring(every.values, " "))
        bare = every.where(pc.invert(pc.is_in(every.values, value_set=pa.array(sorted(grammar.MISSING)))))
        self.words += len(cells) - bare.cells
        numeric = pc.match_substring_regex(bare.values, f"^(?:{grammar.NUMBER}|{grammar.GROUPED})$")
        numbers = bare.where(numeric)
        self.numbers += numbers.cells
        self.coded += numbers.matches(r"^0[0-9]+$")
        self.whole = self.whole and bool(numbers.cells) and _whole(numbers.values)
        if self.whole and self.running and numbers.cells == len(cells):
            self._run(columnar.numbers(cells, "number")[0])
        else:
            self.running = False
        self._others(bare, bare.where(pc.invert(numeric)))

    def _others(self, bare: _Counted, rest: _Counted) -> None:
        """Cells that are no plain numbers."""
        import pyarrow.compute as pc

        self.commas += bare.matches(f"^(?:{grammar.COMMA})$")
        if not rest.cells:
            return
        self.infinite += rest.matches(f"^(?:{grammar.INFINITE})$")
        days = rest.matches(f"^(?:{grammar.DAY})$")
        self.times += days + rest.matches(f"^(?:{grammar.ISO})$")
        self.days += days
        if days:
            self.month_second += rest.matches(_MONTH_SECOND)
            self.month_first += rest.matches(_MONTH_FIRST)
        short = rest.where(pc.less_equal(pc.binary_length(rest.values), 5))
        for flag, count in zip(short.values.to_pylist(), short.counts.tolist(), strict=True):
            if len(self.flags) < _FLAGS or flag.lower() in self.flags:
                self.flags[flag.lower()] += count


class _Counted:
    """Different texts and how often each is there."""

    def __init__(self, values: Any, counts: NDArray[np.int64]) -> None:
        self.values, self.counts = values, counts

    @property
    def cells(self) -> int:
        return int(self.counts.sum())

    def where(self, mask: Any) -> _Counted:
        return _Counted(self.values.filter(mask), self.counts[mask.to_numpy(zero_copy_only=False)])

    def matches(self, pattern: str) -> int:
        import pyarrow.compute as pc

        found = pc.match_substring_regex(self.values, pattern).to_numpy(zero_copy_only=False)
        return int(self.counts[found].sum())

    def sum(self, values: Any) -> int:
        return int(self.counts @ values.to_numpy().astype(np.int64))


def _infinite(column: Any) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    return int(pc.sum(pc.is_inf(column)).as_py() or 0) if pa.types.is_floating(column.type) else 0


def _whole(numbers: Any) -> bool:
    values, _ = columnar.numbers(numbers, "number")
    return bool((values == np.floor(values)).all())
