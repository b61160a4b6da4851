"""The audit: every kind of finding on one snapshot.

Leaks, repeats and drift are looked for in the inputs of all rows; labels only of training and validation, so that an
audit spends nothing of what a test is good for. Of test labels it reads counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from lithify import canon
from lithify.data.cells import as_text, decode_row, layout
from lithify.data.snapshot import Snapshot
from lithify.evaluation.audit import drift, images, labels, leaks, messages, repeats, usefulness
from lithify.evaluation.audit.finding import Audit, Figure, Finding, Item, ordered
from lithify.evaluation.audit.scene import Scene, scene
from lithify.evaluation.mistakes import shorten
from lithify.media import headers, pixels
from lithify.progress import Reporter, Update, silent

SHOWN_ROWS = 20
"""Rows of a finding whose content is shown, where that is asked for."""


def audit(
    snapshot: Snapshot,
    *,
    test_labels: bool = False,
    show_content: bool = False,
    report: Reporter = silent,
) -> Audit:
    """Looks for what is wrong with a dataset.

    Parameters
    ----------
    snapshot : Snapshot
    test_labels : bool
        Whether test rows are searched for wrong labels too; that is a look at the test, and is counted as one.
    show_content : bool
        Whether rows are shown, and not only named by their keys.
    report : callable
        Told how far the work is.

    Returns
    -------
    Audit
        The same for the same snapshot, whoever asks and however many threads there are.
    """
    report(Update("looking at rows"))
    seen = scene(snapshot, test_labels)
    found = ordered(_findings(seen, report))
    if show_content:
        found = tuple(_with_content(snapshot, finding) for finding in found)
    if test_labels and seen.in_all[1]:
        # the ledger names who looked; an audit has no model
        snapshot.home.catalog.look(snapshot.digest, "test", canon.digest_of({"audit": snapshot.digest}))
    return Audit(snapshot.digest, found, _looked_at(seen), tuple(_remarks(seen)))


def _findings(seen: Scene, report: Reporter) -> Iterator[Finding]:
    report(Update("measuring fields"))
    strength = leaks.strengths(seen)
    kinds: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("looking for leaks", lambda: leaks.leaks(seen, strength)),
        ("looking for leaks", lambda: leaks.label_by_time(seen)),
        ("looking for copies", lambda: repeats.repeats(seen)),
        ("looking at pictures", lambda: images.images(seen)),
        ("comparing the sides", lambda: drift.drift(seen, strength)),
        ("reading words", lambda: messages.messages(seen, report)),
        ("learning", lambda: labels.labels(seen, report)),
        ("looking at fields", lambda: leaks.identifiers(seen)),
        ("looking at fields", lambda: usefulness.emptiness(seen)),
        ("looking at fields", lambda: usefulness.copies(seen)),
        ("looking at fields", lambda: usefulness.cardinality(seen)),
        ("looking at fields", lambda: usefulness.small_labels(seen)),
    ]
    for stage, look in kinds:
        report(Update(stage))
        yield from look()


def _looked_at(seen: Scene) -> dict[str, Figure]:
    return {
        "learnable_rows": seen.learn,
        "learnable_rows_in_all": seen.in_all[0],
        "test_rows": len(seen.rows) - seen.learn,
        "test_rows_in_all": seen.in_all[1],
        "test_labels": "read" if seen.test_labels else "counted only",
    }


def _remarks(seen: Scene) -> Iterator[str]:
    test = len(seen.rows) - seen.learn
    if seen.learn < seen.in_all[0] or test < seen.in_all[1]:
        yield (
            f"Looked at {seen.learn:,} of {seen.in_all[0]:,} rows to learn from and {test:,} of {seen.in_all[1]:,} "
            "test rows, those with the smallest keys: as good as drawn, and always the same."
        )
    if seen.test_labels:
        yield "Labels of test rows were read: that is noted as a look at the test."
    else:
        yield "Of test rows only the inputs were looked at, and labels only counted: no look at the test is spent."
    if seen.snapshot.kind == "image":
        yield "Wrong labels of pictures were looked for among near-duplicates only."
    elif seen.learn < labels.LEAST_ROWS:
        yield f"Wrong labels were not looked for: that takes {labels.LEAST_ROWS} rows to learn from."
    if np.isnan(seen.time).mean() > 0.5:
        yield "The rows have no times, so nothing can be said of fields that age."


def _with_content(snapshot: Snapshot, finding: Finding) -> Finding:
    """The same with what its first rows hold."""
    if finding.what != "rows":
        return finding
    number = {key.tobytes().hex(): row for row, key in enumerate(snapshot.table.key)}
    shown = [replace(item, content=_content(snapshot, number[item.name])) for item in finding.items[:SHOWN_ROWS]]
    rest: tuple[Item, ...] = finding.items[SHOWN_ROWS:]
    return replace(finding, items=(*shown, *rest))


def _seen(content: bytes) -> str:
    """Format and size of a picture."""
    try:
        seen = pixels.look(content)
    except pixels.BadImage as error:
        return str(error)
    return f"{seen.format}, {seen.width:,} × {seen.height:,} pixels"


def _content(snapshot: Snapshot, row: int) -> str:
    content = snapshot.content([row])[0]
    if snapshot.kind == "image":
        return _seen(content)
    if snapshot.kind == "mail":
        subject = headers.first(headers.split(content)[0], b"subject") or b""
        return "Subject: " + shorten(subject.decode("utf-8", "replace"), 200)
    if snapshot.kind == "text":
        return shorten(content.decode("utf-8", "replace"), 200)
    at = layout(snapshot.inputs)
    numbers, strings = decode_row(at, content)
    cells = [*zip(at.numbers, numbers, strict=True), *zip(at.strings, strings, strict=True)]
    named = sorted((field.name, as_text(field, cell)) for field, cell in cells)
    return shorten(", ".join(f"{name} = {text}" for name, text in named), 400)
