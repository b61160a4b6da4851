"""What is caught for what is lost: curves over all cut-offs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lithify import metrics
from lithify.evaluation import words
from lithify.evaluation.marks import PALETTE, SERIES, Spec, axis, label, layered, pointed, quantity, rule, short_label

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
    names = ("other labels taken for it", "found")
    if len(labels) == 2:
        sealed = cutoff is not None
        names = (
            (f"{labels[0]} lost", f"{labels[1]} caught")
            if sealed
            else (f"{labels[0]} taken for it", f"{labels[1]} found")
        )
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
