"""Commands about what is kept: show, ls, gc, doctor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from lithify.cli import options as o
from lithify.cli.output import Terminal, count, moment, plain, short, size
from lithify.cli.parser import Argument, Option
from lithify.cli.progress import Progress, span
from lithify.errors import NotFound

NOTHING = "There is nothing yet. Next: lithify demo, or lithify snapshot DATA --name NAME"


def show(
    thing: Annotated[str, Argument(metavar="THING", help="A model file, or a name, an alias or a digest in the home.")],
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Show a model's card, a snapshot, a run or a comparison.

    Of an alias also what it serves, since when and by whom; of a snapshot also the quarantine list: what was left out,
    and why.

    Example: lithify show spam.lith
    """
    from lithify import api, canon, things, writing
    from lithify.cli.deploying import aliases_of
    from lithify.cli.runs import show_run
    from lithify.cli.showing import show_comparison, show_model, show_snapshot
    from lithify.data.snapshot import open_snapshot

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if Path(thing).expanduser().is_file() or thing.endswith(writing.SUFFIX):
        return show_model(terminal, api.open(thing, home=home))
    opened = things.open_home(home, create=False)
    found = opened.catalog.find(thing)
    if found.kind == "model":
        return show_model(terminal, api.open(found.digest, home=opened), aliases_of(opened, found.digest))
    if found.kind == "snapshot":
        return show_snapshot(terminal, opened, open_snapshot(opened, found.digest))
    if found.kind == "comparison":
        return show_comparison(terminal, canon.loads(opened.blobs.get(found.digest)))
    return show_run(terminal, opened, found.digest, home)


def ls(
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """List snapshots, models and aliases.

    Example: lithify ls --json
    """
    from lithify import things
    from lithify.cli.deploying import alias_document, show_aliases

    terminal = Terminal(as_json=as_json, quiet=quiet)
    try:
        opened = things.open_home(home, create=False)
    except NotFound:
        terminal.document({"snapshots": [], "models": [], "aliases": []})
        return terminal.paragraph(NOTHING)
    catalog = opened.catalog
    snapshots = [row for row in catalog.snapshots() if not row.erased]
    standing = opened.aliases.standing()
    terminal.document(
        {
            "snapshots": [
                {
                    "snapshot": s.digest,
                    "names": catalog.names_of(s.digest),
                    "kind": s.kind,
                    "rows": s.rows,
                    "parent": s.parent,
                    "created": s.created,
                }
                for s in snapshots
            ],
            "models": [
                {"model": m.digest, "snapshot": m.snapshot, "run": m.run, "created": m.created}
                for m in catalog.models()
            ],
            "aliases": [alias_document(entry) for entry in standing.values()],
        }
    )
    if not snapshots and not catalog.models():
        return terminal.paragraph(NOTHING)
    names = {s.digest: ", ".join(catalog.names_of(s.digest)) for s in snapshots}
    terminal.table(
        [[short(s.digest), names[s.digest], s.kind, f"{s.rows:,}", moment(s.created)] for s in snapshots],
        right=[3],
        head=["snapshot", "name", "kind", "rows", "made"],
    )
    if catalog.models():
        terminal.say()
        terminal.table(
            [
                [short(m.digest), _of(m.snapshot, names), short(m.run or ""), moment(m.created)]
                for m in catalog.models()
            ],
            head=["model", "snapshot", "run", "sealed"],
        )
    if standing:
        terminal.say()
        show_aliases(terminal, standing)


def gc(
    dry_run: Annotated[bool, Option("--dry-run", help="Only show what would go.")] = False,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Remove what nothing refers to any more.

    Models, signatures and comparisons stay, and so do snapshots that are named, that a model was trained on, that the
    history of an alias rests on or that an unfinished run reads, with all they need. Nothing younger than an hour goes.

    Example: lithify gc --dry-run
    """
    from lithify import things
    from lithify.store.gc import collect

    terminal = Terminal(as_json=as_json, quiet=quiet)
    done = collect(things.open_home(home, create=False), dry_run=dry_run)
    removed = [{"path": each.path, "bytes": each.bytes, "why": each.why} for each in done.removed]
    terminal.document({"dry_run": dry_run, "removed": removed, "bytes": done.bytes, "kept": done.kept})
    for each in done.removed[:20]:
        terminal.say(f"  {size(each.bytes):>10}  {plain(each.path)[:40]:<40}  {each.why}")
    if len(done.removed) > 20:
        terminal.say(f"  and {len(done.removed) - 20:,} more; --json lists all")
    verb = "Would remove" if dry_run else "Removed"
    terminal.say(f"{verb} {count(len(done.removed), 'object')}, {size(done.bytes)}. Kept {count(done.kept, 'object')}.")


def doctor(
    warm: Annotated[bool, Option("--warm", help="Compile the numeric kernels now.")] = False,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> int:
    """Look for what is wrong with the installation or the home.

    Exit status 78 when something is.

    Example: lithify doctor --warm
    """
    import time

    from lithify.cli import checkup, kernels

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if warm:
        began = time.monotonic()
        with Progress(quiet=quiet, width=terminal.width, notes=False) as report:
            kernels.warm(report)
        terminal.note(f"Compiled the numeric kernels in {span(time.monotonic() - began)}.")
    found = checkup.checks(home)
    good = all(check.ok for check in found)
    terminal.document({"ok": good, "checks": [check._asdict() for check in found]})
    wide = max(len(check.name) for check in found)
    for check in found:
        mark = terminal.style("ok  ", "green") if check.ok else terminal.style("bad ", "red")
        terminal.say(f"{mark}{check.name.ljust(wide)}  {plain(check.found)}")
        if check.hint:
            terminal.paragraph(check.hint, " " * (wide + 6))
    return 0 if good else os.EX_CONFIG


def _of(snapshot: str | None, names: dict[str, str]) -> str:
    return "" if snapshot is None else names.get(snapshot) or short(snapshot)
