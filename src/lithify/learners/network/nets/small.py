"""For images up to about 40 pixels: whitened patches, then three groups of convolutions.

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
_WIDTHS = (32, 128, 256)


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
        filters = 2 * channels * _PATCH * _PATCH
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
        Of kind ``pixels``; ``channels`` is read.
    outputs : int
        Scores.
    width : float
        Times the channels of every group, to a multiple of 8.
    depth : int
        Convolutions in a group after its first.
    """
    return Small(inputs.channels, outputs, scaled(_WIDTHS, width), depth)
