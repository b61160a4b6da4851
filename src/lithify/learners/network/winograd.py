"""Winograd's convolution in the place of the plain one, in training: fewer products for the same sums, in float32.

The transforms are kernels of our own, the products NumPy's. Its sums have other last bits than the plain convolution's,
and errors of about 1e-5 of the largest value where those have 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lithify.kernels import compiled
from lithify.learners.network import winograd_kernels as transforms

LEAST = 32
"""Channels on either side from which on it is quicker: transforms take time for each, products for each pair."""
_APART = 272
"""Numbers between two matrices, so that their rows do not fall on the same lines of the cache: 17 lines of 16."""
_INPUT = (transforms.WINDOW, transforms.TILE, 1)
_OUTPUT = (transforms.TILE, transforms.TILE, 0)
_FILTERS = (transforms.FILTER, transforms.FILTER, 0)


class _Convolution(torch.autograd.Function):
    """3 × 3, stride 1, padding 1, no bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, filters: NDArray[np.float32]) -> Tensor:
        kernels, (n, _, h, w), outputs = _kernels(), x.shape, len(weight)
        inputs = _products(kernels, x, transforms.OF_INPUT, _INPUT)
        ctx.inputs, ctx.filters, ctx.shapes = inputs, filters, (x.shape, weight.shape)
        summed, pitch = _matrices(inputs.shape[1], outputs)
        np.matmul(inputs, filters.transpose(0, 2, 1), out=summed)
        return _maps(kernels, summed, pitch, transforms.TO_OUTPUT, _OUTPUT, (n, outputs, h, w))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        kernels, (x_shape, weight_shape) = _kernels(), ctx.shapes
        of_x, of_weight, _ = ctx.needs_input_grad
        gradient = _products(kernels, gradients[0], transforms.OF_GRADIENT, _OUTPUT)
        to_x = to_weight = None
        if of_weight:
            summed, pitch = _matrices(*weight_shape[:2])
            np.matmul(gradient.transpose(0, 2, 1), ctx.inputs, out=summed)
            to_weight = _maps(kernels, summed, pitch, transforms.TO_FILTER, _FILTERS, weight_shape)
        if of_x:
            summed, pitch = _matrices(gradient.shape[1], x_shape[1])
            np.matmul(gradient, ctx.filters, out=summed)
            to_x = _maps(kernels, summed, pitch, transforms.TO_INPUT, _INPUT, x_shape)
        return to_x, to_weight, None


def forward(part: nn.Conv2d) -> Callable[[Tensor], Tensor]:
    """What a 3 × 3 convolution does instead where gradients are wanted; the filters are transformed when they change.

    They are known by their place in memory and torch's count of changes, so nothing may write to them behind its back.

    Examples
    --------
    >>> plain = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    >>> x = torch.arange(50.0).reshape(1, 2, 5, 5)
    >>> torch.allclose(forward(plain)(x), plain(x), rtol=1e-4, atol=1e-3)
    True
    """
    held: tuple[Tensor, int, NDArray[np.float32]] | None = None

    def instead(x: Tensor) -> Tensor:
        nonlocal held
        weight = part.weight
        if not torch.is_grad_enabled():
            return nn.functional.conv2d(x, weight, padding=1)
        if held is None or held[0].data_ptr() != weight.data_ptr() or held[1] != weight._version:
            filters = _products(_kernels(), weight, transforms.OF_FILTER, _FILTERS)
            held = weight.detach(), weight._version, filters  # held, no other can take its place in memory
        found: Tensor = _Convolution.apply(x, weight, held[2])  # type: ignore[no-untyped-call]
        return found

    return instead


def _kernels() -> ModuleType:
    return compiled(transforms.__name__)


def _products(kernels: ModuleType, maps: Tensor, which: int, window: tuple[int, int, int]) -> NDArray[np.float32]:
    """(n, c, h, w) maps to (36, tiles, c) matrices; filters of (outputs, inputs, 3, 3) to (36, outputs, inputs)."""
    n, c, h, w = maps.shape
    lying = maps.detach().permute(0, 2, 3, 1).contiguous().numpy().reshape(-1)
    step = window[1]
    matrices, pitch = _matrices(n * -(-h // step) * -(-w // step), c)
    kernels.gather(lying, (n, h, w, c), which, window, _flat(matrices, pitch), pitch)
    return matrices


def _maps(
    kernels: ModuleType,
    matrices: NDArray[np.float32],
    pitch: int,
    which: int,
    window: tuple[int, int, int],
    shape: tuple[int, ...],
) -> Tensor:
    """Matrices to (n, c, h, w) maps, channels last."""
    n, c, h, w = shape
    lying = np.empty(n * h * w * c, dtype=np.float32)
    kernels.scatter(_flat(matrices, pitch), pitch, which, window, lying, (n, h, w, c))
    return torch.from_numpy(lying).view(n, h, w, c).permute(0, 3, 1, 2)


def _matrices(rows: int, columns: int) -> tuple[NDArray[np.float32], int]:
    """Room for (36, rows, columns) and the numbers from one matrix to the next."""
    pitch = rows * columns + _APART
    room = np.empty((transforms.PRODUCTS, pitch), dtype=np.float32)
    return room[:, : rows * columns].reshape(transforms.PRODUCTS, rows, columns), pitch


def _flat(matrices: NDArray[np.float32], pitch: int) -> NDArray[np.float32]:
    """All that lies between the first and the last number of some matrices."""
    size = (len(matrices) - 1) * pitch + matrices[0].size
    return np.lib.stride_tricks.as_strided(matrices, (size,), (matrices.itemsize,))
