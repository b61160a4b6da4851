"""For images of about 48 to 96 pixels: whitened patches of every second pixel, then four groups with residuals.

The groups are those of airbench96 (Jordan 2024, arXiv:2404.00498), one more of them for the larger images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from lithify.errors import RecipeError
from lithify.learners.network.nets.layers import scaled
from lithify.learners.network.nets.whitened import Whitened

if TYPE_CHECKING:
    from lithify.learners.network.inputs import Inputs

_PATCH = 4
_FILTERS = 24
_WIDTHS = (64, 128, 256, 384)


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
    whiten = nn.Conv2d(inputs.channels, _FILTERS, _PATCH, stride=2, padding=1)
    return Whitened(whiten, outputs, scaled(_WIDTHS[:groups], width), depth)
