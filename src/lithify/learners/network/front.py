"""What stands before a network that takes flat vectors: tables of learned vectors, for categories and for buckets.

Torch trains the tables; a finished state holds them as arrays, and NumPy looks them up. Rows of hashed features hold
thousands of buckets each: the sealed table is in whole numbers, so a sum over buckets has one value in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lithify.data.batches import Blocks, Hashed
from lithify.learners.network.inputs import Inputs, channels_of, codes_of, encode, folded

BATCH = tuple[torch.Tensor, ...]
"""What the front of a network takes: see :func:`batch_of`."""
_LARGEST = 32767
_WIDEST = 24


class Tables(nn.Module):
    """Encoded columns with the vectors of their categories behind them."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.codes = nn.ParameterList(nn.Parameter(torch.zeros(size, breadth(size))) for size in sizes)

    def forward(self, values: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """(n, width) from (n, encoded) and (n, columns) int64."""
        found = [nn.functional.embedding(codes[:, j], table) for j, table in enumerate(self.codes)]
        return torch.cat([values, *found], dim=1)


class Bags(nn.Module):
    """Sums of the vectors of a row's buckets over the root of how many there are, channel by channel."""

    def __init__(self, bits: int, breadth: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.table = nn.Parameter(torch.zeros(1 << bits, breadth))

    def forward(self, index: torch.Tensor, first: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """(n, channels * breadth) from folded buckets, where each bag begins, and what each sum is multiplied by."""
        sums = nn.functional.embedding_bag(index, self.table, first, mode="sum") * scale
        return sums.reshape(-1, self.channels * self.table.shape[1])


class Whole(nn.Module):
    """A network with what stands before it; its parameters are named ``front.…`` and ``net.…``."""

    def __init__(self, front: nn.Module | None, net: nn.Module) -> None:
        super().__init__()
        self.front, self.net = front, net

    def forward(self, *batch: torch.Tensor) -> torch.Tensor:
        """Scores (n, outputs)."""
        scores: torch.Tensor = self.net(batch[0] if self.front is None else self.front(*batch))
        return scores


def front_of(inputs: Inputs, bits: int, breadth: int) -> nn.Module | None:
    """What stands before a network; None for images."""
    if inputs.kind == "columns":
        return Tables(inputs.sizes)
    return Bags(bits, breadth, len(channels_of(inputs.buckets)) - 1) if inputs.kind == "hashed" else None


def breadth(size: int) -> int:
    """Length of the vectors that stand for categories with so many codes.

    >>> [breadth(size) for size in (2, 4, 40, 1000)]
    [1, 3, 20, 24]
    """
    return max(1, min(size - 1, (size + 1) // 2 + (1 if size < 8 else 0), _WIDEST))


def bags(block: Hashed, rows: NDArray[np.int64], bits: int) -> tuple[NDArray[Any], ...]:
    """The folded buckets of some rows bag by bag, where each bag begins, and one over the root of its length.

    A row has one bag for each channel. Returns (k,) int64, (n * channels,) int64 and (n * channels, 1) float32.
    """
    starts = np.array(channels_of(block.buckets))
    pieces = [block.index[block.start[row] : block.start[row + 1]] for row in rows]
    index = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint32)
    owner = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces]) * (len(starts) - 1)
    owner = owner + np.searchsorted(starts, index, side="right") - 1
    counts = np.bincount(owner, minlength=len(pieces) * (len(starts) - 1))
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)[:-1]])[: len(counts)]
    scale = (1.0 / np.sqrt(np.maximum(counts, 1).astype(np.float64))).astype(np.float32)
    return folded(index[np.argsort(owner, kind="stable")], bits), first, scale[:, None]


def batch_of(
    inputs: Inputs, encoding: Mapping[str, NDArray[Any]], blocks: Blocks, rows: NDArray[np.int64], bits: int
) -> BATCH:
    """What the front takes for some rows of columns or hashed features."""
    if inputs.kind == "hashed":
        (block,) = blocks.values()
        assert isinstance(block, Hashed)
        return tuple(torch.from_numpy(array) for array in bags(block, rows, bits))
    codes = codes_of(blocks)[rows].astype(np.int64)
    return torch.from_numpy(encode(encoding, blocks, rows)), torch.from_numpy(codes)


def sealed(front: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays of a finished state from a front's parameters: the table of buckets in whole numbers, with a scale."""
    table = front.get("table")
    if table is None:
        return {name: np.ascontiguousarray(array) for name, array in front.items()}
    largest = np.maximum(np.abs(table).max(axis=0).astype(np.float64), 2.0**-60)
    return {"table": np.rint(table * (_LARGEST / largest)).astype(np.int16), "scale": largest / _LARGEST}
