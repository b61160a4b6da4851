"""Which cells of a picture pushed a score which way, drawn over the picture itself.

The picture is shown as the network sees it, the square in its middle, in faded grey; each cell is laid over it in one
of two colours of equal lightness and chroma (in OKLab: Ottosson 2020), the denser the more the cell weighs. So neither
direction looks stronger than the other, and they stay apart for eyes that do not tell red from green.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.media import pixels

AWAY, TOWARDS = (4, 134, 211), (200, 92, 46)
"""OKLCH (0.60, 0.15, 245) and (0.60, 0.15, 42), in sRGB."""
SIDE = 448
"""Pixels of a drawn picture, about."""
_DENSEST = 0.86
_FADED = 0.55
"""How much of its contrast the picture keeps beneath the cells."""
_MARGIN, _GAP, _LINE = 20, 16, 20
_INK, _SOFT, _PAPER = (34, 38, 43), (107, 114, 123), (255, 255, 254)

Colours = NDArray[np.uint8]


def seen(content: bytes) -> Colours:
    """The square in the middle of a picture, (side, side, 3), enlarged to about :data:`SIDE` without blurring it."""
    look = pixels.look(content)
    short = max(1, min(look.width, look.height))
    square = pixels.decode(content, min(short, SIDE), 3)
    times = max(1, SIDE // len(square))
    return square.repeat(times, axis=0).repeat(times, axis=1)


def overlay(square: Colours, weights: NDArray[np.float64], largest: float | None = None) -> Colours:
    """Cells over a picture.

    Parameters
    ----------
    square : (height, width, 3) uint8
    weights : (rows, columns) float64
        What each cell adds to the score; positive pushes towards the label.
    largest : float, optional
        The weight that is drawn densest; the largest there is by default.

    Returns
    -------
    (height, width, 3) uint8

    Examples
    --------
    >>> overlay(np.full((2, 2, 3), 128, dtype=np.uint8), np.array([[1.0, 0.0], [0.0, -1.0]]))[:, :, 0].tolist()
    [[198, 185], [185, 29]]
    """
    luma = square.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    ground = (255.0 - _FADED * (255.0 - luma))[:, :, None].repeat(3, axis=2)
    rows, columns = (np.arange(n) * count // n for n, count in zip(square.shape, weights.shape, strict=False))
    cell = weights[rows][:, columns] / (largest or float(np.abs(weights).max()) or 1.0)
    dense = (_DENSEST * np.clip(np.abs(cell), 0.0, 1.0))[:, :, None]
    colour = np.where(cell[:, :, None] > 0.0, np.array(TOWARDS, dtype=np.float64), np.array(AWAY, dtype=np.float64))
    mixed: Colours = (ground * (1.0 - dense) + colour * dense + 0.5).astype(np.uint8)
    return mixed


def grid(weights: Mapping[int, float], cells: int) -> NDArray[np.float64]:
    """Weights by the number of their cell, as the square they stand in.

    >>> grid({3: 0.5}, 4).tolist()
    [[0.0, 0.0], [0.0, 0.5]]
    """
    side = max(1, math.isqrt(max(cells, 1)))
    found = np.zeros(side * side)
    for cell, weight in weights.items():
        if 0 <= cell < len(found):
            found[cell] = weight
    return found.reshape(side, side)


def drawing(content: bytes, weights: NDArray[np.float64], title: str, said: str, label: str) -> bytes:
    """PNG: the picture, beside it the same with its cells, and below what the colours mean.

    Parameters
    ----------
    content : bytes
        Of an image.
    weights : (rows, columns) float64
    title, said : str
        What is predicted, and a line on it.
    label : str
        What positive weights push towards.
    """
    import io

    from PIL import Image, ImageDraw

    square = seen(content)
    side = len(square)
    heated = overlay(square, weights)
    width, top = 2 * (_MARGIN + side) + _GAP, _MARGIN + (2 * _LINE if said else _LINE) + 18
    canvas = Image.new("RGB", (width, top + side + 4 * _LINE + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(canvas)
    _text(pen, (_MARGIN, _MARGIN), title, 20, _INK, width - 2 * _MARGIN)
    _text(pen, (_MARGIN, _MARGIN + _LINE + 6), said, 14, _SOFT, width - 2 * _MARGIN)
    canvas.paste(Image.fromarray(square), (_MARGIN, top))
    canvas.paste(Image.fromarray(heated), (_MARGIN + side + _GAP, top))
    _strongest(pen, weights, (_MARGIN + side + _GAP, top), side)
    _legend(pen, weights, label, (_MARGIN, top + side + _LINE), width - 2 * _MARGIN)
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return file.getvalue()


def legend(weights: NDArray[np.float64]) -> Colours:
    """The scale as a strip (1, 201, 3), from the most away to the most towards, over grey as in the picture."""
    strip = np.linspace(-1.0, 1.0, 201)[None, :]
    drawn = overlay(np.full((1, 201, 3), 128, dtype=np.uint8), strip, 1.0)
    return drawn if np.abs(weights).max() else drawn[:, 100:101].repeat(201, axis=1)


def _strongest(pen: Any, weights: NDArray[np.float64], at: tuple[int, int], side: int) -> None:
    """A frame and a number on the three cells that weigh most."""
    rows, columns = weights.shape
    order = np.argsort(-np.abs(weights), axis=None, kind="stable")[:3]
    for row, column in (divmod(int(cell), columns) for cell in order if weights.flat[cell]):
        left, upper = at[0] + -(-column * side // columns), at[1] + -(-row * side // rows)
        right, lower = at[0] + -(-(column + 1) * side // columns) - 1, at[1] + -(-(row + 1) * side // rows) - 1
        pen.rectangle((left, upper, right, lower), outline=_INK, width=2)
        text = f"{weights[row, column]:+.2f}"
        if right - left >= 40:
            pen.text(((left + right) / 2, (upper + lower) / 2), text, _INK, _font(13), anchor="mm",
                     stroke_width=2, stroke_fill=_PAPER)  # fmt: skip


def _legend(pen: Any, weights: NDArray[np.float64], label: str, at: tuple[int, int], width: int) -> None:
    largest = float(np.abs(weights).max())
    long = min(width, 420)
    left = at[0] + (width - long) // 2
    strip = legend(weights)[0, np.arange(long) * 200 // (long - 1)].tolist()
    for x, colour in enumerate(strip):
        pen.line((left + x, at[1], left + x, at[1] + 12), fill=tuple(colour))
    below = at[1] + 18
    for x, text, anchor in ((0, f"{-largest:+.3g}", "la"), (long // 2, "0", "ma"), (long, f"{largest:+.3g}", "ra")):
        pen.text((left + x, below), text, _SOFT, _font(13), anchor=anchor)
    _text(pen, (left, below + _LINE), "away from it", 13, AWAY, long // 2)
    told = _cut(pen, f"towards {label}", 13, long // 2)
    pen.text((left + long, below + _LINE), told, TOWARDS, _font(13), anchor="ra")


def _text(pen: Any, at: tuple[int, int], text: str, size: int, colour: tuple[int, int, int], room: int) -> None:
    pen.text(at, _cut(pen, text, size, room), colour, _font(size))


def _cut(pen: Any, text: str, size: int, room: int) -> str:
    """Text no wider than there is room for; without control characters."""
    line = "".join(each if each.isprintable() else " " for each in text)
    if pen.textlength(line, _font(size)) <= room:
        return line
    while line and pen.textlength(line + "…", _font(size)) > room:
        line = line[:-1]
    return line + "…"


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
