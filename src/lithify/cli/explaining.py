"""An explanation in a terminal: the prediction, what pushed it which way, and the sum."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from lithify.cli.figures import COLOURS, probability
from lithify.cli.output import Terminal, count, plain

if TYPE_CHECKING:
    from lithify.model.explain import Explanation
    from lithify.model.model import Model
    from lithify.model.prediction import Prediction


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
        channel = "" if model.kind == "table" else f"{terminal.style(item.channel.ljust(6), 'dim')}  "
        text = plain(shorten(item.text, max(20, terminal.width - 34)))
        terminal.say(
            f"{signed(item.weight)}  {terminal.style(bar.ljust(10), colour)}  {channel}{terminal.style(text, colour)}"
        )
    if rest:
        weaker = ("weaker field",) if model.kind == "table" else ("weaker stretch", "weaker stretches")
        terminal.say(f"{signed(sum(item.weight for item in rest))}  {count(len(rest), *weaker)}")
    start = "a row of which nothing is known" if model.kind == "table" else "a row without any feature"
    terminal.say(f"{signed(found.base)}  base: {start}")
    terminal.say(f"{signed(found.score)}  {_meaning(found)}")


def _headline(terminal: Terminal, found: Explanation) -> str:
    p = found.prediction
    if p.label is None or found.label is None:
        return f"{terminal.style(_value(p.value or 0.0), 'bold')}{_around(p)}  {plain(p.input)}".rstrip()
    said = p.verdict or p.label
    style = [COLOURS[said]] if said in COLOURS else []
    chance = probability(p.probabilities[found.label]).strip()
    line = f"{terminal.style(plain(said), 'bold', *style)}  {chance} {plain(found.label)}  {plain(p.input)}"
    return line.rstrip() + ("" if p.labels in (None, (p.label,)) else f"  {{{', '.join(map(plain, p.labels or ()))}}}")


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
