"""Aliases: names that point at models, moved by compare-and-swap, each move written into a history that only grows."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from types import EllipsisType
from typing import Any

from lithify.errors import AliasMoved, UsageError
from lithify.store.catalog import Catalog
from lithify.store.history import Action, Entry, broken, checked, entry_of
from lithify.store.lookup import DEFAULT_STAGE, canonical

__all__ = ["MAX_WORDS", "Aliases", "Entry", "canonical", "moved"]

MAX_WORDS = 1000
"""Characters of who, and of why."""

_ALL = """
    SELECT a.model AS served, a.entries, a.head, h.number, CAST(h.entry AS BLOB) AS entry, h.digest
    FROM (SELECT ? AS name) AS asked
    LEFT JOIN aliases AS a ON a.name = asked.name LEFT JOIN history AS h ON h.alias = asked.name
    ORDER BY h.number
"""
"""One statement, so that alias and history are seen as they are at one moment."""
_LAST = """
    SELECT a.name, a.model AS served, a.head, a.entries, CAST(h.entry AS BLOB) AS entry, h.digest,
        (SELECT max(number) FROM history WHERE alias = a.name) AS newest
    FROM aliases AS a LEFT JOIN history AS h ON h.alias = a.name AND h.number = a.entries
    WHERE ?1 IS NULL OR a.name = ?1 ORDER BY a.name
"""


class Aliases:
    """The aliases of one home.

    Parameters
    ----------
    catalog : Catalog
        Must know every model that is pointed at.
    clock : callable
        Gives the seconds since 1970.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from lithify import canon
    >>> catalog = Catalog(Path(tempfile.mkdtemp()) / "catalog.sqlite")
    >>> first, second = (catalog.add_model(canon.digest(name)).digest for name in (b"first", b"second"))
    >>> aliases = Aliases(catalog)
    >>> aliases.move("spam", first, action="promote", who="me", why="", expect=None).number
    1
    >>> aliases.move("spam", second, action="promote", who="me", why="better", expect=first).number
    2
    >>> aliases.get("spam@production") == second, [entry.why for entry in aliases.history("spam")]
    (True, ['', 'better'])
    >>> aliases.move("spam", first, action="promote", who="you", why="", expect=first)
    Traceback (most recent call last):
    lithify.errors.AliasMoved: ...
    """

    def __init__(self, catalog: Catalog, clock: Callable[[], float] = time.time) -> None:
        self._catalog = catalog
        self._db = catalog.database
        self._clock = clock

    def get(self, alias: str) -> str | None:
        """The digest that an alias points at; None when nobody promoted anything to it.

        Raises ``HistoryBroken`` when the last entry of its history says another one.
        """
        last = self.last(alias)
        return last.model if last else None

    def last(self, alias: str) -> Entry | None:
        """The entry that put an alias where it stands."""
        rows = self._db.read(_LAST, canonical(alias))
        return _last(rows[0]) if rows else None

    def all(self) -> dict[str, str]:
        """Alias in full → digest, sorted by alias."""
        return {name: entry.model for name, entry in self.standing().items()}

    def standing(self) -> dict[str, Entry]:
        """Alias in full → the entry that put it where it stands, sorted by alias."""
        return {row["name"]: _last(row) for row in self._db.read(_LAST, None)}

    def history(self, alias: str) -> list[Entry]:
        """Every entry of an alias, oldest first; none when there is no such alias.

        Raises ``HistoryBroken`` when an entry was changed, removed, put elsewhere or cut off.
        """
        name = canonical(alias)
        rows = self._db.read(_ALL, name)
        if rows[0]["entries"] is None and rows[0]["number"] is None:
            return []
        if rows[0]["entries"] is None or rows[0]["number"] is None:
            there = "a history" if rows[0]["entries"] is None else "an alias"
            raise broken(name, "an alias with its history", f"only {there}")
        return checked(name, rows)

    def serial(self) -> int:
        """A number that grows whenever any alias moves; cheap to ask for."""
        return int(self._db.read("SELECT coalesce(max(id), 0) FROM history")[0][0])

    def move(
        self,
        alias: str,
        model: str,
        *,
        action: Action,
        who: str,
        why: str,
        forced: bool = False,
        evidence: Mapping[str, Any] | None = None,
        expect: str | EllipsisType | None = ...,
    ) -> Entry:
        """Points an alias at a model and writes that down, both or neither.

        Parameters
        ----------
        alias, model : str
            The model must be in the catalog. When it is served already, nothing is written.
        action : "promote" or "rollback"
        who, why : str
            At most ``MAX_WORDS`` characters each.
        forced : bool
        evidence : mapping, optional
            See :class:`lithify.store.history.Entry`.
        expect : str or None, optional
            The digest that must be served now, None for none at all; anything may be, when it is not given.

        Returns
        -------
        Entry
            The one that was written, or the last one.

        Raises
        ------
        AliasMoved
            Something else than expected is served.
        UsageError
            Another alias differs from this one only in the case of letters.
        NotFound
            The catalog does not know the model.
        """
        name = canonical(alias)
        for words in (who, why):
            _check_words(words)
        with self._db.transaction():
            last = self.last(name)
            if last is None:
                self.history(name)  # an alias that was taken away leaves its history behind
                self._check_apart(name)
            served = last.model if last else None
            if expect is not ... and served != expect:
                raise moved(name, expect, served)
            if last is not None and served == model:
                return last
            entry = Entry(
                alias=name, number=last.number + 1 if last else 1, action=action,
                model=self._catalog.model(model).digest, previous=served, who=who, at=int(self._clock()), why=why,
                forced=forced, evidence=dict(evidence or {}), parent=last.digest if last else None,
            ).sealed()  # fmt: skip
            self._write(entry)
        return entry

    def _check_apart(self, name: str) -> None:
        """Aliases that differ only in the case of letters would be taken for each other."""
        wanted = name.partition("@")
        for known in self.all():
            there = known.partition("@")
            if known.lower() == name.lower() or (there[0].lower() == wanted[0].lower() and there[0] != wanted[0]):
                raise UsageError(
                    f"There is an alias {known.removesuffix(f'@{DEFAULT_STAGE}')} already.",
                    found=name,
                    hint="Use that, or a name that differs in more than the case of letters.",
                )

    def _write(self, entry: Entry) -> None:
        self._db.write(
            "INSERT INTO history (alias, number, entry, digest) VALUES (?, ?, ?, ?)",
            entry.alias, entry.number, entry.text.decode(), entry.digest,
        )  # fmt: skip
        self._db.write(
            "INSERT INTO aliases (name, model, entries, head) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
            " model = excluded.model, entries = excluded.entries, head = excluded.head",
            entry.alias, entry.model, entry.number, entry.digest,
        )  # fmt: skip


def _last(row: sqlite3.Row) -> Entry:
    """The last entry of an alias, which must say what the alias says."""
    name, number = row["name"], row["entries"]
    if row["newest"] != number:
        raise broken(name, f"{number} entries", str(row["newest"] or "none"))
    if row["entry"] is None:
        raise broken(name, f"entry {number}", "none")
    entry = entry_of(name, number, row["entry"], row["digest"])
    if (entry.alias, entry.number, entry.digest, entry.model) != (name, number, row["head"], row["served"]):
        raise broken(name, "the alias to stand where its last entry put it", f"{str(row['served'])[:19]}")
    return entry


def moved(name: str, expect: str | EllipsisType | None, served: str | None) -> AliasMoved:
    """The error of an alias that points elsewhere than expected; None for nothing."""
    return AliasMoved(
        f"The alias {name} points elsewhere: somebody else moved it.",
        expected=str(expect) if expect else "nothing served yet",
        found=served or "nothing served yet",
        hint=f"See `lithify history {name}`, and compare with what is served now.",
    )


def _check_words(words: str) -> None:
    if len(words) > MAX_WORDS or any("\ud800" <= character <= "\udfff" for character in words):
        raise UsageError(
            "Not what a history can keep.", expected=f"at most {MAX_WORDS:,} characters of text", found=repr(words[:40])
        )
