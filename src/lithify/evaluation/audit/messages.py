"""Findings on what stands in mail and text and gives the label away: headers, gateways, mailing lists, words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.data import split
from lithify.evaluation.audit.finding import Figure, Finding, Item
from lithify.evaluation.audit.scene import Scene
from lithify.evaluation.audit.tokens import Tokens, count, of_mail, of_text, tell, with_absence
from lithify.progress import Reporter, Update

GIVES_AWAY = 0.5
"""Margin (see ``tokens.Tell``) from which a token gives a label away."""
LEANS = 0.2
PURE = 0.98
LATER_ROWS = 20
"""Later rows of the label, and of the others, for it to be said whether a token still tells."""
LATER_SHARE = 0.2
_SHOWN = 25


def messages(scene: Scene, report: Reporter) -> Iterator[Finding]:
    """What tells labels apart in headers of mail, in text, and in the texts of a table."""
    if not scene.snapshot.labels or not scene.learn:
        return
    if scene.snapshot.kind in ("table", "image"):
        for name, cells in scene.texts:
            yield from _found(scene, (cell or b"" for cell in cells), of_text, f"{name}: ")
    else:
        of = of_mail if scene.snapshot.kind == "mail" else of_text
        yield from _found(scene, _contents(scene, report), of, "")


def _contents(scene: Scene, report: Reporter) -> Iterator[bytes]:
    done = 0
    for some, contents in scene.snapshot.batches(scene.rows):
        yield from contents
        done += len(some)
        report(Update("reading headers" if scene.snapshot.kind == "mail" else "reading words", done, len(scene.rows)))


@dataclass(frozen=True)
class Parts:
    """Which rows count as earlier and later, and how to say so.

    Attributes
    ----------
    part : (n,) int64
        Label of an earlier row, labels + label of a later one, 2 labels for test.
    later : str
    """

    part: NDArray[np.int64]
    later: str


def parts(scene: Scene) -> Parts:
    """In a split by time later rows are those of validation; otherwise the last fifth by time, if there is a time."""
    labels, learn = len(scene.snapshot.labels), scene.learn
    time = scene.time[:learn]
    later, said = scene.side[:learn] != split.TRAIN, "validation"
    if scene.by_time:
        said = "validation, which is later"
    elif np.isnan(time).mean() <= 0.05 and len(np.unique(time)) > 1:
        later, said = time >= np.nanquantile(time, 1.0 - LATER_SHARE), "the last fifth by time"
    part = np.full(len(scene.rows), 2 * labels)
    part[:learn] = scene.target + labels * later
    return Parts(part, said)


def _found(scene: Scene, contents: Iterable[bytes], of: Callable[[bytes], set[str]], prefix: str) -> Iterator[Finding]:
    labels, split_up = len(scene.snapshot.labels), parts(scene)
    found = count(contents, split_up.part, 2 * labels + 1, of)
    if of is of_mail:
        found = with_absence(found, [name.endswith(":") for name in found.names])
    if not len(found.names):
        return
    items, gone = _items(scene, found, prefix)
    if not items:
        return
    strong = sum(float(item.figures["margin"] or 0.0) >= GIVES_AWAY for item in items)
    lost = sum(gone.values())
    where = "Headers" if of is of_mail else "Words"
    yield Finding(
        "headers tell the label" if of is of_mail else "words tell the label",
        "danger" if gone[True] else "warning" if strong or lost else "note",
        f"{where} whose presence alone tells the label of the rows that have them"
        + (f"; {lost} of them no longer {'does' if lost == 1 else 'do'} on later rows." if lost else "."),
        f"{int(found.sizes[:labels].sum()):,} earlier rows of training; later: "
        f"{int(found.sizes[labels:-1].sum()):,} rows of {split_up.later}; "
        f"{int(found.sizes[-1]):,} test rows, inputs only",
        _ADVICE[of is of_mail],
        {"found": len(items), "that alone would do": strong, "that no longer tell": lost},
        tuple(items),
    )


_ADVICE = (
    "Ask of each whether it belongs to what is to be told or to how these rows were gathered.",
    "Such marks tell mailing lists, gateways and collectors apart, not what mail says, and are gone with the next "
    "mailbox. The features of mail leave header texts out for that reason; gather both labels in the same way.",
)


def _items(scene: Scene, found: Tokens, prefix: str) -> tuple[list[Item], dict[bool, int]]:
    """Tokens that tell, one for each header field and label, the strongest first.

    Second how many no longer tell later: of those that would do alone (True), and of the others.
    """
    labels = len(scene.snapshot.labels)
    early, late, test = found.counts[:, :labels], found.counts[:, labels:-1], found.counts[:, -1]
    now = tell(early, found.sizes[:labels])
    then = tell(late, found.sizes[labels:-1], now.label)
    seen = early.sum(axis=1)
    good = np.flatnonzero((now.margin >= LEANS) & (now.purity >= PURE) & (seen >= LATER_ROWS))
    items: list[Item] = []
    taken: set[tuple[str, int]] = set()
    gone = {False: 0, True: 0}
    for i in good[np.argsort(-now.margin[good], kind="stable")].tolist():
        of, label = _family(found.names[i]), int(now.label[i])
        if (of, label) in taken:
            continue
        taken.add((of, label))
        figures: dict[str, Figure] = {"tells": scene.snapshot.labels[label], "margin": float(now.margin[i])}
        rows = found.sizes[labels:-1]
        if min(rows[label], rows.sum() - rows[label]) >= LATER_ROWS:
            figures["later"] = float(then.margin[i])
            fell = min(0.5 * now.margin[i], now.margin[i] - LEANS) >= then.margin[i]
            gone[bool(now.margin[i] >= GIVES_AWAY)] += int(fell)
        figures["right"] = float(now.purity[i])
        figures["train"] = float(seen[i] / max(1, found.sizes[:labels].sum()))
        figures["test"] = float(test[i] / found.sizes[-1]) if found.sizes[-1] else None
        items.append(Item(prefix + found.names[i], figures))
    return items[:_SHOWN], gone


def _family(token: str) -> str:
    """The header field that a token is of; a word is its own.

    >>> _family("list-id fork.example"), _family("no list-id:"), _family("prize")
    ('list-id', 'list-id', 'prize')
    """
    return token.removeprefix("no ").partition(" ")[0].rstrip(":") if " " in token or ":" in token else token
