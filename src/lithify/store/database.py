"""One SQLite file that several processes write at once: transactions, versions, and errors a person can act on."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lithify.errors import IntegrityError, NewerFormat, StoreError, StoreFull
from lithify.store import blobs

BUSY_SECONDS = 60.0
"""How long a writer waits for the other writers."""

_PAUSE_SECONDS = 0.02

_FULL = {sqlite3.SQLITE_FULL}
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class Database:
    """A database whose tables are made by ``schema``, the list of scripts that lead from each version to the next.

    One object may be shared by threads; a forked child opens a connection of its own, since SQLite forbids to share
    one across processes.

    Raises ``NewerFormat`` when a later Lithify wrote it, ``IntegrityError`` when it is damaged, ``StoreFull`` when the
    disk is full or not writable, ``StoreError`` otherwise.
    """

    def __init__(self, path: Path, schema: Sequence[str]) -> None:
        self.path = path
        self._schema = schema
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._depth = 0
        with self._lock, self._errors("opening"):
            self._connect()

    def close(self) -> None:
        """Closes the connection; it opens again when next used."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def read(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """The rows of a query."""
        with self._lock, self._errors("reading"):
            return self._connect().execute(sql, values).fetchall()

    def write(self, sql: str, *values: Any) -> int:
        """Executes one statement in a transaction and returns the id of the row it made."""
        with self.transaction() as connection:
            return int(connection.execute(sql, values).lastrowid or 0)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All writes inside happen or none does, and no other process writes between them. May be nested."""
        with self._lock, self._errors("writing"):
            connection = self._connect()
            if not self._depth:
                self._begin(connection)
            self._depth += 1
            try:
                yield connection
                if self._depth == 1:
                    blobs.reach("commit")
                    connection.execute("COMMIT")
                    blobs.reach("committed")
            except BaseException:
                if self._depth == 1 and connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._process, self._depth = connection, os.getpid(), 0
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = self._version(connection)
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            self._patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if version < len(self._schema):
            self._upgrade(connection)

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        """Brings the tables to this version; another process may have done so meanwhile."""
        self._begin(connection)
        try:
            for script in self._schema[self._version(connection) :]:
                for statement in _statements(script):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(self._schema)}")
            blobs.reach("commit")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _version(self, connection: sqlite3.Connection) -> int:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(self._schema):
            raise NewerFormat(
                f"{self.path.name} was written by a newer Lithify.",
                expected=f"version {len(self._schema)} or older",
                found=f"version {version}",
                hint="Install a newer Lithify, or choose another home with --home.",
            )
        return version

    def _begin(self, connection: sqlite3.Connection) -> None:
        self._patiently(lambda: connection.execute("BEGIN IMMEDIATE"))

    @staticmethod
    def _patiently(action: Any) -> None:
        """Tries again while others write: SQLite answers some conflicts at once, without its own waiting."""
        end = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                action()
                return
            except sqlite3.OperationalError as error:
                if _primary(error) not in _BUSY or time.monotonic() > end:
                    raise
            time.sleep(_PAUSE_SECONDS)

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _as_error(error, doing, self.path) from error


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; one with semicolons inside, such as a trigger, stays whole.

    >>> list(_statements("SELECT 1; CREATE TRIGGER t BEFORE DELETE ON x BEGIN SELECT 1; END;"))
    ['SELECT 1;', ' CREATE TRIGGER t BEFORE DELETE ON x BEGIN SELECT 1; END;']
    """
    held = ""
    for piece in script.split(";")[:-1]:
        held += piece + ";"
        if sqlite3.complete_statement(held):
            yield held
            held = ""


def _primary(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _as_error(error: sqlite3.Error, doing: str, path: Path) -> StoreError | IntegrityError:
    code = _primary(error)
    if code in _FULL:
        return StoreFull(
            f"No space left on the disk while {doing} {path.name}.",
            hint="Free some space and run again; nothing was lost.",
        )
    if code in _FORBIDDEN:
        return StoreFull(
            f"Permission denied while {doing} {path.name}.",
            found=str(path),
            hint="Choose a writable folder with --home or LITHIFY_HOME.",
        )
    if code in _DAMAGED:
        return IntegrityError(
            f"{path.name} is damaged.", found=str(error), hint="Restore it from a backup, or choose another home."
        )
    if code in _BUSY:
        return StoreError(
            f"{path.name} stayed locked by another process for {BUSY_SECONDS:.0f} s.",
            hint="Let the other process finish, then run again.",
        )
    return StoreError(f"The catalog failed while {doing} {path.name}.", found=str(error))
