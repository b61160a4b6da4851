"""Plots as Vega-Lite specifications: plain dicts, one function each, for reports and pages alike.

Every mark that can be pointed at carries its facts as a sentence, as tooltip and as description. Colours are those of
:data:`PALETTE`, which a page may replace one by one to follow its theme.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lithify import metrics
from lithify.evaluation import words
from lithify.evaluation.marks import PALETTE, SERIES, Spec, axis, bare, frame, label, layered, pointed, quantity, rule
from lithify.metrics import Sample
from lithify.metrics.probabilities import claims

_HOVER_POINTS = 90


def roc(y: NDArray[np.int64], p: NDArray[np.float64], labels: Sequence[str], cutoff: float | None = None) -> Spec:
    """The whole ROC curve; with more than two labels one curve for each that occurs, against the rest."""
    codes = [1] if len(labels) == 2 else [int(code) for code in np.unique(y)][: len(SERIES)]
    layers: list[Spec] = [rule({"x": 0, "y": 0, "x2": 1, "y2": 1})]
    for code in codes:
        colour = PALETTE["ink"] if len(labels) == 2 else PALETTE[SERIES[code % len(SERIES)]]
        layers += _curve(_roc_points(y, p, labels, code), colour)
        if len(labels) > 2:
            layers.append(_named(code, codes.index(code), len(codes), labels))
    if len(labels) == 2 and cutoff is not None:
        layers += _at_cutoff(y, p, labels, cutoff, left=0.0)
    names = (f"{labels[0]} lost", f"{labels[1]} caught") if len(labels) == 2 else ("other labels taken for it", "found")
    x = axis(names[0], [0, 1], {"format": "%", "tickCount": 5})
    return layered(layers, x, axis(names[1], [0, 1], {"format": "%", "tickCount": 5}))


def roc_corner(
    y: NDArray[np.int64], p: NDArray[np.float64], labels: Sequence[str], cutoff: float | None = None
) -> Spec:
    """The corner of the ROC curve that matters when losing a negative is dear: its losses on a logarithmic scale.

    No loss at all stands at the left edge, which is half a row; dashed lines mark losses of 0.1 % and 1 %.
    """
    negatives = max(int((y == 0).sum()), 1)
    left = 0.5 / negatives
    points = _roc_points(y, p, labels, 1)
    for point in points:
        point["x"] = max(point["x"], left)
    reached = min(point["y"] for point in points[1:] or points)
    if cutoff is not None:
        reached = min(reached, float((p[y == 1, 1] >= cutoff).mean()) if (y == 1).any() else 0.0)
    bottom = min(0.9, np.floor(reached * 10.0) / 10.0)
    points = [point for point in points if point["y"] >= bottom] or points
    if points[0]["x"] == left and points[0]["y"] > bottom:  # the curve comes up along the edge
        points.insert(0, {**points[0], "y": float(bottom)})
    layers: list[Spec] = []
    for loss, name in ((0.001, "0.1 %"), (0.01, "1 %")):
        if loss > left:
            layers += [rule({"x": loss, "y": bottom, "x2": loss, "y2": 1})]
            layers += [label(loss, 1.0, f"{name} loss", dy=-9, align="center")]
    layers += _curve(points, PALETTE["ink"])
    if cutoff is not None:
        layers += _at_cutoff(y, p, labels, cutoff, left, bottom)
    ticks = [left, *(tick for tick in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0) if tick > 5 * left)]
    format_ = f"datum.value < {1.01 * left} ? 'none' : format(datum.value * 100, '~r') + ' %'"
    x = axis(f"{labels[0]} lost (log scale)", [left, 1], {"values": ticks, "labelExpr": format_}, "log")
    return layered(layers, x, axis(f"{labels[1]} caught", [bottom, 1], {"format": "%", "tickCount": 5}))


def reliability(y: NDArray[np.int64], p: NDArray[np.float64], labels: Sequence[str], bins: int = 10) -> Spec:
    """Claimed probability against how often it came true, in bins of equal width, each with its Wilson interval."""
    claimed, true = claims(Sample.of(y, p))
    what = f"rows that are {labels[1]}" if len(labels) == 2 else "rows with that label"
    which = np.minimum((claimed * bins).astype(np.int64), bins - 1)
    data = [_bin(claimed[which == b], true[which == b], what) for b in range(bins) if (which == b).any()]
    encoded = pointed() | {
        "size": {
            "field": "rows",
            "type": "quantitative",
            "scale": {"type": "sqrt", "domain": [0, len(y)], "range": [30, 420]},
            "legend": None,
        }
    }
    layers = [
        rule({"x": 0, "y": 0, "x2": 1, "y2": 1}),
        {
            "data": {"values": data},
            "mark": {"type": "rule", "color": PALETTE["ink"], "opacity": 0.55, "strokeWidth": 1.5, "aria": False},
            "encoding": {"x": quantity("x"), "y": quantity("low"), "y2": {"field": "high"}},
        },
        {
            "data": {"values": data},
            "mark": {"type": "circle", "color": PALETTE["ink"], "opacity": 1, "stroke": PALETTE["paper"]},
            "encoding": encoded,
        },
    ]
    claim = f"probability of {labels[1]}, claimed" if len(labels) == 2 else "probability of the label, claimed"
    percent = {"format": "%", "tickCount": 5}
    return layered(layers, axis(claim, [0, 1], percent), axis(what, [0, 1], percent))


def scores(
    y: NDArray[np.int64], p: NDArray[np.float64], labels: Sequence[str], cutoffs: dict[str, float] | None = None
) -> Spec:
    """Rows by the probability they got: two labels above and below one line, else that of the true label.

    Probabilities are spaced by their log-odds, so that the ends, where nearly all rows lie, can be told apart; counts
    are on a logarithmic scale.
    """
    binary = len(labels) == 2
    value = p[:, 1] if binary else p[np.arange(len(y)), y]
    odds, span = _log_odds(value)
    bars, highest = [], 1
    for code in (0, 1) if binary else (0,):
        mine = odds[y == code] if binary else odds
        found, edges = np.histogram(mine, bins=36, range=(-span, span))
        sign = -1 if binary and code == 0 else 1
        what = labels[code] if binary else "rows"
        highest = max(highest, int(found.max()))
        bars.append((what, sign, found, edges, SERIES[code] if binary else "ink"))
    layers = [_bars(*bar) for bar in bars]
    top = 10.0 ** np.ceil(np.log10(highest + 1))
    for name, at in (cutoffs or {}).items():
        x = float(np.clip(_log_odds(np.array([at]))[0][0], -span, span))
        left = name == "unsure"  # its name stands on the outer side of the band
        text = label(x, top, name, dx=-4 if left else 4, dy=8, align="right" if left else "left")
        layers += [rule({"x": x, "y": -top, "x2": x, "y2": top}), text]
    if binary:
        layers += [
            label(-span, top * 0.5, labels[1], dx=4, colour="positive", bold=True),
            label(-span, -top * 0.5, labels[0], dx=4, colour="negative", bold=True),
        ]
    return layered(layers, _odds_axis(labels, span), _count_axis(top, binary))


def confusion(counts: NDArray[np.int64], labels: Sequence[str]) -> Spec:
    """Rows by true and most probable label; a cell is as dark as its share of the true label's rows."""
    total = counts.sum(axis=1)
    names = _distinct(labels)
    data = [
        {
            "truth": names[i],
            "predicted": names[j],
            "rows": int(counts[i, j]),
            "share": float(counts[i, j] / max(total[i], 1)),
            "right": i == j,
            "say": f"{words.of(int(counts[i, j]), int(total[i]), labels[i])} predicted as {labels[j]} "
            f"({words.percent(float(counts[i, j] / max(total[i], 1)))})",
        }
        for i in range(len(labels))
        for j in range(len(labels))
    ]
    axes = {
        "x": {"field": "predicted", "type": "nominal", "sort": names, "title": "predicted", "axis": bare(0)},
        "y": {"field": "truth", "type": "nominal", "sort": names, "title": "true label", "axis": bare(0)},
    }
    colour = {"condition": {"test": "datum.right", "value": PALETTE["negative"]}, "value": PALETTE["positive"]}
    darkness = quantity("share") | {"legend": None, "scale": {"domain": [0, 1], "range": [0.0, 0.62]}}
    said = {"description": {"field": "say"}, "tooltip": {"field": "say"}}
    cell = {
        "mark": {"type": "rect", "stroke": PALETTE["line"], "strokeWidth": 1},
        "encoding": axes | said | {"color": colour, "fillOpacity": darkness},
    }
    text = {
        "mark": {"type": "text", "fontSize": 15 if len(labels) <= 4 else 11, "aria": False, "color": PALETTE["ink"]},
        "encoding": axes | {"text": {"field": "rows", "type": "quantitative", "format": ",d"}},
    }
    layers = [cell, text] if len(labels) <= 12 else [cell]
    return {**frame(), "data": {"values": data}, "layer": layers}


def short_label(label: str, length: int = 18) -> str:
    """A label short enough for an axis."""
    return label if len(label) <= length else label[: length - 1] + "…"


def _distinct(labels: Sequence[str]) -> list[str]:
    """Short labels, told apart by a number where cutting made two of them equal."""
    short = [short_label(name) for name in labels]
    return [name if short.count(name) == 1 else f"{name} {i + 1}" for i, name in enumerate(short)]


def _roc_points(y: NDArray[np.int64], p: NDArray[np.float64], labels: Sequence[str], code: int) -> list[Spec]:
    """The corners of one curve, each with its sentence."""
    curve = metrics.roc(y, p, code)
    positives, negatives = int((y == code).sum()), int((y != code).sum())
    fp, tp = curve.false_positive, curve.true_positive
    turn = np.ones(len(fp), dtype=bool)  # only corners: the points between lie on a straight piece
    turn[1:-1] = ~(((fp[1:-1] == fp[:-2]) & (fp[2:] == fp[1:-1])) | ((tp[1:-1] == tp[:-2]) & (tp[2:] == tp[1:-1])))
    kept = np.flatnonzero(turn)
    kept = kept[np.unique(np.linspace(0, len(kept) - 1, min(len(kept), 1_500)).astype(np.int64))]
    other = labels[0] if len(labels) == 2 else "others"
    return [
        {
            "x": float(fp[i]),
            "y": float(tp[i]),
            "say": f"cut-off {curve.threshold[i]:.4g}: {words.of(round(tp[i] * positives), positives, labels[code])} "
            f"caught ({words.percent(tp[i])}), {words.of(round(fp[i] * negatives), negatives, other)} lost "
            f"({words.percent(fp[i])})",
        }
        for i in kept.tolist()
    ]


def _curve(points: list[Spec], colour: str) -> list[Spec]:
    some = np.unique(np.linspace(0, len(points) - 1, min(len(points), _HOVER_POINTS)).astype(np.int64))
    line = {"type": "line", "interpolate": "linear", "color": colour, "strokeWidth": 2, "aria": False}
    return [
        {
            "data": {"values": [{"x": q["x"], "y": q["y"], "i": i} for i, q in enumerate(points)]},
            "mark": line,
            "encoding": {"x": quantity("x"), "y": quantity("y"), "order": quantity("i")},
        },
        {
            "data": {"values": [points[i] for i in some.tolist()]},
            "mark": {"type": "circle", "color": colour, "size": 90, "opacity": 0},
            "encoding": pointed(),
        },
    ]


def _named(code: int, line: int, lines: int, labels: Sequence[str]) -> Spec:
    """The name of a curve in its colour, in a list at the empty lower right."""
    colour = SERIES[code % len(SERIES)]
    return label(
        0.97, 0.06 + 0.065 * (lines - 1 - line), short_label(labels[code]), colour=colour, bold=True, align="right"
    )


def _at_cutoff(
    y: NDArray[np.int64],
    p: NDArray[np.float64],
    labels: Sequence[str],
    cutoff: float,
    left: float,
    bottom: float = 0.0,
) -> list[Spec]:
    """A dot where the sealed cut-off stands."""
    called = p[:, 1] >= cutoff
    lost, caught = int((called & (y == 0)).sum()), int((called & (y == 1)).sum())
    negatives, positives = int((y == 0).sum()), int((y == 1).sum())
    x, y_ = max(lost / max(negatives, 1), left), max(caught / max(positives, 1), bottom)
    say = (
        f"sealed cut-off {cutoff:.4g}: {words.of(caught, positives, labels[1])} caught, "
        f"{words.of(lost, negatives, labels[0])} lost"
    )
    mark = {"type": "circle", "color": PALETTE["positive"], "size": 110, "opacity": 1, "stroke": PALETTE["paper"]}
    low = y_ < bottom + 0.15 * (1.0 - bottom)
    name = label(x, y_, "sealed cut-off", dx=9, dy=-10 if low else 10, colour="positive", bold=True)
    return [{"data": {"values": [{"x": x, "y": y_, "say": say}]}, "mark": mark, "encoding": pointed()}, name]


def _bin(claimed: NDArray[np.float64], true: NDArray[np.float64], what: str) -> Spec:
    rows, came_true = len(claimed), int(true.sum())
    low, high = metrics.wilson(came_true, rows)
    mean, share = float(claimed.mean()), came_true / rows
    say = (
        f"{rows:,} rows with a mean claim of {words.percent(mean)}: {words.percent(share)} {what} "
        f"(95 % interval {words.interval(low, high, 'share')})"
    )
    return {"x": mean, "y": share, "low": low, "high": high, "rows": rows, "say": say}


def _log_odds(p: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Base-10 log-odds, and the half-width that holds them, at most 6."""
    clipped = np.clip(p, 1e-12, 1.0 - 1e-12)
    odds = np.log10(clipped / (1.0 - clipped))
    span = float(np.clip(np.ceil(np.abs(odds).max()), 2.0, 6.0))
    return np.clip(odds, -span, span), span


def _bars(what: str, sign: int, found: NDArray[np.int64], edges: NDArray[np.float64], colour: str) -> Spec:
    data = [
        {
            "x": float(a),
            "x2": float(b),
            "y": sign * int(n),
            "zero": 0,
            "say": f"{n:,} {what} with a probability of {_probability(float(a))} to {_probability(float(b))}",
        }
        for a, b, n in zip(edges, edges[1:], found.tolist(), strict=False)
        if n
    ]
    return {
        "data": {"values": data},
        "mark": {"type": "rect", "color": PALETTE[colour], "opacity": 0.92, "stroke": PALETTE["paper"]},
        "encoding": {
            "x": quantity("x"),
            "x2": {"field": "x2"},
            "y": quantity("zero"),
            "y2": {"field": "y"},
            "description": {"field": "say"},
            "tooltip": {"field": "say"},
        },
    }


def _probability(odds: float) -> str:
    return words.percent(1.0 / (1.0 + 10.0**-odds))


def _odds_axis(labels: Sequence[str], span: float) -> Spec:
    whole = int(span)
    step = 2 if whole >= 4 else 1
    values = [v for v in range(-whole, whole + 1) if v % step == 0]
    pieces = " ".join(f"datum.value == {v} ? '{_tick(v)}' :" for v in values if v)
    title = f"probability of {labels[1]}" if len(labels) == 2 else "probability given to the true label"
    style = {"values": values, "labelExpr": f"{pieces} '50 %'", "labelOverlap": "greedy", "labelFontSize": 11}
    return axis(f"{title} (log-odds scale)", [-span, span], style)


def _tick(odds: int) -> str:
    small = 100.0 * 10.0 ** -abs(odds)
    return f"{small:g} %" if odds < 0 else f"{100.0 - small:.10g} %"


def _count_axis(top: float, mirrored: bool) -> Spec:
    powers = [10**e for e in range(1, round(np.log10(top)) + 1)]
    ticks = [*(-t for t in reversed(powers) if mirrored), 0, *powers]
    style = {"values": ticks, "labelExpr": "format(abs(datum.value), ',d')", "labelOverlap": "greedy"}
    result = axis("rows (log scale)", [-top if mirrored else 0, top], style, "symlog")
    result["scale"]["constant"] = 1
    return result
