"""What probabilities claim, and how often it comes true."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lithify import metrics
from lithify.evaluation import words
from lithify.evaluation.marks import PALETTE, SERIES, Spec, axis, label, layered, pointed, quantity, rule
from lithify.metrics import Sample
from lithify.metrics.probabilities import claims


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
