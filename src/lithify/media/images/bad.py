"""What is wrong with a picture that cannot be used, and the limits on its size."""

from __future__ import annotations

from typing import Literal

Reason = Literal["empty", "unreadable", "too large"]

MAX_BYTES = 64 * 1024 * 1024
"""Encoded size of the largest picture that is looked at."""

MAX_SIDE = 65_500
"""Longest side in pixels; what a JPEG can hold."""

MAX_PIXELS = 100_000_000
"""Pixels of the largest picture that is decoded: 300 MB in colour."""


class BadImage(Exception):
    """A picture without usable pixels; the only exception that reading one raises.

    Parameters
    ----------
    reason : {"empty", "unreadable", "too large"}
        ``"too large"`` is known from the header: nothing has been decoded.
    detail : str
        What was found, without content of the picture.

    Examples
    --------
    >>> print(BadImage("too large", "50,000 × 50,000 pixels"))
    too large: 50,000 × 50,000 pixels
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def check_size(width: int, height: int) -> None:
    """Raises :class:`BadImage` for a picture without pixels or with more than are decoded."""
    if width < 1 or height < 1:
        raise BadImage("unreadable", "a picture without pixels")
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise BadImage("too large", f"{width:,} × {height:,} pixels; at most {MAX_PIXELS:,}, {MAX_SIDE:,} a side")
