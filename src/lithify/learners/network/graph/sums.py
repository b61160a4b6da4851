"""How sums, means and maxima of PyTorch are said in the operators of a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lithify.learners.network.graph.scene import Ref, Scene


def amax(scene: Scene, x: Ref, dim: int | Sequence[int], keepdim: bool = False) -> Ref:
    """The largest along axes."""
    return scene.node("ReduceMax", x, axes=_axes(scene, x, dim), keepdims=int(keepdim))


def mean(scene: Scene, x: Ref, dim: int | Sequence[int], keepdim: bool = False, **ignored: Any) -> Ref:
    """The mean along axes."""
    axes = _axes(scene, x, dim)
    if axes == (2, 3) and len(scene.shape(x)) == 4:
        pooled = scene.node("GlobalAveragePool", x)
        return pooled if keepdim else scene.reshape(pooled, scene.shape(x)[:2])
    return _total(scene, "ReduceMean", x, axes, keepdim)


def total(scene: Scene, x: Ref, dim: int | Sequence[int], keepdim: bool = False, **ignored: Any) -> Ref:
    """The sum along axes."""
    return _total(scene, "ReduceSum", x, _axes(scene, x, dim), keepdim)


def _total(scene: Scene, op: str, x: Ref, axes: tuple[int, ...], keepdim: bool) -> Ref:
    """Along the last axes a product with a column: ONNX Runtime sums these in an order that depends on the address."""
    shape = scene.shape(x)
    rest = len(shape) - len(axes)
    if axes != tuple(range(rest, len(shape))) or rest == 0:
        return scene.node(op, x, axes=axes, keepdims=int(keepdim))
    width = math.prod(shape[rest:])
    column = np.full((width, 1), 1.0 / width if op == "ReduceMean" else 1.0, dtype=np.float32)
    flat = scene.reshape(x, (math.prod(shape[:rest]), width))
    kept = (1,) * len(axes) if keepdim else ()
    result = scene.node("MatMul", flat, scene.array(column, f"c/{op}{width}"))
    return scene.reshape(result, (*shape[:rest], *kept))


def _axes(scene: Scene, x: Ref, dim: int | Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(scene.axis(x, axis) for axis in ([dim] if isinstance(dim, int) else dim)))
