"""How the learning rate, and the side of large images, change over the steps of a training.

The tables are made with addition, subtraction, multiplication and division alone, which IEEE 754 rounds the same way
everywhere, so a resumed training on another machine reads the same rates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KINDS = ("linear", "smooth", "flat")
"""From the top straight down to zero; along ``1 - (3 t² - 2 t³)``, which is within 1 % of half a cosine; level for
three fifths and then straight down (Hägele et al. 2024, arXiv:2405.18392)."""
_LEVEL = 0.6
_EARLY = 0.375
_GROWING = 0.8
_LEAST_SHARE = 0.57
_MULTIPLE = 32


def rates(kind: str, steps: int, warmup: int = 0) -> NDArray[np.float32]:
    """The rate of every step as a share of the highest.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`; ``ValueError`` for another.
    steps : int
        Of the whole training.
    warmup : int
        Steps at the beginning over which the rate rises straight from near zero.

    Returns
    -------
    (steps,) array of float32 in (0, 1]

    Examples
    --------
    >>> rates("linear", 4).tolist()
    [1.0, 0.75, 0.5, 0.25]
    >>> rates("linear", 4, warmup=2).tolist()
    [0.5, 1.0, 1.0, 0.5]
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    rising = min(max(0, warmup), steps)
    up = (np.arange(rising, dtype=np.float64) + 1.0) / (rising + 1.0 if rising == 0 else float(rising))
    left = steps - rising
    t = np.arange(left, dtype=np.float64) / float(max(1, left))
    if kind == "linear":
        down = 1.0 - t
    elif kind == "smooth":
        down = 1.0 - t * t * (3.0 - 2.0 * t)
    else:
        down = np.minimum(1.0, (1.0 - t) / (1.0 - _LEVEL))
    return np.concatenate([up, down]).astype(np.float32)


def early(step: int, steps: int) -> float:
    """The rate of the first layer's bias as a share of the highest: straight to zero over the first 3/8 of the steps.

    With filters that are not trained it is soon where it belongs, and later steps need not find its gradient, the one
    for which the largest maps would be gone through (Jordan 2024, arXiv:2404.00498).

    Examples
    --------
    >>> [early(step, 80) for step in (0, 15, 30, 60)]
    [1.0, 0.5, 0.0, 0.0]
    """
    return max(0.0, 1.0 - step / (_EARLY * steps))


def side_at(step: int, steps: int, side: int) -> int:
    """How large images are at a step: growing from somewhat more than half to all of ``side`` pixels.

    Progressive resizing (Howard 2018, "Training Imagenet in 3 hours for 25 minutes"; FFCV, Leclerc et al. 2023): the
    early steps need no detail and cost a third. Sides are multiples of 32, except the last, and images below 96 pixels
    are never made smaller. It grows over the first four fifths of the steps.

    Examples
    --------
    >>> [side_at(step, 100, 224) for step in (0, 25, 50, 99)]
    [128, 160, 192, 224]
    >>> side_at(0, 100, 64)
    64
    """
    if side < 3 * _MULTIPLE:
        return side
    lowest = max(2, round(_LEAST_SHARE * side / _MULTIPLE))
    highest = -(-side // _MULTIPLE)
    stages = highest - lowest + 1
    stage = int(step * stages / (_GROWING * steps)) if stages > 1 else 0
    return min(side, (lowest + min(stage, stages - 1)) * _MULTIPLE)
