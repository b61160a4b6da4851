"""Predicted against true values, and what is left between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation import words
from lithify.evaluation.marks import PALETTE, Spec, axis, layered, pointed, quantity, rule, ticks

MOST_POINTS = 1_000
"""Up to so many rows are drawn one by one, more as cells that are the darker the more rows lie in them."""
EDGE = 0.002
"""Of the rows, at either end: drawn at the edge, so that a few far-off rows do not squeeze all others together."""

_CELLS = 44
_GROUPS = 12
_BINS = 41


def agreement(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> Spec:
    """True value against predicted value; on the dashed line a prediction is right."""
    low, high = _span(np.concatenate([y, predicted]))
    style = ticks(low, high)
    layers = [
        *_cloud(predicted, y, (low, high), (low, high), "predicted", "true"),
        rule({"x": low, "y": low, "x2": high, "y2": high}),
    ]
    return layered(layers, axis("predicted", [low, high], style), axis("true value", [low, high], style))


def against_predicted(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> Spec:
    """True minus predicted value against the predicted one, with the median of each of a dozen equal groups."""
    left = y - predicted
    low, high = _span(predicted)
    bottom, top = _span(left)
    reach = max(abs(bottom), abs(top))
    layers = [
        *_cloud(predicted, left, (low, high), (-reach, reach), "predicted", "off by"),
        rule({"x": low, "y": 0.0, "x2": high, "y2": 0.0}),
        *_medians(predicted, left, (low, high), reach),
    ]
    x = axis("predicted", [low, high], ticks(low, high))
    return layered(layers, x, axis("true minus predicted", [-reach, reach], ticks(-reach, reach, 5)))


def histogram(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> Spec:
    """Rows by true minus predicted value."""
    left = y - predicted
    bottom, top = _span(left)
    reach = max(abs(bottom), abs(top))
    found, edges = np.histogram(np.clip(left, -reach, reach), bins=_BINS, range=(-reach, reach))
    data = [
        {
            "x": float(a),
            "x2": float(b),
            "y": 0,
            "y2": int(n),
            "say": f"{n:,} rows off by {words.value(float(a))} to {words.value(float(b))}",
        }
        for a, b, n in zip(edges, edges[1:], found.tolist(), strict=False)
        if n
    ]
    highest = float(found.max())
    bars = {
        "data": {"values": data},
        "mark": {"type": "rect", "color": PALETTE["negative"], "opacity": 0.92, "stroke": PALETTE["paper"]},
        "encoding": pointed() | {"x2": {"field": "x2"}, "y2": {"field": "y2"}},
    }
    layers = [bars, rule({"x": 0.0, "y": 0.0, "x2": 0.0, "y2": highest * 1.05})]
    x = axis("true minus predicted", [-reach, reach], ticks(-reach, reach))
    return layered(layers, x, axis("rows", [0, highest * 1.05], {"tickCount": 5, "format": ",d"}))


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    """The ends of an axis: all values but the outermost ones."""
    low, high = (float(end) for end in np.quantile(values, [EDGE, 1.0 - EDGE]))
    if high <= low:
        margin = abs(low) * 0.1 or 1.0
        return low - margin, high + margin
    return low - 0.02 * (high - low), high + 0.02 * (high - low)


def _cloud(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    across: tuple[float, float],
    up: tuple[float, float],
    across_name: str,
    up_name: str,
) -> list[Spec]:
    x, y = np.clip(x, *across), np.clip(y, *up)
    if len(x) <= MOST_POINTS:
        points = [{"x": float(a), "y": float(b)} for a, b in zip(x, y, strict=True)]
        mark = {"type": "circle", "color": PALETTE["negative"], "size": 22, "opacity": 0.45, "aria": False}
        return [{"data": {"values": points}, "mark": mark, "encoding": {"x": quantity("x"), "y": quantity("y")}}]
    found, left, bottom = np.histogram2d(x, y, bins=_CELLS, range=(across, up))
    data = [
        {
            "x": float(left[i]),
            "x2": float(left[i + 1]),
            "y": float(bottom[j]),
            "y2": float(bottom[j + 1]),
            "rows": int(found[i, j]),
            "say": f"{int(found[i, j]):,} rows: {across_name} {words.value(float(left[i]))} to "
            f"{words.value(float(left[i + 1]))}, {up_name} {words.value(float(bottom[j]))} to "
            f"{words.value(float(bottom[j + 1]))}",
        }
        for i, j in np.argwhere(found).tolist()
    ]
    darkness = quantity("rows") | {"legend": None, "scale": {"type": "log", "range": [0.13, 0.95]}}
    encoding = pointed() | {"x2": {"field": "x2"}, "y2": {"field": "y2"}, "fillOpacity": darkness}
    return [{"data": {"values": data}, "mark": {"type": "rect", "color": PALETTE["negative"]}, "encoding": encoding}]


def _medians(
    predicted: NDArray[np.float64], left: NDArray[np.float64], across: tuple[float, float], reach: float
) -> list[Spec]:
    """Median of what is left in groups of equally many rows by predicted value, joined by a line."""
    parts = [part for part in np.array_split(np.argsort(predicted, kind="stable"), _GROUPS) if len(part)]
    data = []
    for part in parts:
        at, middle = float(np.median(predicted[part])), float(np.median(left[part]))
        say = f"{len(part):,} rows predicted about {words.value(at)}: half are off by more than {words.value(middle)}"
        data.append({"x": float(np.clip(at, *across)), "y": float(np.clip(middle, -reach, reach)), "say": say})
    line = {"type": "line", "color": PALETTE["positive"], "strokeWidth": 2, "aria": False}
    dot = {"type": "circle", "color": PALETTE["positive"], "size": 46, "opacity": 1, "stroke": PALETTE["paper"]}
    return [
        {"data": {"values": data}, "mark": line, "encoding": {"x": quantity("x"), "y": quantity("y")}},
        {"data": {"values": data}, "mark": dot, "encoding": pointed()},
    ]
