"""The weight gradient of a convolution over small maps, taken of a few large maps put together of them.

In bf16 on matrix tiles (AMX) oneDNN's kernel for the weight gradient works along the rows of a map and starves where
these are short. Zeros between the maps keep them apart, so the sum over all places of the large map is the sum over all
maps; its terms are added in another order, so its last bits differ from the plain gradient's. In fp32 the zeros cost
more than the longer rows bring, and nothing is tiled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

MOST = 8
"""Sides of maps that are tiled; from about 15 on it is slower."""
_ACROSS = 4


def tiled(maps: Tensor, across: int = _ACROSS) -> Tensor:
    """Every ``across``² maps as one, a row and a column of zeros after each.

    Parameters
    ----------
    maps : (n, c, h, w) tensor
    across : int
        Maps side by side, and below each other.

    Returns
    -------
    (ceil(n / across²), c, across (h + 1), across (w + 1)) tensor, channels last

    Examples
    --------
    >>> tiled(torch.ones(5, 1, 1, 1), 2)[:, 0].int().tolist()
    [[[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]
    """
    n, channels, high, wide = maps.shape
    sheets = -(-n // (across * across))
    apart = maps.new_zeros(sheets * across * across, high + 1, wide + 1, channels)
    apart[:n, :high, :wide] = maps.permute(0, 2, 3, 1)
    grid = apart.view(sheets, across, across, high + 1, wide + 1, channels).transpose(2, 3)
    return grid.reshape(sheets, across * (high + 1), across * (wide + 1), channels).permute(0, 3, 1, 2)


class _Convolution(torch.autograd.Function):
    """3 × 3, stride 1, padding 1, no bias: the plain convolution, with a weight gradient of tiled maps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return nn.functional.conv2d(x, weight, padding=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        (g,) = gradients
        of_x, of_weight = ctx.needs_input_grad
        plain = [1, 1]
        back = partial(torch.ops.aten.convolution_backward, bias_sizes=None, stride=plain, padding=plain)
        back = partial(back, dilation=plain, transposed=False, output_padding=[0, 0], groups=1)
        to_x = back(g, x, weight, output_mask=[True, False, False])[0] if of_x else None
        to_w = back(tiled(g), tiled(x), weight, output_mask=[False, True, False])[1] if of_weight else None
        return to_x, to_w


def forward(part: nn.Conv2d) -> Callable[[Tensor], Tensor]:
    """What a 3 × 3 convolution does instead; larger maps, and all where no gradient is wanted, are not tiled.

    Examples
    --------
    >>> plain = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    >>> x = torch.ones(1, 2, 5, 5)
    >>> torch.equal(forward(plain)(x), plain(x))
    True
    """

    def instead(x: Tensor) -> Tensor:
        if max(x.shape[2:]) > MOST or not torch.is_grad_enabled():
            return nn.functional.conv2d(x, part.weight, padding=1)
        weight = part.weight
        if torch.is_autocast_enabled("cpu"):  # a function of one's own is not cast by it
            short = torch.get_autocast_dtype("cpu")
            x, weight = x.to(short), weight.to(short)
        found: Tensor = _Convolution.apply(x, weight)  # type: ignore[no-untyped-call]
        return found

    return instead
