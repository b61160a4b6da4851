"""Which fields count, and which way."""

from __future__ import annotations

from collections.abc import Sequence

from lithify.evaluation import words
from lithify.evaluation.dependence import Dependence
from lithify.evaluation.marks import (
    PALETTE,
    SERIES,
    Spec,
    axis,
    distinct,
    layered,
    named,
    pointed,
    pointed_at,
    quantity,
    short_label,
    stacked,
    ticks,
)

MOST_BARS = 20
_EDGE = 0.03  # so that a dot at 0 or 1 is whole


def importances(found: Sequence[tuple[str, float]]) -> Spec:
    """The heaviest fields, as bars of their share."""
    top = list(found[:MOST_BARS])
    names = distinct([name for name, _ in top])
    data = [
        {"name": name, "x": share, "zero": 0.0, "say": f"{full}: {words.percent(share)}"}
        for name, (full, share) in zip(names, top, strict=True)
    ]
    highest = max(max(share for _, share in top), 1e-9)
    x = quantity("zero") | axis("share of all that counts", [0.0, highest * 1.02], {"format": "~%", "tickCount": 5})
    bar = {"type": "bar", "color": PALETTE["negative"], "height": {"band": 0.68}}
    encoding = pointed_at() | {"x": x, "x2": {"field": "x"}, "y": named(names)}
    return stacked([{"data": {"values": data}, "mark": bar, "encoding": encoding}], len(names))


def dependence(found: Dependence, what: str) -> Spec:
    """Mean prediction as one field takes each value of its grid, in all rows alike.

    Parameters
    ----------
    found : Dependence
        One curve for each output; at most six are drawn.
    what : str
        What is predicted, for the axis.
    """
    curves = found.curves[: len(SERIES)]
    several = len(curves) > 1
    flat = [mean for _, curve in curves for mean in curve]
    margin = 0.06 * (max(flat) - min(flat)) or abs(flat[0]) * 0.1 or 0.1
    ends = [min(flat) - margin, max(flat) + margin]
    if found.share:
        ends = [max(-_EDGE, ends[0]), min(1.0 + _EDGE, ends[1])]
    style = {"format": "~%", "tickCount": 5} if found.share else ticks(ends[0], ends[1], 5)
    mean = axis(f"mean {what}", ends, style)
    names = distinct(list(found.names))
    data = [
        {
            "x": at,
            "name": name,
            "y": value,
            "label": short_label(output),
            "say": f"{found.field} {full}: mean {output or what} "
            f"{words.percent(value) if found.share else words.value(value)}",
        }
        for output, curve in curves
        for at, name, full, value in zip(found.at, names, found.names, curve, strict=True)
    ]
    colour = _colours([short_label(output) for output, _ in curves]) if several else None
    return _along(found, data, mean, colour) if found.ordered else _beside(names, data, mean, colour)


def _colours(names: list[str]) -> Spec:
    scale = {"domain": names, "range": [PALETTE[SERIES[i % len(SERIES)]] for i in range(len(names))]}
    legend = {
        "orient": "top",
        "title": None,
        "labelColor": PALETTE["soft"],
        "labelFontSize": 12,
        "symbolType": "circle",
    }
    return {"field": "label", "type": "nominal", "scale": scale, "legend": legend}


def _along(found: Dependence, data: list[Spec], mean: Spec, colour: Spec | None) -> Spec:
    """Ordered values: a line with a dot for each value of the grid."""
    drawn = {"color": colour} if colour else {}
    plain = {} if colour else {"color": PALETTE["ink"]}
    line = {"type": "line", "strokeWidth": 2, "aria": False} | plain
    dot = {"type": "circle", "size": 46, "opacity": 1, "stroke": PALETTE["paper"]} | plain
    layers = [
        {"data": {"values": data}, "mark": line, "encoding": {"x": quantity("x"), "y": quantity("y")} | drawn},
        {"data": {"values": data}, "mark": dot, "encoding": pointed() | drawn},
    ]
    low, high = min(found.at), max(found.at)
    style = ticks(low, high)
    if found.kind == "time":
        style = {"tickCount": 4, "labelExpr": "timeFormat(datum.value * 1000, '%Y-%m-%d')"}
    margin = 0.02 * (high - low) or 0.5
    return layered(layers, axis(short_label(found.field, 40), [low - margin, high + margin], style), mean)


def _beside(names: list[str], data: list[Spec], mean: Spec, colour: Spec | None) -> Spec:
    """Values without order: a dot for each, one below the other."""
    drawn = {"color": colour} if colour else {}
    dot = {"type": "circle", "size": 90, "opacity": 1, "stroke": PALETTE["paper"]}
    dot |= {} if colour else {"color": PALETTE["ink"]}
    encoding = pointed_at() | drawn | {"x": quantity("y") | mean, "y": named(names, grid=True)}
    legend = 2 if colour else 0  # as high as two lines
    return stacked([{"data": {"values": data}, "mark": dot, "encoding": encoding}], len(names) + legend)
