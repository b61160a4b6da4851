"""For images up to about 40 pixels: whitened patches, then three groups of convolutions, of the smallest images fewer.

After airbench (Jordan 2024, arXiv:2404.00498), with narrower first groups: on a CPU the largest maps cost the most time
and give the least accuracy for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from lithify.learners.network.nets.layers import scaled
from lithify.learners.network.nets.whitened import Whitened

if TYPE_CHECKING:
    from lithify.learners.network.inputs import Inputs

_PATCH = 2
_LANES = 16
_FILTERS = 16
"""Of the 24 that there are of a colour patch. The convolution that follows would take as long for 24 as for 32."""
_WIDTHS = ((128,), (64, 192), (32, 128, 256))
"""Of one, two and three groups."""
_LEAST = 2
"""Pixels of the side of the last maps, at least."""


def build(inputs: Inputs, outputs: int, width: float = 1.0, depth: int = 1) -> nn.Module:
    """The network for small images.

    Parameters
    ----------
    inputs : Inputs
        Of kind ``pixels``; ``channels`` and ``side`` are read.
    outputs : int
        Scores.
    width : float
        Times the channels of every group, to a multiple of 8; those of the first, whose maps are the largest, down to
        a multiple of 16, which is how many a processor computes at once.
    depth : int
        Convolutions in a group after its first.
    """
    first, *more = scaled(_WIDTHS[groups(inputs.side) - 1], width)
    filters = min(_FILTERS, 2 * inputs.channels * _PATCH * _PATCH)
    whiten = nn.Conv2d(inputs.channels, filters, _PATCH)
    return Whitened(whiten, outputs, (max(_LANES, first // _LANES * _LANES), *more), depth)


def groups(side: int) -> int:
    """How many groups suit images of that side: each halves the maps.

    Examples
    --------
    >>> [groups(side) for side in (3, 8, 16, 24, 32, 40)]
    [1, 1, 2, 3, 3, 3]
    """
    side, found = (side - _PATCH + 1) // 2, 1
    while found < len(_WIDTHS) and side // 2 >= _LEAST:
        side, found = side // 2, found + 1
    return found
