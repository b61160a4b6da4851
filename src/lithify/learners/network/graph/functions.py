"""The functions of PyTorch, and the methods of its tensors, that a sealed network may call, and how each is said.

What is not in ``FUNCTIONS`` and ``METHODS`` cannot be sealed.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F

from lithify.learners.network.graph import layers, layout, pointwise, sums
from lithify.learners.network.graph.pointwise import Rule, plain, two

_BY_NAME: Mapping[str, Rule] = {
    "abs": plain("Abs"),
    "add": pointwise.scaled("Add"),
    "amax": sums.amax,
    "chunk": layout.chunk,
    "clamp": pointwise.clamp,
    "clip": pointwise.clamp,
    "cat": layout.cat,
    "concat": layout.cat,
    "div": two("Div"),
    "eq": two("Equal"),
    "erf": plain("Erf"),
    "exp": plain("Exp"),
    "flatten": layout.flatten,
    "gt": two("Greater"),
    "isnan": plain("IsNaN"),
    "log": plain("Log"),
    "log_softmax": pointwise.log_softmax,
    "logical_not": plain("Not"),
    "lt": two("Less"),
    "matmul": two("MatMul"),
    "maximum": two("Max"),
    "mean": sums.mean,
    "minimum": two("Min"),
    "mul": two("Mul"),
    "nan_to_num": pointwise.nan_to_num,
    "neg": plain("Neg"),
    "permute": layout.permute,
    "pow": pointwise.power,
    "reciprocal": plain("Reciprocal"),
    "relu": plain("Relu"),
    "reshape": layout.reshape,
    "rsqrt": lambda scene, x: pointwise.power(scene, x, -0.5),
    "sigmoid": plain("Sigmoid"),
    "softmax": pointwise.softmax,
    "split": layout.split,
    "sqrt": plain("Sqrt"),
    "square": lambda scene, x: pointwise.power(scene, x, 2),
    "squeeze": layout.squeeze,
    "stack": layout.stack,
    "sub": pointwise.scaled("Sub"),
    "sum": sums.total,
    "tanh": plain("Tanh"),
    "transpose": layout.transpose,
    "unsqueeze": layout.unsqueeze,
    "where": pointwise.where,
}
"""What ``torch`` and the methods of tensors call alike."""

METHODS: Mapping[str, Rule] = {
    **{name: rule for name, rule in _BY_NAME.items() if name not in ("cat", "concat", "stack", "where")},
    "contiguous": pointwise.same,
    "clone": pointwise.same,
    "detach": pointwise.same,
    "float": pointwise.to_float,
    "long": pointwise.to_long,
    "relu_": plain("Relu"),
    "to": pointwise.convert,
    "type": pointwise.convert,
    "view": layout.reshape,
}

FUNCTIONS: Mapping[Any, Rule] = {
    **{getattr(torch, name): rule for name, rule in _BY_NAME.items()},
    operator.add: two("Add"),
    operator.iadd: two("Add"),
    operator.sub: two("Sub"),
    operator.isub: two("Sub"),
    operator.mul: two("Mul"),
    operator.imul: two("Mul"),
    operator.truediv: two("Div"),
    operator.itruediv: two("Div"),
    operator.matmul: two("MatMul"),
    operator.neg: plain("Neg"),
    operator.pow: pointwise.power,
    operator.gt: two("Greater"),
    operator.lt: two("Less"),
    operator.eq: two("Equal"),
    operator.getitem: layout.getitem,
    F.adaptive_avg_pool1d: layers.adaptive("GlobalAveragePool", layers.average_pool),
    F.adaptive_avg_pool2d: layers.adaptive("GlobalAveragePool", layers.average_pool),
    F.adaptive_max_pool2d: layers.adaptive("GlobalMaxPool", layers.max_pool),
    F.avg_pool1d: layers.average_pool,
    F.avg_pool2d: layers.average_pool,
    F.conv1d: layers.conv,
    F.conv2d: layers.conv,
    F.dropout: pointwise.same,
    F.elu: pointwise.elu,
    F.embedding: layers.embedding,
    F.gelu: pointwise.gelu,
    F.hardsigmoid: pointwise.hard_sigmoid,
    F.hardswish: pointwise.hard_swish,
    F.layer_norm: layers.layer_norm,
    F.leaky_relu: pointwise.leaky_relu,
    F.linear: layers.linear,
    F.log_softmax: pointwise.log_softmax,
    F.max_pool1d: layers.max_pool,
    F.max_pool2d: layers.max_pool,
    F.mish: pointwise.mish,
    F.pad: layout.pad,
    F.relu: plain("Relu"),
    F.relu6: lambda scene, x, inplace=False: pointwise.clamp(scene, x, 0.0, 6.0),
    F.scaled_dot_product_attention: layers.attention,
    F.silu: pointwise.silu,
    F.softmax: pointwise.softmax,
}
