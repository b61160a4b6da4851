"""Both models in one plot: the champion in blue, the challenger in red."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lithify import metrics
from lithify.evaluation import words
from lithify.evaluation.comparison.slices import Slice
from lithify.evaluation.comparison.verdict import points
from lithify.evaluation.marks import (
    PALETTE,
    Spec,
    axis,
    distinct,
    label,
    layered,
    named,
    pointed,
    pointed_at,
    quantity,
    rule,
    stacked,
    ticks,
)
from lithify.metrics import Sample
from lithify.metrics.probabilities import claims

COLOURS = {"champion": "negative", "challenger": "positive"}
Both = dict[str, NDArray[np.float64]]
SHOWN = 16
"""Slices or labels of many that are drawn."""
_POINTS, _BINS = 600, 10
_PERCENT = {"format": "%", "tickCount": 5}


def roc(y: NDArray[np.int64], p: Both, labels: Sequence[str], corner: bool = False) -> Spec:
    """The ROC curves of two models of two labels; ``corner`` has the losses on a logarithmic scale.

    Parameters
    ----------
    y : (n,) int64
        Codes of the true labels, both of which occur.
    p : dict of role to (n, 2) float64
    """
    left = 0.5 / int((y == 0).sum())
    curves = {role: metrics.roc(y, each) for role, each in p.items()}
    layers: list[Spec] = [] if corner else [rule({"x": 0, "y": 0, "x2": 1, "y2": 1})]
    bottom = 0.0
    if corner:
        reached = min(float(curve.true_positive[curve.false_positive <= 0.0].max()) for curve in curves.values())
        bottom = min(0.9, float(np.floor(reached * 10.0) / 10.0))
    for role, curve in curves.items():
        x, up = curve.false_positive, curve.true_positive
        x, up = (np.maximum(x, left), np.maximum(up, bottom)) if corner else (x, up)
        layers.append(_line(x, up, PALETTE[COLOURS[role]]))
    layers += _legend(0.62 if not corner else left * (1 / left) ** 0.62, bottom, 1.0)
    if not corner:
        title = axis(f"{labels[0]} taken for it", [0, 1], _PERCENT)
        return layered(layers, title, axis(f"{labels[1]} found", [0, 1], _PERCENT))
    marks = [left, *(tick for tick in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0) if tick > 5 * left)]
    told = f"datum.value < {1.01 * left} ? 'none' : format(datum.value * 100, '~r') + ' %'"
    x_axis = axis(f"{labels[0]} lost (log scale)", [left, 1], {"values": marks, "labelExpr": told}, "log")
    return layered(layers, x_axis, axis(f"{labels[1]} caught", [bottom, 1], _PERCENT))


def reliability(y: NDArray[np.int64], p: Both, labels: Sequence[str]) -> Spec:
    """Claimed probability against how often it came true, of both models, in bins of equal width."""
    layers: list[Spec] = [rule({"x": 0, "y": 0, "x2": 1, "y2": 1})]
    what = f"rows that are {labels[1]}" if len(labels) == 2 else "rows with that label"
    for role, each in p.items():
        claimed, true = claims(Sample.of(y, each))
        which = np.minimum((claimed * _BINS).astype(np.int64), _BINS - 1)
        data = [_bin(role, claimed[which == b], true[which == b], what) for b in range(_BINS) if (which == b).any()]
        colour = PALETTE[COLOURS[role]]
        line = {"type": "line", "color": colour, "strokeWidth": 1.5, "opacity": 0.4, "aria": False}
        dot = {"type": "circle", "color": colour, "size": 70, "opacity": 1, "stroke": PALETTE["paper"]}
        bar = {"type": "rule", "color": colour, "opacity": 0.4, "strokeWidth": 1.5, "aria": False}
        at = {"x": quantity("x"), "y": quantity("y")}
        ends = {"x": quantity("x"), "y": quantity("low"), "y2": {"field": "high"}}
        layers += [
            {"data": {"values": data}, "mark": bar, "encoding": ends},
            {"data": {"values": data}, "mark": line, "encoding": at},
            {"data": {"values": data}, "mark": dot, "encoding": pointed()},
        ]
    layers += _legend(0.62, 0.0, 1.0)
    claim = f"probability of {labels[1]}, claimed" if len(labels) == 2 else "probability of the label, claimed"
    return layered(layers, axis(claim, [0, 1], _PERCENT), axis(what, [0, 1], _PERCENT))


def within(y: NDArray[np.float64], predicted: Both) -> Spec:
    """Share of rows whose error is at most so large, of both models (Bi, Bennett 2003, "REC curves")."""
    errors = {role: np.sort(np.abs(y - each)) for role, each in predicted.items()}
    reach = max(float(np.quantile(each, 0.98)) for each in errors.values()) or 1.0
    share = np.arange(1, len(y) + 1) / len(y)
    layers = []
    for role, each in errors.items():
        x, up = np.append(0.0, each), np.append(0.0, share)
        layers.append(_line(x[x <= reach], up[x <= reach], PALETTE[COLOURS[role]]))
    layers += _legend(0.62 * reach, 0.0, 1.0)
    return layered(layers, axis("off by at most", [0, reach], ticks(0.0, reach)), axis("rows", [0, 1], _PERCENT))


def slices(found: Sequence[Slice], unit: str) -> Spec:
    """Differences of the slices with their intervals; right of the dashed line the challenger is worse."""
    some = list(found[:SHOWN])
    names = distinct([f"{one.field}: {one.value}" for one in some], 30)
    data = [
        {
            "name": name,
            "x": one.difference,
            "low": one.low,
            "high": one.high,
            "worse": one.worse,
            "say": f"{one.field} {one.value}, {one.rows:,} rows: {points(one.difference, unit)}",
        }
        for name, one in zip(names, some, strict=True)
    ]
    reach = 1.05 * max(max(abs(one.low), abs(one.high)) for one in some) or 1.0
    style = {"format": "+.1~%", "tickCount": 5} if unit == "share" else ticks(-reach, reach, 5)
    title = "more rows wrong" if unit == "share" else "larger error"
    x = quantity("x") | axis(f"{title} with the challenger →", [-reach, reach], style)
    y = named(names)
    y["axis"]["labelLimit"] = 240
    colour = {"condition": {"test": "datum.worse", "value": PALETTE["positive"]}, "value": PALETTE["ink"]}
    zero = {"type": "rule", "color": PALETTE["soft"], "strokeDash": [3, 3], "aria": False}
    bar = {"type": "rule", "opacity": 0.55, "strokeWidth": 1.5, "aria": False}
    dot = {"type": "circle", "size": 80, "opacity": 1, "stroke": PALETTE["paper"]}
    ends = {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour}
    layers = [
        {"data": {"values": [{"x": 0.0}]}, "mark": zero, "encoding": {"x": x}},
        {"data": {"values": data}, "mark": bar, "encoding": ends},
        {"data": {"values": data}, "mark": dot, "encoding": pointed_at() | {"x": x, "y": y, "color": colour}},
    ]
    return stacked(layers, len(names))


def found_by_label(y: NDArray[np.int64], p: Both, labels: Sequence[str]) -> Spec:
    """Share of each label's rows that either model finds, joined by a line; of many labels those that changed most."""
    right = {role: Sample.of(y, each).predicted == y for role, each in p.items()}
    present = [code for code in range(len(labels)) if (y == code).any()]
    shares = {role: np.array([each[y == code].mean() for code in present]) for role, each in right.items()}
    change = np.abs(shares["challenger"] - shares["champion"])
    order = np.sort(np.argsort(-change, kind="stable")[:SHOWN])
    names = distinct([labels[present[i]] for i in order.tolist()])
    data = [
        {"name": name, "x": float(shares["champion"][i]), "x2": float(shares["challenger"][i])}
        for name, i in zip(names, order.tolist(), strict=True)
    ]
    low = max(0.0, min(min(one["x"], one["x2"]) for one in data) - 0.05)  # type: ignore[call-overload]
    x, y_axis = quantity("x") | axis("rows found", [low, 1.0], _PERCENT), named(names)
    line = {"type": "rule", "color": PALETTE["soft"], "strokeWidth": 2, "opacity": 0.5, "aria": False}
    layers: list[Spec] = [
        {"data": {"values": data}, "mark": line, "encoding": {"x": x, "x2": {"field": "x2"}, "y": y_axis}}
    ]
    for role, at in (("champion", "x"), ("challenger", "x2")):
        dot = {"type": "circle", "color": PALETTE[COLOURS[role]], "size": 90, "opacity": 1, "stroke": PALETTE["paper"]}
        said = [one | {"say": f"{role}: {words.percent(float(str(one[at])))} of {one['name']} found"} for one in data]
        encoding = pointed_at() | {"x": x | {"field": at}, "y": y_axis}
        layers.append({"data": {"values": said}, "mark": dot, "encoding": encoding})
    return stacked(layers, len(names))


def _line(x: NDArray[np.float64], y: NDArray[np.float64], colour: str) -> Spec:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).astype(np.int64))
    data = [{"x": float(x[i]), "y": float(y[i]), "i": n} for n, i in enumerate(kept.tolist())]
    mark = {"type": "line", "color": colour, "strokeWidth": 2, "opacity": 0.85, "aria": False}
    encoding = {"x": quantity("x"), "y": quantity("y"), "order": quantity("i")}
    return {"data": {"values": data}, "mark": mark, "encoding": encoding}


def _legend(x: float, bottom: float, top: float) -> list[Spec]:
    """The names of both in their colours, at the empty lower right."""
    high = top - bottom
    return [
        label(x, bottom + high * at, role, colour=COLOURS[role], bold=True)
        for role, at in (("champion", 0.14), ("challenger", 0.06))
    ]


def _bin(role: str, claimed: NDArray[np.float64], true: NDArray[np.float64], what: str) -> Spec:
    rows, came_true = len(claimed), int(true.sum())
    low, high = metrics.wilson(came_true, rows)
    mean, share = float(claimed.mean()), came_true / rows
    say = f"{role}: {rows:,} rows with a mean claim of {words.percent(mean)}, {words.percent(share)} {what}"
    return {"x": mean, "y": share, "low": low, "high": high, "say": say}
