"""How training went, step by step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation import words
from lithify.evaluation.marks import PALETTE, Spec, axis, layered, pointed, quantity, ticks

MOST_POINTS = 240
"""More steps are drawn as means of neighbours."""
_SMOOTH = 24
"""Points of the line: each the mean of so many parts of the training."""


def loss(history: NDArray[np.float32]) -> Spec:
    """Loss on training rows against the step; ``history`` (k, 3 or more) holds step, loss and accuracy."""
    top = 1.05 * float(np.quantile(history[:, 1].astype(np.float64), 0.99)) or 1.0
    return _curve(history[:, 0], history[:, 1], "loss on training rows", (0.0, top), share=False)


def accuracy(history: NDArray[np.float32]) -> Spec:
    """Share of training rows that got their label, against the step."""
    bottom = float(np.floor(max(0.0, np.quantile(history[:, 2].astype(np.float64), 0.01) - 0.02) * 10.0) / 10.0)
    return _curve(history[:, 0], history[:, 2], "training rows with the right label", (bottom, 1.0), share=True)


def _curve(
    step: NDArray[np.float32], value: NDArray[np.float32], what: str, ends: tuple[float, float], share: bool
) -> Spec:
    data = _points(step, value, MOST_POINTS, what, share, ends)
    smooth = _points(step, value, _SMOOTH, what, share, ends)
    thin = {"type": "line", "color": PALETTE["negative"], "strokeWidth": 1, "opacity": 0.4, "aria": False}
    line = {"type": "line", "color": PALETTE["ink"], "strokeWidth": 2, "aria": False}
    dot = {"type": "circle", "color": PALETTE["ink"], "size": 90, "opacity": 0}
    at = {"x": quantity("x"), "y": quantity("y")}
    layers: list[Spec] = [{"data": {"values": data}, "mark": thin, "encoding": dict(at)}]
    layers += [
        {"data": {"values": smooth}, "mark": line, "encoding": dict(at)},
        {"data": {"values": smooth}, "mark": dot, "encoding": pointed()},
    ]
    style = {"format": "~%", "tickCount": 5} if share else ticks(*ends, 5)
    last = float(step[-1])
    return layered(layers, axis("step", [0.0, max(1.0, last)], ticks(0.0, last)), axis(what, list(ends), style))


def _points(
    step: NDArray[np.float32],
    value: NDArray[np.float32],
    most: int,
    what: str,
    share: bool,
    ends: tuple[float, float],
) -> list[Spec]:
    parts = np.array_split(np.arange(len(step)), min(most, len(step)))
    found = []
    for part in parts:
        at, mean = float(step[part].mean()), float(value[part].mean())
        said = words.percent(mean) if share else words.number(mean)
        y = float(np.clip(mean, *ends))
        found.append({"x": at, "y": y, "say": f"about step {at:,.0f}: {said} {'of ' if share else ''}{what}"})
    return found
