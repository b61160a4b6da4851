"""For images of about 48 to 96 pixels: whitened patches of every second pixel, then four groups with residuals.

The groups are those of airbench96 (Jordan 2024, arXiv:2404.00498), one more of them for the larger images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from lithify.errors import RecipeError
from lithify.learners.network.nets.layers import Group, scaled

if TYPE_CHECKING:
    from lithify.learners.network.inputs import Inputs

_PATCH = 4
_FILTERS = 24
_WIDTHS = (64, 128, 256, 384)


class Deep(nn.Module):
    """Whitening at half the resolution, groups, the largest value of each channel, a linear head without a bias.

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
        self.whiten = nn.Conv2d(channels, _FILTERS, _PATCH, stride=2, padding=1)
        self.whiten.weight.requires_grad_(False)
        inner = zip((_FILTERS, *widths[:-1]), widths, strict=True)
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


def build(inputs: Inputs, outputs: int, width: float = 1.0, depth: int = 2) -> nn.Module:
    """The network for middling images.

    Parameters
    ----------
    inputs : Inputs
        Of kind ``pixels``; ``channels`` and ``side`` are read. Images below 32 pixels have fewer groups.
    outputs : int
        Scores.
    width : float
        Times the channels of every group, to a multiple of 8.
    depth : int
        Convolutions in a group after its first; from 2 on each group adds what came in to what goes out.

    Raises
    ------
    RecipeError
        The images have fewer than 4 pixels a side.
    """
    groups = min(len(_WIDTHS), (inputs.side // 2).bit_length() - 1)  # each halves the maps
    if groups < 1:
        raise RecipeError(
            "The network 'deep' is for larger images.",
            expected="at least 4 pixels a side",
            found=f"{inputs.side}",
            hint="Leave network.net out, or take 'small'.",
        )
    return Deep(inputs.channels, outputs, scaled(_WIDTHS[:groups], width), depth)
