"""From what a person types to a digest: whole digests, their beginnings, names and aliases."""

from __future__ import annotations

import difflib
import re
from typing import Literal, NamedTuple

from lithify import canon
from lithify.errors import AmbiguousName, NotFound, UsageError
from lithify.store.database import Database

ThingKind = Literal["snapshot", "model", "run", "comparison"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HEX = re.compile(r"[0-9a-f]{8,64}")
_TABLES: dict[ThingKind, tuple[str, str]] = {
    "snapshot": ("snapshots", "digest"),
    "model": ("models", "digest"),
    "run": ("runs", "key"),
    "comparison": ("comparisons", "digest"),
}


DEFAULT_STAGE = "production"
"""What an alias without a stage means."""


class Thing(NamedTuple):
    """What a name, a digest or the beginning of a digest stands for."""

    kind: ThingKind
    digest: str


def check_name(name: str) -> None:
    """Raises ``UsageError`` unless ``name`` may name something.

    >>> check_name("inbox-2024")
    >>> check_name("deadbeef")
    Traceback (most recent call last):
    lithify.errors.UsageError: A name cannot look like a digest. Found: deadbeef. Add a letter beyond f, or a dash.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "Not a name.",
            expected="letters, digits, dots, dashes and underscores, at most 100, a letter or digit first",
            found=repr(name[:100]),
        )
    if _HEX.fullmatch(name.lower()):
        raise UsageError("A name cannot look like a digest.", found=name, hint="Add a letter beyond f, or a dash.")


def canonical(alias: str) -> str:
    """An alias in full; ``UsageError`` when it cannot be one.

    >>> canonical("spam"), canonical("spam@canary")
    ('spam@production', 'spam@canary')
    """
    name, at, stage = alias.partition("@")
    try:
        check_name(name)
        check_name(stage if at else DEFAULT_STAGE)
    except UsageError as error:
        hint = error.hint or "An alias is NAME or NAME@STAGE, such as spam or spam@canary."
        raise UsageError(
            f"{alias[:100]!r} cannot be an alias.", expected=error.expected, found=error.found, hint=hint
        ) from None
    return f"{name}@{stage if at else DEFAULT_STAGE}"


def find(db: Database, text: str, *kinds: ThingKind) -> Thing:
    """What ``text`` stands for: a digest, its beginning (at least 8 hex digits), a name or an alias.

    An alias stands for the model it points at.

    Parameters
    ----------
    db : Database
        The catalog's.
    text : str
        As a person types it.
    kinds : "snapshot", "model", "run", "comparison"
        What may be meant; anything when none is given.

    Raises
    ------
    NotFound
        Nothing fits; the message offers the nearest names.
    AmbiguousName
        Several things fit.
    """
    wanted = kinds or tuple(_TABLES)
    begin = text.removeprefix(canon.DIGEST_PREFIX).lower()
    found = _begins(db, begin, wanted) if _HEX.fullmatch(begin) else _named(db, text, wanted)
    if len(found) > 1:
        raise AmbiguousName(
            f"{text[:80]!r} fits several things.",
            found=", ".join(f"{thing.kind} {thing.digest[:23]}" for thing in found[:5]),
            hint="Give more of the digest; an alias in full, such as spam@production, is never a snapshot.",
        )
    if not found:
        raise NotFound(
            f"There is no {' or '.join(wanted)} {text[:80]!r} in the home {db.path.parent}.",
            hint=_offer(db, text, wanted),
        )
    return found[0]


def _begins(db: Database, begin: str, kinds: tuple[ThingKind, ...]) -> list[Thing]:
    low, high = canon.DIGEST_PREFIX + begin, canon.DIGEST_PREFIX + begin + "g"
    found = []
    for kind in kinds:
        table, column = _TABLES[kind]
        rows = db.read(f"SELECT {column} FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY id", low, high)
        found += [Thing(kind, row[0]) for row in rows]
    return list(dict.fromkeys(found))  # two comparisons may have come to the same document


def _named(db: Database, text: str, kinds: tuple[ThingKind, ...]) -> list[Thing]:
    return list(dict.fromkeys(Thing(kind, digest) for kind, name, digest in _names(db, kinds) if name == text))


def _names(db: Database, kinds: tuple[ThingKind, ...]) -> list[tuple[ThingKind, str, str]]:
    names: list[tuple[ThingKind, str, str]] = []
    if "snapshot" in kinds:
        names += [("snapshot", *row) for row in db.read("SELECT name, digest FROM names ORDER BY name")]
    if "model" in kinds:
        names += [("model", *row) for row in db.read("SELECT name, digest FROM models WHERE name != '' ORDER BY id")]
        for alias, digest in db.read("SELECT name, model FROM aliases ORDER BY name"):
            name, _, stage = alias.partition("@")
            names += [("model", each, digest) for each in (alias, *([name] if stage == DEFAULT_STAGE else []))]
    return names


def _offer(db: Database, text: str, kinds: tuple[ThingKind, ...]) -> str:
    near = difflib.get_close_matches(text[:100], {name for _, name, _ in _names(db, kinds)}, n=3)
    return f"Did you mean {' or '.join(near)}?" if near else "See `lithify ls` and `lithify runs`."
