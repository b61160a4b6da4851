"""How pooling, convolution, products of matrices, normalisation and attention are said in operators of a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from lithify.errors import Unsupported
from lithify.learners.network.graph.layout import transpose
from lithify.learners.network.graph.pointwise import Rule
from lithify.learners.network.graph.scene import Ref, Scene


def pair(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """A length for each axis."""
    return (int(value),) * axes if isinstance(value, int) else tuple(int(item) for item in value)


def max_pool(
    scene: Scene,
    x: Ref,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Ref:
    """The largest in each window."""
    if ceil_mode or return_indices or set(pair(dilation, 1)) != {1}:
        raise Unsupported("Pooling with ceil_mode, dilation or indices has no counterpart.")
    return scene.node("MaxPool", x, **_window(scene, x, kernel_size, stride, padding))


def average_pool(
    scene: Scene,
    x: Ref,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Ref:
    """The mean of each window."""
    if ceil_mode or divisor_override is not None:
        raise Unsupported("Pooling with ceil_mode or another divisor has no counterpart.")
    window = _window(scene, x, kernel_size, stride, padding)
    return scene.node("AveragePool", x, **window, count_include_pad=int(count_include_pad))


def _window(scene: Scene, x: Ref, kernel_size: Any, stride: Any, padding: Any) -> dict[str, tuple[int, ...]]:
    axes = len(scene.shape(x)) - 2
    kernel = pair(kernel_size, axes)
    strides = kernel if stride is None or stride == [] else pair(stride, axes)
    return {"kernel_shape": kernel, "strides": strides, "pads": pair(padding, axes) * 2}


def adaptive(op: str, pooled: Rule) -> Rule:
    """Pooling to a size that divides the extent."""

    def rule(scene: Scene, x: Ref, output_size: Any, return_indices: bool = False) -> Ref:
        extent = scene.shape(x)[2:]
        wanted = tuple(n if n is not None else own for n, own in zip(_sizes(output_size, extent), extent, strict=True))
        if set(wanted) == {1}:
            return scene.node(op, x)
        if any(own % n for own, n in zip(extent, wanted, strict=True)):
            raise Unsupported("Adaptive pooling has to divide the extent.", found=f"{extent} to {wanted}")
        result: Ref = pooled(scene, x, tuple(own // n for own, n in zip(extent, wanted, strict=True)))
        return result

    return rule


def _sizes(size: Any, extent: Sequence[int]) -> Sequence[int | None]:
    return [size] * len(extent) if size is None or isinstance(size, int) else list(size)


def conv(
    scene: Scene,
    x: Ref,
    weight: Ref,
    bias: Ref | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Ref:
    """Convolution."""
    axes = len(scene.shape(weight)) - 2
    dilations = pair(dilation, axes)
    if padding == "same":
        reach = [d * (k - 1) for d, k in zip(dilations, scene.shape(weight)[2:], strict=True)]
        pads = (*(r // 2 for r in reach), *(r - r // 2 for r in reach))
    else:
        pads = pair(0 if padding == "valid" else padding, axes) * 2
    inputs = (x, weight) if bias is None else (x, weight, bias)
    return scene.node("Conv", *inputs, strides=pair(stride, axes), pads=pads, dilations=dilations, group=int(groups))


def linear(scene: Scene, x: Ref, weight: Ref, bias: Ref | None = None) -> Ref:
    """A matrix of weights, and a bias: x Wᵀ + b."""
    shape, extra = scene.shape(x), () if bias is None else (bias,)
    if len(shape) == 2:
        return scene.node("Gemm", x, weight, *extra, transB=1)
    rows = scene.reshape(x, (math.prod(shape[:-1]), shape[-1]))
    result = scene.node("Gemm", rows, weight, *extra, transB=1)
    return scene.reshape(result, (*shape[:-1], scene.shape(weight)[0]))


def layer_norm(
    scene: Scene,
    x: Ref,
    normalized_shape: Sequence[int],
    weight: Ref | None = None,
    bias: Ref | None = None,
    eps: float = 1e-5,
) -> Ref:
    """Each row by its own mean and variance (Ba, Kiros, Hinton 2016, arXiv:1607.06450)."""
    shape = tuple(normalized_shape)
    scale = weight or scene.array(torch.ones(shape), f"c/ones{'x'.join(map(str, shape))}")
    inputs = (x, scale) if bias is None else (x, scale, bias)
    return scene.node("LayerNormalization", *inputs, axis=len(scene.shape(x)) - len(shape), epsilon=float(eps))


def embedding(scene: Scene, x: Ref, weight: Ref, *ignored: Any, **also: Any) -> Ref:
    """Rows of a table."""
    if also.get("max_norm") is not None:
        raise Unsupported("An embedding with max_norm has no counterpart.")
    return scene.node("Gather", weight, x, axis=0)


def attention(
    scene: Scene,
    query: Ref,
    key: Ref,
    value: Ref,
    attn_mask: Ref | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **ignored: Any,
) -> Ref:
    """softmax(Q Kᵀ / √d) V (Vaswani et al. 2017, arXiv:1706.03762)."""
    if attn_mask is not None or is_causal:
        raise Unsupported("Attention with a mask has no counterpart.")
    factor = scene.operand(1.0 / math.sqrt(scene.shape(query)[-1]) if scale is None else float(scale))
    scores = scene.node("MatMul", scene.node("Mul", query, factor), transpose(scene, key, -2, -1))
    return scene.node("MatMul", scene.node("Softmax", scores, axis=len(scene.shape(scores)) - 1), value)
