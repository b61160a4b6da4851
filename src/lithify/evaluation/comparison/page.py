"""A comparison as one HTML page that stands by itself: no network, no content beyond short spans unless asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lithify.data.cells import as_text, decode_row, layout
from lithify.data.schema import Field
from lithify.evaluation import drawing, words
from lithify.evaluation.comparison import plots, reading
from lithify.evaluation.comparison.comparison import Comparison, Flip
from lithify.evaluation.comparison.paired import Difference
from lithify.evaluation.comparison.summary import measured_on, tiles, verdict
from lithify.evaluation.comparison.verdict import points, span
from lithify.evaluation.mistakes import Span, spans
from lithify.evaluation.templating import Filters, page
from lithify.evaluation.thumbnails import thumbnail
from lithify.media import mime
from lithify.store.blobs import write_atomic

CONTENT_LENGTH = 20_000
SLICES, OPEN, PICTURES = 12, 10, 12
"""Slices that are listed; flips that are open to see; flips of images that are listed without their pictures."""
FILTERED = ("mail", "text")
SIDE_BY_SIDE = ("data", "recipe", "engine", "calibration")
"""Parts of the cards that are set beside each other."""
_WIDE, _HALF = 150, 70


@dataclass(frozen=True)
class Shown:
    """A flip with what pushed the challenger; when asked for, its text or picture."""

    flip: Flip
    said: str
    spans: list[Span]
    text: str | None
    picture: str


@dataclass(frozen=True)
class Plot:
    """A plot with its words."""

    title: str
    caption: str
    picture: str


def write(comparison: Comparison, path: Path, show_content: bool = False) -> Path:
    """Writes the page, whole or not at all; raises ``StoreError`` when it cannot be written."""
    write_atomic(path, render(comparison, show_content).encode(errors="replace"), 0o644)
    return path


def render(c: Comparison, show_content: bool = False) -> str:
    """The page as text."""
    filters: Filters = {
        "short": words.short,
        "value": words.value,
        "bound": lambda text: text.replace(" %", "\N{NO-BREAK SPACE}%").replace(" pp", "\N{NO-BREAK SPACE}pp"),
        "percent": words.percent,
        "figure": words.figure,
        "points": points,
        "span": span,
        "chance": chance,
        "strip": strip,
    }
    return page(
        "comparison.html",
        filters,
        c=c,
        verdict=verdict(c),
        tiles=tiles(c),
        measured_on=measured_on(c),
        plots=_plots(c),
        unit="share" if c.labels else "value",
        slices=c.slices[: max(SLICES, sum(one.worse for one in c.slices))],
        negative=_shown(c, c.worst, show_content, explained=True),
        positive=_shown(c, c.best, show_content, explained=False),
        cards=_cards(c),
        sizes=[f"{int(size):,} bytes" for size in (c.size.champion, c.size.challenger)],
        show_content=show_content,
        open_flips=OPEN,
    )


def chance(p: float) -> str:
    """A probability of error, never quite zero.

    >>> chance(0.03125), chance(1e-9), chance(1.0)
    ('0.031', '< 0.001', '1')
    """
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def strip(found: Difference) -> str:
    """The interval of a difference as a small picture: right of the middle the challenger is better."""
    gain, low, high = found.gain
    reach = max(abs(low), abs(high)) or 1.0
    a, b, dot = (_WIDE / 2 + _HALF * each / reach for each in (low, high, gain))
    hue = "third" if low > 0.0 else "positive" if high < 0.0 else "soft"
    return (
        f'<svg class="strip" viewBox="0 0 {_WIDE} 16" width="{_WIDE}" height="16" aria-hidden="true">'
        f'<line x1="{_WIDE / 2}" x2="{_WIDE / 2}" y1="0" y2="16" stroke="var(--soft)" stroke-opacity="0.5"/>'
        f'<line x1="{a:.1f}" x2="{b:.1f}" y1="8" y2="8" stroke="var(--{hue})" stroke-width="2"/>'
        f'<circle cx="{dot:.1f}" cy="8" r="4" fill="var(--{hue})"/></svg>'
    )


def _plots(c: Comparison) -> list[Plot]:
    """The plots that these rows allow."""
    outputs = {"champion": c.champion_output, "challenger": c.challenger_output}
    made = _of_labels(c, outputs) if c.labels else [_within(c, outputs)]
    if c.slices:
        caption = "The slices that look worst for the challenger, with 95 % intervals; red where it is significant."
        made.append(Plot("Slice by slice", caption, drawing.svg(plots.slices(c.slices, _unit(c)))))
    return made


def _of_labels(c: Comparison, outputs: plots.Both) -> list[Plot]:
    made = []
    if len(c.labels) == 2 and all(c.counts.values()):
        corner = c.snapshot.kind in FILTERED
        caption = f"How much {c.labels[1]} is found for how much {c.labels[0]} is taken for it, as the cut-off falls."
        drawn = drawing.svg(plots.roc(c.y, outputs, c.labels, corner))
        made.append(Plot("What catching more costs" if corner else "ROC curves", caption, drawn))
    if len(c.labels) > 2:
        caption = "Rows of each label that get it. Of many labels those that changed most."
        made.append(Plot("Label by label", caption, drawing.svg(plots.found_by_label(c.y, outputs, c.labels))))
    caption = "Ten bins of equal width with 95 % intervals; on the dashed line a probability means what it says."
    made.append(Plot("Are the probabilities true?", caption, drawing.svg(plots.reliability(c.y, outputs, c.labels))))
    return made


def _within(c: Comparison, outputs: plots.Both) -> Plot:
    caption = "Rows by how far off they are predicted at most: the higher a curve, the better."
    return Plot("How far off", caption, drawing.svg(plots.within(c.y, outputs)))


def _unit(c: Comparison) -> str:
    return "share" if c.labels else "value"


def _shown(c: Comparison, flips: Sequence[Flip], show_content: bool, explained: bool) -> list[Shown]:
    images = c.snapshot.kind == "image"
    some = flips[:PICTURES] if images and not show_content else flips
    (_, read), made = reading.readers((c.champion, c.challenger), c.snapshot), []
    for flip in some:
        content = c.snapshot.content(np.array([flip.row]))[0]
        found = [] if images or not explained else spans(c.challenger.explain_content(read([content])[0]))
        text = _text(c, content) if show_content and not images else None
        made.append(Shown(flip, _said(flip), found, text, thumbnail(content) if show_content and images else ""))
    return made


def _said(flip: Flip) -> str:
    """What the challenger makes of a row."""
    if flip.challenger_probability is None:
        return f"{words.value(float(flip.champion))} → {words.value(float(flip.challenger))}"
    before = f"{flip.champion} at {words.percent(flip.champion_probability or 0.0)}"
    return f"{before} → {flip.challenger} at {words.percent(flip.challenger_probability)}"


def _text(c: Comparison, content: bytes) -> str:
    if c.snapshot.kind == "table":
        at = layout(tuple(Field(**each) for each in c.snapshot.manifest["fields"]))
        numbers, strings = decode_row(at, content)
        cells = zip((*at.numbers, *at.strings), (*numbers, *strings), strict=True)
        return "\n".join(f"{one.name}: {as_text(one, value)}" for one, value in sorted(cells, key=lambda x: x[0].name))
    text = mime.text(content) if c.snapshot.kind == "mail" else content.decode("utf-8", errors="replace")
    rest = f"\n… and {len(text) - CONTENT_LENGTH:,} more characters" if len(text) > CONTENT_LENGTH else ""
    return text[:CONTENT_LENGTH] + rest


def _cards(c: Comparison) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """By part of the card the lines that differ: name, champion's and challenger's."""
    made = []
    for part in SIDE_BY_SIDE:
        a, b = (_lines(model.card.get(part)) for model in (c.champion, c.challenger))
        names = [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]
        if names:
            made.append((part, [(name, a.get(name, "–"), b.get(name, "–")) for name in names]))
    return made


def _lines(value: Any) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, text in words.flat(value):
        found[name] = f"{found[name]} {text}" if name in found else text
    return found
