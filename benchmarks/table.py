"""One aligned table of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """Columns with titles, rows of text, and notes below. A column is aligned right when its name starts with ``>``.

    >>> table = Table("Sizes", ("what", ">bytes"))
    >>> _ = table.add("a", "1").add("long", "23")
    >>> print(table)
    Sizes
    <BLANKLINE>
    what  bytes
    ----  -----
    a         1
    long     23
    """

    title: str
    columns: Sequence[str]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> Table:
        """Adds a row; no cells give an empty line."""
        if cells and len(cells) != len(self.columns):
            raise ValueError(f"{len(self.columns)} columns, but {len(cells)} cells")
        self.rows.append(cells)
        return self

    def __str__(self) -> str:
        names = [name.removeprefix(">") for name in self.columns]
        filled = [row for row in self.rows if row]
        widths = [max(map(len, column)) for column in zip(names, *filled, strict=True)]
        lines = [self._line(names, widths), self._line(["-" * width for width in widths], widths)]
        lines += [self._line(row, widths) if row else "" for row in self.rows]
        notes = ["", *self.notes] if self.notes else []
        return "\n".join([self.title, "", *lines, *notes])

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        aligned = [
            cell.rjust(width) if name.startswith(">") else cell.ljust(width)
            for cell, width, name in zip(cells, widths, self.columns, strict=True)
        ]
        return "  ".join(aligned).rstrip()
