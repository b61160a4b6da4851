"""What a home knows: snapshots and their names, requests, runs and sessions, models, evaluations, looks at test rows.

All mutable state but checkpoints and caches is here, and nothing else. It holds digests, names, paths, counts and
times; never a row's or a message's content. Rows are ordered by their ids, which only grow, so a clock that is set
back cannot disturb anything; times are for people.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from lithify import canon
from lithify.errors import NotFound, UsageError
from lithify.store import lookup
from lithify.store.database import Database
from lithify.store.lookup import Thing, ThingKind, check_name
from lithify.store.rows import (
    SCHEMA,
    EvaluationRow,
    ModelRow,
    RequestRow,
    RunRow,
    RunState,
    SessionEnd,
    SessionRow,
    SnapshotRow,
    read,
)

_Row = TypeVar("_Row")


class Catalog:
    """The catalog of one home.

    Parameters
    ----------
    path : Path
        The SQLite file; made when it is not there.
    clock : callable
        Gives the seconds since 1970.

    Examples
    --------
    >>> import tempfile
    >>> catalog = Catalog(Path(tempfile.mkdtemp()) / "catalog.sqlite")
    >>> digest = canon.digest(b"manifest")
    >>> _ = catalog.add_snapshot(digest, kind="mail", rows=100)
    >>> catalog.name("inbox", digest)
    >>> catalog.find("inbox") == catalog.find(digest[:15]) == Thing("snapshot", digest)
    True
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._db = Database(path, SCHEMA)

    @property
    def database(self) -> Database:
        """The file, for other tables of it."""
        return self._db

    def close(self) -> None:
        """Closes the file; it opens again when next used."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen or none does, and no other process writes between them. May be nested."""
        with self._db.transaction():
            yield

    # Snapshots and their names

    def add_snapshot(
        self,
        digest: str,
        kind: str,
        rows: int,
        parent: str | None = None,
        layout: str | None = None,
        quarantine: str | None = None,
    ) -> SnapshotRow:
        """Records a snapshot; again is no mistake, and brings an erased one back."""
        with self.transaction():
            self._db.write(
                "INSERT INTO snapshots (digest, kind, rows, parent, layout, quarantine, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (digest) DO UPDATE SET"
                " erased = 0, layout = coalesce(excluded.layout, layout),"
                " quarantine = coalesce(excluded.quarantine, quarantine)",
                _whole(digest), kind, rows, parent, layout, quarantine, self._now(),
            )  # fmt: skip
            return self.snapshot(digest)

    def snapshot(self, digest: str) -> SnapshotRow:
        """The snapshot of that digest, or ``NotFound``."""
        return self._one(SnapshotRow, "snapshots", "digest", digest)

    def snapshots(self) -> list[SnapshotRow]:
        """All snapshots, oldest first."""
        return read(SnapshotRow, self._db.read("SELECT * FROM snapshots ORDER BY id"))

    def erase_snapshot(self, digest: str) -> None:
        """Marks a snapshot as erased and drops its names; its blobs are the caller's or the next collection's."""
        with self.transaction():
            self._db.write("UPDATE snapshots SET erased = 1 WHERE id = ?", self.snapshot(digest).id)
            self._db.write("DELETE FROM names WHERE digest = ?", digest)

    def name(self, name: str, digest: str, move: bool = False) -> None:
        """Names a snapshot; ``UsageError`` when the name is taken by another one, unless ``move``."""
        check_name(name)
        with self.transaction():
            taken = self.names().get(name)
            if taken is not None and taken != digest and not move:
                raise UsageError(
                    f"The name {name} is taken.", found=f"snapshot {taken[:19]}", hint="Choose another name."
                )
            self._db.write(
                "INSERT INTO names (name, digest, created) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET digest = excluded.digest",
                name, self.snapshot(digest).digest, self._now(),
            )  # fmt: skip

    check_name = staticmethod(check_name)

    def names(self) -> dict[str, str]:
        """Name → digest of the snapshot."""
        return {row["name"]: row["digest"] for row in self._db.read("SELECT name, digest FROM names ORDER BY name")}

    def names_of(self, digest: str) -> list[str]:
        """The names of a snapshot, sorted."""
        return [name for name, named in self.names().items() if named == digest]

    # Finding things

    def find(self, text: str, *kinds: ThingKind) -> Thing:
        """What ``text`` stands for; see :func:`lithify.store.lookup.find`."""
        return lookup.find(self._db, text, *kinds)

    def resolve(self, text: str, *kinds: ThingKind) -> str:
        """The digest of :meth:`find`."""
        return self.find(text, *kinds).digest

    # Requests and runs

    def remember_request(self, request: Any, signature: str, run: str, recipe: Any) -> RequestRow:
        """Keeps which run, with which resolved recipe, answers a request for a source of that signature."""
        key = self._db.write(
            "INSERT INTO requests (request, signature, run, recipe, created) VALUES (?, ?, ?, ?, ?)",
            _json(request), signature, run, _json(recipe), self._now(),
        )  # fmt: skip
        return self._one(RequestRow, "requests", "id", key)

    def request(self, request: Any, signature: str | None = None) -> RequestRow | None:
        """The latest answer to a request, of a source of that signature where one is given."""
        rows = self._db.read(
            "SELECT * FROM requests WHERE request = ? AND (?2 IS NULL OR signature = ?2) ORDER BY id DESC LIMIT 1",
            _json(request), signature,
        )  # fmt: skip
        return read(RequestRow, rows)[0] if rows else None

    def add_run(self, key: str, snapshot: str, recipe: Any, engine: Any, steps: int = 0) -> RunRow:
        """Records a run before its first step, as interrupted at step 0; again changes nothing."""
        with self.transaction():
            now = self._now()
            self._db.write(
                "INSERT INTO runs (key, snapshot, recipe, engine, steps, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (key) DO NOTHING",
                _whole(key), snapshot, _json(recipe), _json(engine), steps, now, now,
            )  # fmt: skip
            return self.run(key)

    def update_run(
        self,
        key: str,
        state: RunState | None = None,
        step: int | None = None,
        steps: int | None = None,
        model: str | None = None,
    ) -> RunRow:
        """Changes what is given and leaves the rest."""
        with self.transaction():
            row = self.run(key)
            self._db.write(
                "UPDATE runs SET state = coalesce(?, state), step = coalesce(?, step), steps = coalesce(?, steps),"
                " model = coalesce(?, model), updated = ? WHERE id = ?",
                state, step, steps, model, self._now(), row.id,
            )  # fmt: skip
            return self.run(row.key)

    def run(self, text: str) -> RunRow:
        """The run of a key or the beginning of one."""
        return self._one(RunRow, "runs", "key", text if canon.is_digest(text) else self.resolve(text, "run"))

    def runs(self, state: RunState | None = None) -> list[RunRow]:
        """All runs, or those in one state, oldest first."""
        return read(RunRow, self._db.read("SELECT * FROM runs WHERE ?1 IS NULL OR state = ?1 ORDER BY id", state))

    def open_session(self, run: str, pid: int | None = None) -> int:
        """Starts a session of a run, which is then running; returns the session's number."""
        with self.transaction():
            row = self.update_run(run, state="running")
            return self._db.write(
                "INSERT INTO sessions (run, pid, first_step, started) VALUES (?, ?, ?, ?)",
                row.key, os.getpid() if pid is None else pid, row.step, self._now(),
            )  # fmt: skip

    def close_session(self, session: int, how: SessionEnd, step: int) -> None:
        """Ends a session at a step of its run."""
        states: dict[SessionEnd, RunState] = {"finished": "finished", "failed": "failed"}
        with self.transaction():
            row = self._one(SessionRow, "sessions", "id", session)
            self._db.write("UPDATE sessions SET how = ?, last_step = ?, ended = ? WHERE id = ?",
                           how, step, self._now(), row.id)  # fmt: skip
            self.update_run(row.run, state=states.get(how, "interrupted"), step=step)

    def sessions(self, run: str) -> list[SessionRow]:
        """The sessions of a run, oldest first."""
        return read(SessionRow, self._db.read("SELECT * FROM sessions WHERE run = ? ORDER BY id", run))

    def reconcile(self, busy: Callable[[str], bool]) -> list[str]:
        """Runs said to be running whose lock nobody holds become interrupted; returns their keys.

        ``busy`` tells of a key whether its lock is held.
        """
        with self.transaction():  # a session that takes its lock meanwhile waits until it can say so
            ended = [row.key for row in self.runs("running") if not busy(row.key)]
            for key in ended:
                self.update_run(key, state="interrupted")
                self._db.write("UPDATE sessions SET how = 'killed' WHERE run = ? AND how IS NULL", key)
        return ended

    # Models, evaluations, looks

    def add_model(self, digest: str, run: str | None = None, snapshot: str | None = None, name: str = "") -> ModelRow:
        """Records a sealed model; again changes nothing."""
        with self.transaction():
            self._db.write(
                "INSERT INTO models (digest, run, snapshot, name, created) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (digest) DO NOTHING",
                _whole(digest), run, snapshot, name, self._now(),
            )  # fmt: skip
            return self.model(digest)

    def model(self, digest: str) -> ModelRow:
        """The model of that digest, or ``NotFound``."""
        return self._one(ModelRow, "models", "digest", digest)

    def models(self) -> list[ModelRow]:
        """All models, oldest first."""
        return read(ModelRow, self._db.read("SELECT * FROM models ORDER BY id"))

    def models_of_snapshot(self, digest: str) -> list[ModelRow]:
        """The models trained on a snapshot, oldest first."""
        return read(ModelRow, self._db.read("SELECT * FROM models WHERE snapshot = ? ORDER BY id", digest))

    def add_evaluation(self, model: str, snapshot: str, split: str, metrics: Any) -> EvaluationRow:
        """Keeps the figures of a model on a split."""
        key = self._db.write(
            "INSERT INTO evaluations (model, snapshot, split, metrics, created) VALUES (?, ?, ?, ?, ?)",
            _whole(model), _whole(snapshot), split, _json(metrics), self._now(),
        )  # fmt: skip
        return self._one(EvaluationRow, "evaluations", "id", key)

    def evaluations(self, model: str | None = None) -> list[EvaluationRow]:
        """All evaluations, or those of one model, oldest first."""
        rows = self._db.read("SELECT * FROM evaluations WHERE ?1 IS NULL OR model = ?1 ORDER BY id", model)
        return read(EvaluationRow, rows)

    def look(self, snapshot: str, split: str, model: str, generation: int = 0) -> int:
        """Notes a look at the rows of a split and returns how many there were with this one."""
        with self.transaction():
            self._db.write(
                "INSERT INTO ledger (snapshot, split, generation, model, created) VALUES (?, ?, ?, ?, ?)",
                _whole(snapshot), split, generation, _whole(model), self._now(),
            )  # fmt: skip
            return self.looks(snapshot, split, generation)

    def looks(self, snapshot: str, split: str, generation: int | None = None) -> int:
        """How often the rows of a split were looked at."""
        sql = "SELECT count(*) FROM ledger WHERE snapshot = ? AND split = ? AND (?3 IS NULL OR generation = ?3)"
        return int(self._db.read(sql, snapshot, split, generation)[0][0])

    # Helpers

    def _now(self) -> int:
        return int(self._clock())

    def _one(self, row: type[_Row], table: str, column: str, value: Any) -> _Row:
        rows = self._db.read(f"SELECT * FROM {table} WHERE {column} = ?", value)
        if not rows:
            home = self._db.path.parent
            raise NotFound(f"There is no {table[:-1]} {str(value)[:80]} in the home {home}.", hint="See `lithify ls`.")
        return read(row, rows)[0]


def _whole(digest: str) -> str:
    if not canon.is_digest(digest):
        raise ValueError(f"not a whole digest: {digest[:80]!r}")
    return digest


def _json(value: Any) -> str:
    return canon.dumps(value).decode()
