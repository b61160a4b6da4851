"""Which label is taken for which: all of them in a grid, or of many labels the pairs that are mixed up most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation import words
from lithify.evaluation.marks import (
    PALETTE,
    Spec,
    axis,
    bare,
    distinct,
    frame,
    named,
    pointed_at,
    quantity,
    short_label,
    stacked,
)

ACROSS = 40
"""Letters of all labels together that stand side by side below the grid; of more the labels are tilted."""
WORST = 20
"""Pairs of labels that are shown where there are too many labels for a grid."""


def confusion(counts: NDArray[np.int64], labels: Sequence[str]) -> Spec:
    """Rows by true and most probable label; a cell is as dark as its share of the true label's rows."""
    total = counts.sum(axis=1)
    names = distinct(labels)
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
    across = bare(0 if sum(map(len, names)) <= ACROSS else -40)
    axes = {
        "x": {"field": "predicted", "type": "nominal", "sort": names, "title": "predicted", "axis": across},
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


def mixed_up(counts: NDArray[np.int64], labels: Sequence[str], most: int = WORST) -> Spec:
    """The pairs of true and predicted label with the most rows, as bars."""
    wrong = counts * ~np.eye(len(labels), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(at), len(labels)) for at in order]
    pairs = [(i, j) for i, j in pairs if wrong[i, j]]
    names = distinct([f"{short_label(labels[i], 14)} → {short_label(labels[j], 14)}" for i, j in pairs], 31)
    data = [
        {
            "name": name,
            "x": int(wrong[i, j]),
            "zero": 0,
            "say": f"{words.of(int(wrong[i, j]), int(counts[i].sum()), labels[i])} predicted as {labels[j]}",
        }
        for name, (i, j) in zip(names, pairs, strict=True)
    ]
    highest = max([int(wrong[i, j]) for i, j in pairs], default=1)
    style = {"format": ",d", "tickCount": min(5, highest), "tickMinStep": 1}
    x = quantity("zero") | axis("rows", [0.0, highest * 1.02], style)
    y = named(names)
    y["axis"]["labelLimit"] = 240
    bar = {"type": "bar", "color": PALETTE["positive"], "height": {"band": 0.68}}
    encoding = pointed_at() | {"x": x, "x2": {"field": "x"}, "y": y}
    return stacked([{"data": {"values": data}, "mark": bar, "encoding": encoding}], len(names))
