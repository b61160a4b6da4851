"""``mlp``: fully connected layers, for rows of columns and of hashed features."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

from lithify.learners.network.nets.drop import Drop
from lithify.learners.network.nets.layers import scaled

if TYPE_CHECKING:
    from lithify.learners.network.inputs import Inputs

_UNITS = 256


class Mlp(nn.Module):
    """``depth`` layers of ``width`` rectified units, and scores from both the last of them and the input.

    The way past the layers lets the network be a linear model where that is what the rows want (Cheng et al. 2016,
    "Wide & Deep Learning", arXiv:1606.07792).
    """

    def __init__(self, given: int, outputs: int, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        sizes = [given, *[width] * depth]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.drops = nn.ModuleList(Drop(dropout) for _ in range(depth))
        self.scores = nn.Linear(width + given, outputs)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """(n, width + given): the last layer, and the input again."""
        hidden = x
        for layer, drop in zip(self.layers, self.drops, strict=True):
            hidden = drop(torch.relu(layer(hidden)))
        return torch.cat([hidden, x], dim=1)

    def head(self, embedding: torch.Tensor) -> torch.Tensor:
        """Scores from what :meth:`embed` gives."""
        found: torch.Tensor = self.scores(embedding)
        return found

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (n, outputs) of (n, given)."""
        return self.head(self.embed(x))


def build(inputs: Inputs, outputs: int, width: float = 1.0, depth: int = 3, dropout: float = 0.0) -> nn.Module:
    """The network for rows that are ``inputs.width`` values wide.

    Parameters
    ----------
    inputs : Inputs
    outputs : int
        Scores.
    width : float
        Times 256 units in a layer, to a multiple of 8.
    depth : int
        Layers.
    dropout : float
        Share of the units that rest in training.
    """
    return Mlp(inputs.width, outputs, scaled((_UNITS,), width)[0], depth, dropout)
