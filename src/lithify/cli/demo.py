"""`lithify demo`: the main job on the mail that ships with Lithify, start to finish, in plain words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lithify.cli import options as o
from lithify.cli.output import Terminal, command_line, short, shown_path, size
from lithify.cli.parser import Option
from lithify.cli.progress import span
from lithify.cli.stage import Stage, demo_folder, tell_where
from lithify.errors import UsageError
from lithify.progress import Update

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.evaluate import Evaluation
    from lithify.training.run import Outcome

HAM_LOSS = 0.01
FOLDER, TABLE_FOLDER, IMAGE_FOLDER = (Path(f"lithify-demo{of}") for of in ("", "-table", "-images"))
MESSAGE_BYTES = (600, 4000)
"""How long the message is that is explained: short enough to read."""


def demo(
    keep: Annotated[
        Path | None, Option("--keep", metavar="DIR", help="Where to leave the data, the model and the report.")
    ] = None,
    table: Annotated[
        bool, Option("--table", help="Learn from a table of a census instead, 12,000 rows of it.")
    ] = False,
    images: Annotated[
        bool, Option("--images", help="Learn from images of handwritten digits instead, 1,797 of them.")
    ] = False,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Train, seal, check and explain a spam filter on real mail.

    Does the main job on 1,500 messages that ship with Lithify, and leaves everything in one folder, which also serves
    as its home unless --home says otherwise. A second time it finds the run finished. With --table it does the same for
    a table: who earns more than 50,000 dollars a year, by the census of 1994. With --images it does so for handwritten
    digits; that takes the extras images and networks.

    Example: lithify demo --keep demo
    """
    from lithify import things

    terminal = Terminal(as_json=as_json, quiet=quiet)
    folder = _folder(keep, table, images)
    began = time.monotonic()
    opened = things.open_home(folder / "home" if home is None else home)
    stage = Stage(terminal, Terminal(as_json=as_json, quiet=quiet, indent="   "), folder, opened)
    if table or images:
        from lithify.cli import demo_images, demo_table

        play = demo_table.play if table else demo_images.play
        return play(stage, began)
    terminal.say(terminal.style("Lithify demo: a spam filter from real mail, trained once and set in stone", "bold"))
    terminal.paragraph(f"Everything stays in {shown_path(folder)}/.")
    snap = _freeze(stage)
    outcome = _train(stage, snap)
    path = _seal(stage, outcome)
    found = _measure(stage, path, snap)
    _explain(stage, path, snap, found)
    page = _report(stage, found)
    terminal.document(outcome.to_json() | {"path": str(path), "report": str(page), "evaluation": found.to_json()})
    _next(stage, path, time.monotonic() - began)


def _folder(keep: Path | None, table: bool, images: bool) -> Path:
    """Where it plays; ``UsageError`` and ``MissingExtra`` before anything is written."""
    if table and images:
        raise UsageError("There is one demo at a time.", found="--table and --images", hint="Leave one of them out.")
    if images:
        from lithify.cli.demo_images import check_extras

        check_extras()
        return demo_folder(keep or IMAGE_FOLDER, "digits.tar.xz")
    return demo_folder(keep or (TABLE_FOLDER if table else FOLDER), "adult.csv" if table else "mail.tar.xz")


def _freeze(stage: Stage) -> Snapshot:
    from lithify import api, samples
    from lithify.cli.data import describe
    from lithify.cli.kernels import tell_compiling
    from lithify.data.open import open_source

    copy = stage.folder / "mail.tar.xz"
    stage.heading(1, "The mail, frozen")
    if not copy.exists():
        copy.write_bytes(samples.mail().read_bytes())
    stage.tell(f"{shown_path(copy)} is {open_source(copy).describe()}.")
    tell_compiling(stage.inner)
    began = time.monotonic()
    with stage.working() as report:
        snap = api.snapshot(copy, name="mail", home=stage.home, report=report)
    stage.inner.say()
    describe(stage.inner, snap)
    stage.inner.say()
    if snap.manifest["split"]["rule"] == "time":
        stage.tell(
            "It learns from the oldest messages and is judged by the newest, which it never sees before: "
            "that is what a filter has to do. A random split would flatter it."
        )
    stage.tell(f"Frozen in {span(time.monotonic() - began)}. The same messages always give the same name.")
    return snap


def _train(stage: Stage, snap: Snapshot) -> Outcome:
    from lithify import api, parsing

    stage.heading(2, "Training")
    began = time.monotonic()
    recipe = parsing.make_recipe({"ham_loss": HAM_LOSS})
    with stage.working() as report:
        outcome = api.run(stage.home, snap, recipe, snap.digest, parsing.make_settings(), new=False, report=report)
    if outcome.resumed:
        stage.tell(
            f"Run {short(outcome.run)} was finished before: data, recipe and engine are the same, "
            "so is the model, and it is here at once."
        )
    else:
        stage.tell(f"Run {short(outcome.run)} finished in {span(time.monotonic() - began)}.")
        stage.tell("Had it been killed, the same command would have gone on, to the very same bits.")
    return outcome


def _seal(stage: Stage, outcome: Outcome) -> Path:
    from lithify import api, writing

    stage.heading(3, "Sealed and verified")
    path = stage.folder / f"spam-{short(outcome.model.digest)}.lith"
    model = api.verify(writing.write_model(outcome.model, path))
    stage.tell(f"{shown_path(path)}, {size(len(model.data))}: one file that runs no code when it is opened.")
    stage.tell("Seal, structure and golden predictions are as they were sealed. Its name:")
    stage.inner.say(model.digest)
    return path


def _measure(stage: Stage, path: Path, snap: Snapshot) -> Evaluation:
    from lithify import api
    from lithify.cli.figures import HINDSIGHT, cutoffs
    from lithify.evaluation.summary import headlines, measured_on, summary

    stage.heading(4, "How good it is, on mail it has never seen")
    found = api.evaluate(path, snap, home=stage.home)
    for sentence in summary(found):
        stage.tell(sentence)
    stage.inner.say()
    lines = [[line.title, line.value, line.interval] for line in headlines(found)]
    stage.inner.table(lines, right=[1], head=["", "", "95 % interval"])
    stage.inner.say()
    for sentence in (*measured_on(found), HINDSIGHT):
        stage.tell(sentence)
    cutoffs(stage.inner, api.open(path))
    stage.inner.say()
    stage.tell(
        f"Why {100 * HAM_LOSS:g} % and not 0.1 %, one in a thousand? To show that takes about 3,000 ham, and here are "
        f"{sum(side['ham'] for side in snap.manifest['split']['counts'].values()):,}. Your own mail may well have them."
    )
    return found


def _explain(stage: Stage, path: Path, snap: Snapshot, found: Evaluation) -> None:
    from lithify import api
    from lithify.cli.explaining import show_explanation

    stage.heading(5, "One message, judged and explained")
    file = stage.folder / "message.eml"
    file.write_bytes(_message(snap, found))
    model = api.open(path)
    stage.tell(f"{shown_path(file)} is one of the messages it has never seen. What pushes its score up and down:")
    stage.inner.say()
    show_explanation(stage.inner, model, model.explain(file), 8)


def _message(snap: Snapshot, found: Evaluation) -> bytes:
    """Spam of the test rows that is called spam and short enough to read; else the most certain spam there is."""
    rows = snap.rows("test")
    is_spam = found.y == len(found.labels) - 1
    score = found.probabilities[:, -1]
    best = rows[is_spam][score[is_spam].argsort(kind="stable")[::-1]]
    low, high = MESSAGE_BYTES
    contents = snap.content(best)
    return next((content for content in contents if low <= len(content) <= high), contents[0])


def _report(stage: Stage, found: Evaluation) -> Path:
    stage.heading(6, "The report")
    with stage.working() as report:
        report(Update("drawing"))
        page = found.report(stage.folder / "report.html")
    stage.tell(f"{shown_path(page)}: open it in a browser. One file, loads nothing, shows no whole message.")
    return page


def _next(stage: Stage, path: Path, seconds: float) -> None:
    model, folder = shown_path(path), shown_path(stage.folder)
    stage.terminal.title(f"Done in {span(seconds)}. What to do next, in this folder:")
    for words, why in (
        (("predict", model, f"{folder}/message.eml"), "judge a message; takes folders and mailboxes too"),
        (("show", model), "read the card that is sealed into the model"),
        (("train", "PATH/TO/YOUR/MAIL"), "a maildir, mboxes, or a folder with ham/ and spam/ in it"),
        (("demo", "--keep", folder), "again: a finished run returns its model at once"),
    ):
        stage.inner.say(command_line(*words))
        stage.inner.say(stage.inner.style(f"    {why}", "dim"))
    tell_where(stage)
