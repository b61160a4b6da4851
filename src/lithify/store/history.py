"""The history of an alias: entries that each name the one before by its digest, so that none can be changed or lost.

The alias keeps how many entries there are and the digest of the last one. An entry that was changed, removed, put
elsewhere or cut off at the end therefore shows. Who can write the whole catalog can make up a whole new history; only
the digest of the last entry, noted elsewhere, finds that (Haber and Stornetta, "How to time-stamp a digital document",
1991).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from lithify import canon
from lithify.errors import HistoryBroken

Action = Literal["promote", "rollback"]


@dataclass(frozen=True)
class Entry:
    """One move of an alias.

    Attributes
    ----------
    alias : str
        In full, such as ``spam@production``.
    number : int
        From 1.
    action : "promote" or "rollback"
    model, previous : str
        Digests of the model served from then on, and of the one before; None when there was none.
    who, why : str
    at : int
        Seconds since 1970, by the clock of the machine; the order is told by the number alone.
    forced : bool
        Whether it was done against what the comparison said, or without one.
    evidence : dict
        ``evaluations``: digests of the model's evaluations; ``comparison``: digest of the comparison with the model
        before, or None; ``verdict`` of that, or ``first``, or None; ``gates``: those of the comparison that were not
        the default ones, or None.
    parent : str or None
        Digest of the entry before.
    digest : str
        SHA-256 of the canonical JSON of all else.
    """

    alias: str
    number: int
    action: Action
    model: str
    previous: str | None
    who: str
    at: int
    why: str
    forced: bool
    evidence: dict[str, Any]
    parent: str | None
    digest: str = ""

    def sealed(self) -> Entry:
        """The entry with its digest."""
        return replace(self, digest=canon.digest(self.text))

    @property
    def text(self) -> bytes:
        """Canonical JSON of all but the digest."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return canon.dumps({name: value for name, value in named.items() if name != "digest"})

    def to_json(self) -> dict[str, Any]:
        """Everything, under the names of the attributes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_KEYS = {field.name for field in fields(Entry)} - {"digest"}


def entry_of(alias: str, number: int, text: bytes, digest: str) -> Entry:
    """The entry that a row of the catalog holds; ``HistoryBroken`` when its digest is that of something else."""
    if canon.digest(text) != digest:
        raise broken(alias, f"entry {number} as it was written", "another text in its place")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or values.keys() != _KEYS:
        raise broken(alias, f"entry {number} with its fields", "something that is not an entry")
    return Entry(**values, digest=digest)


def checked(alias: str, rows: Sequence[sqlite3.Row]) -> list[Entry]:
    """The entries of an alias, each checked against its digest, the one before it, and the alias itself.

    Parameters
    ----------
    alias : str
    rows : sequence of sqlite3.Row
        In the order of their numbers: ``number``, ``entry``, ``digest`` of each entry, and ``served``, ``entries``,
        ``head`` of the alias, the same in all.

    Raises
    ------
    HistoryBroken
        Naming the first entry that does not fit.
    """
    entries: list[Entry] = []
    for number, row in enumerate(rows, 1):
        if row["number"] != number:
            raise broken(alias, f"entry {number}", f"entry {row['number']} in its place")
        entry, last = entry_of(alias, number, row["entry"], row["digest"]), entries[-1] if entries else None
        follows = (alias, number, last and last.digest, last and last.model)
        if (entry.alias, entry.number, entry.parent, entry.previous) != follows:
            raise broken(alias, f"entry {number} to follow from the one before", "one that does not")
        entries.append(entry)
    served = rows[0]
    if served["entries"] != len(entries):
        raise broken(alias, f"{served['entries']} entries", f"{len(entries)}")
    if (served["head"], served["served"]) != (entries[-1].digest, entries[-1].model):
        raise broken(alias, "the alias to stand where its last entry put it", f"{str(served['served'])[:19]}")
    return entries


def broken(alias: str, expected: str, found: str) -> HistoryBroken:
    """The error that says where a history no longer hangs together."""
    return HistoryBroken(
        f"The history of {alias} was changed.",
        expected=expected,
        found=found,
        hint="Restore the catalog from a backup; until then trust no entry from there on.",
    )


def served_before(entries: Iterable[Entry]) -> list[str]:
    """The models that rolling back leads through, the one served now last.

    A promotion puts its model on top; rolling back takes off what lies above the model it goes to. So a second roll
    back goes one further back, and not forth again.
    """
    stack: list[str] = []
    for entry in entries:
        if entry.action == "rollback" and entry.model in stack:
            while stack[-1] != entry.model:
                stack.pop()
        else:
            stack.append(entry.model)
    return stack
