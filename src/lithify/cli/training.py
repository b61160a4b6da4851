"""The command `train`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lithify.cli import options as o
from lithify.cli.data import describe
from lithify.cli.figures import conformal, cutoffs, figures, limits
from lithify.cli.kernels import tell_compiling
from lithify.cli.output import Terminal, command_line, count, short, shown_path
from lithify.cli.parser import Argument, Option
from lithify.cli.progress import Progress
from lithify.errors import SessionEnded, UsageError

if TYPE_CHECKING:
    from lithify.data.schema import Field
    from lithify.data.snapshot import Snapshot
    from lithify.progress import Reporter
    from lithify.recipe import Recipe
    from lithify.store.home import Home
    from lithify.training.run import Outcome, Settings

_NEW = {"mail": "MAIL", "text": "TEXTS", "table": "NEW.csv", "image": "IMAGES"}
_JUDGE = dict.fromkeys(("mail", "text", "image"), "judge something new") | {"table": "predict rows it has never seen"}
_SUFFIXES = (
    "tar|tgz|gz|xz|bz2|zst|zip|csv|tsv|txt|jsonl?|ndjson|parquet|pq|feather|arrows?|ipc|xlsx|xlsm|sqlite3?|db|mbox"
)
"""What a model's name does not take over from the name of its data."""


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
    processes: Annotated[
        int | None,
        Option(
            "--processes",
            metavar="N",
            help="Processes that share the work, each with --threads; one if not given. Never changes a bit.",
        ),
    ] = None,
    cache_limit: Annotated[
        str | None,
        Option("--cache-limit", metavar="SIZE", help="What decoded images may take on the disk, such as 5G."),
    ] = None,
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
    """Train, go on with an unfinished run, or find a finished one.

    A run may be stopped at any time (Ctrl-C, kill -9, power cut); the same command goes on from its last checkpoint,
    and the model has the same bits as if nothing had happened.

    Example: lithify train inbox --set ham_loss=0.01 --out spam.lith
    """
    from lithify import api, freezing, parsing, things, writing

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if (data is None) == (resume is None):
        raise UsageError("Give either data to train on, or --resume RUN.", hint="See `lithify train --help`.")
    settings = parsing.make_settings(threads, session, checkpoint_every, processes, cache_limit)
    wanted = parsing.make_recipe(recipe, learner=learner, quality=quality, budget=budget, assignments=set_ or ())
    if out is not None and not out.is_dir():
        writing.check_out(out)
    opened = things.open_home(home)
    report = Progress(quiet=quiet, width=terminal.width)
    if resume is not None:
        row = opened.catalog.run(resume)
        tell_compiling(terminal, opened.catalog.snapshot(row.snapshot).kind, str(row.recipe.get("learner")))
        with report:
            outcome = _train(lambda: _resume(opened, resume, settings, report), home, processes)
        called = next(iter(opened.catalog.names_of(outcome.snapshot)), short(outcome.snapshot))
    else:
        assert data is not None
        asked: dict[str, Any] = {"kind": kind, "label": label, "text": text, "time": time, "group": group}
        asked |= {"weight": weight, "fields": parsing.field_kinds(field), "task": task, "query": query, "sheet": sheet}
        made: dict[str, Any] = {"parent": parent, "split": None if split == "auto" else split}
        snap = things.find(opened, data, name=name, strict=strict, **asked, **made)
        fields: tuple[Field, ...] = ()
        if snap is None:
            opening = freezing.open_data(opened, data, **asked, **made)
            tell_compiling(terminal, opening.kind, wanted.learner)
            with report:
                snap = freezing.freeze(opened, opening, name=name, strict=strict, report=report, **made)
            fields = opening.fields
        else:
            tell_compiling(terminal, snap.kind, wanted.learner)
        if show_recipe:
            return _show_recipe(terminal, opened, snap, wanted, settings)
        if not quiet:
            describe(terminal, snap, fields=fields)
            terminal.say()
        source = things.source_name(opened, data)
        with report:
            run = functools.partial(api.run, opened, snap, wanted, source, settings, new=new, report=report)
            outcome = _train(run, home, processes)
        called = name or data
    path = writing.check_out(_place(out, called, outcome.model.digest))
    writing.write_model(outcome.model, path)
    terminal.document(outcome.to_json() | {"path": str(path)})
    _finished(terminal, outcome, shown_path(path), called, home)


def _train(work: Callable[[], Outcome], home: Path | None, processes: int | None) -> Outcome:
    """Runs it; when the session ends early, says exactly how to go on."""
    try:
        return work()
    except SessionEnded as error:
        more = ("--processes", str(processes)) if processes else ()
        command = command_line("train", "--resume", short(error.run), *more, home=home)
        raise SessionEnded(error.run, error.message, hint=f"Go on with the same command, or: {command}") from None


def _resume(home: Home, run: str, settings: Settings, report: Reporter) -> Outcome:
    from lithify.training.run import resume

    return resume(home, run, settings=settings, report=report)


def _show_recipe(terminal: Terminal, home: Home, snap: Snapshot, wanted: Recipe, settings: Settings) -> None:
    from lithify import recipe as recipes
    from lithify.training.request import request
    from lithify.training.run import resolved as resolve

    resolved = resolve(home, snap, wanted, settings)
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
    conformal(terminal, model)
    cutoffs(terminal, model)
    limits(terminal, model)
    terminal.title("The file")
    terminal.say(f"  {path}")
    terminal.title("Next")
    page = ("evaluate", path, short(outcome.snapshot), "--report", "report.html")
    steps = [
        (command_line("predict", path, _NEW[model.kind]), _JUDGE[model.kind]),
        (command_line("verify", path), "check the file, wherever it went"),
    ]
    if model.card["test"]["rows"]:
        steps.insert(0, (command_line(*page, home=home), "the figures on one page, with the mistakes"))
    for command, why in steps:
        terminal.say(f"  {command}")
        terminal.say(terminal.style(f"      {why}", "dim"))


def _place(out: Path | None, called: str, digest: str) -> Path:
    """The file for a model: as asked, in the folder asked for, or in the current folder."""
    if out is not None and not out.is_dir():
        return out
    stem = Path(called).name or Path(called).resolve().name
    stem = re.sub(rf"(\.({_SUFFIXES}))+$", "", stem, flags=re.IGNORECASE)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")
    return (out or Path()) / f"{stem or 'model'}-{short(digest)}.lith"
