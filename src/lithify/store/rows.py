"""The catalog's tables, and a typed row for each."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from lithify import canon

RunState = Literal["running", "interrupted", "finished", "failed"]
SessionEnd = Literal["finished", "interrupted", "failed", "killed"]

SCHEMA = [
    """
    CREATE TABLE snapshots (
        id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, rows INTEGER NOT NULL,
        parent TEXT, layout TEXT, quarantine TEXT, erased INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX snapshots_parent ON snapshots (parent);
    CREATE TABLE names (
        name TEXT PRIMARY KEY, digest TEXT NOT NULL REFERENCES snapshots (digest), created INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
        snapshot TEXT NOT NULL REFERENCES snapshots (digest), recipe TEXT NOT NULL, engine TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'interrupted' CHECK (state IN ('running', 'interrupted', 'finished', 'failed')),
        step INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL DEFAULT 0,
        model TEXT REFERENCES models (digest), created INTEGER NOT NULL, updated INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL, signature TEXT NOT NULL,
        run TEXT NOT NULL REFERENCES runs (key), recipe TEXT NOT NULL, created INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX requests_request ON requests (request);
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs (key), pid INTEGER NOT NULL,
        first_step INTEGER NOT NULL, last_step INTEGER,
        how TEXT CHECK (how IN ('finished', 'interrupted', 'failed', 'killed')), started INTEGER NOT NULL, ended INTEGER
    ) STRICT;
    CREATE INDEX sessions_run ON sessions (run);
    CREATE TABLE models (
        id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE, run TEXT REFERENCES runs (key),
        snapshot TEXT REFERENCES snapshots (digest), name TEXT NOT NULL, created INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX models_snapshot ON models (snapshot);
    CREATE TABLE evaluations (
        id INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, snapshot TEXT NOT NULL, split TEXT NOT NULL,
        metrics TEXT NOT NULL, created INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX evaluations_model ON evaluations (model);
    CREATE TABLE ledger (
        id INTEGER PRIMARY KEY AUTOINCREMENT, snapshot TEXT NOT NULL, split TEXT NOT NULL, generation INTEGER NOT NULL,
        model TEXT NOT NULL, created INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX ledger_split ON ledger (snapshot, split);
    """,
    """
    CREATE TABLE aliases (
        name TEXT PRIMARY KEY, model TEXT NOT NULL REFERENCES models (digest), entries INTEGER NOT NULL,
        head TEXT NOT NULL
    ) STRICT;
    CREATE TABLE history (
        id INTEGER PRIMARY KEY AUTOINCREMENT, alias TEXT NOT NULL, number INTEGER NOT NULL, entry TEXT NOT NULL,
        digest TEXT NOT NULL UNIQUE, UNIQUE (alias, number)
    ) STRICT;
    CREATE TRIGGER history_stays BEFORE UPDATE ON history BEGIN SELECT raise(ABORT, 'history only grows'); END;
    CREATE TRIGGER history_grows BEFORE DELETE ON history BEGIN SELECT raise(ABORT, 'history only grows'); END;
    CREATE TABLE comparisons (
        id INTEGER PRIMARY KEY AUTOINCREMENT, champion TEXT NOT NULL, challenger TEXT NOT NULL,
        snapshot TEXT NOT NULL, verdict TEXT NOT NULL, digest TEXT NOT NULL, created INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX comparisons_pair ON comparisons (challenger, champion);
    CREATE TABLE tokens (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, hash TEXT NOT NULL UNIQUE,
        aliases TEXT NOT NULL, created INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE signatures (
        id INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, digest TEXT NOT NULL, created INTEGER NOT NULL,
        UNIQUE (model, digest)
    ) STRICT;
    """,
]
"""Script number ``i`` leads from version ``i`` to ``i + 1``. Models evaluated here may come from elsewhere, so
evaluations and the ledger refer to digests that need not be in the catalog."""


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A snapshot: the digest of its manifest, its kind and how many rows it has.

    ``layout`` is the digest of the list of files that hold it, ``quarantine`` that of the list of rows left out;
    ``erased`` says that its blobs were removed on purpose.
    """

    id: int
    digest: str
    kind: str
    rows: int
    parent: str | None
    layout: str | None
    quarantine: str | None
    erased: bool
    created: int


@dataclass(frozen=True, slots=True)
class RequestRow:
    """What was asked for (``request``), of a source that looked like ``signature``, and the run that answers it."""

    id: int
    request: Any
    signature: str
    run: str
    recipe: Any
    created: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run: what its key is made of, how far it is, and its model once finished."""

    id: int
    key: str
    snapshot: str
    recipe: Any
    engine: Any
    state: RunState
    step: int
    steps: int
    model: str | None
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A stretch of compute spent on a run, from one step to another; ``how`` is None while it lasts."""

    id: int
    run: str
    pid: int
    first_step: int
    last_step: int | None
    how: SessionEnd | None
    started: int
    ended: int | None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A sealed model; ``run`` and ``snapshot`` are None when it came from elsewhere."""

    id: int
    digest: str
    run: str | None
    snapshot: str | None
    name: str
    created: int


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """The figures of one model on one split."""

    id: int
    model: str
    snapshot: str
    split: str
    metrics: Any
    created: int

    @property
    def digest(self) -> str:
        """What it is referred to by: the digest of what was measured, of what and on what, but not of when."""
        return canon.digest_of(
            {"model": self.model, "snapshot": self.snapshot, "split": self.split, "metrics": self.metrics}
        )


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """Two models on the same rows of a snapshot: the verdict on the challenger.

    ``digest`` is that of the whole document, an object of the home.
    """

    id: int
    champion: str
    challenger: str
    snapshot: str
    verdict: str
    digest: str
    created: int


_Row = TypeVar("_Row")
_JSON_COLUMNS = ("request", "recipe", "engine", "metrics")
_DECODE: dict[str, Callable[[Any], Any]] = dict.fromkeys(_JSON_COLUMNS, json.loads) | {"erased": bool}


def read(row: type[_Row], found: Sequence[sqlite3.Row]) -> list[_Row]:
    """Rows of a query as typed rows."""
    names = [field.name for field in fields(row)]  # type: ignore[arg-type]
    return [row(**{name: _DECODE.get(name, _same)(each[name]) for name in names}) for each in found]


def _same(value: Any) -> Any:
    return value
