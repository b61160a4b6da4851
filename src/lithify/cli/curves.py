"""A curve in a few lines of a terminal, drawn with dots of Braille characters."""

from __future__ import annotations

from collections.abc import Sequence

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the eight dots of a Braille character, two columns of four (Unicode 15, block 2800)."""
_EMPTY = 0x2800


def curve(xs: Sequence[float], ys: Sequence[float], width: int = 48, height: int = 6) -> list[str]:
    """Lines of a plot with its scale at the left and the first and last x below.

    Parameters
    ----------
    xs, ys : sequences of finite floats, equally long
        ``xs`` ascending.
    width, height : int
        Characters of the plot itself, at least 2 lines.

    Examples
    --------
    >>> for line in curve([0, 1, 2, 3], [8.0, 4.0, 2.0, 1.0], width=8, height=2):
    ...     print(line)
    8 ┤⠑⠤⡀
    1 ┤  ⠈⠑⠢⠤⢄⣀
      └────────
       0      3
    """
    low, high = min(ys), max(ys)
    rows = [[0] * width for _ in range(height)]
    for x, y in _dots(xs, ys, 2 * width, 4 * height):
        rows[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    scale = [_number(high), *[""] * (height - 2), _number(low) if low < high else ""]
    wide = max(map(len, scale))
    lines = [
        f"{label:>{wide}} ┤{''.join(chr(_EMPTY + bits) if bits else ' ' for bits in row)}".rstrip()
        for label, row in zip(scale, rows, strict=True)
    ]
    first, last = _number(xs[0]), _number(xs[-1])
    under = first + last.rjust(width - len(first)) if len(xs) > 1 else first
    return [*lines, f"{'':{wide}} └{'─' * width}", f"{'':{wide}}  {under}"]


def _dots(xs: Sequence[float], ys: Sequence[float], wide: int, high: int) -> list[tuple[int, int]]:
    """Dots of a line through all points; of several points in one column their mean."""
    across, up = (xs[-1] - xs[0]) or 1.0, (max(ys) - min(ys)) or 1.0
    columns: dict[int, list[float]] = {}
    for x, y in zip(xs, ys, strict=True):
        columns.setdefault(round((x - xs[0]) / across * (wide - 1)), []).append(y)
    known = sorted((column, sum(values) / len(values)) for column, values in columns.items())
    dots = []
    for (left, start), (right, end) in zip(known, known[1:] or known, strict=False):
        for column in range(left, max(right, left + 1)):
            y = start + (end - start) * (column - left) / max(1, right - left)
            dots.append((column, round((max(ys) - y) / up * (high - 1))))
    column, y = known[-1]
    return [*dots, (column, round((max(ys) - y) / up * (high - 1)))]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
