"""Dropout whose draws are keyed: which units rest depends on seed, step, grain and layer alone."""

from __future__ import annotations

import threading

import numpy as np
import torch
from torch import nn

from lithify import rng

_local = threading.local()


class keyed:
    """Inside, the draws of this thread's :class:`Drop` layers come one after the other from one stream.

    Parameters
    ----------
    stream : int
        From :func:`lithify.rng.key`.
    """

    def __init__(self, stream: int) -> None:
        self._stream = stream

    def __enter__(self) -> None:
        _local.stream, _local.at = self._stream, 0

    def __exit__(self, *_: object) -> None:
        del _local.stream


class Drop(nn.Module):
    """In training, sets a share of the values to zero and raises the others (Srivastava et al. 2014).

    Parameters
    ----------
    share : float
        In [0, 1), kept to 1/256.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.below = min(255, round(256 * share))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The values, or in training those that are kept."""
        if not self.training or self.below == 0:
            return x
        words = -(-x.numel() // 8)
        drawn = rng.bits(_local.stream, _local.at, words).view(np.uint8)[: x.numel()]
        _local.at += words
        kept = (drawn >= self.below).astype(np.float32) * np.float32(256.0 / (256 - self.below))
        return x * torch.from_numpy(kept).reshape(x.shape).to(device=x.device, dtype=x.dtype)
