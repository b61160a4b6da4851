"""Whitened patches, groups of convolutions, the largest value of each channel: what networks for small images share."""

from __future__ import annotations

import torch
from torch import nn

from lithify.learners.network.nets.layers import Group


class Whitened(nn.Module):
    """Whitening, groups, the largest value of each channel, a linear head without a bias.

    Parameters
    ----------
    whiten : nn.Conv2d
        Its weights come from patches of the training images (:mod:`lithify.learners.network.first`), and do not learn.
    outputs : int
        Scores.
    widths : tuple of int
        Channels of each group.
    depth : int
        Convolutions in a group after its first.
    """

    def __init__(self, whiten: nn.Conv2d, outputs: int, widths: tuple[int, ...], depth: int) -> None:
        super().__init__()
        self.whiten = whiten
        self.whiten.weight.requires_grad_(False)
        inner = zip((whiten.out_channels, *widths[:-1]), widths, strict=True)
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
