"""The first half of snapshotting: rows stream from the source into sorted chunk files, which survive a kill.

A chunk holds the next few thousand rows of the source with all that is derived from their content. It is written
atomically, so an interrupted reading goes on after the last whole chunk: the rows before it are skipped, not parsed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from lithify import canon
from lithify.data import duplicates
from lithify.data.schema import Problem, Row
from lithify.data.source import Source
from lithify.data.split import TIME_MISSING
from lithify.data.table import fixed_binary
from lithify.media import mime
from lithify.progress import Reporter, Update
from lithify.store import blobs

CHUNK_ROWS = 4096
CHUNK_BYTES = 32 << 20
REVISION = 1
"""Changes with the layout of a chunk file, so that an older one is not taken for a new one."""


@dataclass(frozen=True)
class Chunks:
    """Finished chunk files and what was not a row.

    Attributes
    ----------
    files : list of Path
        Arrow IPC files, each sorted by key.
    problems : list of Problem
    rows, truncated : int
        Rows read, and how many of them were cut at the read limit.
    content_bytes : int
    """

    files: list[Path]
    problems: list[Problem]
    rows: int
    truncated: int
    content_bytes: int


def work_folder(work: Path, source: Source) -> Path:
    """Where the chunks of this source lie: another folder as soon as the source changes."""
    name = canon.digest_of([REVISION, duplicates.REVISION, source.kind, source.signature()])
    return work / ("snapshot-" + name.removeprefix(canon.DIGEST_PREFIX)[:24])


def collect(source: Source, folder: Path, report: Reporter) -> Chunks:
    """Reads the source into chunk files under ``folder``, going on after those already there."""
    folder.mkdir(parents=True, exist_ok=True)
    blobs.sweep(folder)
    done = _finished(folder)
    origin = source.rows()
    skipped = sum(1 for _ in islice(origin, sum(entry["seen"] for entry in done)))
    if skipped:
        report(Update("reading", skipped, note=f"Going on after {skipped:,} rows read before."))
    entries = list(done)
    for number, batch in enumerate(_batches(origin), start=len(done)):
        entries.append(_write(folder, number, batch, source.kind))
        report(Update("reading", sum(entry["seen"] for entry in entries)))
    return Chunks(
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


def _batches(rows: Iterator[Row | Problem]) -> Iterator[list[Row | Problem]]:
    batch: list[Row | Problem] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.content) if isinstance(row, Row) else 0
        if len(batch) >= CHUNK_ROWS or size >= CHUNK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write(folder: Path, number: int, batch: list[Row | Problem], kind: str) -> dict[str, Any]:
    problems = [item for item in batch if isinstance(item, Problem)]
    rows = []
    for item in batch:
        if isinstance(item, Row):
            refusal = _refusal(item)
            if refusal:
                problems.append(refusal)
            else:
                rows.append((item.key, item))
    rows.sort(key=lambda pair: pair[0])
    file = folder / f"{number:06d}.arrow"
    entry = {
        "file": file.name,
        "digest": blobs.write_atomic(file, _arrow(rows, kind)),
        "seen": len(batch),
        "rows": len(rows),
        "truncated": sum(row.truncated for _, row in rows),
        "bytes": sum(len(row.content) for _, row in rows),
        "problems": [[item.origin, item.reason, item.detail, (item.key or b"").hex()] for item in problems],
    }
    blobs.write_atomic(folder / f"{number:06d}.json", json.dumps(entry).encode("utf-8", "surrogateescape"))
    return entry


def _refusal(row: Row) -> Problem | None:
    if not row.content.strip():
        return Problem(row.origin, "empty", key=row.key)
    if row.label is None or not row.label.strip():
        return Problem(row.origin, "no label", key=row.key)
    return None


def _arrow(rows: list[tuple[bytes, Row]], kind: str) -> bytes:
    import pyarrow as pa

    keys = np.frombuffer(b"".join(key for key, _ in rows), dtype=np.uint8).reshape(len(rows), 32)
    signatures = np.empty((len(rows), duplicates.BINS), dtype=np.uint16)
    for i, (_, row) in enumerate(rows):
        signatures[i] = duplicates.signature(shown_text(row.content, kind))
    table = pa.table(
        {
            "key": fixed_binary(keys),
            "content": pa.array([row.content for _, row in rows], type=pa.large_binary()),
            "label": pa.array([row.label for _, row in rows], type=pa.string()),
            "time": pa.array([TIME_MISSING if row.time is None else row.time for _, row in rows], type=pa.int64()),
            "weight": pa.array([row.weight for _, row in rows], type=pa.float64()),
            "field_group": pa.array([_group_code(row.group) for _, row in rows], type=pa.uint64()),
            "given": pa.array([row.side for _, row in rows], type=pa.string()),
            "signature": fixed_binary(signatures),
            "origin": pa.array([_printable(row.origin) for _, row in rows], type=pa.string()),
        }
    )
    return ipc_bytes(table)


def shown_text(content: bytes, kind: str) -> bytes:
    """What near-duplicates are judged by: the text a person would read."""
    if kind == "mail":
        return mime.text(content, limit=duplicates.MAX_BYTES).encode("utf-8", "replace")
    return content


def ipc_bytes(table: Any) -> bytes:
    """An Arrow table as the bytes of an IPC file."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _group_code(group: str | None) -> int:
    if group is None:
        return 0
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "little") | 1


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _problem(item: list[str]) -> Problem:
    origin, reason, detail, key = item
    return Problem(origin, reason, detail, bytes.fromhex(key) or None)  # type: ignore[arg-type]
