"""Taking rows out of a snapshot: always into a new snapshot, and with ``erase`` out of the home altogether."""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data.manifest import publish, table_facts
from lithify.data.shards import put_index, put_shard
from lithify.data.snapshot import Snapshot, open_snapshot
from lithify.data.table import RowTable, from_fixed_binary, locate, read_ipc
from lithify.errors import AmbiguousName, MalformedContainer, NotFound, RunBusy, TooFewRows, UsageError
from lithify.progress import Reporter, Update, silent
from lithify.store import blobs
from lithify.store.home import Home
from lithify.store.lock import Lock

_MIN_HEX = 8
_ARROW = b"ARROW1"


@dataclass(frozen=True)
class Withdrawal:
    """What a withdrawal did.

    Attributes
    ----------
    snapshot : Snapshot
        The snapshot without the rows.
    keys : list of str
        The rows taken out, as hex digits.
    models : list of str
        Digests of the sealed models trained on a snapshot that held them.
    erased : list of str
        Digests of the snapshots that can no longer be opened; empty without ``erase``.
    """

    snapshot: Snapshot
    keys: list[str]
    models: list[str]
    erased: list[str]

    def to_json(self) -> dict[str, Any]:
        """As ``lithify withdraw --json`` prints it."""
        return {
            "snapshot": self.snapshot.digest,
            "keys": self.keys,
            "models": self.models,
            "erased": self.erased,
        }


def withdraw(
    home: Home, snapshot: Snapshot, keys: Sequence[str], *, erase: bool = False, report: Reporter = silent
) -> Withdrawal:
    """Makes a snapshot without some rows; the names of the old one move to it.

    Parameters
    ----------
    keys : sequence of str
        Keys of the rows, at least 8 hex digits of each.
    erase : bool
        Also removes the rows' contents from the home: shards are written again without them, caches and unfinished
        work are emptied, and every snapshot that held them is erased, its names moving to a new one without them.
        Models trained on them stay, and can no longer be rebuilt. If it is interrupted, call it again.
    report : Reporter
        Told how far the work is.

    Raises
    ------
    UsageError
        No keys.
    NotFound, AmbiguousName
        A key that names no row, or several.
    TooFewRows
        One label would be left without rows.
    RunBusy
        To be erased while another process is making a snapshot.
    """
    rows = _find(snapshot, keys)
    gone = snapshot.table.key[rows]
    holders = [other for other in _all(home) if (locate(gone, other.table.key) >= 0).any()]
    models = sorted({m.digest for holder in holders for m in home.catalog.models_of_snapshot(holder.digest)})
    fresh = _without(home, snapshot, gone)
    moved = {snapshot.digest: fresh}
    if erase:
        moved |= _replacements(home, [holder for holder in holders if holder.digest != snapshot.digest], gone)
        with _alone(home):
            report(Update("erasing", note="Writing what shared a file with the rows again."))
            _purge(home, gone, {holder.digest for holder in holders})
    with home.catalog.transaction():
        for digest, new in moved.items():
            for name in home.catalog.names_of(digest):
                home.catalog.name(name, new, move=True)
        for holder in holders if erase else ():
            home.catalog.erase_snapshot(holder.digest)
    if erase:
        for holder in holders:
            home.blobs.delete(holder.layout["index"])
    erased = [holder.digest for holder in holders] if erase else []
    return Withdrawal(open_snapshot(home, fresh), [key.tobytes().hex() for key in gone], models, erased)


def _find(snapshot: Snapshot, keys: Sequence[str]) -> NDArray[np.int64]:
    if not keys:
        raise UsageError("Which rows shall be withdrawn?", expected=f"at least {_MIN_HEX} hex digits of each key")
    key = snapshot.table.key
    rows = set()
    for text in keys:
        prefix = text.lower().removeprefix(canon.DIGEST_PREFIX)
        row = bisect_left(range(len(key)), prefix, key=lambda row: key[row].tobytes().hex())
        fits = [key[at].tobytes().hex().startswith(prefix) for at in range(row, min(row + 2, len(key)))]
        if len(prefix) < _MIN_HEX or not any(fits):
            raise NotFound(
                "There is no such row.", expected=f"at least {_MIN_HEX} hex digits of a row's key", found=text[:80]
            )
        if all(fits) and len(fits) > 1:
            raise AmbiguousName("A key fits several rows.", found=text[:80], hint="Give more digits.")
        rows.add(row)
    return np.array(sorted(rows), dtype=np.int64)


def _all(home: Home) -> Iterator[Snapshot]:
    """Every snapshot whose rows are in the home."""
    for row in home.catalog.snapshots():
        if not row.erased:
            try:
                yield open_snapshot(home, row.digest)
            except NotFound:
                continue


def _without(home: Home, snapshot: Snapshot, gone: NDArray[np.uint8]) -> str:
    """Digest of the snapshot without some keys, made where it is not there yet; contents stay where they are."""
    table = snapshot.table.take(np.flatnonzero(locate(snapshot.table.key, gone) < 0)).regrouped()
    missing = [text for code, text in enumerate(snapshot.labels) if not (table.label == code).any()]
    if missing or not len(table):
        left = f"of {missing[0]!r} " if missing else ""
        raise TooFewRows(f"No row {left}would be left.", hint="Withdraw fewer rows.")
    old = snapshot.manifest
    generations = len(old["generations"])
    rule, reason = old["split"]["rule"], old["split"]["reason"]
    facts = table_facts(table, snapshot.labels, rule, reason, generations, snapshot.kind)
    manifest = {**old, **facts, "withdrawn": old.get("withdrawn", 0) + len(snapshot) - len(table)}
    digest = canon.digest_of(manifest)
    try:
        # it may have been made before and its contents been moved since
        return open_snapshot(home, digest).digest
    except NotFound:
        index = put_index(home, home.work, table)
        return publish(home, manifest, {**snapshot.layout, "index": index}, [], None)


def _replacements(home: Home, holders: Iterable[Snapshot], gone: NDArray[np.uint8]) -> dict[str, str]:
    """Digest → digest of what the names of other holders move to; names of those that would lack a label are lost."""
    moved = {}
    for holder in holders:
        if home.catalog.names_of(holder.digest):
            try:
                moved[holder.digest] = _without(home, holder, gone)
            except TooFewRows:
                continue
    return moved


# --- erasing --------------------------------------------------------------------------------------------------------


def _alone(home: Home) -> ExitStack:
    """Holds the locks of all unfinished snapshots; raises ``RunBusy`` when another process works on one."""
    locks = ExitStack()
    try:
        for path in sorted(home.work.glob("*/lock")):
            locks.enter_context(Lock(path))
    except RunBusy:
        locks.close()
        raise RunBusy(
            "Another process is making a snapshot, which may hold the rows.", hint="Wait for it to end, then run again."
        ) from None
    return locks


def _purge(home: Home, gone: NDArray[np.uint8], holders: set[str]) -> None:
    """Removes every file with the content of the rows; who shared a shard with them gets one without."""
    dirty = set(_shards_with(home, gone))
    clean: dict[str, str] = {}
    for other in _all(home):
        if other.digest not in holders and dirty.intersection(other.layout["shards"]):
            _relocate(home, other, dirty, gone, clean)
    for name in sorted(dirty):
        home.blobs.delete(name)
    for folder in (home.cache, home.work):
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    for folder in home.blobs.folder.iterdir():
        blobs.sweep(folder)


def _shards_with(home: Home, gone: NDArray[np.uint8]) -> Iterator[str]:
    """Every shard in the home that holds one of the rows, whether or not a snapshot uses it."""
    for name in home.blobs:
        path = home.blobs.path(name)
        if _is_arrow(path):
            try:
                table = read_ipc(path)
            except MalformedContainer:
                continue
            if "content" in table.column_names and (locate(gone, _keys(table)) >= 0).any():
                yield name


def _is_arrow(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(_ARROW)) == _ARROW


def _keys(table: Any) -> NDArray[np.uint8]:
    return from_fixed_binary(table.column("key"), 32, np.uint8)


def _relocate(home: Home, snapshot: Snapshot, dirty: set[str], gone: NDArray[np.uint8], clean: dict[str, str]) -> None:
    """Gives a snapshot that does not hold the rows a layout without the shards that do; its name stays.

    ``clean`` remembers what was written instead of each dirty shard.
    """
    shards = list(snapshot.layout["shards"])
    table = snapshot.table
    for number, name in enumerate(shards):
        if name in dirty:
            if name not in clean:
                clean[name] = _clean(home, name, gone)
            shards[number] = clean[name]
            table = _located(home, table, number, clean[name])
    index = put_index(home, home.work, table)
    layout = home.blobs.put(canon.dumps({"shards": shards, "index": index}))
    manifest = snapshot.manifest
    home.catalog.add_snapshot(
        snapshot.digest, manifest["kind"], manifest["rows"]["count"], parent=manifest["parent"], layout=layout
    )


def _clean(home: Home, name: str, gone: NDArray[np.uint8]) -> str:
    """A shard written again without some rows."""
    import pyarrow as pa

    table = read_ipc(home.blobs.verified(name))
    key = _keys(table)
    kept = np.flatnonzero(locate(key, gone) < 0)
    content = table.column("content").combine_chunks().take(pa.array(kept))
    return put_shard(home, home.work, key[kept], content)


def _located(home: Home, table: RowTable, number: int, name: str) -> RowTable:
    """The table after shard ``number`` was written again as ``name``."""
    rows = np.flatnonzero(table.shard == number)
    position = table.position.copy()
    position[rows] = locate(table.key[rows], _keys(read_ipc(home.blobs.path(name))))
    return replace(table, position=position)
