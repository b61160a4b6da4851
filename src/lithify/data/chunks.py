"""The first half of snapshotting: rows stream from the source into sorted chunk files, which survive a kill.

A chunk holds the next few thousand rows of the source with all that is derived from their content. It is written
atomically, so an interrupted reading goes on after the last whole chunk: the rows before it are passed over, and
nothing is derived from them again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data import duplicates, split
from lithify.data.decoded import cores
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.data.table import binary, fixed_binary, ipc_buffer, numeric, strings
from lithify.media import mime
from lithify.media.pixels import BadImage
from lithify.progress import Reporter, Update
from lithify.store import blobs

CHUNK_ROWS = {"mail": 4096, "text": 4096, "table": 1 << 17, "image": 8192}
CHUNK_BYTES = {"mail": 16 << 20, "text": 16 << 20, "table": 64 << 20, "image": 64 << 20}
LARGEST_VALUE = 1e100
"""Values to predict that are larger are no measurements; squares of their differences could not be added up."""
MIN_WORDS = 3
"""Words of a message's text below which near-duplicates are judged by all of its content."""
_WRITERS = 2
"""Chunks of images that are signed and written at a time."""
REVISION = 4
"""Changes with the layout of a chunk file, so that an older one is not taken for a new one."""


@dataclass(frozen=True)
class Chunks:
    """Finished chunk files and what was not a row.

    Attributes
    ----------
    kind : str
        What the rows are.
    files : list of Path
        Arrow IPC files, each sorted by key.
    problems : list of Problem
    rows, truncated : int
        Rows read, and how many of them were cut at the read limit.
    content_bytes : int
    """

    kind: str
    files: list[Path]
    problems: list[Problem]
    rows: int
    truncated: int
    content_bytes: int


def work_folder(work: Path, source: Source) -> Path:
    """Where the chunks of this source lie: another folder as soon as the source changes."""
    judged = duplicates.REVISION
    if source.kind == "image":
        from lithify.data import pictures

        judged = pictures.REVISION
    name = canon.digest_of([REVISION, judged, source.kind, source.signature()])
    return work / ("snapshot-" + name.removeprefix(canon.DIGEST_PREFIX)[:24])


def collect(source: Source, folder: Path, report: Reporter) -> Chunks:
    """Reads the source into chunk files under ``folder``, going on after those already there."""
    folder.mkdir(parents=True, exist_ok=True)
    blobs.sweep(folder)
    done = _finished(folder)
    origin = source.rows()
    skipped = sum(1 for _ in islice(origin, sum(entry["seen"] for entry in done)))
    if skipped:
        report(Update("reading", skipped, note=f"Going on after what was read before: {skipped:,}."))
    entries = list(done)
    for entry in _written(folder, _batches(origin, source.kind), len(done), source):
        entries.append(entry)
        report(Update("reading", sum(entry["seen"] for entry in entries)))
    return Chunks(
        kind=source.kind,
        files=[folder / entry["file"] for entry in entries],
        problems=[_problem(item) for entry in entries for item in entry["problems"]],
        rows=sum(entry["rows"] for entry in entries),
        truncated=sum(entry["truncated"] for entry in entries),
        content_bytes=sum(entry["bytes"] for entry in entries),
    )


def _finished(folder: Path) -> list[dict[str, Any]]:
    """The entries of chunks 0, 1, 2, ... as far as both the chunk and its entry are whole."""
    entries: list[dict[str, Any]] = []
    while (note := folder / f"{len(entries):06d}.json").exists():
        entry = json.loads(note.read_bytes())
        file = folder / entry["file"]
        if not file.exists() or canon.digest_file(file) != entry["digest"]:
            break
        entries.append(entry)
    return entries


def _batches(rows: Iterator[Row | Problem], kind: str) -> Iterator[list[Row | Problem]]:
    batch: list[Row | Problem] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.content) if isinstance(row, Row) else 0
        if len(batch) >= CHUNK_ROWS[kind] or size >= CHUNK_BYTES[kind]:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _written(
    folder: Path, batches: Iterator[list[Row | Problem]], first: int, source: Source
) -> Iterator[dict[str, Any]]:
    """Writes one chunk after the other.

    Of images one is signed while the one before it is written and the next is read: most of it is work that lets go of
    the interpreter.
    """
    if source.kind != "image":
        for number, batch in enumerate(batches, start=first):
            yield _write(folder, number, batch, source, Lock())
        return
    decoding, pending = Lock(), deque[Future[dict[str, Any]]]()
    with ThreadPoolExecutor(_WRITERS) as pool:
        for number, batch in enumerate(batches, start=first):
            while len(pending) >= _WRITERS:
                yield pending.popleft().result()
            pending.append(pool.submit(_write, folder, number, batch, source, decoding))
        while pending:
            yield pending.popleft().result()


def _write(folder: Path, number: int, batch: list[Row | Problem], source: Source, decoding: Lock) -> dict[str, Any]:
    """Writes one chunk and then its entry, which makes the chunk count."""
    checked, signatures = _signed([_checked(item, source) for item in batch], source.kind, decoding)
    problems = [item for item in checked if isinstance(item, Problem)]
    found = [(row.key, row) for row in checked if isinstance(row, Row)]
    order = sorted(range(len(found)), key=lambda at: found[at][0])
    rows = [found[at] for at in order]
    table = _table(rows, None if signatures is None else signatures[order])
    file = folder / f"{number:06d}.arrow"
    entry = {
        "file": file.name,
        "digest": blobs.write_atomic(file, [memoryview(ipc_buffer(table))]),
        "seen": len(batch),
        "rows": len(rows),
        "truncated": sum(row.truncated for _, row in rows),
        "bytes": sum(len(row.content) for _, row in rows),
        "problems": [[item.origin, item.reason, item.detail, (item.key or b"").hex()] for item in problems],
    }
    blobs.write_atomic(folder / f"{number:06d}.json", json.dumps(entry).encode())
    return entry


def _checked(item: Row | Problem, source: Source) -> Row | Problem:
    if isinstance(item, Problem):
        return item
    if source.kind != "table" and not item.content.strip():
        return Problem(item.origin, "empty", key=item.key)
    if source.task == "regression":
        labelled = item.value is not None and math.isfinite(item.value)
        if labelled and abs(item.value or 0.0) > LARGEST_VALUE:
            return Problem(item.origin, "bad record", f"its value is beyond {LARGEST_VALUE:g}", key=item.key)
    else:
        labelled = item.label is not None and bool(item.label.strip())
    return item if labelled else Problem(item.origin, "no label", key=item.key)


def _signed(
    checked: list[Row | Problem], kind: str, decoding: Lock
) -> tuple[list[Row | Problem], NDArray[np.uint16] | None]:
    """Signatures of the rows, in their order, which rows of a table have none of yet.

    Images that cannot be decoded, which is seen here, become problems.
    """
    rows = [item for item in checked if isinstance(item, Row)]
    if kind == "table":
        return checked, None
    if kind == "image":
        from lithify.data import pictures

        signatures, bad = pictures.signatures([row.content for row in rows], cores(), decoding)
        found = iter(bad)
        checked = [item if isinstance(item, Problem) else _decodable(item, next(found)) for item in checked]
        return checked, signatures[[one is None for one in bad]]
    signatures = np.empty((len(rows), duplicates.BINS), dtype=np.uint16)
    for i, row in enumerate(rows):
        signatures[i] = duplicates.signature(shown_text(row.content, kind))
    return checked, signatures


def _decodable(row: Row, bad: BadImage | None) -> Row | Problem:
    return row if bad is None else Problem(row.origin, bad.reason, bad.detail, key=row.key)


def _table(rows: list[tuple[bytes, Row]], signatures: NDArray[np.uint16] | None) -> Any:
    """Everything that is derived from the contents; columns as in a :class:`RowTable` where they are the same."""
    import pyarrow as pa

    keys = np.frombuffer(b"".join(key for key, _ in rows), dtype=np.uint8).reshape(len(rows), 32)
    if signatures is None:
        signatures = np.ascontiguousarray(keys[:, :8]).view(np.uint16)
    times = [split.TIME_MISSING if row.time is None else row.time for _, row in rows]
    return pa.table(
        {
            "key": fixed_binary(keys),
            "content": binary([row.content for _, row in rows]),
            "label": strings([row.label or "" for _, row in rows]),
            "value": numeric(np.array([row.value or 0.0 for _, row in rows], dtype=np.float64)),
            "time": numeric(np.array(times, dtype=np.int64)),
            "weight": numeric(np.array([row.weight for _, row in rows], dtype=np.float64)),
            "field_group": numeric(np.array([_group_code(row.group) for _, row in rows], dtype=np.uint64)),
            "given": numeric(np.array([split.named(row.side) for _, row in rows], dtype=np.uint8)),
            "signature": fixed_binary(signatures),
            "origin": strings([row.origin for _, row in rows]),
        }
    )


def shown_text(content: bytes, kind: str) -> bytes:
    """What near-duplicates are judged by: the text a person would read.

    A message with next to no text, such as a picture, is judged by all of its content.
    """
    if kind != "mail":
        return content
    text = mime.text(content, limit=duplicates.MAX_BYTES)
    return text.encode("utf-8", "replace") if len(text.split(None, MIN_WORDS)) >= MIN_WORDS else content


def _group_code(group: str | None) -> int:
    """64 bits of the digest of a group's name, never 0."""
    if group is None:
        return 0
    return int.from_bytes(hashlib.sha256(group.encode("utf-8", "surrogatepass")).digest()[:8], "little") | 1


def _problem(item: list[str]) -> Problem:
    origin, reason, detail, key = item
    return Problem(origin, reason, detail, bytes.fromhex(key) or None)  # type: ignore[arg-type]
