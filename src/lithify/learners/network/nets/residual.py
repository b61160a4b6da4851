"""For images from about 128 pixels: the residual network of basic blocks, as ResNet-18 (He et al. 2016).

The last norm of each block begins at 0, so that a block begins as what it is given (Goyal et al. 2017,
arXiv:1706.02677). Its maps end in a mean, so images of any side fit: the early steps may show smaller ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from lithify.learners.network.nets.layers import conv, scaled

if TYPE_CHECKING:
    from lithify.learners.network.inputs import Inputs

_WIDTHS = (64, 128, 256, 512)
_STEM = 7


class Block(nn.Module):
    """Two convolutions with norms, added to what came in.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : int
        2 halves the map.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(inputs, outputs, stride=stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv(outputs, outputs)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.norm2.begin_at = 0.0  # type: ignore[assignment]
        self.way: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.way = nn.Sequential(conv(inputs, outputs, side=1, stride=stride), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        inner = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(inner)) + self.way(x))


class Residual(nn.Module):
    """A stem that divides the side by 4, four stages of blocks, the mean of each channel, a linear head.

    Parameters
    ----------
    channels, outputs : int
        Of the images; scores.
    widths : tuple of int
        Channels of each stage.
    depth : int
        Blocks in a stage.
    """

    def __init__(self, channels: int, outputs: int, widths: tuple[int, ...], depth: int) -> None:
        super().__init__()
        self.stem = conv(channels, widths[0], side=_STEM, stride=2)
        self.norm = nn.BatchNorm2d(widths[0])
        self.shrink = nn.MaxPool2d(3, stride=2, padding=1)
        stages = []
        before = widths[0]
        for i, after in enumerate(widths):
            blocks = [Block(before, after, 1 if i == 0 else 2), *(Block(after, after, 1) for _ in range(depth - 1))]
            stages.append(nn.Sequential(*blocks))
            before = after
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(widths[-1], outputs)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """(n, channels, side, side) to (n, widths[-1]); any side from 32 on."""
        x = self.shrink(torch.relu(self.norm(self.stem(x))))
        return torch.flatten(self.pool(self.stages(x)), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, channels, side, side) to (n, outputs) scores."""
        return self.head(self.embed(x))  # type: ignore[no-any-return]


def build(inputs: Inputs, outputs: int, width: float = 1.0, depth: int = 2) -> nn.Module:
    """The network for large images.

    Parameters
    ----------
    inputs : Inputs
        Of kind ``pixels``; ``channels`` is read.
    outputs : int
        Scores.
    width : float
        Times the channels of every stage, to a multiple of 8.
    depth : int
        Blocks in a stage; 2 is ResNet-18.
    """
    return Residual(inputs.channels, outputs, scaled(_WIDTHS, width), depth)
