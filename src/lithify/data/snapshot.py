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
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data import split
from lithify.data.schema import Field, FieldKind, Form, Role, Task
from lithify.data.table import RowTable, copy_key, from_arrow, key_words, locate, read_ipc
from lithify.errors import IntegrityError, MalformedContainer, NewerFormat, NotFound
from lithify.store.home import Home

FORMAT = 1
_FIELDS: dict[str, Any] = {
    "kind": str, "task": str, "fields": list, "parent": (str, type(None)), "labels": list, "rows": dict,
    "split": dict, "groups": dict, "generations": list, "period": (list, type(None)), "quarantine": dict,
    "copies": int, "truncated": int,
}  # fmt: skip
_SIDES = (split.TRAIN, split.STOP, split.CALIBRATE, split.TEST, split.EXCLUDED, split.UNDECIDED)
_MAPPED = 2
"""Shards that are mapped at a time, so that reading many does not fill the memory."""


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
    _checked: set[int] = field(default_factory=set, repr=False, compare=False)

    @property
    def kind(self) -> str:
        """What a row's content is: ``mail``, ``text``, ``table`` or ``image``."""
        return str(self.manifest["kind"])

    @property
    def side(self) -> int:
        """Median of the shorter sides of the training images in pixels; 0 for other kinds of rows."""
        return int((self.manifest.get("images") or {}).get("side", 0))

    @property
    def channels(self) -> int:
        """1 where all training images are grey, else 3; 0 for other kinds of rows."""
        return int((self.manifest.get("images") or {}).get("channels", 0))

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""
        return str(self.manifest["task"])

    @property
    def fields(self) -> tuple[Field, ...]:
        """The columns of a table, sorted by name; empty for other kinds."""
        return tuple(Field(**field) for field in self.manifest["fields"])

    @property
    def inputs(self) -> tuple[Field, ...]:
        """The fields that are in a row's content."""
        return tuple(field for field in self.fields if field.role == "input")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted; ``table.label`` holds positions in it. None in regression."""
        return tuple(self.manifest["labels"])

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        learns = f"labels {', '.join(self.labels)}" if self.labels else "values to predict"
        return f"<Snapshot {self.digest[7:19]}: {len(self):,} rows of {self.kind}, {learns}>"

    def rows(self, side: str) -> NDArray[np.int64]:
        """Row numbers of ``train``, ``validation`` or ``test``."""
        return np.flatnonzero(np.isin(self.table.side, split.SIDES[side]))

    def content(self, rows: Sequence[int] | NDArray[np.integer]) -> list[bytes]:
        """The canonical inputs of some rows, in the order given.

        A shard is checked against its digest when it is first read. Raises ``IntegrityError`` when it is damaged,
        ``NotFound`` when it was erased.
        """
        numbers = np.asarray(rows, dtype=np.int64)
        result: list[bytes] = [b""] * len(numbers)
        shards = self.table.shard[numbers]
        for shard in np.unique(shards):
            at = np.flatnonzero(shards == shard)
            values = self._shard(int(shard)).take(self.table.position[numbers[at]]).to_pylist()
            for i, value in zip(at.tolist(), values, strict=True):
                result[i] = value
        return result

    def batches(self, rows: NDArray[np.integer], size: int = 1024) -> Iterator[tuple[NDArray[np.integer], list[bytes]]]:
        """Row numbers and contents, ``size`` rows at a time, so that memory stays flat."""
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            yield some, self.content(some)

    def verify(self) -> None:
        """Checks every byte: manifest, layout, index, shards, and each content against its key.

        Raises ``IntegrityError`` at the first thing that does not fit, ``NotFound`` for what is not there.
        """
        fresh = open_snapshot(self.home, self.digest)
        for rows, contents in fresh.batches(np.arange(len(fresh))):
            for row, content in zip(rows.tolist(), contents, strict=True):
                key = copy_key(hashlib.sha256(content).digest(), int(fresh.table.copy[row]))
                if key != fresh.table.key[row].tobytes():
                    raise IntegrityError(
                        f"A content of snapshot {self.digest[:19]} does not fit its key.",
                        found=fresh.table.key[row].tobytes().hex(),
                    )

    def _shard(self, number: int) -> Any:
        """The content column of one shard, memory-mapped; the one mapped first gives way to it."""
        if number not in self._shards:
            path = _existing(self.home, self.layout["shards"][number], self.digest)
            if number not in self._checked:
                self.home.blobs.verified(self.layout["shards"][number])
                self._checked.add(number)
            while len(self._shards) >= _MAPPED:
                del self._shards[next(iter(self._shards))]
            column = read_ipc(path).column("content")
            # one piece stays mapped; several are copied
            self._shards[number] = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        return self._shards[number]


def open_snapshot(home: Home, thing: str) -> Snapshot:
    """Opens a snapshot by digest, at least 8 hex digits of it, or name.

    Manifest, layout and row table are checked; the contents are when they are read.

    Raises ``NotFound``, ``AmbiguousName``, ``IntegrityError`` or ``NewerFormat``.
    """
    digest = home.catalog.resolve(thing, "snapshot")
    row = home.catalog.snapshot(digest)
    if row.erased or row.layout is None:
        raise NotFound(f"The rows of snapshot {digest[:19]} are not in this home any more.", hint="They were erased.")
    _existing(home, digest, digest)
    manifest = read_manifest(home.blobs.get(digest), digest)
    layout = read_layout(home.blobs.get(row.layout))
    _existing(home, layout["index"], digest)
    table = from_arrow(read_ipc(home.blobs.verified(layout["index"])))
    _check(table, manifest, layout, digest)
    return Snapshot(home, digest, manifest, layout, table)


def read_manifest(data: bytes, digest: str) -> dict[str, Any]:
    """A manifest as it was stored; raises ``MalformedContainer`` or ``NewerFormat``."""
    manifest = canon.loads(data, "manifest")
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise MalformedContainer(f"The manifest of snapshot {digest[:19]} has no format.")
    if manifest["format"] > FORMAT:
        raise NewerFormat(
            f"Snapshot {digest[:19]} was written by a newer Lithify.",
            expected=f"format {FORMAT} or older",
            found=f"format {manifest['format']}",
            hint="Install a newer Lithify to read it.",
        )
    wrong = [name for name, types in _FIELDS.items() if not isinstance(manifest.get(name), types)]
    if not wrong:
        labels = manifest["labels"]
        wrong = [] if all(isinstance(x, str) for x in labels) and labels == sorted(set(labels)) else ["labels"]
        wrong += [] if _are_image_facts(manifest) else ["images"]
        wrong += [] if manifest["task"] in get_args(Task) and _are_fields(manifest["fields"]) else ["task, fields"]
    if wrong:
        raise MalformedContainer(
            f"The manifest of snapshot {digest[:19]} has the wrong fields.", found=", ".join(wrong)
        )
    return manifest


def _are_image_facts(manifest: dict[str, Any]) -> bool:
    """Whether images have their facts, and nothing else has."""
    facts = manifest.get("images")
    if manifest["kind"] != "image" or facts is None:
        return facts is None and manifest["kind"] != "image"
    if not isinstance(facts, dict) or facts.keys() != {"side", "channels", "smallest", "largest"}:
        return False
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in facts.values())
    return (
        whole and facts["channels"] in (1, 3) and 1 <= facts["smallest"] <= facts["side"] <= facts["largest"] <= 65535
    )


def _are_fields(listed: list[Any]) -> bool:
    """Whether these are the fields of a table, each once and sorted by name."""
    choices = {"kind": get_args(FieldKind), "role": get_args(Role), "form": get_args(Form)}
    for one in listed:
        if not isinstance(one, dict) or one.keys() != {"name", *choices} or not isinstance(one["name"], str):
            return False
        if any(one[name] not in known for name, known in choices.items()):
            return False
    names = [one["name"] for one in listed]
    return names == sorted(set(names))


def read_layout(data: bytes) -> dict[str, Any]:
    """A layout as it was stored; raises ``MalformedContainer``."""
    layout = canon.loads(data, "layout")
    names = [layout.get("index"), *layout.get("shards", [None])] if isinstance(layout, dict) else [None]
    if not all(isinstance(name, str) and canon.is_digest(name) for name in names):
        raise MalformedContainer("A layout must name an index and shards by their digests.")
    return dict(layout)


def _existing(home: Home, name: str, digest: str) -> Path:
    path = home.blobs.path(name)
    if not path.exists():
        raise NotFound(
            f"Snapshot {digest[:19]} is not whole in this home any more.",
            found=f"no object {name[:19]}",
            hint="It was erased, or the home is incomplete.",
        )
    return path


def _check(table: RowTable, manifest: dict[str, Any], layout: dict[str, Any], digest: str) -> None:
    """The table must be the one that the name stands for; where its contents lie must be possible."""
    if manifest["rows"] != {"count": len(table), "digest": table.digest()}:
        raise IntegrityError(f"The row table of snapshot {digest[:19]} is not the one it was named by.")
    if len(table) and not (table.shard.min() >= 0 and table.shard.max() < len(layout["shards"])):
        raise IntegrityError(f"The row table of snapshot {digest[:19]} refers to a shard that is not there.")
    possible = (
        ((table.label >= 0) & (table.label < max(1, len(manifest["labels"])))).all(),
        np.isfinite(table.value).all(),
        ((table.group >= 0) & (table.group <= np.arange(len(table)))).all(),
        (table.generation < len(manifest["generations"])).all(),
        np.isin(table.side, _SIDES).all(),
        _ascending(table.key),
    )
    if not all(possible):
        raise MalformedContainer(f"The row table of snapshot {digest[:19]} holds what no row can have.")


def _ascending(key: NDArray[np.uint8]) -> bool:
    """Whether the keys are sorted and none stands twice."""
    words = key_words(key)
    later = np.zeros(max(0, len(words) - 1), dtype=bool)
    for word in words.T[::-1]:
        later = (word[1:] > word[:-1]) | ((word[1:] == word[:-1]) & later)
    return bool(later.all())


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
    """Rows added, removed, relabelled, and moved to another side, from ``old`` to ``new``.

    In regression a row with another value counts as relabelled.
    """
    at = locate(new.table.key, old.table.key)
    here = np.flatnonzero(at >= 0)
    there = at[here]
    if old.task == new.task == "regression":
        relabelled = old.table.value[there] != new.table.value[here]
    else:
        old_label, new_label = (np.array(each.labels or ("",), dtype=object) for each in (old, new))
        relabelled = old_label[old.table.label[there]] != new_label[new.table.label[here]]
    return Difference(
        added=_hex(new, np.flatnonzero(at < 0)),
        removed=_hex(old, np.setdiff1d(np.arange(len(old)), there)),
        relabelled=_hex(new, here[relabelled]),
        moved=_hex(new, here[old.table.side[there] != new.table.side[here]]),
    )


def _hex(snapshot: Snapshot, rows: NDArray[np.integer]) -> list[str]:
    return [key.tobytes().hex() for key in snapshot.table.key[rows]]
