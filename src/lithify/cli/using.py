"""Commands about sealed models: evaluate, predict, explain, verify."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lithify.cli import options as o
from lithify.cli.kernels import tell_compiling
from lithify.cli.output import Terminal, count, plain
from lithify.cli.parser import Argument, Option
from lithify.cli.progress import Progress
from lithify.errors import UsageError
from lithify.progress import Update

if TYPE_CHECKING:
    from lithify.model.explain import Explanation
    from lithify.model.model import Model
    from lithify.model.prediction import Prediction

ModelThing = Annotated[str, Argument(metavar="MODEL", help="A model file, or the digest of one in the home.")]
_COLOURS = {"spam": "red", "ham": "green", "unsure": "yellow"}


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
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Measure a model on one split of a snapshot.

    Every look at a test split is counted and shown: each makes it a little less of a test.

    Example: lithify evaluate spam.lith inbox --report report.html
    """
    from lithify import api
    from lithify.cli.figures import evaluation_table

    terminal = Terminal(as_json=as_json, quiet=quiet)
    path = None if report is None else api.check_out(report)
    asked = {"label": label, "text": text, "time": time, "kind": kind}
    tell_compiling(terminal)
    with Progress(quiet=quiet, width=terminal.width) as tell:
        tell(Update("measuring"))
        found = api.evaluate(model, data, split, home=home, report=tell, **asked)
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
        Argument(metavar="INPUT...", help="Messages, folders, mailboxes, archives, tables; - is one message on stdin."),
    ],
    text: o.Text = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> int:
    """Judge messages or texts, in the order in which they come.

    With --json one line for each. What cannot be read gets a line with its problem, and the exit status is then 65; a
    single input that cannot be read is an error.

    Example: lithify predict spam.lith new/ --json > verdicts.jsonl
    """
    from lithify import api
    from lithify.cli.inputs import Inputs, predictions
    from lithify.data.schema import Problem

    terminal = Terminal(as_json=as_json, quiet=quiet, lines=True)
    opened = api.open(model, home=home)
    given = Inputs(opened, inputs, text, terminal.note)
    problems = done = 0
    with Progress(quiet=quiet or sys.stdout.isatty(), width=terminal.width) as tell:
        for found in predictions(opened, given, lambda: tell_compiling(terminal)):
            done += 1
            if isinstance(found, Problem):
                problems += 1
                said = f"{found.reason}: {found.detail}" if found.detail else found.reason
                terminal.document({"input": found.origin, "problem": said})
                terminal.say(f"{'?':<8}  {'-':>8}  {plain(found.origin)}: {plain(said)}")
            else:
                terminal.document(found.to_json())
                _show_prediction(terminal, opened, found)
            if done % 100 == 0:
                tell(Update("predicting", done))
    if given.cut:
        terminal.note(f"{count(given.cut, 'input')} read only up to the limit of 512 KiB.")
    if problems:
        terminal.note(f"{count(problems, 'input')} of {done:,} could not be judged.")
        return os.EX_DATAERR
    return 0


def explain(
    model: ModelThing,
    item: Annotated[str, Argument(metavar="INPUT", help="The file of one message or text; - is stdin.")],
    top: Annotated[int, Option("--top", metavar="N", help="How many stretches to show.")] = 15,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Show which words pushed a score which way.

    The weights are the terms of the model's own sum: with the base they add up to the score.

    Example: lithify explain spam.lith new/17.eml
    """
    from lithify import api
    from lithify.cli.inputs import single

    terminal = Terminal(as_json=as_json, quiet=quiet)
    opened = api.open(model, home=home)
    name, content = single(opened, item)
    found = opened.explain_content(content, name)
    terminal.document(found.to_json())
    if not as_json:
        show_explanation(terminal, opened, found, top)


def verify(
    thing: Annotated[str, Argument(metavar="THING", help="A model file, or a model or snapshot in the home.")],
    rebuild: Annotated[
        bool, Option("--rebuild", help="Train it again from its snapshot and recipe, and compare every byte.")
    ] = False,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Check that a model is whole and still predicts what it did, or that a snapshot is whole.

    The seal shows damage. Whether the file is the one that was meant, only its digest shows: compare it. Of a snapshot
    every row is compared with its key.

    Example: lithify verify spam.lith --rebuild
    """
    from lithify import api

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if api.is_snapshot(thing, home=home):
        _verify_snapshot(terminal, thing, rebuild, home)
        return
    if rebuild:
        tell_compiling(terminal)
    with Progress(quiet=quiet, width=terminal.width) as tell:
        sealed = api.verify(thing, rebuild=rebuild, home=home, report=tell)
    checks = ["structure", "seal", "golden predictions"] + (["rebuild"] if rebuild else [])
    terminal.document({"model": sealed.digest, "path": str(sealed.path), "checked": checks, "ok": True})
    good = terminal.style("ok", "green")
    terminal.say(f"{good}  structure and seal: every byte is as it was sealed")
    terminal.say(f"{good}  golden predictions: it scores made-up inputs as it did then")
    if rebuild:
        terminal.say(f"{good}  rebuild: trained again from snapshot and recipe, the same bytes")
    terminal.say(f"    {sealed.digest}")


def _verify_snapshot(terminal: Terminal, thing: str, rebuild: bool, home: Path | None) -> None:
    from lithify import api

    if rebuild:
        raise UsageError("Only a model can be rebuilt.", found=f"{thing}, a snapshot", hint="Leave out --rebuild.")
    with Progress(quiet=terminal.quiet, width=terminal.width) as tell:
        tell(Update("verifying"))
        frozen = api.find_snapshot(api.open_home(home), thing)
        frozen.verify()
    terminal.document({"snapshot": frozen.digest, "checked": ["manifest", "row table", "rows"], "ok": True})
    terminal.say(f"{terminal.style('ok', 'green')}  every one of {count(len(frozen), 'row')} is what its key says")
    terminal.say(f"    {frozen.digest}")


def _show_prediction(terminal: Terminal, model: Model, found: Prediction) -> None:
    """One line: verdict or label, probability, input."""
    if terminal.as_json:
        return
    said = found.verdict or found.label
    label = model.spam or found.label
    word = terminal.style(f"{plain(said):<8}", *([_COLOURS[said]] if said in _COLOURS else []))
    terminal.say(f"{word}  {probability(found.probabilities[label])}  {plain(found.input)}")


def probability(value: float) -> str:
    """A probability that never claims to be certain.

    >>> probability(0.5), probability(0.999999), probability(1e-9)
    (' 50.00 %', '>99.99 %', '< 0.01 %')
    """
    percent = 100.0 * value
    if percent > 99.99:
        return ">99.99 %"
    return "< 0.01 %" if percent < 0.01 else f"{percent:6.2f} %"


def show_explanation(terminal: Terminal, model: Model, found: Explanation, top: int) -> None:
    """The prediction, the strongest stretches with their weights, and the sum."""
    from lithify.evaluation.mistakes import shorten

    p = found.prediction
    said = p.verdict or p.label
    style = [_COLOURS[said]] if said in _COLOURS else []
    chance = probability(p.probabilities[found.label]).strip()
    terminal.say(f"{terminal.style(plain(said), 'bold', *style)}  {chance} {plain(found.label)}  {plain(p.input)}")
    terminal.say()
    shown, rest = found.items[:top], found.items[top:]
    largest = max((abs(item.weight) for item in shown), default=1.0)
    for item in shown:
        bar = "█" * max(1, round(10 * abs(item.weight) / largest))
        colour = "red" if item.weight > 0 else "green"
        room = max(20, terminal.width - 34)
        text = plain(shorten(item.text, room))
        terminal.say(
            f"{item.weight:+8.3f}  {terminal.style(bar.ljust(10), colour)}  "
            f"{terminal.style(item.channel.ljust(6), 'dim')}  {terminal.style(text, colour)}"
        )
    if rest:
        terminal.say(
            f"{sum(item.weight for item in rest):+8.3f}  {count(len(rest), 'weaker stretch', 'weaker stretches')}"
        )
    terminal.say(f"{found.base:+8.3f}  base: a row without any feature")
    terminal.say(f"{found.score:+8.3f}  score; + pushes to {plain(found.label)}, - away from it")
