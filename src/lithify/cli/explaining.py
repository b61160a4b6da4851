"""An explanation in a terminal: the prediction, what pushed it which way, and the sum."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from lithify.cli.figures import COLOURS, others, probability
from lithify.cli.output import Terminal, count, plain

if TYPE_CHECKING:
    from pathlib import Path

    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.neighbours import Neighbour
    from lithify.model.explain import Explanation
    from lithify.model.model import Model
    from lithify.model.prediction import Prediction


_WEAKER: dict[str, tuple[str, ...]] = {"table": ("weaker field",), "image": ("weaker cell",)}
_BASE = {"table": "a row of which nothing is known", "image": "the mean colour alone"}


def explain_image(
    terminal: Terminal,
    model: Model,
    given: tuple[str, bytes],
    top: int,
    out: Path | None,
    asked: tuple[int, str | None] | None,
    show_content: bool,
    home: Path | None,
) -> None:
    """The explanation of one image; drawn where that is asked for, and with its nearest training rows.

    Parameters
    ----------
    given : (name, content)
    out : Path or None
        Where to draw it.
    asked : (count, snapshot) or None
        How many training rows, and of which snapshot; of the one that the model was trained on by default.
    show_content : bool
        Whether these are shown in a page.
    """
    from lithify import writing
    from lithify.evaluation import explained

    path = None if out is None else writing.check_out(out)
    if path is not None:
        explained.check_suffix(path)
    name, content = given
    found = model.explain_content(content, name)
    near, snapshot = _near(terminal, model, content, asked, home)
    if path is not None:
        spans = model.draft.features.spans(model.draft.features_state, content)
        explained.write(path, found, content, len(spans), near, snapshot, show_content)
    document = found.to_json() | ({"neighbours": [each.to_json() for each in near]} if asked else {})
    terminal.document(document | ({"picture": str(path)} if path else {}))
    if terminal.as_json:
        return
    show_explanation(terminal, model, found, top)
    if near:
        terminal.say()
        lines = [[f"  {plain(each.label)}", f"{each.distance:.3f}", each.key[:16]] for each in near]
        terminal.table(lines, right=[1], head=["nearest training rows", "distance", "key"])
    if path is not None:
        terminal.say()
        terminal.say(f"Picture: {plain(str(out))}")


def _near(
    terminal: Terminal, model: Model, content: bytes, asked: tuple[int, str | None] | None, home: Path | None
) -> tuple[list[Neighbour], Snapshot | None]:
    if asked is None:
        return [], None
    from lithify import things
    from lithify.cli.progress import Progress
    from lithify.evaluation.neighbours import neighbours

    count_, thing = asked
    snapshot = things.find_snapshot(things.open_home(home, create=False), thing or model.card["data"]["snapshot"])
    with Progress(quiet=terminal.quiet, width=terminal.width) as tell:
        return neighbours(model, snapshot, content, count_, tell), snapshot


def show_explanation(terminal: Terminal, model: Model, found: Explanation, top: int) -> None:
    """The prediction, the strongest stretches or fields with their weights, and the sum."""
    from lithify.evaluation.mistakes import shorten

    terminal.say(_headline(terminal, found))
    terminal.say()
    shown, rest = found.items[:top], found.items[top:]
    figures = [*(item.weight for item in shown), sum(item.weight for item in rest), found.base, found.score]
    signed = _signed(figures, in_units=found.label is None)
    largest = max((abs(item.weight) for item in shown), default=1.0)
    for item in shown:
        bar = "█" * max(1, round(10 * abs(item.weight) / largest))
        colour = "red" if item.weight > 0 else "green"
        channel = "" if model.kind in ("table", "image") else f"{terminal.style(item.channel.ljust(6), 'dim')}  "
        text = plain(shorten(item.text, max(20, terminal.width - 34)))
        terminal.say(
            f"{signed(item.weight)}  {terminal.style(bar.ljust(10), colour)}  {channel}{terminal.style(text, colour)}"
        )
    if rest:
        weaker = _WEAKER.get(model.kind, ("weaker stretch", "weaker stretches"))
        terminal.say(f"{signed(sum(item.weight for item in rest))}  {count(len(rest), *weaker)}")
    terminal.say(f"{signed(found.base)}  base: {_BASE.get(model.kind, 'a row without any feature')}")
    terminal.say(f"{signed(found.score)}  {_meaning(found)}")


def _headline(terminal: Terminal, found: Explanation) -> str:
    p = found.prediction
    if p.label is None or found.label is None:
        return f"{terminal.style(_value(p.value or 0.0), 'bold')}{_around(p)}  {plain(p.input)}".rstrip()
    said = p.verdict or p.label
    style = [COLOURS[said]] if said in COLOURS else []
    chance = probability(p.probabilities[found.label]).strip()
    line = f"{terminal.style(plain(said), 'bold', *style)}  {chance} {plain(found.label)}  {plain(p.input)}"
    return line.rstrip() + others(p)


def _around(p: Prediction) -> str:
    if p.interval is None or not all(map(math.isfinite, p.interval)):
        return ""
    return f"  {_value(p.interval[0])} to {_value(p.interval[1])}"


def _meaning(found: Explanation) -> str:
    if found.label is None:
        return "what is predicted; the weights are in its unit"
    return f"score; + pushes to {plain(found.label)}, - away from it"


def _signed(figures: list[float], in_units: bool) -> Callable[[float], str]:
    """How weights are written so that they stand below each other."""
    if not in_units:
        return "{:+8.3f}".format
    wide = max(8, *(len(_value(abs(figure))) + 1 for figure in figures))
    return lambda figure: (("-" if figure < 0 else "+") + _value(abs(figure))).rjust(wide)


def _value(value: float) -> str:
    from lithify.evaluation.words import value as said

    return said(value)
