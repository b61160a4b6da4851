"""The command `audit`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lithify.cli import options as o
from lithify.cli.kernels import tell_compiling
from lithify.cli.output import Terminal, count, plain, wrap
from lithify.cli.parser import Argument, Option
from lithify.cli.progress import Progress
from lithify.parsing import field_kinds

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.audit.finding import Audit, Figure, Finding, Item

_COLOURS = {"danger": "red", "warning": "yellow", "note": "blue"}
_HEADS = {"danger": "Dangers", "warning": "Warnings", "note": "Notes"}
LISTED = 10
"""Rows or fields shown of one finding; ``--json`` lists more."""
_NAMED = 40


def audit(
    data: Annotated[str, Argument(metavar="DATA|SNAP", help="Data, or a snapshot of it.")],
    strict: Annotated[bool, Option("--strict", help="Exit with status 65 if there is a danger.")] = False,
    show_content: Annotated[
        bool, Option("--show-content", help="Show what suspect rows hold, and not only their keys.")
    ] = False,
    test_labels: Annotated[
        bool, Option("--test-labels", help="Look for wrong labels among test rows too; counts as a look at the test.")
    ] = False,
    report: Annotated[
        Path | None, Option("--report", metavar="FILE.json|FILE.html", help="Write the document, or a page.")
    ] = None,
    label: o.Label = None,
    text: o.Text = None,
    time: o.Time = None,
    group: o.Group = None,
    weight: o.Weight = None,
    field: o.Fields = None,
    task: o.Task = None,
    query: o.Query = None,
    sheet: o.Sheet = None,
    kind: o.Kind = None,
    name: o.Name = None,
    split: o.Split = "auto",
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> int:
    """Look for leaks, wrong labels and useless fields in data.

    Rows are named by their keys and never shown unless asked. Of test rows only inputs are looked at. The exit status
    is 0 whatever is found, unless --strict is given.

    Example: lithify audit churn.csv --label left
    """
    from lithify import api, freezing, things, writing

    terminal = Terminal(as_json=as_json, quiet=quiet)
    path = None if report is None else writing.check_out(report)
    asked: dict[str, Any] = {"kind": kind, "label": label, "text": text, "time": time, "group": group}
    asked |= {"weight": weight, "fields": field_kinds(field), "task": task, "query": query, "sheet": sheet}
    made = {"name": name, "split": None if split == "auto" else split}
    opened = things.open_home(home)
    with Progress(quiet=quiet, width=terminal.width) as tell:
        snap = freezing.find_or_make(opened, data, report=tell, **asked, **made)
    tell_compiling(terminal, snap.kind, "boosting")
    with Progress(quiet=quiet, width=terminal.width) as tell:
        found = api.audit(snap, test_labels=test_labels, show_content=show_content, report=tell)
    terminal.document(found.to_json())
    if path is not None:
        _write(path, found, snap, show_content)
    if not as_json:
        show(terminal, found)
        if path is not None:
            terminal.say(f"Report: {plain(str(report))}")
    return os.EX_DATAERR if strict and found.of("danger") else 0


def show(terminal: Terminal, found: Audit) -> None:
    """Findings by severity, each with its figures, rows or fields and what to do next; then a summary."""
    for severity in ("danger", "warning", "note"):
        findings = found.of(severity)
        if not findings:
            continue
        terminal.say(terminal.style(f"{_HEADS[severity]} ({len(findings)})", "bold", _COLOURS[severity]))
        for finding in findings:
            _show_finding(terminal, finding)
        terminal.say()
    for remark in found.remarks:
        terminal.paragraph(remark)
    counts = (count(len(found.of("danger")), "danger"), count(len(found.of("warning")), "warning"))
    terminal.say()
    terminal.say(f"{counts[0]}, {counts[1]}, {count(len(found.of('note')), 'note')}.")


def _show_finding(terminal: Terminal, finding: Finding) -> None:
    terminal.say()
    first, *rest = _wrapped(terminal, f"{plain(finding.title)}", 2)
    terminal.say("  " + terminal.style(first, "bold"))
    for line in rest:
        terminal.say("  " + terminal.style(line, "bold"))
    shown = [(name, figure(value)) for name, value in finding.figures.items() if value is not None]
    terminal.facts([("kind", finding.kind), ("measured on", finding.rows), *shown], "    ")
    _show_items(terminal, finding)
    terminal.paragraph(finding.advice, "    ")


def _wrapped(terminal: Terminal, text: str, indent: int) -> list[str]:
    return wrap(text, terminal.width - indent).splitlines()


def _show_items(terminal: Terminal, finding: Finding) -> None:
    from lithify.evaluation.audit.finding import MOST

    some = finding.items[:LISTED]
    if not some:
        return
    names = list(dict.fromkeys(name for item in some for name in item.figures))
    head = ["    " + ("row" if finding.what == "rows" else "field"), *names]
    rows = [_cells(item, names, finding.what) for item in some]
    numbers = [
        i for i, name in enumerate(names, 1) if not any(isinstance(item.figures.get(name), str) for item in some)
    ]
    terminal.table(rows, numbers, head if names else ())
    for item in some:
        if item.content:
            terminal.paragraph(f"{item.name[:12]}: {plain(item.content)}", "      ")
    if finding.found > len(some):
        listed = "all" if finding.found <= MOST else f"the first {MOST:,}"
        terminal.say(f"    and {finding.found - len(some):,} more; --json lists {listed}")


def _cells(item: Item, names: list[str], what: str) -> list[str]:
    name = item.name[:16] if what == "rows" else plain(item.name)
    short = name if len(name) <= _NAMED else name[: _NAMED - 1] + "…"
    return ["    " + short, *(figure(item.figures.get(one)) for one in names)]


def figure(value: Figure) -> str:
    """A figure for people.

    >>> figure(0.98765), figure(12345), figure(None), figure("spam")
    ('0.9877', '12,345', '-', 'spam')
    """
    if value is None:
        return "-"
    if isinstance(value, str):
        return plain(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _write(path: Path, found: Audit, snapshot: Snapshot, show_content: bool) -> None:
    """A page where the name of the file says so, else the document."""
    import json

    if path.suffix.lower() in (".html", ".htm"):
        from lithify.evaluation.audit import page

        page.write(found, snapshot, path, show_content)
        return
    from lithify.store.blobs import write_atomic

    write_atomic(path, json.dumps(found.to_json(), indent=2).encode() + b"\n")
