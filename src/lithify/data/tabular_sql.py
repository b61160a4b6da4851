"""A table of an SQLite database, or what a query finds in it; never written to."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lithify.data.layout import listed
from lithify.data.schema import Problem
from lithify.data.streams import damaged, shown
from lithify.data.tabular_files import files_signature
from lithify.data.tabular_parts import Part, Piece, column_names, string_pieces
from lithify.errors import DamagedSource, TooFewRows, UsageError

MAGIC: Final = b"SQLite format 3\0"
_TOGETHER: Final = 4096
_ALLOWED: Final = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)
"""What a query may do: anything that only reads this database."""
_FORBIDDEN: Final = frozenset(("load_extension", "readfile", "writefile", "edit"))
_WAL: Final = 2
_DIALECT: Final = 18
"""Where in the file it stands whether writers keep a log beside it."""


class SqliteTable(Part):
    """The rows of a table, a view or a query, in the order in which SQLite gives them.

    Parameters
    ----------
    path : Path
    query : str, optional
        One ``select``.
    table : str, optional
        Name of a table or view; the only table where neither is given.

    Raises
    ------
    UsageError
        There are several tables, or the query is none that only reads.
    DamagedSource
        The file is broken.
    """

    def __init__(self, path: Path, query: str | None = None, table: str | None = None) -> None:
        import pyarrow as pa

        if query is not None and table is not None:
            raise UsageError("Give a query or the name of a table, not both.", hint="Leave one of them out.")
        self._path = path
        name = self._only(table) if query is None else None
        self._query = query if name is None else "select * from " + _quoted(name)
        self._origin = shown(str(path)) + (f":{shown(name)}" if name else "")
        with self._opened() as base:
            columns = [column[0] for column in self._run(base).description or ()]
        if not columns:
            raise UsageError("The query gives no columns.", expected="one select")
        names, self._notes = column_names(columns, shown(name or "the query"))
        self.schema = pa.schema([(column, pa.string()) for column in names])
        self.words = f"the table {name!r} of an SQLite database" if name else "a query to an SQLite database"

    def notes(self) -> list[str]:
        """What a person should know about the way it was read."""
        return self._notes

    def signature(self) -> str:
        """Changes when the database, its log or the query does."""
        log = self._log()
        return f"{files_signature([self._path, log] if log.exists() else [self._path])} {self._query}"

    def pieces(self) -> Iterator[Piece | Problem]:
        """Every row; the order is SQLite's."""
        with self._opened() as base:
            yield from string_pieces(self._rows(base), self.schema.names, self._origin)

    def _rows(self, base: sqlite3.Connection) -> Iterator[tuple[int, Sequence[object]]]:
        cursor, number = self._run(base), 1
        while rows := cursor.fetchmany(_TOGETHER):
            yield from enumerate(rows, number)
            number += len(rows)

    def _run(self, base: sqlite3.Connection) -> sqlite3.Cursor:
        assert self._query is not None
        try:
            return base.execute(self._query)
        except (sqlite3.Error, sqlite3.Warning) as error:
            if _broken(error):
                raise
            hint = "Give one select; the database is only read."
            raise UsageError("SQLite does not take the query.", found=str(error)[:200], hint=hint) from error

    def _only(self, table: str | None) -> str:
        with self._opened() as base:
            found = base.execute("select name, type from sqlite_master where type in ('table', 'view') order by name")
            kinds = {str(name): kind for name, kind in found if not str(name).startswith("sqlite_")}
        if table is not None:
            if table not in kinds:
                raise UsageError(
                    f"There is no table {table!r}.", found=listed(map(repr, kinds)), hint="Check its name."
                )
            return table
        tables = [name for name, kind in kinds.items() if kind == "table"]
        if not tables:
            raise TooFewRows(f"{shown(str(self._path))} holds no table.", expected="a table with rows")
        if len(tables) > 1:
            raise UsageError(
                f"{shown(str(self._path))} holds several tables.",
                expected="the name of one, or a query",
                found=listed([repr(shown(name)) for name in tables]),
                hint="Name one with --sheet, or give --query 'select ...'.",
            )
        return tables[0]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The database, to be read only; nothing is left beside it."""
        address = f"{self._path.resolve().as_uri()}?mode=ro{'&immutable=1' if self._quiet() else ''}"
        try:
            with contextlib.closing(sqlite3.connect(address, uri=True)) as base:
                base.text_factory = lambda raw: raw.decode("utf-8", "replace")
                base.set_authorizer(_authorize)
                yield base
        except (sqlite3.DatabaseError, sqlite3.OperationalError) as error:
            if not _broken(error):
                raise DamagedSource(f"{shown(str(self._path))} cannot be read.", found=str(error)[:200]) from error
            raise damaged(self._path) from error

    def _quiet(self) -> bool:
        """Whether writers of the database keep a log and none is open: reading would make one."""
        with self._path.open("rb") as file:
            head = file.read(_DIALECT + 1)
        return head[_DIALECT:] == bytes([_WAL]) and not self._log().exists()

    def _log(self) -> Path:
        return self._path.with_name(self._path.name + "-wal")


def _authorize(action: int, first: str | None, second: str | None, base: str | None, trigger: str | None) -> int:
    if action not in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and second in _FORBIDDEN):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _broken(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
