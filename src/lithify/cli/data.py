"""Commands about data: snapshot, diff, withdraw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from lithify.cli import options as o
from lithify.cli.fields import show_fields
from lithify.cli.kernels import tell_compiling
from lithify.cli.output import Terminal, command_line, count, moment, plain, short
from lithify.cli.parser import Argument, Option
from lithify.cli.progress import Progress
from lithify.parsing import field_kinds
from lithify.progress import Update

if TYPE_CHECKING:
    from lithify.data.schema import Field
    from lithify.data.snapshot import Snapshot

SIDES = {"train": "train", "validation": "validation", "test": "test", "excluded": "left out"}
"""The sides of a split in the order and by the names in which people read them."""
FEW_LABELS = 4
"""Labels whose rows are counted in one line."""
MOST_LABELS = 20
"""Labels that get a line of their own in the table of sides; of more, those with the most rows."""
_PLURAL = {"image": "images", "text": "texts"}
_TOGETHER = " that are identical or belong together"


def snapshot(
    data: Annotated[str, Argument(metavar="DATA", help="A folder, mailbox, archive, table or file of images.")],
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
    parent: o.Parent = None,
    split: o.Split = "auto",
    strict: o.Strict = False,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Freeze data into a snapshot: split, named by its content.

    DATA is a maildir, an mbox, a folder of mail, texts or images with one sub-folder per label, files with an index, a
    tar or zip of any of these; a table: a CSV, TSV, JSON lines, Parquet, Arrow or Excel file, a folder of such files
    with the same columns, or an SQLite database; or images in a table, in shards, in IDX or CIFAR files or in NumPy
    arrays. Your files are only read.

    Example: lithify snapshot mail/ --name inbox
    """
    from lithify import freezing, things

    terminal = Terminal(as_json=as_json, quiet=quiet)
    asked: dict[str, Any] = {"kind": kind, "label": label, "text": text, "time": time, "group": group}
    asked |= {"weight": weight, "fields": field_kinds(field), "task": task, "query": query, "sheet": sheet}
    opened = things.open_home(home)
    source = freezing.open_data(opened, data, parent=parent, split=split, **asked)
    tell_compiling(terminal, source.kind)
    with Progress(quiet=quiet, width=terminal.width) as report:
        made = freezing.freeze(opened, source, name=name, parent=parent, split=split, strict=strict, report=report)
    terminal.document(snapshot_document(made))
    describe(terminal, made, fields=source.fields)
    terminal.say()
    terminal.say(f"Next: {command_line('train', name or short(made.digest), home=home)}")


def diff(
    old: Annotated[str, Argument(metavar="OLD", help="A snapshot.")],
    new: Annotated[str, Argument(metavar="NEW", help="Another one.")],
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Show which rows were added, removed, relabelled or moved.

    Example: lithify diff inbox-2023 inbox-2024
    """
    from lithify import api

    terminal = Terminal(as_json=as_json, quiet=quiet)
    found = api.diff(old, new, home=home)
    terminal.document(found.to_json())
    for what, keys in vars(found).items():
        terminal.say(f"{what:<11}{count(len(keys), 'row'):>12}")
        for key in keys[:10]:
            terminal.say(f"  {key[:16]}")
        if len(keys) > 10:
            terminal.say(f"  and {len(keys) - 10:,} more; --json lists all")


def withdraw(
    snapshot: Annotated[str, Argument(metavar="SNAP", help="A snapshot.")],
    keys: Annotated[list[str], Argument(metavar="KEY...", help="Keys of rows, at least 8 digits of each.")],
    erase: Annotated[bool, Option("--erase", help="Erase their content from the home for good.")] = False,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Take rows out of a snapshot, into a new one.

    Lists the models that were trained on them. Models are
    not changed by it: train again on the new snapshot to have one without these rows.

    Example: lithify withdraw inbox 3f9a1c2b7d10 --erase
    """
    from lithify import api

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with Progress(quiet=quiet, width=terminal.width) as report:
        report(Update("withdrawing"))
        done = api.withdraw(snapshot, keys, erase=erase, home=home, report=report)
    terminal.document(done.to_json())
    names = done.snapshot.home.catalog.names_of(done.snapshot.digest)
    terminal.say(f"Withdrew {count(len(done.keys), 'row')}. The snapshot without them:")
    terminal.say()
    describe(terminal, done.snapshot)
    terminal.say()
    if done.erased:
        erased = ", ".join(map(short, done.erased))
        terminal.paragraph(f"Their content is erased from this home, and with it the snapshots that held it: {erased}.")
    if done.models:
        rest = " They still predict; to rebuild them is no longer possible." if erase else ""
        terminal.paragraph(f"Models trained on them: {', '.join(map(short, done.models))}.{rest}")
    newest = names[0] if names else short(done.snapshot.digest)
    terminal.say(f"Next: {command_line('train', newest, home=home)}")


def snapshot_document(snap: Snapshot) -> dict[str, Any]:
    """A snapshot as ``--json`` prints it."""
    return {"snapshot": snap.digest, "names": snap.home.catalog.names_of(snap.digest), "manifest": snap.manifest}


def describe(
    terminal: Terminal,
    snap: Snapshot,
    extra: Sequence[tuple[str, str]] = (),
    listed: bool = False,
    fields: Sequence[Field] = (),
) -> None:
    """A snapshot in some lines: rows, split and why, copies, near-duplicates, quarantine; then ``extra`` facts.

    ``listed`` says that the quarantine list itself follows. ``fields`` are those of a table that was just read: they
    know why they are what they are.
    """
    m = snap.manifest
    names = snap.home.catalog.names_of(snap.digest)
    terminal.say(
        terminal.style(f"Snapshot {short(snap.digest)}", "bold") + (f"  ({', '.join(names)})" if names else "")
    )
    sides: dict[str, dict[str, int]] = m["split"]["counts"]
    total = {label: sum(side.get(label, 0) for side in sides.values()) for label in snap.labels}
    few = len(total) <= FEW_LABELS
    counts = ", ".join(f"{rows:,} {plain(label)}" for label, rows in total.items()) if few else f"{len(total):,} labels"
    terminal.facts([*_facts(m, counts), *_values(snap), *extra])
    _sides(terminal, snap.labels, sides, total)
    if not listed and m["quarantine"]:
        terminal.say(f"  quarantine list: lithify show {names[0] if names else short(snap.digest)}")
    show_fields(terminal, fields or snap.fields, every=listed)


def _sides(
    terminal: Terminal, labels: Sequence[str], sides: Mapping[str, Mapping[str, int]], total: Mapping[str, int]
) -> None:
    """How many rows of each label are on each side: a column for each label, or a row where there are too many."""
    used = [side for side in SIDES if side in sides and (side != "excluded" or any(sides[side].values()))]
    across = labels or ("rows",)
    width = 12 + sum(2 + max(len(plain(label)), len(f"{total.get(label, 0):,}")) for label in across)
    if width <= min(terminal.width, 80):
        rows = [[f"  {SIDES[side]}", *(f"{sides[side].get(label, 0):,}" for label in across)] for side in used]
        terminal.table(rows, range(1, len(across) + 1), ["  rows" if labels else "", *map(plain, across)])
        return
    most = sorted(labels, key=lambda label: (-total[label], label))[:MOST_LABELS]
    shown = [label for label in labels if label in most]
    rows = [[f"  {plain(label)}", *(f"{sides[side].get(label, 0):,}" for side in used)] for label in shown]
    if len(labels) > len(shown):
        rest = [label for label in labels if label not in most]
        others = [f"{sum(sides[side].get(label, 0) for label in rest):,}" for side in used]
        rows.append([f"  and {len(rest):,} labels of fewer rows", *others])
    terminal.table(rows, range(1, len(used) + 1), ["  rows", *(SIDES[side] for side in used)])


def _values(snap: Snapshot) -> list[tuple[str, str]]:
    """What a regression learns to predict, in figures."""
    if snap.task != "regression":
        return []
    import numpy as np

    from lithify.evaluation.words import value

    name = next((field.name for field in snap.fields if field.role == "label"), "")
    low, middle, high = np.quantile(snap.table.value, [0.0, 0.5, 1.0]).tolist()
    return [("predicts", f"{plain(name)}, from {value(low)} to {value(high)}, half of them up to {value(middle)}")]


def _pixels(found: Mapping[str, int]) -> str:
    """How large images are.

    >>> _pixels({"side": 32, "smallest": 32, "largest": 32, "channels": 3})
    'all 32 x 32, colour'
    >>> _pixels({"side": 300, "smallest": 20, "largest": 4000, "channels": 1})
    'sides of 20 to 4,000, half of the short ones up to 300, grey'
    """
    low, middle, high = found["smallest"], found["side"], found["largest"]
    sides = f"sides of {low:,} to {high:,}, half of the short ones up to {middle:,}"
    sides = f"all {low:,} x {low:,}" if low == high else sides
    return f"{sides}, {'grey' if found['channels'] == 1 else 'colour'}"


def _facts(m: dict[str, Any], counts: str) -> list[tuple[str, str]]:
    table = m["kind"] == "table"
    what = "a table" if table else _PLURAL.get(m["kind"], m["kind"])
    of = what if m["kind"] == "image" else f"of {what}"
    facts = [("rows", f"{m['rows']['count']:,} {of}" + (f" ({counts})" if counts else ""))]
    if m.get("images"):
        facts.append(("pixels", _pixels(m["images"])))
    if m["period"]:
        facts.append(("period", f"{moment(m['period'][0])[:10]} to {moment(m['period'][1])[:10]}"))
    facts.append(("split", f"by {m['split']['rule']}: {m['split']['reason']}"))
    groups = m["groups"]
    if groups["near_duplicate_groups"]:
        grouped = f"{groups['rows_in_them']:,} rows in {count(groups['near_duplicate_groups'], 'group')}"
        facts.append(("together" if table else "near-duplicates", grouped + (_TOGETHER if table else "")))
    excluded = sum(m["split"]["counts"].get("excluded", {}).values())
    if excluded:
        facts.append(("left out", f"{count(excluded, 'later copy', 'later copies')} of earlier rows"))
    if m["copies"]:
        facts.append(("copies", f"{count(m['copies'], 'exact copy', 'exact copies')} counted once"))
    if m["truncated"]:
        facts.append(("cut", f"{count(m['truncated'], 'row')} read up to the limit of 512 KiB"))
    if m.get("withdrawn"):
        facts.append(("withdrawn", count(m["withdrawn"], "row")))
    if m.get("relabelled"):
        facts.append(("relabelled", count(m["relabelled"], "row")))
    if m["parent"]:
        facts.append(("parent", f"{short(m['parent'])}, now {count(len(m['generations']), 'generation')}"))
    reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in m["quarantine"].items())
    facts.append(("quarantine", reasons or "none"))
    return facts
