"""For images up to about 40 pixels: whitened patches, then three groups of convolutions, of the smallest images fewer.

After airbench (Jordan 2024, arXiv:2404.00498), with narrower first groups: on a CPU the largest maps cost the most time
and give the least accuracy for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from lithify.learners.network.nets.layers import Group, scaled

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


class Small(nn.Module):
    """Whitening, groups, the largest value of each channel, a linear head without a bias.

    Parameters
    ----------
    channels, outputs : int
        Of the images; scores.
    widths : tuple of int
        Channels of each group.
    depth : int
        Convolutions in a group after its first.
    """

    def __init__(self, channels: int, outputs: int, widths: tuple[int, ...], depth: int) -> None:
        super().__init__()
        filters = min(_FILTERS, 2 * channels * _PATCH * _PATCH)
        self.whiten = nn.Conv2d(channels, filters, _PATCH)
        self.whiten.weight.requires_grad_(False)
        inner = zip((filters, *widths[:-1]), widths, strict=True)
        self.groups = nn.Sequential(*(Group(before, after, depth) for before, after in inner))
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(widths[-1], outputs, bias=False)
        self.head.begin_small = True  # type: ignore[assignment]

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """(n, channels, side, side) to (n, widths[-1])."""
        return torch.flatten(self.pool(self.groups(torch.relu(self.whiten(x)))), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, channels, side, side) to (n, outputs) scores."""
        return self.head(self.embed(x))  # type: ignore[no-any-return]


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
    return Small(inputs.channels, outputs, (max(_LANES, first // _LANES * _LANES), *more), depth)


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
