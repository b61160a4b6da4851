"""Making a snapshot: read, merge, group, split, write, name."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data import duplicates, split
from lithify.data.chunks import Chunks, collect, ipc_bytes, work_folder
from lithify.data.merge import NewRows, merge, pick
from lithify.data.schema import Problem
from lithify.data.snapshot import FORMAT, Snapshot, open_snapshot
from lithify.data.source import Source
from lithify.data.table import RowTable, concatenate, fixed_binary, key_order, to_arrow
from lithify.errors import QuarantinedRows, TooFewRows, UsageError
from lithify.progress import Reporter, Update, silent
from lithify.store import blobs
from lithify.store.home import Home

SHARD_BYTES = 64 << 20


def snapshot(
    source: Source,
    home: Home,
    *,
    name: str | None = None,
    parent: Snapshot | None = None,
    rule: str = "auto",
    strict: bool = False,
    report: Reporter = silent,
) -> Snapshot:
    """Freezes a source into a snapshot.

    Parameters
    ----------
    source : Source
    home : Home
    name : str, optional
        A name for it in this home; moves there if another snapshot has it.
    parent : Snapshot, optional
        Its rows and their sides are kept; rows of the source that it lacks become a new generation.
    rule : str
        How rows are split: ``auto``, ``time``, ``hash``, ``group``, ``given``; see :mod:`lithify.data.split`.
    strict : bool
        Whether one quarantined row is an error.
    report : Reporter
        Told how far the work is.

    Raises
    ------
    TooFewRows
        No rows, or one label only.
    QuarantinedRows
        ``strict``, and a row was quarantined.
    UsageError
        A parent of another kind.
    """
    if name is not None:
        home.catalog.check_name(name)
    if parent is not None and parent.kind != source.kind:
        raise UsageError("The parent holds another kind of rows.", expected=parent.kind, found=source.kind)
    folder = work_folder(home.work, source)
    report(Update("reading", note=f"Reading {source.describe()}."))
    chunks = collect(source, folder, report)
    problems = list(chunks.problems)
    merged, copies = merge(chunks, problems)
    new, relabelled = _without(merged, parent)
    _check(new, parent, problems, strict)
    labels = sorted({*new.label, *relabelled.values(), *(parent.labels if parent else ())})
    report(Update("grouping", note="Looking for near-duplicates."))
    table = _join(new, labels, parent, relabelled)
    table = replace(table, group=duplicates.groups(table.signature, table.field_group))
    table, decided = _split(table, new, rule, problems)
    report(Update("writing", note="Writing the snapshot."))
    layout, table = _store(home, folder, chunks, new, table, parent)
    counts = {"copies": copies, "truncated": chunks.truncated, "relabelled": len(relabelled)}
    manifest = _manifest(source.kind, labels, table, decided, counts, problems, parent)
    digest = publish(home, manifest, layout, problems, name)
    shutil.rmtree(folder, ignore_errors=True)
    return open_snapshot(home, digest)


def _without(new: NewRows, parent: Snapshot | None) -> tuple[NewRows, dict[int, str]]:
    """The rows that the parent lacks, and new labels (by row number of the parent) of those it has."""
    if parent is None:
        return new, {}
    known = {key.tobytes(): row for row, key in enumerate(parent.table.key)}
    at = [known.get(key.tobytes(), -1) for key in new.table.key]
    relabelled = {
        row: text
        for row, text in zip(at, new.label, strict=True)
        if row >= 0 and parent.labels[parent.table.label[row]] != text
    }
    return pick(new, np.flatnonzero(np.array(at, dtype=np.int64) < 0)), relabelled


def _check(new: NewRows, parent: Snapshot | None, problems: Sequence[Problem], strict: bool) -> None:
    if strict and problems:
        first = problems[0]
        raise QuarantinedRows(
            f"{len(problems)} rows would be quarantined.",
            found=f"{first.origin}: {first.reason}" + (f" ({first.detail})" if first.detail else ""),
            hint="Mend them, or leave out --strict.",
        )
    labels = {*new.label, *(parent.labels if parent else ())}
    if parent is None and not len(new.table):
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(Counter(p.reason for p in problems).items()))
        raise TooFewRows("There are no rows to learn from.", found=reasons or "an empty source")
    if len(labels) < 2:
        raise TooFewRows(
            "All rows carry the same label.", expected="at least two labels", found=f"only {next(iter(labels))!r}"
        )


def _join(
    new: NewRows, labels: list[str], parent: Snapshot | None, relabelled: dict[int, str]
) -> RowTable:
    """One table of the parent's rows and the new ones, in the order of the keys.

    A new row has shard -1 and as position its number in ``new``.
    """
    code = {text: i for i, text in enumerate(labels)}
    codes = np.array([code[text] for text in new.label], dtype=np.int32)
    fresh = replace(new.table, label=codes, position=np.arange(len(codes), dtype=np.int32))
    if parent is None:
        return fresh
    old_codes = np.array([code[text] for text in parent.labels], dtype=np.int32)[parent.table.label]
    for row, text in relabelled.items():
        old_codes[row] = code[text]
    generation = np.full(len(codes), parent.table.generation.max() + 1, dtype=np.uint16)
    both = concatenate(replace(parent.table, label=old_codes), replace(fresh, generation=generation))
    return both.take(key_order(both.key))


def _split(
    table: RowTable, new: NewRows, rule: str, problems: list[Problem]
) -> tuple[RowTable, split.Split]:
    """Sides for the new rows; new rows of a group that already stands on two sides go to quarantine."""
    torn = _torn(table)
    problems.extend(Problem("", "two sides", key=table.key[row].tobytes()) for row in np.flatnonzero(torn))
    table = table.take(np.flatnonzero(~torn))
    is_new = table.shard < 0
    given = [new.given[position] if fresh else None for position, fresh in zip(table.position, is_new, strict=True)]
    facts = split.Facts(table.key, table.label, table.time, table.group, given)
    decided = split.assign(facts, rule, np.where(is_new, np.uint8(split.UNDECIDED), table.side))
    _, first, member = np.unique(table.group, return_index=True, return_inverse=True)
    return replace(table, side=decided.side, group=first[member].astype(np.int64)), decided


def _torn(table: RowTable) -> NDArray[np.bool_]:
    """New rows of groups whose old rows stand on several sides."""
    old = (table.shard >= 0) & (table.side != split.EXCLUDED)
    # the two halves of validation count as one side
    side = np.where(table.side == split.STOP, split.CALIBRATE, table.side).astype(np.int64)
    low = np.full(len(table), 255)
    high = np.full(len(table), -1)
    np.minimum.at(low, table.group[old], side[old])
    np.maximum.at(high, table.group[old], side[old])
    torn: NDArray[np.bool_] = (table.shard < 0) & (low[table.group] < high[table.group])
    return torn


def _store(
    home: Home, folder: Path, chunks: Chunks, new: NewRows, table: RowTable, parent: Snapshot | None
) -> tuple[dict[str, Any], RowTable]:
    """Writes the new contents as shards and the table as the index; a shard written before is not written again."""
    names = list(parent.layout["shards"]) if parent else []
    fresh = np.flatnonzero(table.shard < 0)
    shard, position = table.shard.copy(), table.position.copy()
    for number, rows in enumerate(_shares(table.key[fresh], chunks.content_bytes)):
        members = fresh[rows]
        name = _shard(home, folder, f"{table.digest()[7:23]}-{number}", chunks, pick(new, table.position[members]))
        shard[members], position[members] = len(names), np.arange(len(members))
        names.append(name)
    table = replace(table, shard=shard, position=position)
    index = home.blobs.put(ipc_bytes(to_arrow(table)))
    return {"shards": names, "index": index}, table


def _shares(key: NDArray[np.uint8], size: int) -> list[slice]:
    """Rows, sorted by key, cut by leading bits into 2**k shards of about ``SHARD_BYTES``."""
    bits = max(0, (size - 1) // SHARD_BYTES).bit_length() if size else 0
    leading = (key[:, 0].astype(np.int64) << 8 | key[:, 1]) >> (16 - bits)
    edges = np.searchsorted(leading, np.arange((1 << bits) + 1))
    return [slice(int(a), int(b)) for a, b in zip(edges, edges[1:], strict=False) if b > a]


def _shard(home: Home, folder: Path, name: str, chunks: Chunks, new: NewRows) -> str:
    import pyarrow as pa

    note = folder / f"shard-{name}"
    if note.exists() and home.blobs.has(note.read_text()):
        return note.read_text()
    pieces, order = [], []
    for number in np.unique(new.chunk):
        at = np.flatnonzero(new.chunk == number)
        content = pa.ipc.open_file(pa.memory_map(str(chunks.files[number]))).read_all().column("content")
        pieces.append(content.combine_chunks().take(pa.array(new.row[at])))
        order.append(at)
    content = pa.concat_arrays(pieces).take(pa.array(np.argsort(np.concatenate(order), kind="stable")))
    written = home.blobs.put(ipc_bytes(pa.table({"key": fixed_binary(new.table.key), "content": content})))
    blobs.write_atomic(note, written.encode())
    return written


def _manifest(
    kind: str,
    labels: list[str],
    table: RowTable,
    decided: split.Split,
    counts: dict[str, int],
    problems: Sequence[Problem],
    parent: Snapshot | None,
) -> dict[str, Any]:
    sizes = np.bincount(table.group, minlength=1)
    timed = table.time[table.time != split.TIME_MISSING]
    generations = np.bincount(table.generation)
    return {
        "format": FORMAT,
        "kind": kind,
        "fields": [
            {"name": kind, "kind": kind, "role": "input"},
            {"name": "label", "kind": "category", "role": "label"},
        ],
        "labels": labels,
        "rows": {"count": len(table), "digest": table.digest()},
        "split": {
            "rule": decided.rule,
            "reason": decided.reason,
            "counts": split.counts(table.side, table.label, labels),
        },
        "groups": {"near_duplicate_groups": int((sizes > 1).sum()), "rows_in_them": int(sizes[sizes > 1].sum())},
        "generations": [int(n) for n in generations],
        "parent": parent.digest if parent else None,
        "period": [int(timed.min()), int(timed.max())] if len(timed) else None,
        "quarantine": dict(sorted(Counter(problem.reason for problem in problems).items())),
        **counts,
    }


def publish(
    home: Home,
    manifest: dict[str, Any],
    layout: dict[str, Any],
    problems: Sequence[Problem],
    name: str | None,
) -> str:
    """Stores manifest, layout and quarantine list, and enters the snapshot into the catalog; returns its digest."""
    digest = home.blobs.put(canon.dumps(manifest))
    listed = [
        {"origin": p.origin, "reason": p.reason, "detail": p.detail, "key": (p.key or b"").hex()} for p in problems
    ]
    quarantine = home.blobs.put(canon.dumps(listed)) if listed else None
    where = home.blobs.put(canon.dumps(layout))
    with home.catalog.transaction():
        home.catalog.add_snapshot(
            digest,
            manifest["kind"],
            manifest["rows"]["count"],
            layout=where,
            parent=manifest["parent"],
            quarantine=quarantine,
        )
        if name is not None:
            home.catalog.name(name, digest, move=True)
    return digest
