"""Commands about training: train, runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lithify.cli import options as o
from lithify.cli.data import describe
from lithify.cli.figures import cutoffs, figures, limits
from lithify.cli.kernels import tell_compiling
from lithify.cli.output import Terminal, count, moment, plain, short
from lithify.cli.parser import Argument, Option
from lithify.cli.progress import Progress
from lithify.errors import SessionEnded, UsageError

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.progress import Reporter
    from lithify.recipe import Recipe
    from lithify.store.home import Home
    from lithify.store.rows import RunRow
    from lithify.training.run import Outcome, Settings


def train(
    data: Annotated[str | None, Argument(metavar="DATA|SNAP", help="Data, or a snapshot of it.")] = None,
    learner: Annotated[str | None, Option("--learner", metavar="L", help="Which learner; auto if not given.")] = None,
    quality: Annotated[str | None, Option("--quality", metavar="Q", help="fast, good or best.")] = None,
    budget: Annotated[
        str | None, Option("--budget", metavar="TIME", help="Training to aim for, such as 10m; fixes the steps.")
    ] = None,
    session: Annotated[
        str | None, Option("--session", metavar="TIME", help="Stop cleanly after that time, with status 75.")
    ] = None,
    checkpoint_every: Annotated[
        int | None,
        Option("--checkpoint-every", metavar="N", help="Steps between checkpoints, instead of by time."),
    ] = None,
    recipe: Annotated[Path | None, Option("--recipe", metavar="FILE", help="A recipe in TOML.")] = None,
    set_: Annotated[
        list[str] | None, Option("--set", metavar="KEY=VALUE", help="One value of the recipe; may be repeated.")
    ] = None,
    threads: o.Threads = None,
    resume: Annotated[
        str | None, Option("--resume", metavar="RUN", help="Go on with that run, with its own data and recipe.")
    ] = None,
    new: Annotated[bool, Option("--new", help="Leave an unfinished run that differs, and start another.")] = False,
    show_recipe: Annotated[
        bool, Option("--show-recipe", help="Print the recipe with all decided, and train nothing.")
    ] = False,
    out: Annotated[
        Path | None, Option("--out", metavar="FILE", help="The model file; ./NAME-DIGEST.lith if not given.")
    ] = None,
    label: o.Label = None,
    text: o.Text = None,
    time: o.Time = None,
    group: o.Group = None,
    kind: o.Kind = None,
    name: o.Name = None,
    parent: o.Parent = None,
    split: o.Split = "auto",
    strict: o.Strict = False,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Train, go on with an unfinished run, or find a finished one.

    A run may be stopped at any time (Ctrl-C, kill -9, power cut); the same command goes on from its last checkpoint,
    and the model has the same bits as if nothing had happened.

    Example: lithify train inbox --set ham_loss=0.01 --out spam.lith
    """
    from lithify import api

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if (data is None) == (resume is None):
        raise UsageError("Give either data to train on, or --resume RUN.", hint="See `lithify train --help`.")
    settings = api.make_settings(threads, session, checkpoint_every)
    wanted = api.make_recipe(recipe, learner=learner, quality=quality, budget=budget, assignments=set_ or ())
    if out is not None and not out.is_dir():
        api.check_out(out)
    opened = api.open_home(home)
    tell_compiling(terminal)
    report = Progress(quiet=quiet, width=terminal.width)
    if resume is not None:
        with report:
            outcome = _train(opened, home, lambda: _resume(opened, resume, settings, report))
        called = next(iter(opened.catalog.names_of(outcome.snapshot)), short(outcome.snapshot))
    else:
        assert data is not None
        asked = {"kind": kind, "label": label, "text": text, "time": time, "group": group}
        made = {"name": name, "parent": parent, "split": None if split == "auto" else split, "strict": strict}
        with report:
            snap = api.find_or_make(opened, data, report=report, **asked, **made)
        if show_recipe:
            return _show_recipe(terminal, opened, snap, wanted, settings)
        if not quiet:
            describe(terminal, snap)
            terminal.say()
        source = api.source_name(opened, data)
        with report:
            outcome = _train(
                opened, home, lambda: api.run(opened, snap, wanted, source, settings, new=new, report=report)
            )
        called = name or data
    path = api.write_model(outcome.model, _place(out, called, outcome.model.digest)).path
    terminal.document(outcome.to_json() | {"path": str(path)})
    _finished(terminal, outcome, str(_shown(path)), called, home)


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
    from lithify import api

    terminal = Terminal(as_json=as_json, quiet=quiet)
    opened = api.open_home(home)
    _settle(opened)
    if unpack is not None:
        if run is not None or pack is not None:
            raise UsageError("--unpack takes in a run by itself.", hint="Leave out RUN and --pack.")
        return _unpack(terminal, opened, unpack)
    if pack is not None:
        if run is None:
            raise UsageError("Which run shall be packed?", hint="See `lithify runs`.")
        return _pack(terminal, opened, run, api.check_out(pack))
    if run is not None:
        return show_run(terminal, opened, run)
    found = opened.catalog.runs()
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
        terminal.paragraph(f"Next: lithify train --resume {short(waiting[-1].key)}")


def _train(home: Home, folder: Path | None, work: Callable[[], Outcome]) -> Outcome:
    """Runs it; when the session ends early, says exactly how to go on."""
    try:
        return work()
    except SessionEnded as error:
        where = f" --home {folder}" if folder is not None else ""
        command = f"lithify train --resume {short(error.run)}{where}"
        raise SessionEnded(error.run, error.message, hint=f"Go on with the same command, or: {command}") from None


def _resume(home: Home, run: str, settings: Settings, report: Reporter) -> Outcome:
    from lithify.training.run import resume

    return resume(home, run, settings=settings, report=report)


def _show_recipe(terminal: Terminal, home: Home, snap: Snapshot, wanted: Recipe, settings: Settings) -> None:
    from lithify import recipe as recipes
    from lithify.training import run as training
    from lithify.training.request import request, resolve

    resolved = resolve(home, snap, wanted, lambda r: training._seconds_per_step(home, snap, r, settings))
    key = request(snap, resolved).key
    terminal.document({"recipe": resolved, "snapshot": snap.digest, "run": key})
    terminal.say(f"# run {short(key)} on snapshot {short(snap.digest)}; save this and pass it with --recipe FILE")
    terminal.say(recipes.to_toml(resolved))


def _finished(terminal: Terminal, outcome: Outcome, path: str, called: str, home: Path | None) -> None:
    if terminal.as_json:
        return
    model = outcome.model
    how = "found finished" if outcome.resumed and outcome.sessions == 0 else count(outcome.sessions, "session")
    terminal.say(terminal.style(f"Model {short(model.digest)}", "bold") + f"  sealed, run {short(outcome.run)}, {how}")
    figures(terminal, model, outcome.metrics)
    cutoffs(terminal, model)
    limits(terminal, model)
    terminal.title("The file")
    terminal.say(f"  {path}")
    terminal.title("Next")
    where = f" --home {home}" if home is not None else ""
    snapshot = short(outcome.snapshot)
    for command, why in (
        (
            f"lithify evaluate {path} {snapshot} --report report.html{where}",
            "the figures on one page, with the mistakes",
        ),
        (
            f"lithify predict {path} MAIL" if model.kind == "mail" else f"lithify predict {path} TEXTS",
            "judge something new",
        ),
        (f"lithify verify {path}", "check the file, wherever it went"),
    ):
        terminal.say(f"  {command}")
        terminal.say(terminal.style(f"      {why}", "dim"))


def _place(out: Path | None, called: str, digest: str) -> Path:
    """The file for a model: as asked, in the folder asked for, or in the current folder."""
    if out is not None and not out.is_dir():
        return out
    stem = Path(called).name or Path(called).resolve().name
    stem = re.sub(r"(\.(tar|tgz|gz|xz|bz2|zip|csv|tsv|jsonl|ndjson|mbox))+$", "", stem, flags=re.IGNORECASE)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")
    return (out or Path()) / f"{stem or 'model'}-{short(digest)}.lith"


def _shown(path: Path | None) -> Path:
    """A path as short as it can be typed."""
    assert path is not None
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _settle(home: Home) -> None:
    """Runs whose process is gone are interrupted, whatever the catalog says."""
    from lithify.store.lock import held

    home.catalog.reconcile(lambda key: held(home.lock(key).path))


def _names(home: Home) -> dict[str, str]:
    return {digest: name for name, digest in home.catalog.names().items()}


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


def show_run(terminal: Terminal, home: Home, key: str) -> None:
    """One run: where it stands, its sessions and its recipe."""
    row = home.catalog.run(key)
    from lithify import recipe as recipes

    sessions = home.catalog.sessions(row.key)
    facts = [
        {"first_step": s.first_step, "last_step": s.last_step, "how": s.how, "started": s.started, "ended": s.ended}
        for s in sessions
    ]
    terminal.document(_document(row) | {"recipe": row.recipe, "engine": row.engine, "sessions": facts})
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
    terminal.title("Recipe")
    for text in recipes.to_toml(row.recipe).splitlines():
        terminal.say(f"  {text}" if text else "")
    if row.state == "interrupted":
        terminal.say()
        terminal.paragraph(f"Next: lithify train --resume {short(row.key)}")


def _pack(terminal: Terminal, home: Home, run: str, file: Path) -> None:
    from lithify.training.pack import pack

    row = home.catalog.run(run)
    pack(home, row.key, file)
    terminal.document({"run": row.key, "path": str(file), "step": row.step})
    terminal.say(f"Packed run {short(row.key)} at step {row.step:,} into {plain(str(_shown(file)))}.")
    terminal.say()
    terminal.paragraph(f"Next, on the other machine: lithify runs --unpack {plain(file.name)}")


def _unpack(terminal: Terminal, home: Home, file: Path) -> None:
    from lithify.training.pack import unpack

    key = unpack(home, file)
    row = home.catalog.run(key)
    terminal.document({"run": row.key, "path": str(file), "step": row.step})
    terminal.say(f"Took in run {short(row.key)} at step {row.step:,}.")
    terminal.say()
    terminal.paragraph(f"Next: lithify train --resume {short(row.key)}")
