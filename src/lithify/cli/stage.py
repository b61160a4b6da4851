"""Where a demo plays: a folder, a home, and headings with a story below them; and the acts that all demos have."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithify.cli.output import Terminal, command_line, short, shown_path, size
from lithify.cli.progress import Progress, span
from lithify.errors import UsageError
from lithify.progress import Update

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.data.source import Source
    from lithify.evaluation.evaluate import Evaluation
    from lithify.model.model import Model
    from lithify.store.home import Home
    from lithify.training.run import Outcome


@dataclass(frozen=True)
class Stage:
    """What the steps need: where to print headings and what is below them, the folder and the home."""

    terminal: Terminal
    inner: Terminal
    folder: Path
    home: Home

    def working(self) -> Progress:
        """Progress of one piece of work, during which nothing else is printed."""
        return Progress(quiet=self.inner.quiet, width=self.terminal.width, notes=False)

    def heading(self, number: int, title: str) -> None:
        """A numbered heading before the work."""
        self.terminal.title(f"{number}. {title}")

    def tell(self, text: str) -> None:
        """A sentence of the story."""
        self.inner.paragraph(text)


def demo_folder(keep: Path, mark: str) -> Path:
    """The demo's folder: new, or of a demo before, which left that file in it."""
    if keep.exists() and not keep.is_dir():
        raise UsageError(f"{keep} is a file.", hint="Choose another folder with --keep.")
    if keep.is_dir() and any(keep.iterdir()) and not (keep / mark).exists():
        raise UsageError(f"{keep} holds other things.", hint="Choose another folder with --keep.")
    keep.mkdir(parents=True, exist_ok=True)
    return keep


def begin(stage: Stage, title: str) -> None:
    """What is going to happen, and where."""
    stage.terminal.say(stage.terminal.style(f"Lithify demo: {title}, trained once and set in stone", "bold"))
    stage.terminal.paragraph(f"Everything stays in {shown_path(stage.folder)}/.")


def freeze(stage: Stage, source: Source, name: str, learner: str, rows: str) -> Snapshot:
    """The snapshot under that name, described; ``rows`` is what its rows are called."""
    from lithify import freezing
    from lithify.cli.data import describe
    from lithify.cli.kernels import tell_compiling

    began = time.monotonic()
    tell_compiling(stage.inner, source.kind, learner)
    with stage.working() as report:
        snap = freezing.freeze(stage.home, source, name=name, report=report)
    stage.inner.say()
    describe(stage.inner, snap, fields=source.fields)
    stage.inner.say()
    stage.tell(f"Frozen in {span(time.monotonic() - began)}. The same {rows} always give the same name.")
    return snap


def learn(stage: Stage, snap: Snapshot, recipe: Mapping[str, Any]) -> Outcome:
    """The run: trained, or found finished."""
    from lithify import api, parsing

    began = time.monotonic()
    with stage.working() as report:
        settings = parsing.make_settings()
        outcome = api.run(
            stage.home, snap, parsing.make_recipe(recipe), snap.digest, settings, new=False, report=report
        )
    if outcome.resumed:
        stage.tell(
            f"Run {short(outcome.run)} was finished before: data, recipe and engine are the same, "
            "so is the model, and it is here at once."
        )
    else:
        stage.tell(f"Run {short(outcome.run)} finished in {span(time.monotonic() - began)}.")
        stage.tell("Had it been killed, the same command would have gone on, to the very same bits.")
    return outcome


def seal(stage: Stage, outcome: Outcome, path: Path) -> Model:
    """The model as a file, verified."""
    from lithify import api, writing

    stage.heading(3, "Sealed and verified")
    model = api.verify(writing.write_model(outcome.model, path))
    stage.tell(f"{shown_path(path)}, {size(len(model.data))}: one file that runs no code when it is opened.")
    stage.tell("Seal, structure and golden predictions are as they were sealed. Its name:")
    stage.inner.say(model.digest)
    return model


def measure(stage: Stage, model: Model, snap: Snapshot) -> Evaluation:
    """The figures of the test split, in words and as a table."""
    from lithify import api
    from lithify.evaluation.summary import headlines, measured_on, summary

    found = api.evaluate(model, snap, home=stage.home)
    for sentence in summary(found):
        stage.tell(sentence)
    stage.inner.say()
    lines = [[line.title, line.value, line.interval] for line in headlines(found)]
    stage.inner.table(lines, right=[1], head=["", "", "95 % interval"])
    stage.inner.say()
    for sentence in measured_on(found):
        stage.tell(sentence)
    return found


def draw(stage: Stage, found: Evaluation) -> Path:
    """The report."""
    stage.heading(6, "The report")
    with stage.working() as report:
        report(Update("drawing"))
        page = found.report(stage.folder / "report.html")
    stage.tell(f"{shown_path(page)}: open it in a browser. One file that loads nothing.")
    return page


def end(stage: Stage, seconds: float, acts: Sequence[tuple[Sequence[str], str]]) -> None:
    """How long it took, and what to do next: the words after `lithify`, and why."""
    stage.terminal.title(f"Done in {span(seconds)}. What to do next, in this folder:")
    for words, why in acts:
        stage.inner.say(command_line(*words))
        stage.inner.say(stage.inner.style(f"    {why}", "dim"))
    _tell_where(stage)


def _tell_where(stage: Stage) -> None:
    """How to call the command that runs now, where the shell would not find it, as after `make demo`."""
    program = Path(sys.argv[0])
    if program.name == "lithify" and shutil.which("lithify") is None:
        folder = shown_path(program.parent)
        stage.inner.say()
        stage.tell("The shell does not know `lithify` yet. For this session:")
        stage.inner.say(f'export PATH="{"" if folder.startswith("/") else "$PWD/"}{folder}:$PATH"')
