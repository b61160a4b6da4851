"""How often sets and intervals hold the truth."""

from __future__ import annotations

from lithify.evaluation import words
from lithify.evaluation.coverage import Coverage
from lithify.evaluation.marks import PALETTE, Spec, axis, distinct, named, pointed_at, quantity, stacked


def coverage(found: Coverage) -> Spec:
    """Found coverage of each label, or of groups of rows, with its interval; dashed the stated one."""
    names = distinct([line.name for line in found.lines])
    data = [
        {
            "name": name,
            "x": line.share,
            "low": line.low,
            "high": line.high,
            "say": f"{line.name}: {words.of(line.covered, line.rows, 'rows')} covered ({words.percent(line.share)}, "
            f"95 % interval {words.interval(line.low, line.high, 'share')})",
        }
        for name, line in zip(names, found.lines, strict=True)
    ]
    lowest = min(0.95 * min(line.low for line in found.lines), found.stated - 0.1)
    x = quantity("x") | axis("rows covered", [max(0.0, lowest), 1.0], {"format": "%", "tickCount": 5})
    stated = {"type": "rule", "color": PALETTE["soft"], "strokeDash": [3, 3], "aria": False}
    bar = {"type": "rule", "color": PALETTE["ink"], "opacity": 0.55, "strokeWidth": 1.5, "aria": False}
    dot = {"type": "circle", "color": PALETTE["ink"], "size": 90, "opacity": 1, "stroke": PALETTE["paper"]}
    y = named(names)
    layers = [
        {"data": {"values": [{"x": found.stated}]}, "mark": stated, "encoding": {"x": x}},
        {
            "data": {"values": data},
            "mark": bar,
            "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y},
        },
        {"data": {"values": data}, "mark": dot, "encoding": pointed_at() | {"x": x, "y": y}},
    ]
    return stacked(layers, len(names))
