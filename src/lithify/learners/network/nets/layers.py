"""What the image networks are put together of: whitened patches, groups of convolutions, and first values.

Sources: whitening of patches as a frozen first layer, groups of convolutions whose normalisation has no scale, and
filters that begin as the identity: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv:2404.00498)
and its public code, airbench; the whitening goes back to Page 2019, "How to Train Your ResNet". Residual blocks: He,
Zhang, Ren, Sun 2016 (arXiv:1512.03385).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lithify import rng

_FLOOR = 5e-4
"""Added to the variance along every direction of a patch, so that noise in the flattest ones is not blown up."""
_MOMENTUM = 0.4
"""Share of the newest statistics in the running ones."""
_MOST_PATCHES = 1_000_000


def patches(images: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Every ``side`` × ``side`` patch of some images, a million at most, evenly spaced.

    Parameters
    ----------
    images : (n, c, h, w) array of float32
        Normalised as they enter the network.
    side : int
        Of a patch, in pixels.

    Returns
    -------
    (m, c, side, side) array of float32

    Examples
    --------
    >>> patches(np.zeros((2, 3, 5, 5), dtype=np.float32), 2).shape
    (32, 3, 2, 2)
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (side, side), axis=(2, 3))
    every = windows.transpose(0, 2, 3, 1, 4, 5)
    n, down, across = every.shape[:3]
    at = np.arange(0, n * down * across, max(1, -(-(n * down * across) // _MOST_PATCHES)))
    return np.ascontiguousarray(every[at // (down * across), at // across % down, at % across])


def whiten(patches: NDArray[np.float32], filters: int | None = None) -> NDArray[np.float32]:
    """Filters that make the parts of a patch uncorrelated and of variance one, each followed by its negative.

    Principal components of the patches, divided by the deviation along them (PCA whitening).

    Parameters
    ----------
    patches : (m, c, k, k) array of float32
        Of training images.
    filters : int, optional
        How many to make, the directions of the largest variance first; twice ``c * k * k`` unless told.

    Returns
    -------
    (filters, c, k, k) array of float32
        All of the components first and then their negatives, so that what follows may drop what lies below zero.

    Examples
    --------
    >>> grey = np.random.default_rng(0).normal(size=(500, 1, 2, 2)).astype(np.float32)
    >>> whiten(grey).shape
    (8, 1, 2, 2)
    """
    flat = patches.reshape(len(patches), -1).astype(np.float64)
    flat = flat - flat.mean(axis=0)
    variance, directions = np.linalg.eigh(flat.T @ flat / max(1, len(flat)))
    half = flat.shape[1] if filters is None else filters // 2
    kept = np.argsort(-variance, kind="stable")[:half]
    components = directions[:, kept].T
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(half), largest])  # a direction has no sign of its own: fix one
    scaled = components * (signs / np.sqrt(variance[kept] + _FLOOR))[:, None]
    both = np.concatenate([scaled, -scaled]).astype(np.float32)
    return both.reshape(len(both), *patches.shape[1:])


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with a trained bias and no scale, which the next filters would undo anyway."""
    made = nn.BatchNorm2d(channels, momentum=_MOMENTUM)
    made.weight.requires_grad_(False)
    return made


def conv(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size of the map (or divides it by ``stride``); no bias: a norm follows."""
    return nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=False)


def scaled(widths: tuple[int, ...], factor: float) -> tuple[int, ...]:
    """Numbers of channels times a factor, each a multiple of 8 and at least 8.

    >>> scaled((32, 128), 0.7)
    (24, 88)
    """
    return tuple(max(8, round(factor * width / 8) * 8) for width in widths)


class Group(nn.Module):
    """Convolution, max pooling by 2, then ``depth`` further convolutions; each with norm and activation.

    With three convolutions or more, what the second of them was given is added to the output.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    depth : int
        Convolutions after the pooling.
    """

    def __init__(self, inputs: int, outputs: int, depth: int = 1) -> None:
        super().__init__()
        self.conv1 = conv(inputs, outputs)
        self.pool = nn.MaxPool2d(2)
        self.norm1 = norm(outputs)
        self.more = nn.ModuleList([conv(outputs, outputs) for _ in range(depth)])
        self.norms = nn.ModuleList([norm(outputs) for _ in range(depth)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, outputs, h // 2, w // 2)."""
        x = torch.relu(self.norm1(self.pool(self.conv1(x))))
        kept = x
        for i, (more, normed) in enumerate(zip(self.more, self.norms, strict=True)):
            x = normed(more(x))
            if i > 0 and i == len(self.more) - 1:
                x = x + kept
            x = torch.relu(x)
        return x


def initialise(module: nn.Module, seed: int) -> None:
    """Gives every parameter of a module its first value, of its name and the seed alone; no global generator is read.

    Filters and matrices are uniform within one over the square root of how many inputs they add (LeCun 1998). A
    convolution that a norm without a scale follows begins as the identity in its first filters (Jordan 2024). Biases
    are 0, scales 1, running statistics those of nothing seen; a scale marked ``begin_at`` on its module has that value.
    """
    for name, part in module.named_modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.weight.data.copy_(_uniform(part.weight, seed, name))
            if getattr(part, "begin_small", False):
                part.weight.data.mul_(part.weight[0].numel() ** -0.5)
            if part.bias is not None:
                part.bias.data.zero_()
        if isinstance(part, nn.Conv2d) and part.stride == (1, 1) and part.bias is None:
            nn.init.dirac_(part.weight.data[: part.weight.shape[1]])
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.reset_running_stats()
            part.weight.data.fill_(float(getattr(part, "begin_at", 1.0)))
            part.bias.data.zero_()


def _uniform(weight: torch.Tensor, seed: int, name: str) -> torch.Tensor:
    bound = (weight[0].numel()) ** -0.5
    draws = rng.uniform(rng.key(seed, "first values", name), 0, weight.numel())
    return torch.from_numpy(((2.0 * draws - 1.0) * bound).astype(np.float32)).reshape(weight.shape)
