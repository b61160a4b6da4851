"""A decision tree as a picture: questions from left to right, leaves one below the other with what they say.

One inline ``<svg>``, drawn by hand: no script, no network, colours that follow the page it stands in. The thicker a
line, the more training rows go along it. Yes is the upper way, no the lower.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from lithify.evaluation.marks import PALETTE, SERIES
from lithify.features.base import Column
from lithify.learners.forest.forest import Forest
from lithify.learners.tree.rules import Branch, outline, plain

_BOX, _GAP, _LEAF, _ROW = 154, 44, 300, 36
_HALF = 17
_LETTERS = 21
"""Letters of a line in a box, by a wide guess at the font."""
_LABEL, _BAR = 104, 110
_THICKEST = 9.0
_MARGIN = 8


@dataclass(frozen=True)
class _Placed:
    """A branch and where the middle of its left edge is."""

    branch: Branch
    depth: int
    y: float
    sides: tuple[_Placed, ...]


def draw(
    forest: Forest,
    columns: Sequence[Column],
    labels: Sequence[str],
    unit: str = "",
    complete: Collection[str] = (),
) -> str:
    """The tree as one ``<svg>`` element; parameters as for :func:`lithify.learners.tree.rules.rules`.

    Labels beyond the sixth share one colour. What does not fit is cut short, and is whole in a ``<title>``.
    """
    root = outline(forest, columns, labels, complete)
    placed = _place(root, 0, iter(range(len(root.leaves()))))
    depth = _depth(placed)
    body = [*_links(placed, depth, root.rows), *_boxes(placed, depth, labels, unit, _range(root, labels))]
    key = _key(labels)
    width = depth * (_BOX + _GAP) + _LEAF + 2 * _MARGIN
    top = 28 if key else 0
    height = len(root.leaves()) * _ROW + 2 * _MARGIN + top
    about = f"Decision tree with {len(root.leaves())} leaves"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{about}" '
        f'font-family="system-ui, sans-serif" font-size="12" style="max-width:{width}px">'
        f'{key}<g transform="translate({_MARGIN} {_MARGIN + top})">{"".join(body)}</g></svg>'
    )


def _place(branch: Branch, depth: int, row: Iterator[int]) -> _Placed:
    """Leaves one below the other, questions halfway between their answers."""
    if branch.yes is None or branch.no is None:
        return _Placed(branch, depth, (next(row) + 0.5) * _ROW, ())
    sides = (_place(branch.yes, depth + 1, row), _place(branch.no, depth + 1, row))
    return _Placed(branch, depth, (sides[0].y + sides[1].y) / 2, sides)


def _depth(placed: _Placed) -> int:
    return max([placed.depth, *map(_depth, placed.sides)])


def _x(placed: _Placed, depth: int) -> float:
    return (placed.depth if placed.sides else depth) * (_BOX + _GAP)


def _links(placed: _Placed, depth: int, rows: float) -> list[str]:
    """Lines from each question to its answers, the thicker ones below the others."""
    found = []
    x = _x(placed, depth) + _BOX
    for side, answer in zip(placed.sides, ("yes", "no"), strict=False):
        wide = max(1.0, _THICKEST * side.branch.rows / rows)
        end, bend = _x(side, depth), x + _GAP / 2
        found.append(
            f'<path d="M{x:g} {placed.y:g}C{bend:g} {placed.y:g} {bend:g} {side.y:g} {x + _GAP:g} {side.y:g}H{end:g}" '
            f'fill="none" stroke="{_colour("line")}" stroke-width="{wide:.1f}"/>'
        )
        at = side.y - wide / 2 - 3 if answer == "yes" else side.y + wide / 2 + 10
        found.append(
            f'<text x="{x + _GAP - 4:g}" y="{at:.1f}" font-size="10" text-anchor="end" '
            f'fill="{_colour("soft")}">{answer}</text>'
        )
        found += _links(side, depth, rows)
    return found


def _boxes(placed: _Placed, depth: int, labels: Sequence[str], unit: str, span: tuple[float, float]) -> list[str]:
    x = _x(placed, depth)
    if not placed.sides:
        return [_leaf(placed.branch, x, placed.y, labels, unit, span)]
    found = [_question(placed.branch, x, placed.y)]
    for side in placed.sides:
        found += _boxes(side, depth, labels, unit, span)
    return found


def _question(branch: Branch, x: float, y: float) -> str:
    lines = _wrapped(branch)
    first = y + 4 - 7 * (len(lines) - 1)
    spans = "".join(
        f'<tspan x="{x + _BOX / 2:g}" y="{first + 14 * at:g}">{escape(line)}</tspan>' for at, line in enumerate(lines)
    )
    return (
        f"<g><title>{escape(branch.question)}\n{_rows(branch)}</title>"
        f'<rect x="{x:g}" y="{y - _HALF:g}" width="{_BOX}" height="{2 * _HALF}" rx="5" fill="{_colour("paper")}" '
        f'stroke="{_colour("soft")}"/><text text-anchor="middle" fill="{_colour("ink")}">{spans}</text></g>'
    )


def _wrapped(branch: Branch) -> list[str]:
    """A question in two lines at most; of many values the first, and how many more there are."""
    text = branch.question
    if len(branch.values) > 1:
        start = f"{_middle(branch.column, _LETTERS - 3)} in"
        for kept in range(len(branch.values), 0, -1):
            more = len(branch.values) - kept
            listed = ", ".join(branch.values[:kept]) + (f" +{more}" if more else "")
            if len(listed) <= _LETTERS:
                return [start, listed]
        return [start, _short(branch.values[0], _LETTERS - 4) + f" +{len(branch.values) - 1}"]
    if len(text) > _LETTERS and branch.test != text and 0 < len(branch.test) <= _LETTERS:
        return [_middle(branch.column, _LETTERS), branch.test]
    lines = textwrap.wrap(text, _LETTERS)
    return lines if len(lines) <= 2 else [lines[0], _short(" ".join(lines[1:]), _LETTERS)]


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"


def _middle(text: str, letters: int) -> str:
    """Cut short in the middle: names often differ in how they end."""
    if len(text) <= letters:
        return text
    return f"{text[: letters // 2]}…{text[letters // 2 + 1 - letters :]}"


def _leaf(branch: Branch, x: float, y: float, labels: Sequence[str], unit: str, span: tuple[float, float]) -> str:
    """What a leaf says, a bar of it, and how many rows it rests on."""
    if labels:
        best = int(branch.says.argmax())
        shown, about = labels[best], [f"{label} {100 * share:.1f} %" for label, share in _parts(branch, labels)]
        bar = _shares(branch, labels, x + _LABEL, y)
        figure = f"{100 * branch.says[best]:.0f} %"
    else:
        value = float(branch.says[0])
        shown, about = f"{plain(float(f'{value:.4g}'))} {unit}".strip(), [f"mean {plain(value)} {unit}".strip()]
        part = (value - span[0]) / (span[1] - span[0]) if span[1] > span[0] else 0.5
        bar = _rect(x + _LABEL, y, _BAR, "line") + _rect(x + _LABEL, y, max(2.0, part * _BAR), "negative")
        figure = ""
    after = x + _LABEL + _BAR + 8
    said = escape(_short(shown, 14))
    return (
        f"<g><title>{escape('; '.join(about))}\n{_rows(branch)}</title>"
        f'<text x="{x + 6:g}" y="{y + 4:g}" font-weight="600" fill="{_colour("ink")}">{said}</text>'
        f'{bar}<text x="{after:g}" y="{y + 4:g}" fill="{_colour("soft")}">'
        f"{figure + ' of ' if figure else ''}{branch.rows:,.0f}</text></g>"
    )


def _parts(branch: Branch, labels: Sequence[str]) -> list[tuple[str, float]]:
    """Labels and shares, the largest first."""
    order = sorted(range(len(labels)), key=lambda at: (-float(branch.says[at]), at))
    return [(labels[at], float(branch.says[at])) for at in order]


def _shares(branch: Branch, labels: Sequence[str], x: float, y: float) -> str:
    """Class shares side by side; those of labels without a colour of their own come last, in one."""
    found = []
    for at in range(min(len(labels), len(SERIES))):
        wide = float(branch.says[at]) * _BAR
        found.append(_rect(x, y, wide, SERIES[at]))
        x += wide
    rest = float(branch.says[len(SERIES) :].sum()) * _BAR
    return "".join(found) + (_rect(x, y, rest, "line") if len(labels) > len(SERIES) else "")


def _rect(x: float, y: float, width: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y - 6:g}" width="{width:.1f}" height="12" fill="{_colour(colour)}"/>'


def _key(labels: Sequence[str]) -> str:
    """Which colour stands for which label."""
    found, x = [], float(_MARGIN)
    shown = [(_short(label, 18), colour) for label, colour in zip(labels, SERIES, strict=False)]
    if len(labels) > len(SERIES):
        others = len(labels) - len(SERIES)
        shown.append((f"{others} other label{'' if others == 1 else 's'}", "line"))
    for label, colour in shown:
        found.append(
            f'{_rect(x, 16, 12, colour)}<text x="{x + 17:g}" y="20" fill="{_colour("ink")}">{escape(label)}</text>'
        )
        x += 17 + 7.5 * len(label) + 18
    return "".join(found)


def _range(root: Branch, labels: Sequence[str]) -> tuple[float, float]:
    """Smallest and largest mean value of the leaves."""
    values = [float(leaf.says[0]) for leaf in root.leaves()]
    return (0.0, 1.0) if labels else (min(values), max(values))


def _rows(branch: Branch) -> str:
    return f"{branch.rows:,.0f} training row{'' if branch.rows == 1 else 's'}"


def _colour(name: str) -> str:
    return f"var(--{name}, {PALETTE[name]})"
