"""How layers of PyTorch are said in the operators of a graph; parameters become arrays under their own names.

Each rule takes the scene, the layer, the name of the layer and the references that it is called with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from lithify.errors import Unsupported
from lithify.learners.network.graph import layers, layout, pointwise
from lithify.learners.network.graph.scene import Ref, Scene

Rule = Callable[..., Ref]


def _parameter(scene: Scene, layer: nn.Module, name: str, key: str) -> Ref | None:
    tensor = getattr(layer, key)
    return None if tensor is None else scene.array(tensor, f"{name}.{key}" if name else key)


def conv(scene: Scene, layer: Any, name: str, x: Ref) -> Ref:
    """Convolution; a padding other than with zeros is done before."""
    weight, bias = (_parameter(scene, layer, name, key) for key in ("weight", "bias"))
    padding = layer.padding
    if layer.padding_mode != "zeros":
        x = layout.pad(scene, x, layer._reversed_padding_repeated_twice, layer.padding_mode)
        padding = 0
    return layers.conv(scene, x, weight, bias, layer.stride, padding, layer.dilation, layer.groups)  # type: ignore[arg-type]


def linear(scene: Scene, layer: nn.Linear, name: str, x: Ref) -> Ref:
    """A matrix of weights, and a bias: x Wᵀ + b."""
    weight, bias = (_parameter(scene, layer, name, key) for key in ("weight", "bias"))
    return layers.linear(scene, x, weight, bias)  # type: ignore[arg-type]


def batch_norm(scene: Scene, layer: Any, name: str, x: Ref) -> Ref:
    """By the running statistics (Ioffe, Szegedy 2015, arXiv:1502.03167)."""
    if layer.running_mean is None:
        raise Unsupported(f"BatchNorm ({name}) without running statistics has no counterpart.")
    ones, zeros = torch.ones(layer.num_features), torch.zeros(layer.num_features)
    scale = _parameter(scene, layer, name, "weight") or scene.array(ones, f"c/ones{layer.num_features}")
    bias = _parameter(scene, layer, name, "bias") or scene.array(zeros, f"c/zeros{layer.num_features}")
    mean, variance = (scene.array(getattr(layer, key), f"{name}.{key}") for key in ("running_mean", "running_var"))
    return scene.node("BatchNormalization", x, scale, bias, mean, variance, epsilon=float(layer.eps))


def layer_norm(scene: Scene, layer: nn.LayerNorm, name: str, x: Ref) -> Ref:
    """Each row by its own mean and variance."""
    weight, bias = (_parameter(scene, layer, name, key) for key in ("weight", "bias"))
    return layers.layer_norm(scene, x, layer.normalized_shape, weight, bias, layer.eps)


def group_norm(scene: Scene, layer: nn.GroupNorm, name: str, x: Ref) -> Ref:
    """Groups of channels by their own mean and variance (Wu, He 2018, arXiv:1803.08494)."""
    shape, groups = scene.shape(x), layer.num_groups
    parts = scene.reshape(x, (shape[0], groups, math.prod(shape[1:]) // groups))
    ones, zeros = (scene.array(make(groups), f"c/{make.__name__}{groups}") for make in (torch.ones, torch.zeros))
    normal = scene.node("InstanceNormalization", parts, ones, zeros, epsilon=float(layer.eps))
    result = scene.reshape(normal, shape)
    if not layer.affine:
        return result
    column = (shape[1], *(1,) * (len(shape) - 2))
    scale, bias = (scene.array(getattr(layer, k).reshape(column), f"{name}.{k}") for k in ("weight", "bias"))
    return scene.node("Add", scene.node("Mul", result, scale), bias)


def embedding(scene: Scene, layer: nn.Embedding, name: str, x: Ref) -> Ref:
    """Rows of a table."""
    return layers.embedding(scene, x, _parameter(scene, layer, name, "weight"), max_norm=layer.max_norm)  # type: ignore[arg-type]


def embedding_bag(scene: Scene, layer: nn.EmbeddingBag, name: str, x: Ref) -> Ref:
    """Sums of rows of a table: as many for each row of the input."""
    if layer.mode != "sum" or layer.max_norm is not None or len(scene.shape(x)) != 2:
        raise Unsupported(f"EmbeddingBag ({name}) has a counterpart with mode='sum' and two-dimensional indices alone.")
    rows = scene.node("Gather", _parameter(scene, layer, name, "weight") or "", x, axis=0)
    return scene.node("ReduceSum", rows, axes=(1,), keepdims=0)


def flatten(scene: Scene, layer: nn.Flatten, name: str, x: Ref) -> Ref:
    """Some axes as one."""
    return layout.flatten(scene, x, layer.start_dim, layer.end_dim)


def max_pool(scene: Scene, layer: Any, name: str, x: Ref) -> Ref:
    """The largest in each window."""
    return layers.max_pool(
        scene, x, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode, layer.return_indices
    )


def average_pool(scene: Scene, layer: Any, name: str, x: Ref) -> Ref:
    """The mean of each window."""
    divisor = getattr(layer, "divisor_override", None)
    return layers.average_pool(
        scene, x, layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode, layer.count_include_pad, divisor
    )


def _adaptive(op: str, pooled: Rule) -> Rule:
    rule = layers.adaptive(op, pooled)
    return lambda scene, layer, name, x: rule(scene, x, layer.output_size)


def _padded(mode: str) -> Rule:
    return lambda scene, layer, name, x: layout.pad(scene, x, layer.padding, mode, getattr(layer, "value", 0.0))


def _same(scene: Scene, layer: nn.Module, name: str, x: Ref) -> Ref:
    return x


def _plain(op: str) -> Rule:
    return lambda scene, layer, name, x: scene.node(op, x)


def _as(rule: pointwise.Rule, *keys: str) -> Rule:
    """As a function, with some attributes of the layer as its arguments."""
    return lambda scene, layer, name, x: rule(scene, x, *(getattr(layer, key) for key in keys))


def _softplus(scene: Scene, layer: nn.Softplus, name: str, x: Ref) -> Ref:
    if layer.beta != 1:
        raise Unsupported(f"Softplus ({name}) has a counterpart with beta=1 alone.")
    return scene.node("Softplus", x)


MODULES: Mapping[type[nn.Module], Rule] = {
    nn.AdaptiveAvgPool1d: _adaptive("GlobalAveragePool", layers.average_pool),
    nn.AdaptiveAvgPool2d: _adaptive("GlobalAveragePool", layers.average_pool),
    nn.AdaptiveMaxPool2d: _adaptive("GlobalMaxPool", layers.max_pool),
    nn.AvgPool1d: average_pool,
    nn.AvgPool2d: average_pool,
    nn.BatchNorm1d: batch_norm,
    nn.BatchNorm2d: batch_norm,
    nn.ConstantPad2d: _padded("constant"),
    nn.Conv1d: conv,
    nn.Conv2d: conv,
    nn.Dropout: _same,
    nn.Dropout1d: _same,
    nn.Dropout2d: _same,
    nn.ELU: _as(pointwise.elu, "alpha"),
    nn.Embedding: embedding,
    nn.EmbeddingBag: embedding_bag,
    nn.Flatten: flatten,
    nn.GELU: _as(pointwise.gelu, "approximate"),
    nn.GroupNorm: group_norm,
    nn.Hardsigmoid: _as(pointwise.hard_sigmoid),
    nn.Hardswish: _as(pointwise.hard_swish),
    nn.Hardtanh: _as(pointwise.clamp, "min_val", "max_val"),
    nn.Identity: _same,
    nn.LayerNorm: layer_norm,
    nn.LeakyReLU: _as(pointwise.leaky_relu, "negative_slope"),
    nn.Linear: linear,
    nn.LogSoftmax: _as(pointwise.log_softmax, "dim"),
    nn.MaxPool1d: max_pool,
    nn.MaxPool2d: max_pool,
    nn.Mish: _as(pointwise.mish),
    nn.ReLU: _plain("Relu"),
    nn.ReLU6: lambda scene, layer, name, x: pointwise.clamp(scene, x, 0.0, 6.0),
    nn.ReflectionPad2d: _padded("reflect"),
    nn.ReplicationPad2d: _padded("replicate"),
    nn.SiLU: _as(pointwise.silu),
    nn.Sigmoid: _plain("Sigmoid"),
    nn.Softmax: _as(pointwise.softmax, "dim"),
    nn.Softplus: _softplus,
    nn.Tanh: _plain("Tanh"),
    nn.ZeroPad2d: _padded("constant"),
}
