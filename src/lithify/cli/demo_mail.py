"""`lithify demo`: a spam filter from the mail that ships with Lithify."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lithify.cli.output import short, shown_path
from lithify.cli.stage import Stage, begin, draw, end, freeze, learn, measure, seal

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.evaluate import Evaluation
    from lithify.model.model import Model

HAM_LOSS = 0.01
MESSAGE_BYTES = (600, 4000)
"""How long the message is that is explained: short enough to read."""


def play(stage: Stage, began: float) -> None:
    """All of it."""
    begin(stage, "a spam filter from real mail")
    snap = _freeze(stage)
    stage.heading(2, "Training")
    outcome = learn(stage, snap, {"ham_loss": HAM_LOSS})
    path = stage.folder / f"spam-{short(outcome.model.digest)}.lith"
    model = seal(stage, outcome, path)
    found = _measure(stage, model, snap)
    _explain(stage, model, snap, found)
    page = draw(stage, found)
    stage.tell("It shows no whole message.")
    stage.terminal.document(outcome.to_json() | {"path": str(path), "report": str(page), "evaluation": found.to_json()})
    file, folder = shown_path(path), shown_path(stage.folder)
    acts = (
        (("predict", file, f"{folder}/message.eml"), "judge a message; takes folders and mailboxes too"),
        (("show", file), "read the card that is sealed into the model"),
        (("train", "PATH/TO/YOUR/MAIL"), "a maildir, mboxes, or a folder with ham/ and spam/ in it"),
        (("demo", "--keep", folder), "again: a finished run returns its model at once"),
    )
    end(stage, time.monotonic() - began, acts)


def _freeze(stage: Stage) -> Snapshot:
    from lithify import freezing, samples

    archive = stage.folder / "mail.tar.xz"
    stage.heading(1, "The mail, frozen")
    if not archive.exists():
        archive.write_bytes(samples.mail().read_bytes())
    source = freezing.open_data(stage.home, archive)
    stage.tell(f"{shown_path(archive)} is {source.describe()}.")
    snap = freeze(stage, source, "mail", "", "messages")
    if snap.manifest["split"]["rule"] == "time":
        stage.tell(
            "It learns from the oldest messages and is judged by the newest, which it never sees before: "
            "that is what a filter has to do. A random split would flatter it."
        )
    return snap


def _measure(stage: Stage, model: Model, snap: Snapshot) -> Evaluation:
    from lithify.cli.figures import HINDSIGHT, cutoffs

    stage.heading(4, "How good it is, on mail it has never seen")
    found = measure(stage, model, snap)
    stage.tell(HINDSIGHT)
    cutoffs(stage.inner, model)
    stage.inner.say()
    stage.tell(
        f"Why {100 * HAM_LOSS:g} % and not 0.1 %, one in a thousand? To show that takes about 3,000 ham, and here are "
        f"{sum(side['ham'] for side in snap.manifest['split']['counts'].values()):,}. Your own mail may well have them."
    )
    return found


def _explain(stage: Stage, model: Model, snap: Snapshot, found: Evaluation) -> None:
    from lithify.cli.explaining import show_explanation

    stage.heading(5, "One message, judged and explained")
    file = stage.folder / "message.eml"
    file.write_bytes(_message(snap, found))
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
