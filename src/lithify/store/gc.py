"""Removes what nothing needs any more: marks from what must stay, then sweeps the rest.

What must stay: models and their signatures; snapshots that are named, that a model was trained on or that an unfinished
run reads; comparisons, and what the history of an alias gives as evidence; and all they refer to (shards, indexes,
quarantine lists, parents). The rest goes once it is older than a grace period, so that
what another process is just making stays. While it sweeps, the catalog takes no other writes: nobody can begin to use
what is being removed.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lithify import canon
from lithify.errors import MalformedContainer, RunBusy
from lithify.store.blobs import Blobs, sweep
from lithify.store.comparisons import Comparisons
from lithify.store.home import Home
from lithify.store.lock import Lock, held
from lithify.store.signatures import Signatures

GRACE_SECONDS = 3600.0
CACHE_SECONDS = 30 * 86400.0
"""How long a cache entry that nobody reads is kept."""

_MANIFEST_LIMIT = 64 << 20


@dataclass(frozen=True, slots=True)
class Removed:
    """Something that goes: where it lies in the home, its size and why."""

    path: str
    bytes: int
    why: str


@dataclass(slots=True)
class Collected:
    """What a collection removed, or would remove."""

    removed: list[Removed] = field(default_factory=list)
    kept: int = 0

    @property
    def bytes(self) -> int:
        """Size of all that was removed."""
        return sum(each.bytes for each in self.removed)


def collect(home: Home, *, dry_run: bool = False, grace: float = GRACE_SECONDS) -> Collected:
    """Removes what nothing needs.

    Parameters
    ----------
    home : Home
    dry_run : bool
        Only tell what would go.
    grace : float
        Seconds; nothing younger goes.

    Raises
    ------
    IntegrityError
        A manifest is damaged, so that what it needs is not known; nothing is removed then.
    """
    now = time.time()
    collected = Collected()
    home.catalog.reconcile(lambda key: held(home.lock(key).path))
    with contextlib.nullcontext() if dry_run else home.catalog.transaction():
        needed = mark(home)
        _sweep_blobs(home, needed, now - grace, dry_run, collected)
        if not dry_run:
            _forget_snapshots(home)
    _sweep_runs(home, now - grace, dry_run, collected)
    _sweep_entries(home, home.work, now - grace, "left behind", dry_run, collected)
    _sweep_entries(home, home.cache, now - max(grace, CACHE_SECONDS), "not read for long", dry_run, collected)
    if not dry_run:
        for folder in (home.path, home.runs, home.work, home.cache, *_folders(home.blobs.folder)):
            sweep(folder)
    return collected


def mark(home: Home) -> set[str]:
    """The digests of all objects that must stay."""
    snapshots = {row.digest: row for row in home.catalog.snapshots()}
    erased = {row.digest for row in snapshots.values() if row.erased}
    waiting = list(_roots(home))
    needed: set[str] = set()
    while waiting:
        digest = waiting.pop()
        if digest in needed or digest in erased:
            continue
        needed.add(digest)
        waiting += _references(home.blobs, digest)
        if row := snapshots.get(digest):
            waiting += filter(None, (row.parent, row.layout, row.quarantine))
    return needed


def _roots(home: Home) -> set[str]:
    catalog = home.catalog
    models = catalog.models()
    roots = {model.digest for model in models} | set(catalog.names().values())
    roots |= {model.snapshot for model in models if model.snapshot}
    roots |= set(Signatures(catalog).all()) | set(_evidence(home))
    return roots | {run.snapshot for run in catalog.runs() if run.state in ("running", "interrupted")}


def _evidence(home: Home) -> Iterator[str]:
    """What the aliases' histories rest on: models, comparisons, and the rows of the evaluations they name."""
    for comparison in Comparisons(home.catalog).all():
        yield from (comparison.digest, comparison.champion, comparison.challenger, comparison.snapshot)
    entries = home.catalog.database.read("SELECT entry FROM history")
    named = {digest for row in entries for digest in _digests(canon.loads(row["entry"].encode(), "history"))}
    yield from named
    yield from (row.snapshot for row in home.catalog.evaluations() if row.digest in named)


def _references(blobs: Blobs, digest: str) -> Iterator[str]:
    """Every digest in an object that is JSON; objects of other kinds refer to nothing."""
    path = blobs.path(digest)
    if not path.exists() or path.stat().st_size > _MANIFEST_LIMIT:
        return
    with open(path, "rb") as file:
        if file.read(1) not in (b"{", b"["):
            return
    try:
        yield from _digests(canon.loads(blobs.get(digest)))
    except MalformedContainer:
        return


def _digests(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if canon.is_digest(value):
            yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _digests(each)


def _sweep_blobs(home: Home, needed: set[str], before: float, dry_run: bool, collected: Collected) -> None:
    for digest in home.blobs:
        path = home.blobs.path(digest)
        status = path.stat()
        if digest in needed or status.st_mtime > before or (not dry_run and not home.blobs.discard(digest, before)):
            collected.kept += 1
        else:
            collected.removed.append(Removed(str(path.relative_to(home.path)), status.st_size, "nothing refers to it"))


def _forget_snapshots(home: Home) -> None:
    """A snapshot whose manifest is gone can no longer be used; the catalog says so."""
    for row in home.catalog.snapshots():
        if not row.erased and not home.blobs.has(row.digest):
            home.catalog.erase_snapshot(row.digest)


def _sweep_runs(home: Home, before: float, dry_run: bool, collected: Collected) -> None:
    unfinished = {run.key for run in home.catalog.runs() if run.state in ("running", "interrupted")}
    for folder in sorted(home.runs.iterdir()):
        if canon.DIGEST_PREFIX + folder.name not in unfinished:
            _remove(home, folder, before, "the run is over", dry_run, collected)


def _sweep_entries(home: Home, folder: Path, before: float, why: str, dry_run: bool, collected: Collected) -> None:
    for entry in sorted(folder.iterdir()):
        _remove(home, entry, before, why, dry_run, collected)


def _remove(home: Home, entry: Path, before: float, why: str, dry_run: bool, collected: Collected) -> None:
    """Removes a file or folder that nobody holds and nobody touched lately."""
    size, used = _measure(entry)
    if used > before or held(entry / "lock"):
        return
    if not dry_run:
        try:
            _delete(entry)
        except RunBusy:
            return
    collected.removed.append(Removed(str(entry.relative_to(home.path)), size, why))


def _delete(entry: Path) -> None:
    if not entry.is_dir() or entry.is_symlink():
        entry.unlink(missing_ok=True)
    elif (entry / "lock").exists():
        with Lock(entry / "lock"):
            shutil.rmtree(entry)
    else:
        shutil.rmtree(entry)


def _measure(entry: Path) -> tuple[int, float]:
    """Size in bytes and when something inside was last read or written."""
    size, used = 0, 0.0
    for path in [entry, *(entry.rglob("*") if entry.is_dir() and not entry.is_symlink() else ())]:
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            folder = path.is_dir() and not path.is_symlink()
            used = max(used, status.st_mtime, 0.0 if folder else status.st_atime)
            size += 0 if folder else status.st_size
    return size, used


def _folders(folder: Path) -> list[Path]:
    return [each for each in folder.glob("[0-9a-f][0-9a-f]") if each.is_dir()]
