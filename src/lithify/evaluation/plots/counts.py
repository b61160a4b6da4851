"""Which label is taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation import words
from lithify.evaluation.marks import PALETTE, Spec, bare, distinct, frame, quantity


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
