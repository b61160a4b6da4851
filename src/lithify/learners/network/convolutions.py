"""How the 3 × 3 convolutions of a network are computed while it trains; what they mean stays the same."""

from __future__ import annotations

from torch import nn

from lithify.learners.network import tiled, winograd


def install(module: nn.Module, how: str) -> int:
    """Makes the 3 × 3 convolutions of a module compute as told where gradients are wanted; gives how many do.

    Only this instance changes, not its parameters or names: one made anew, to be traced, has plain convolutions.

    Parameters
    ----------
    module : Module
    how : str
        ``plain``, ``tiled`` (:mod:`.tiled`) or ``winograd`` (:mod:`.winograd`).

    Examples
    --------
    >>> install(nn.Sequential(nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.ReLU()), "winograd")
    1
    """
    if how == "plain":
        return 0
    parts = [part for part in module.modules() if isinstance(part, nn.Conv2d) and _fits(part)]
    if how == "winograd":
        parts = [part for part in parts if min(part.in_channels, part.out_channels) >= winograd.LEAST]
    for part in parts:
        part.forward = (tiled if how == "tiled" else winograd).forward(part)  # type: ignore[method-assign]
    return len(parts)


def _fits(part: nn.Conv2d) -> bool:
    plain = part.stride == (1, 1) and part.padding == (1, 1) and part.dilation == (1, 1)
    zeros = part.padding_mode == "zeros" and part.bias is None
    return part.kernel_size == (3, 3) and plain and part.groups == 1 and zeros
