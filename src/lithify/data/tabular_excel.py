"""A sheet of an Excel workbook, read row by row."""

from __future__ import annotations

import importlib
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from lithify.data.layout import listed
from lithify.data.schema import Problem
from lithify.data.streams import BROKEN, MAX_EXPANSION, MIN_BOMB, bomb, damaged, shown
from lithify.data.tabular_files import files_signature
from lithify.data.tabular_parts import Part, Piece, column_names, string_pieces
from lithify.errors import MissingExtra, TooFewRows, UsageError

_TOGETHER: Final = 1024
_BROKEN: Final = (zipfile.BadZipFile, NotImplementedError, ValueError, *BROKEN)
"""What zipfile raises on bytes that were changed."""
_ERRORS: Final = frozenset(("#N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!"))
"""What a formula without a value shows; counts as missing."""


def is_workbook(path: Path) -> bool:
    """Whether a zip archive is an Excel workbook."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/workbook.") for name in archive.namelist())
    except _BROKEN:
        return False


class ExcelTable(Part):
    """The first sheet of a workbook, or the one that is named; its first row that is not empty names the columns.

    Rows without any cell are left out. Of formulas the values count that were saved with them.

    Raises
    ------
    MissingExtra
        openpyxl is not installed.
    UsageError
        There is no such sheet.
    TooFewRows
        The sheet is empty.
    """

    def __init__(self, path: Path, sheet: str | None = None) -> None:
        import pyarrow as pa

        _check_size(path)
        self._path = path
        with _Book(path) as book:
            self._sheet = _chosen(book.names, sheet, path)
            header = next(book.rows(self._sheet), None)
            if header is None:
                raise TooFewRows(f"The sheet {self._sheet!r} of {shown(path.name)} is empty.")
            others = [name for name in book.names if name != self._sheet]
        names, self._notes = column_names(_trimmed(header[1]), shown(path.name))
        if others and sheet is None:
            self._notes.append(f"Only the sheet {self._sheet!r} is read, not {listed(map(repr, others))}.")
        self.schema = pa.schema([(name, pa.string()) for name in names])
        self.words = f"the sheet {self._sheet!r} of an Excel workbook"

    def notes(self) -> list[str]:
        """What a person should know about the way it was read."""
        return self._notes

    def signature(self) -> str:
        """Changes when the file or the sheet does."""
        return f"{files_signature([self._path])} {self._sheet}"

    def pieces(self) -> Iterator[Piece | Problem]:
        """Every row, numbered as in the sheet; a problem where cells stand right of the last name."""
        with _Book(self._path) as book:
            yield from string_pieces(self._rows(book), self.schema.names, shown(str(self._path)))

    def _rows(self, book: _Book) -> Iterator[tuple[int, Sequence[object] | str]]:
        width = len(self.schema)
        for number, cells in islice(book.rows(self._sheet), 1, None):
            held = _trimmed(cells)
            if len(held) > width:
                yield number, f"{len(held)} cells where the first row has {width}"
            else:
                full = [None if cell in _ERRORS else cell for cell in held]
                yield number, full + [None] * (width - len(full))


class _Book:
    """An open workbook; what openpyxl remarks on styles and the like is nobody's concern."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._book: Any = None
        try:
            openpyxl = importlib.import_module("openpyxl")
        except ImportError as error:
            raise MissingExtra(
                "Reading Excel workbooks needs openpyxl.",
                hint="Install it with: pip install 'lithify[excel]', or save the sheet as CSV.",
            ) from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self._book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            except Exception as error:  # openpyxl raises whatever its parsers do
                raise damaged(path) from error
        self.names: list[str] = [sheet.title for sheet in self._book.worksheets]

    def __enter__(self) -> _Book:
        return self

    def __exit__(self, *_: object) -> None:
        self._book.close()

    def rows(self, name: str) -> Iterator[tuple[int, Sequence[object]]]:
        """Number and cells of every row in which there is something."""
        sheet = self._book[name]
        sheet.reset_dimensions()  # what the file says of its size may be wrong
        rows = enumerate(sheet.iter_rows(values_only=True), 1)
        while found := self._some(rows):
            yield from ((number, cells) for number, cells in found if any(cell not in (None, "") for cell in cells))

    def _some(self, rows: Iterator[tuple[int, Sequence[object]]]) -> list[tuple[int, Sequence[object]]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return list(islice(rows, _TOGETHER))
            except Exception as error:
                raise damaged(self._path) from error


def _chosen(names: Sequence[str], sheet: str | None, path: Path) -> str:
    if not names:
        raise TooFewRows(f"{shown(path.name)} holds no sheet with cells.")
    if sheet is not None and sheet not in names:
        raise UsageError(
            f"{shown(path.name)} has no sheet {sheet!r}.", found=listed(map(repr, names)), hint="Check its name."
        )
    return sheet or names[0]


def _trimmed(cells: Sequence[object]) -> list[object]:
    """The cells up to the last that holds something."""
    held = list(cells)
    while held and held[-1] in (None, ""):
        held.pop()
    return held


def _check_size(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            whole = sum(info.file_size for info in archive.infolist())
    except _BROKEN as error:
        raise damaged(path) from error
    if whole > max(MIN_BOMB, path.stat().st_size * MAX_EXPANSION):
        raise bomb(path)
