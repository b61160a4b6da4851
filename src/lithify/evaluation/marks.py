"""The pieces that plots are made of, and the colours and sizes that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Spec = dict[str, Any]

PALETTE = {
    "ink": "#22262b",
    "soft": "#6b727b",
    "line": "#d9dde2",
    "negative": "#2f6f9f",
    "positive": "#c8553d",
    "third": "#4f8a5b",
    "fourth": "#8a6bb1",
    "fifth": "#b5892e",
    "sixth": "#3f8f8f",
    "paper": "#fffffe",
}
SERIES = ("negative", "positive", "third", "fourth", "fifth", "sixth")
WIDTH, HEIGHT = 440, 300
ROW = 22
_SIDES = ("right", "top", "bottom")


def rule(at: dict[str, float]) -> Spec:
    """A dashed line from (x, y) to (x2, y2)."""
    mark = {"type": "rule", "color": PALETTE["soft"], "strokeDash": [3, 3], "strokeWidth": 1, "aria": False}
    encoding = {"x": quantity("x"), "y": quantity("y"), "x2": {"field": "x2"}, "y2": {"field": "y2"}}
    return {"data": {"values": [at]}, "mark": mark, "encoding": encoding}


def label(
    x: float,
    y: float,
    text: str,
    *,
    dx: int = 0,
    dy: int = 0,
    colour: str = "soft",
    bold: bool = False,
    align: str = "left",
) -> Spec:
    """Text at a point, moved by ``dx`` and ``dy`` pixels."""
    mark = {"type": "text", "align": align, "dx": dx, "dy": dy, "color": PALETTE[colour], "aria": False}
    if bold:
        mark["fontWeight"] = 600
    return {
        "data": {"values": [{"x": x, "y": y, "text": text}]},
        "mark": mark,
        "encoding": {"x": quantity("x"), "y": quantity("y"), "text": {"field": "text", "type": "nominal"}},
    }


def pointed() -> Spec:
    """Encoding of a mark that can be pointed at; its sentence is the field ``say``."""
    return {"x": quantity("x"), "y": quantity("y"), "description": {"field": "say"}, "tooltip": {"field": "say"}}


def quantity(field: str) -> Spec:
    """A numeric field."""
    return {"field": field, "type": "quantitative"}


def axis(title: str, domain: list[float], style: Spec, scale: str = "linear") -> Spec:
    """Title, scale and axis that all layers of a plot share."""
    return {
        "title": title,
        "scale": {"domain": [float(end) for end in domain], "type": scale, "nice": False, "zero": False},
        "axis": style,
    }


def ticks(low: float, high: float, count: int = 6) -> Spec:
    """An axis of numbers of any size, written as a person would.

    >>> ticks(0.0, 80.0)["format"], ticks(0.0, 2e6)["format"], ticks(0.0, 2e-5)["format"]
    (',~f', '~s', '~e')
    """
    largest = max(abs(low), abs(high))
    return {"tickCount": count, "format": "~s" if largest >= 1e5 else ",~f" if largest >= 1e-3 else "~e"}


def bare(angle: int) -> Spec:
    """An axis of names without lines."""
    return {"labelAngle": angle, "domain": False, "ticks": False, "grid": False}


def layered(layers: list[Spec], x: Spec, y: Spec) -> Spec:
    """Layers that share their axes."""
    for layer in layers:
        layer["encoding"]["x"] |= x
        layer["encoding"]["y"] |= y
    return {**frame(), "layer": layers}


def short_label(label: str, length: int = 18) -> str:
    """A label short enough for an axis; what is cut is in the middle, for names differ at their ends too.

    >>> short_label("Horizontal_Distance_To_Roadways")
    'Horizonta…Roadways'
    """
    tail = (length - 1) // 2
    return label if len(label) <= length else f"{label[: length - 1 - tail]}…{label[-tail:]}"


def distinct(labels: Sequence[str], length: int = 18) -> list[str]:
    """Short labels, told apart by a number where cutting made two of them equal."""
    short = [short_label(name, length) for name in labels]
    return [name if short.count(name) == 1 else f"{name} {i + 1}" for i, name in enumerate(short)]


def named(names: list[str], *, grid: bool = False) -> Spec:
    """An axis of names, one below the other in the order given."""
    style = bare(0) | {"labelLimit": 170, "grid": grid}
    return {"field": "name", "type": "nominal", "sort": names, "title": None, "axis": style}


def pointed_at() -> Spec:
    """What a mark says of itself; its sentence is the field ``say``."""
    return {"description": {"field": "say"}, "tooltip": {"field": "say"}}


def stacked(layers: list[Spec], lines: int) -> Spec:
    """Layers with one line for each name, as high as there are lines."""
    return frame() | {
        "height": max(90, 46 + ROW * lines),
        "padding": {"left": 14} | dict.fromkeys(_SIDES, 4),
        "layer": layers,
    }


def frame() -> Spec:
    """Size and style that all plots share."""
    text = {"labelFont": "system-ui, sans-serif", "titleFont": "system-ui, sans-serif"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "height": HEIGHT,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": 4,
        "background": None,
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "text": {"fontSize": 12, "font": "system-ui, sans-serif"},
            "axis": text
            | {
                "labelColor": PALETTE["soft"],
                "titleColor": PALETTE["soft"],
                "labelFontSize": 12,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "titlePadding": 8,
                "gridColor": PALETTE["line"],
                "gridOpacity": 0.7,
                "domainColor": PALETTE["line"],
                "tickColor": PALETTE["line"],
                "tickSize": 4,
                "labelPadding": 4,
            },
        },
    }
