"""The command `runs`: what is finished, running, interrupted; carrying a run to another machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lithify.cli import options as o
from lithify.cli.output import Terminal, command_line, moment, short, shown_path
from lithify.cli.parser import Argument, Option
from lithify.errors import UsageError

if TYPE_CHECKING:
    from lithify.store.home import Home
    from lithify.store.rows import RunRow
    from lithify.training.history import Point


def runs(
    run: Annotated[str | None, Argument(metavar="RUN", help="A run; all of them if not given.")] = None,
    pack: Annotated[
        Path | None, Option("--pack", metavar="FILE", help="Write the run to a file, to go on elsewhere.")
    ] = None,
    unpack: Annotated[Path | None, Option("--unpack", metavar="FILE", help="Take in a run that was packed.")] = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """List the runs, or one of them; carry one to another machine.

    `lithify runs RUN --pack FILE` writes a run with its data and its newest checkpoint to a file, and
    `lithify runs --unpack FILE` takes it into another home, where `lithify train --resume RUN` goes on.

    Example: lithify runs 3f9a1c2b7d10
    """
    from lithify import things, writing

    terminal = Terminal(as_json=as_json, quiet=quiet)
    opened = things.open_home(home, create=unpack is not None)
    _settle(opened)
    if unpack is not None:
        if run is not None or pack is not None:
            raise UsageError("--unpack takes in a run by itself.", hint="Leave out RUN and --pack.")
        return _unpack(terminal, opened, unpack, home)
    if pack is not None:
        if run is None:
            raise UsageError("Which run shall be packed?", hint="See `lithify runs`.")
        return _pack(terminal, opened, run, writing.check_out(pack))
    if run is not None:
        return show_run(terminal, opened, run, home)
    found = [_up_to_date(opened, row) for row in opened.catalog.runs()]
    terminal.document({"runs": [_document(row) for row in found]})
    if not found:
        return terminal.paragraph("There are no runs yet. Next: lithify train DATA")
    names = _names(opened)
    rows = [
        [
            short(r.key),
            r.state,
            _steps(r),
            names.get(r.snapshot, short(r.snapshot)),
            short(r.model or ""),
            moment(r.updated),
        ]
        for r in found
    ]
    terminal.table(rows, right=[2], head=["run", "state", "step", "snapshot", "model", "last change"])
    waiting = [row for row in found if row.state == "interrupted"]
    if waiting:
        terminal.say()
        terminal.say(f"Next: {command_line('train', '--resume', short(waiting[-1].key), home=home)}")


def _settle(home: Home) -> None:
    """Runs whose process is gone are interrupted, whatever the catalog says."""
    from lithify.store.lock import held

    home.catalog.reconcile(lambda key: held(home.lock(key).path))


def _names(home: Home) -> dict[str, str]:
    return {digest: name for name, digest in home.catalog.names().items()}


def _up_to_date(home: Home, row: RunRow) -> RunRow:
    """The run with the step that its newest checkpoint has, which a session that was killed could not enter."""
    from lithify.training.checkpoint import newest

    return row if row.state == "finished" else replace(row, step=max(row.step, newest(home.run_folder(row.key))))


def _steps(row: RunRow) -> str:
    return f"{row.step:,}/{row.steps:,}" if row.steps else f"{row.step:,}"


def _document(row: RunRow) -> dict[str, Any]:
    return {
        "run": row.key,
        "state": row.state,
        "step": row.step,
        "steps": row.steps,
        "snapshot": row.snapshot,
        "model": row.model,
        "created": row.created,
        "updated": row.updated,
    }


def show_run(terminal: Terminal, home: Home, key: str, folder: Path | None) -> None:
    """One run: where it stands, its sessions, its learning curve while it is unfinished, and its recipe."""
    row = _up_to_date(home, home.catalog.run(key))
    from lithify import recipe as recipes
    from lithify.training.history import history

    points = [] if row.state == "finished" else history(home.run_folder(row.key), row.key)
    sessions = home.catalog.sessions(row.key)
    facts = [
        {"first_step": s.first_step, "last_step": s.last_step, "how": s.how, "started": s.started, "ended": s.ended}
        for s in sessions
    ]
    curve = [point._asdict() for point in points]
    terminal.document(
        _document(row) | {"recipe": row.recipe, "engine": row.engine, "sessions": facts, "history": curve}
    )
    terminal.say(terminal.style(f"Run {short(row.key)}", "bold") + f"  {row.state}")
    names = _names(home)
    snapshot = f"{short(row.snapshot)}" + (f" ({names[row.snapshot]})" if row.snapshot in names else "")
    engine = ", ".join(f"{name} {value}" for name, value in row.engine.items())
    terminal.facts(
        [
            ("step", _steps(row)),
            ("snapshot", snapshot),
            ("model", short(row.model) if row.model else "none yet"),
            ("engine", engine),
        ]
    )
    terminal.title("Sessions")
    terminal.table(
        [
            [
                f"  {moment(s.started)}",
                f"step {s.first_step:,}",
                "" if s.last_step is None else f"to {s.last_step:,}",
                s.how or "running",
            ]
            for s in sessions
        ]
    )
    _show_curves(terminal, points)
    terminal.title("Recipe")
    for text in recipes.to_toml(row.recipe).splitlines():
        terminal.say(f"  {text}" if text else "")
    if row.state == "interrupted":
        terminal.say()
        terminal.say(f"Next: {command_line('train', '--resume', short(row.key), home=folder)}")


def _show_curves(terminal: Terminal, points: list[Point]) -> None:
    """Loss and accuracy over the steps, as far as the newest checkpoint goes."""
    from lithify.cli.curves import curve

    for name in ("loss", "accuracy"):
        known = [(point.step, getattr(point, name)) for point in points if getattr(point, name) is not None]
        if not known or terminal.as_json:
            continue
        last = f"{100 * known[-1][1]:.1f} %" if name == "accuracy" else f"{known[-1][1]:.3g}"
        terminal.title(f"{name.capitalize()}: {last} at step {known[-1][0]:,}")
        steps, values = zip(*known, strict=True)
        for line in curve(steps, values, width=min(60, terminal.width - 12)):
            terminal.say(f"  {line}")


def _pack(terminal: Terminal, home: Home, run: str, file: Path) -> None:
    from lithify.training.pack import pack

    row = home.catalog.run(run)
    pack(home, row.key, file)
    terminal.document({"run": row.key, "path": str(file), "step": row.step})
    terminal.say(f"Packed run {short(row.key)} at step {row.step:,} into {shown_path(file)}.")
    terminal.say()
    terminal.say(f"Next, on the other machine: {command_line('runs', '--unpack', file.name)}")


def _unpack(terminal: Terminal, home: Home, file: Path, folder: Path | None) -> None:
    from lithify.training.pack import unpack

    key = unpack(home, file)
    row = home.catalog.run(key)
    terminal.document({"run": row.key, "path": str(file), "step": row.step})
    terminal.say(f"Took in run {short(row.key)} at step {row.step:,}.")
    terminal.say()
    terminal.say(f"Next: {command_line('train', '--resume', short(row.key), home=folder)}")
