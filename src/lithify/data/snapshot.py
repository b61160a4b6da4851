"""A snapshot: a dataset frozen, split and named by its content.

A snapshot's name is the digest of its manifest, canonical JSON that holds the digest of the row table (keys, labels,
times, groups, sides), the labels, the split rule and the counts. A key is the digest of a row's content, so the name
stands for every byte of the data and for nothing else: not for paths, file order, file formats or when it was made.
Where the bytes lie is said by a second object, the layout: Arrow IPC files with the contents (shards) and with the row
table (index), readable by any Arrow implementation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data import split
from lithify.data.table import RowTable, from_arrow
from lithify.errors import IntegrityError, NewerFormat, NotFound
from lithify.store.home import Home

FORMAT = 1


@dataclass(frozen=True)
class Snapshot:
    """An opened snapshot.

    Attributes
    ----------
    digest : str
        Its name.
    manifest : dict
        What the name stands for.
    layout : dict
        Digests of the Arrow files that hold it.
    table : RowTable
        Every fact of every row but its content.
    """

    home: Home
    digest: str
    manifest: dict[str, Any]
    layout: dict[str, Any]
    table: RowTable
    _shards: dict[int, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def kind(self) -> str:
        """What a row's content is: ``mail`` or ``text``."""
        return str(self.manifest["kind"])

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted; ``table.label`` holds positions in it."""
        return tuple(self.manifest["labels"])

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"<Snapshot {self.digest[7:19]}: {len(self):,} rows of {self.kind}, labels {', '.join(self.labels)}>"

    def rows(self, side: str) -> NDArray[np.int64]:
        """Row numbers of ``train``, ``validation`` or ``test``."""
        return np.flatnonzero(np.isin(self.table.side, split.SIDES[side]))

    def content(self, rows: Sequence[int] | NDArray[np.integer]) -> list[bytes]:
        """The canonical inputs of some rows, in the order given."""
        numbers = np.asarray(rows, dtype=np.int64)
        result: list[bytes] = [b""] * len(numbers)
        shards = self.table.shard[numbers]
        for shard in np.unique(shards):
            at = np.flatnonzero(shards == shard)
            values = self._shard(int(shard)).take(self.table.position[numbers[at]]).to_pylist()
            for i, value in zip(at.tolist(), values, strict=True):
                result[i] = value
        return result

    def batches(
        self, rows: NDArray[np.integer], size: int = 1024
    ) -> Iterator[tuple[NDArray[np.integer], list[bytes]]]:
        """Row numbers and contents, ``size`` rows at a time, so that memory stays flat."""
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            yield some, self.content(some)

    def verify(self) -> None:
        """Checks every byte: manifest, index, shards, and each content against its key.

        Raises ``IntegrityError`` at the first thing that does not fit.
        """
        if self.table.digest() != self.manifest["rows"]["digest"]:
            raise IntegrityError(f"The row table of snapshot {self.digest[:19]} is not the one it was named by.")
        for name in [*self.layout["shards"], self.layout["index"]]:
            self.home.blobs.verified(name)
        for rows, contents in self.batches(np.arange(len(self))):
            for row, content in zip(rows.tolist(), contents, strict=True):
                if hashlib.sha256(content).digest() != self.table.key[row].tobytes():
                    raise IntegrityError(f"Row {self.table.key[row].tobytes().hex()[:16]} does not fit its key.")

    def _shard(self, number: int) -> Any:
        """The content column of one shard, memory-mapped."""
        if number not in self._shards:
            import pyarrow as pa

            path = self.home.blobs.path(self.layout["shards"][number])
            if not path.exists():
                raise NotFound(
                    f"The contents of snapshot {self.digest[:19]} are not in this home any more.",
                    hint="They were erased, or the home is incomplete.",
                )
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
            self._shards[number] = table.column("content").combine_chunks()
        return self._shards[number]


def open_snapshot(home: Home, thing: str) -> Snapshot:
    """Opens a snapshot by digest, at least 8 hex digits of it, or name.

    Raises ``NotFound``, ``AmbiguousName``, ``IntegrityError`` or ``NewerFormat``.
    """
    import pyarrow as pa

    digest = home.catalog.resolve(thing, "snapshot")
    manifest = canon.loads(home.blobs.get(digest), "manifest")
    if manifest["format"] > FORMAT:
        raise NewerFormat(
            f"Snapshot {digest[:19]} was written by a newer Lithify.", hint="Install a newer Lithify to read it."
        )
    row = home.catalog.snapshot(digest)
    layout = canon.loads(home.blobs.get(row.layout), "layout")
    index = home.blobs.path(layout["index"])
    if not index.exists():
        raise NotFound(f"The rows of snapshot {digest[:19]} are not in this home any more.", hint="They were erased.")
    table = from_arrow(pa.ipc.open_file(pa.memory_map(str(index))).read_all())
    return Snapshot(home, digest, manifest, layout, table)


@dataclass(frozen=True)
class Difference:
    """What changed from one snapshot to another; keys as hex digits."""

    added: list[str]
    removed: list[str]
    relabelled: list[str]
    moved: list[str]

    def to_json(self) -> dict[str, Any]:
        """Counts and keys."""
        return {name: {"rows": len(keys), "keys": keys} for name, keys in vars(self).items()}


def diff(old: Snapshot, new: Snapshot) -> Difference:
    """Rows added, removed, relabelled, and moved to another side, from ``old`` to ``new``."""
    before, after = _facts(old), _facts(new)
    both = before.keys() & after.keys()
    return Difference(
        added=sorted(after.keys() - before.keys()),
        removed=sorted(before.keys() - after.keys()),
        relabelled=sorted(key for key in both if before[key][0] != after[key][0]),
        moved=sorted(key for key in both if before[key][1] != after[key][1]),
    )


def _facts(snapshot: Snapshot) -> dict[str, tuple[str, int]]:
    keys = (key.tobytes().hex() for key in snapshot.table.key)
    labels = [snapshot.labels[code] for code in snapshot.table.label]
    return dict(zip(keys, zip(labels, snapshot.table.side.tolist(), strict=True), strict=True))
