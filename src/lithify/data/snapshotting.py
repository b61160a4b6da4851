"""Making a snapshot: read, merge, group, split, write, name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from lithify.data import split
from lithify.data.chunks import Chunks, collect, work_folder
from lithify.data.growth import Growth, excluded, lacking, reasons
from lithify.data.manifest import make_manifest, publish
from lithify.data.merge import Rows, grouped, join, merge
from lithify.data.schema import Field, Problem, Task
from lithify.data.shards import store
from lithify.data.snapshot import Snapshot, open_snapshot
from lithify.data.source import Source
from lithify.errors import QuarantinedRows, RunBusy, TooFewRows, UsageError
from lithify.progress import Reporter, Update, silent
from lithify.store.home import Home
from lithify.store.lock import Lock

MAX_LABELS = 1000
LABELS = (
    "Give a folder with one sub-folder per label, the folder that holds both the index and the files it names, or a "
    "table with a column of labels."
)
"""What to do about data without labels."""


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
    """Freezes a source into a snapshot; an interrupted call is taken up where it ended by calling again.

    Parameters
    ----------
    source : Source
    home : Home
    name : str, optional
        A name for it in this home; moves there if another snapshot has it.
    parent : Snapshot, optional
        Its rows and their sides are kept; rows of the source that it lacks become a new generation. Where there is
        nothing new, the parent itself is returned.
    rule : str
        How rows are split: ``auto``, ``time``, ``hash``, ``group``, ``given``; see :mod:`lithify.data.split`.
    strict : bool
        Whether one quarantined row is an error.
    report : Reporter
        Told how far the work is.

    Raises
    ------
    TooFewRows
        No rows, or one label only, altogether or to train on.
    QuarantinedRows
        ``strict``, and a row was quarantined.
    UsageError
        A parent of another kind, a split that does not fit the rows, more labels than anybody has.
    RunBusy
        Another process is snapshotting this source.
    """
    return grow(source, home, name=name, parent=parent, rule=rule, strict=strict, report=report)[0]


def grow(
    source: Source,
    home: Home,
    *,
    name: str | None = None,
    parent: Snapshot | None = None,
    rule: str = "auto",
    strict: bool = False,
    report: Reporter = silent,
) -> tuple[Snapshot, Growth]:
    """:func:`snapshot`, and what the source brought to the parent."""
    if name is not None:
        home.catalog.check_name(name)
    if parent is not None and parent.kind != source.kind:
        raise UsageError("The parent holds another kind of rows.", expected=parent.kind, found=source.kind)
    if parent is not None and (_read_from(parent.fields), parent.task) != (_read_from(source.fields), source.task):
        raise UsageError(
            "The parent has other fields.",
            expected=_listed(parent.task, parent.fields),
            found=_listed(source.task, source.fields),
            hint="Name kinds by --field NAME=KIND, or make a snapshot without a parent.",
        )
    with _working(work_folder(home.work, source)) as folder:
        report(Update("reading", note=f"Reading {source.describe()}."))
        chunks = collect(source, folder, report)
        for note in source.notes():
            report(Update("reading", note=note))
        digest, growth = _freeze(home, folder, chunks, source, name, parent, rule, strict, report)
    return open_snapshot(home, digest), growth


def _read_from(fields: Sequence[Field]) -> list[Field]:
    """The fields that a row is made of; columns that are left out may come and go."""
    return [field for field in fields if field.role != "left out"]


def _listed(task: str, fields: Sequence[Field]) -> str:
    names = [f"{field.name} ({field.kind}, {field.role}{', ' if field.form else ''}{field.form})" for field in fields]
    return f"{task} from {', '.join(names[:50])}{' and more' if len(names) > 50 else ''}"


def _freeze(
    home: Home,
    folder: Path,
    chunks: Chunks,
    source: Source,
    name: str | None,
    parent: Snapshot | None,
    rule: str,
    strict: bool,
    report: Reporter,
) -> tuple[str, Growth]:
    """From chunks to the digest of a snapshot in the catalog, and what the source brought to the parent."""
    rows, copies, torn = merge(chunks)
    problems = [*chunks.problems, *torn]
    if source.kind == "table" and not len(rows.table):  # no parent makes up for a table without rows
        _check(rows, problems, source.task, strict)
    known = relabelled = 0
    if parent is not None:
        rows, known, relabelled = join(rows, parent)
    lacks = 0 if parent is None else lacking(parent.table, known, problems)
    _check(rows, problems, source.task, strict)
    if parent is None or relabelled or rows.new.any():
        report(Update("grouping", note=f"Looking for {'equal rows' if source.kind == 'table' else 'near-duplicates'}."))
        rows, two_sided = grouped(rows, chunks)
        problems += two_sided
        _check(rows, problems, source.task, strict)
    if parent is not None and not relabelled and not rows.new.any():
        same = Growth(known=known, removed=lacks, copies=copies, quarantined=reasons(problems))
        return _unchanged(home, parent, name, problems, report), same
    decided = split.assign(_split_facts(rows, source.task), rule, rows.table.side, source.kind)
    rows = replace(rows, table=replace(rows.table, side=decided.side))
    _check_training(rows, source.task)
    report(Update("writing", note="Writing the snapshot."))
    layout, table = store(home, folder, chunks, rows.table, parent)
    counted = {"copies": copies, "truncated": chunks.truncated, "relabelled": relabelled}
    manifest = make_manifest(source, rows.labels, table, decided, counted, problems, parent)
    growth = Growth(
        added=int(rows.new.sum()),
        known=known,
        removed=lacks,
        relabelled=relabelled,
        excluded=excluded(decided.side, rows.new),
        copies=copies,
        quarantined=reasons(problems),
    )
    return publish(home, manifest, layout, problems, name), growth


@contextmanager
def _working(folder: Path) -> Iterator[Path]:
    """The folder of unfinished work, this process's alone; removed once the work is done."""
    lock = Lock(folder / "lock")
    try:
        lock.acquire()
    except RunBusy:
        raise RunBusy("Another process is snapshotting this source.", hint="Wait for it, then run again.") from None
    try:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def _check(rows: Rows, problems: Sequence[Problem], task: Task, strict: bool) -> None:
    if strict and problems:
        first = problems[0]
        raise QuarantinedRows(
            f"{len(problems)} {'row' if len(problems) == 1 else 'rows'} would be quarantined.",
            found=f"{first.origin}: {first.reason}" + (f" ({first.detail})" if first.detail else ""),
            hint="Mend them, or leave out --strict.",
        )
    told = _told(problems)
    if not len(rows.table):
        unlabelled = any(problem.reason == "no label" for problem in problems)
        raise TooFewRows(
            "There are no rows to learn from.", found=told or "an empty source", hint=LABELS if unlabelled else None
        )
    if task == "regression":
        return
    if len(rows.labels) < 2:
        raise TooFewRows(
            "All rows carry the same label.",
            expected="at least two labels",
            found=f"only {rows.labels[0]!r}" + (f"; not read: {told}" if told else ""),
            hint=LABELS,
        )
    if len(rows.labels) > MAX_LABELS:
        raise UsageError(
            "These are no labels.",
            expected=f"at most {MAX_LABELS:,} different ones",
            found=f"{len(rows.labels):,}",
            hint="Name the column with the labels by --label, or predict its values by --task regression.",
        )


def _told(problems: Sequence[Problem]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in reasons(problems).items())


def _unchanged(home: Home, parent: Snapshot, name: str | None, problems: Sequence[Problem], report: Reporter) -> str:
    left = f" Not read: {_told(problems)}." if problems else ""
    report(Update("finished", note=f"The source holds nothing that the parent lacks; this is the parent.{left}"))
    if name is not None:
        home.catalog.name(name, parent.digest, move=True)
    return parent.digest


def _split_facts(rows: Rows, task: Task) -> split.Facts:
    table = rows.table
    strata = table.label if task == "classification" else split.strata(table.value)
    return split.Facts(table.key[:, :8], strata, table.time, table.group, rows.given, table.field_group != 0)


def _check_training(rows: Rows, task: Task) -> None:
    if task == "regression" and (rows.table.side == split.TRAIN).any():
        return
    label = rows.table.label[rows.table.side == split.TRAIN]
    if len(np.unique(label)) < 2:
        raise TooFewRows(
            "The split leaves fewer than two labels to train on.",
            expected="training rows of at least two labels",
            found=f"{len(label):,} training rows",
            hint="Use --split hash, or give more data.",
        )
