"""Taking rows out of a snapshot: always into a new snapshot, and with ``erase`` out of the home altogether."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data import split
from lithify.data.chunks import ipc_bytes
from lithify.data.snapshot import Snapshot, open_snapshot
from lithify.data.snapshotting import publish
from lithify.data.table import RowTable, fixed_binary, to_arrow
from lithify.errors import AmbiguousName, NotFound, TooFewRows
from lithify.store.home import Home

_MIN_HEX = 8


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


def withdraw(home: Home, snapshot: Snapshot, keys: Sequence[str], *, erase: bool = False) -> Withdrawal:
    """Makes a snapshot without some rows; the names of the old one move to it.

    Parameters
    ----------
    keys : sequence of str
        Keys of the rows, at least 8 hex digits of each.
    erase : bool
        Also removes the rows' contents from the home: shards are written again without them, every snapshot that held
        them is erased, caches and leftovers are emptied. Models trained on them stay, and can no longer be rebuilt.

    Raises
    ------
    NotFound, AmbiguousName
        A key that names no row, or several.
    TooFewRows
        One label would be left without rows.
    """
    gone = _find(snapshot, keys)
    rest = np.setdiff1d(np.arange(len(snapshot)), gone)
    table = _renumbered(snapshot.table.take(rest))
    missing = [text for code, text in enumerate(snapshot.labels) if not (table.label == code).any()]
    if missing:
        raise TooFewRows(f"No row of {missing[0]!r} would be left.", hint="Withdraw fewer rows.")
    whole = [snapshot.table.key[row].tobytes() for row in gone]
    holders = [other for other in _all(home) if np.isin(_words(other.table.key), _words(whole)).any()]
    models = sorted({m.digest for holder in holders for m in home.catalog.models_of_snapshot(holder.digest)})
    names = home.catalog.names_of(snapshot.digest)
    layout = dict(snapshot.layout)
    dirty = {holder.layout["shards"][s] for holder in holders for s in _shards_of(holder, whole)} if erase else set()
    if dirty:
        layout["shards"] = [_clean(home, name, whole) if name in dirty else name for name in layout["shards"]]
        table = _located(home, table, layout["shards"])
    layout["index"] = home.blobs.put(ipc_bytes(to_arrow(table)))
    manifest = _manifest(snapshot, table, len(gone))
    digest = publish(home, manifest, layout, [], None)
    for name in names:
        home.catalog.name(name, digest, move=True)
    if erase:
        _erase(home, holders, dirty, whole)
    erased = [holder.digest for holder in holders] if erase else []
    return Withdrawal(open_snapshot(home, digest), [key.hex() for key in whole], models, erased)


def _find(snapshot: Snapshot, keys: Sequence[str]) -> NDArray[np.int64]:
    known = [key.tobytes().hex() for key in snapshot.table.key]
    rows = set()
    for text in keys:
        prefix = text.lower().removeprefix("sha256:")
        fits = [row for row, key in enumerate(known) if key.startswith(prefix)] if len(prefix) >= _MIN_HEX else []
        if not fits:
            raise NotFound(
                "There is no such row.", expected=f"at least {_MIN_HEX} hex digits of a row's key", found=text[:80]
            )
        if len(fits) > 1:
            raise AmbiguousName("A key fits several rows.", found=text, hint="Give more digits.")
        rows.add(fits[0])
    return np.array(sorted(rows), dtype=np.int64)


def _renumbered(table: RowTable) -> RowTable:
    """Group numbers are row numbers, which have moved."""
    _, first, member = np.unique(table.group, return_index=True, return_inverse=True)
    return replace(table, group=first[member].astype(np.int64))


def _manifest(snapshot: Snapshot, table: RowTable, gone: int) -> dict[str, Any]:
    manifest = dict(snapshot.manifest)
    sizes = np.bincount(table.group, minlength=1)
    generations = np.bincount(table.generation, minlength=len(manifest["generations"]))
    manifest["rows"] = {"count": len(table), "digest": table.digest()}
    manifest["split"] = {**manifest["split"], "counts": split.counts(table.side, table.label, snapshot.labels)}
    manifest["groups"] = {
        "near_duplicate_groups": int((sizes > 1).sum()),
        "rows_in_them": int(sizes[sizes > 1].sum()),
    }
    manifest["generations"] = [int(n) for n in generations]
    manifest["withdrawn"] = manifest.get("withdrawn", 0) + gone
    return manifest


def _all(home: Home) -> list[Snapshot]:
    return [open_snapshot(home, row.digest) for row in home.catalog.snapshots() if not row.erased]


def _words(keys: NDArray[np.uint8] | list[bytes]) -> NDArray[np.void]:
    data = b"".join(keys) if isinstance(keys, list) else np.ascontiguousarray(keys).tobytes()
    return np.frombuffer(data, dtype="V32")


def _shards_of(snapshot: Snapshot, keys: list[bytes]) -> list[int]:
    here = np.isin(_words(snapshot.table.key), _words(keys))
    return [int(shard) for shard in np.unique(snapshot.table.shard[here])]


def _clean(home: Home, name: str, keys: list[bytes]) -> str:
    """A shard written again without some rows."""
    import pyarrow as pa

    table = pa.ipc.open_file(pa.memory_map(str(home.blobs.path(name)))).read_all()
    kept = [i for i, key in enumerate(table.column("key").to_pylist()) if key not in set(keys)]
    some = table.take(pa.array(kept, type=pa.int64())).combine_chunks()
    key = np.frombuffer(b"".join(some.column("key").to_pylist()), dtype=np.uint8).reshape(-1, 32)
    return home.blobs.put(ipc_bytes(pa.table({"key": fixed_binary(key), "content": some.column("content")})))


def _located(home: Home, table: RowTable, shards: Sequence[str]) -> RowTable:
    """Where each content lies after shards were written again."""
    import pyarrow as pa

    position = table.position.copy()
    for number, name in enumerate(shards):
        rows = np.flatnonzero(table.shard == number)
        keys = pa.ipc.open_file(pa.memory_map(str(home.blobs.path(name)))).read_all().column("key").to_pylist()
        at = {key: i for i, key in enumerate(keys)}
        position[rows] = [at[table.key[row].tobytes()] for row in rows]
    return replace(table, position=position)


def _erase(home: Home, holders: Sequence[Snapshot], dirty: set[str], keys: list[bytes]) -> None:
    """Removes the shards that held the rows and whatever was made of them; other users of a shard get a clean one."""
    gone = {holder.digest for holder in holders}
    for other in _all(home):
        if other.digest not in gone and dirty & set(other.layout["shards"]):
            _relocate(home, other, dirty, keys)
    for holder in holders:
        home.catalog.erase_snapshot(holder.digest)
        home.blobs.delete(holder.layout["index"])
    for name in dirty:
        home.blobs.delete(name)
    for folder in (*home.cache.iterdir(), *home.work.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)


def _relocate(home: Home, snapshot: Snapshot, dirty: set[str], keys: list[bytes]) -> None:
    """Gives a snapshot that does not hold the rows a layout without the shards that do; its name stays."""
    shards = [_clean(home, name, keys) if name in dirty else name for name in snapshot.layout["shards"]]
    index = home.blobs.put(ipc_bytes(to_arrow(_located(home, snapshot.table, shards))))
    layout = home.blobs.put(canon.dumps({"shards": shards, "index": index}))
    manifest = snapshot.manifest
    home.catalog.add_snapshot(
        snapshot.digest, manifest["kind"], manifest["rows"]["count"], parent=manifest["parent"], layout=layout
    )
