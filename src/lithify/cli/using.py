"""Commands about sealed models: evaluate, predict, explain."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lithify.cli import options as o
from lithify.cli.figures import COLOURS, others, probability
from lithify.cli.kernels import tell_compiling
from lithify.cli.output import Terminal, count, plain
from lithify.cli.parser import Argument, Option
from lithify.cli.progress import Progress
from lithify.errors import UsageError
from lithify.progress import Update

if TYPE_CHECKING:
    from lithify.data.schema import Problem
    from lithify.model.model import Model
    from lithify.model.prediction import Prediction

_IS_FOR = {"--text": "mail and texts"}
_IS_FOR |= dict.fromkeys(("--query", "--sheet", "--row"), "tables")
_IS_FOR |= dict.fromkeys(("--out", "--neighbours", "--snapshot", "--show-content"), "images")
"""What options mean something for."""
ModelThing = Annotated[str, Argument(metavar="MODEL", help="A model file, or the digest of one in the home.")]


def evaluate(
    model: ModelThing,
    data: Annotated[str, Argument(metavar="DATA|SNAP", help="Data, or a snapshot of it.")],
    split: Annotated[str, Option("--split", metavar="SIDE", help="test, validation or train.")] = "test",
    report: Annotated[Path | None, Option("--report", metavar="FILE.html", help="Write a page too.")] = None,
    show_content: Annotated[
        bool, Option("--show-content", help="Whole messages in the page; do not pass it on.")
    ] = False,
    label: o.Label = None,
    text: o.Text = None,
    time: o.Time = None,
    kind: o.Kind = None,
    query: o.Query = None,
    sheet: o.Sheet = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Measure a model on one split of a snapshot.

    Every look at a test split is counted and shown: each makes it a little less of a test.

    Example: lithify evaluate spam.lith inbox --report report.html
    """
    from lithify import api, things, writing
    from lithify.cli.figures import evaluation_table

    terminal = Terminal(as_json=as_json, quiet=quiet)
    path = None if report is None else writing.check_out(report)
    asked = {"label": label, "text": text, "time": time, "kind": kind, "query": query, "sheet": sheet}
    sealed = api.open(model, home=home)
    opened = things.open_home(home)
    if sealed.kind != "image":
        tell_compiling(terminal, sealed.kind)
    with Progress(quiet=quiet, width=terminal.width) as tell:
        tell(Update("measuring"))
        found = api.evaluate(sealed, data, split, home=opened, report=tell, **asked)
        if path is not None:
            tell(Update("drawing the report"))
            found.report(path, show_content=show_content)
    terminal.document(found.to_json() | ({"report": str(path)} if path else {}))
    if as_json:
        return
    evaluation_table(terminal, found)
    if path is not None:
        terminal.say()
        terminal.say(f"Report: {plain(str(report))}")


def predict(
    model: ModelThing,
    inputs: Annotated[
        list[str],
        Argument(metavar="INPUT...", help="Messages, images, folders, archives, tables; - is one on stdin."),
    ],
    out: Annotated[
        Path | None, Option("--out", metavar="FILE", help="Write them to a .jsonl, .csv or .parquet file.")
    ] = None,
    new: Annotated[bool, Option("--new", help="Start that file over, in place of going on with it.")] = False,
    threads: o.Threads = None,
    text: o.Text = None,
    query: o.Query = None,
    sheet: o.Sheet = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> int:
    """Judge messages, texts, images or rows of tables, in their order.

    With --json one line for each. What cannot be read gets a line with its problem, and the exit status is then 65; a
    single input that cannot be read is an error. A table is read by the names of its columns; on stdin it may be CSV
    or one JSON object on every line.

    With --out the file appears once it is whole. Whatever ends the command before, the same command goes on from
    there, and the file is the same as if nothing had happened.

    Example: lithify predict spam.lith new/ --json > verdicts.jsonl
    """
    from lithify import api

    terminal = Terminal(as_json=as_json, quiet=quiet, lines=True)
    if threads is not None and threads < 1:
        raise UsageError("--threads takes a number of threads.", expected="1 or more", found=str(threads))
    opened = api.open(model, home=home)
    if opened.kind == "table":
        _no_option(opened, text=text)
    else:
        _no_option(opened, query=query, sheet=sheet, text=text if opened.kind == "image" else None)
    if out is not None:
        from lithify.cli.batching import predict_to
        from lithify.cli.inputs import Reading

        written = predict_to(terminal, opened, inputs, out, Reading(text, query, sheet), threads=threads, new=new)
        return _judged(terminal, written.rows, written.problems)
    if new:
        raise UsageError("--new is for --out.", hint="Leave it out, or name a file with --out.")
    if opened.kind == "table":
        return _predict_rows(terminal, opened, inputs, query, sheet, threads)
    return _predict_items(terminal, opened, inputs, text, threads or 1)


def _predict_items(terminal: Terminal, model: Model, inputs: list[str], text: str | None, threads: int) -> int:
    """Mail, texts and images: one at a time, so that the first line comes at once."""
    from lithify.cli.inputs import Inputs, predictions
    from lithify.data.schema import Problem

    given = Inputs(model, inputs, text, terminal.note)
    problems = done = 0
    with Progress(quiet=terminal.quiet or sys.stdout.isatty(), width=terminal.width) as tell:
        for found in predictions(model, given, lambda: _tell_compiling(terminal, model), threads):
            done += 1
            if isinstance(found, Problem):
                problems += 1
                _show_problem(terminal, found)
            else:
                terminal.document(found.to_json())
                _show_prediction(terminal, model, found)
            if done % 100 == 0:
                tell(Update("predicting", done))
    if given.cut:
        terminal.note(f"{count(given.cut, 'input')} read only up to the limit of 512 KiB.")
    return _judged(terminal, done, problems)


def _tell_compiling(terminal: Terminal, model: Model) -> None:
    if model.kind != "image":
        tell_compiling(terminal)


def _predict_rows(
    terminal: Terminal, model: Model, inputs: list[str], query: str | None, sheet: str | None, threads: int | None
) -> int:
    """Rows of tables: many at a time."""
    from lithify.cli import rows

    write = rows.documents if terminal.as_json else rows.lines
    problems = done = 0
    with Progress(quiet=terminal.quiet or sys.stdout.isatty(), width=terminal.width) as tell:
        for found in rows.scored(model, rows.Tables(model, inputs, query, sheet, terminal.note), threads):
            if isinstance(found, rows.Scored):
                done += len(found.origins)
                terminal.lines_of(write(model, found))
            else:
                done, problems = done + 1, problems + 1
                _show_problem(terminal, found)
            tell(Update("predicting", done))
    return _judged(terminal, done, problems)


def _show_problem(terminal: Terminal, found: Problem) -> None:
    from lithify.cli.inputs import problem

    said = problem(found)["problem"]
    terminal.document(problem(found))
    terminal.say(f"{'?':<8}  {'-':>8}  {plain(found.origin)}: {plain(said)}")


def _judged(terminal: Terminal, done: int, problems: int) -> int:
    """The exit status of predict."""
    if not problems:
        return 0
    terminal.note(f"{count(problems, 'input')} of {done:,} could not be judged.")
    return os.EX_DATAERR


def _no_option(model: Model, **given: object) -> None:
    """Raises ``UsageError`` for options that mean nothing for this kind of model."""
    named = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
    if named:
        raise UsageError(
            f"{named[0]} is for {_IS_FOR[named[0]]}.", found=f"a model for {model.kind}", hint="Leave it out."
        )


def explain(
    model: ModelThing,
    item: Annotated[str, Argument(metavar="INPUT", help="The file of one message, text, image or row; - is stdin.")],
    top: Annotated[int, Option("--top", metavar="N", help="How many stretches or fields to show.")] = 15,
    row: Annotated[
        int | None,
        Option("--row", metavar="N", help="Which row of a table, by the number that predict shows behind its name."),
    ] = None,
    out: Annotated[
        Path | None, Option("--out", metavar="FILE.png|FILE.html", help="Draw what counted over an image.")
    ] = None,
    neighbours: Annotated[
        int | None, Option("--neighbours", metavar="N", help="Name the training rows nearest to an image.")
    ] = None,
    snapshot: Annotated[
        str | None, Option("--snapshot", metavar="SNAP", help="Where to look for them; else what it was trained on.")
    ] = None,
    show_content: Annotated[bool, Option("--show-content", help="Show them in the page; do not pass it on.")] = False,
    query: o.Query = None,
    sheet: o.Sheet = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Show which words, fields or parts of an image pushed a score which way.

    The weights are the terms of the model's own sum: with the base they add up to the score. Where a value is
    predicted, they are in its unit.

    Example: lithify explain spam.lith new/17.eml
    """
    from lithify import api
    from lithify.cli.explaining import explain_image, show_explanation
    from lithify.cli.inputs import single

    terminal = Terminal(as_json=as_json, quiet=quiet)
    opened = api.open(model, home=home)
    if opened.kind == "image":
        _no_option(opened, row=row, query=query, sheet=sheet)
        asked = None if neighbours is None else (neighbours, snapshot)
        explain_image(terminal, opened, single(opened, item), top, out, asked, show_content, home)
        return
    _no_option(opened, out=out, neighbours=neighbours, snapshot=snapshot, show_content=show_content or None)
    if opened.kind == "table":
        from lithify.cli.rows import one

        name, content = one(opened, item, row, query, sheet)
        tell_compiling(terminal, "table")
    else:
        _no_option(opened, row=row, query=query, sheet=sheet)
        name, content = single(opened, item)
    found = opened.explain_content(content, name)
    terminal.document(found.to_json())
    if not as_json:
        show_explanation(terminal, opened, found, top)


def _show_prediction(terminal: Terminal, model: Model, found: Prediction) -> None:
    """One line: verdict or label, probability, input."""
    if terminal.as_json:
        return
    said = found.verdict or found.label or ""
    label = model.spam or found.label or ""
    wide = min(max(8, *(len(plain(each)) for each in model.labels)), 24) if model.kind == "image" else 8
    word = terminal.style(f"{plain(said):<{wide}}", *([COLOURS[said]] if said in COLOURS else []))
    more = others(found) if model.kind == "image" else ""
    terminal.say(f"{word}  {probability(found.probabilities[label])}  {plain(found.input)}{more}")
