"""How arithmetic and activations of PyTorch are said in the operators of a graph: number by number, or along one axis.

Each rule takes the scene and the arguments of the call, tensors being references, and gives the reference of the
result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from lithify.errors import Unsupported
from lithify.learners.network.graph.graph import Attribute
from lithify.learners.network.graph.scene import Ref, Scene

Rule = Callable[..., Any]


def plain(op: str, **attributes: Attribute) -> Rule:
    """One tensor in, one operator."""

    def rule(scene: Scene, x: Ref, inplace: bool = False, **ignored: Any) -> Ref:
        return scene.node(op, x, **attributes)

    return rule


def two(op: str) -> Rule:
    """Two tensors, or a tensor and a number on either side."""

    def rule(scene: Scene, x: Any, y: Any) -> Ref:
        return scene.node(op, scene.operand(x, y), scene.operand(y, x))

    return rule


def scaled(op: str) -> Rule:
    """``torch.add`` and ``torch.sub``, which take a factor."""

    def rule(scene: Scene, x: Any, y: Any, alpha: float = 1) -> Ref:
        return scene.node(op, scene.operand(x, y), y if alpha == 1 else two("Mul")(scene, y, alpha))

    plain_rule = two(op)
    return lambda scene, x, y, alpha=1: rule(scene, x, y, alpha) if alpha != 1 else plain_rule(scene, x, y)


def same(scene: Scene, x: Ref, *ignored: Any, **also: Any) -> Ref:
    """Nothing: what only matters in training, or in memory."""
    return x


def gelu(scene: Scene, x: Ref, approximate: str = "none") -> Ref:
    """Φ(x) x (Hendrycks, Gimpel 2016, arXiv:1606.08415), exactly or by tanh."""
    if approximate == "none":
        inner = scene.node("Erf", scene.node("Div", x, scene.operand(math.sqrt(2.0))))
        return scene.node("Mul", scene.node("Mul", x, scene.node("Add", inner, scene.operand(1.0))), scene.operand(0.5))
    cube = scene.node("Mul", x, scene.node("Mul", x, x))
    sum_ = scene.node("Add", x, scene.node("Mul", cube, scene.operand(0.044715)))
    tanh = scene.node("Tanh", scene.node("Mul", sum_, scene.operand(math.sqrt(2.0 / math.pi))))
    half = scene.node("Mul", x, scene.operand(0.5))
    return scene.node("Mul", half, scene.node("Add", tanh, scene.operand(1.0)))


def silu(scene: Scene, x: Ref, inplace: bool = False) -> Ref:
    """σ(x) x."""
    return scene.node("Mul", x, scene.node("Sigmoid", x))


def hard_sigmoid(scene: Scene, x: Ref, inplace: bool = False) -> Ref:
    """clip(x / 6 + 1/2, 0, 1)."""
    line = scene.node("Add", scene.node("Mul", x, scene.operand(1.0 / 6.0)), scene.operand(0.5))
    return scene.node("Clip", line, min=0.0, max=1.0)


def hard_swish(scene: Scene, x: Ref, inplace: bool = False) -> Ref:
    """Clip(x / 6 + 1/2, 0, 1) x."""
    return scene.node("Mul", x, hard_sigmoid(scene, x))


def mish(scene: Scene, x: Ref, inplace: bool = False) -> Ref:
    """Tanh(log(1 + exp(x))) x."""
    return scene.node("Mul", x, scene.node("Tanh", scene.node("Softplus", x)))


def leaky_relu(scene: Scene, x: Ref, negative_slope: float = 0.01, inplace: bool = False) -> Ref:
    """x, or a share of it below zero."""
    return scene.node("LeakyRelu", x, alpha=float(negative_slope))


def elu(scene: Scene, x: Ref, alpha: float = 1.0, inplace: bool = False) -> Ref:
    """x, or α (exp(x) - 1) below zero."""
    return scene.node("Elu", x, alpha=float(alpha))


def clamp(scene: Scene, x: Ref, min: float | None = None, max: float | None = None) -> Ref:
    """Within bounds."""
    low, high = (-3.4e38 if min is None else float(min)), (3.4e38 if max is None else float(max))
    return scene.node("Clip", x, min=low, max=high)


def softmax(scene: Scene, x: Ref, dim: int, **ignored: Any) -> Ref:
    """Along one axis."""
    return scene.node("Softmax", x, axis=scene.axis(x, dim))


def log_softmax(scene: Scene, x: Ref, dim: int, **ignored: Any) -> Ref:
    """Along one axis."""
    return scene.node("LogSoftmax", x, axis=scene.axis(x, dim))


def power(scene: Scene, x: Ref, exponent: float) -> Ref:
    """Squares and roots."""
    if exponent == 2:
        return scene.node("Mul", x, x)
    if exponent in (0.5, -0.5):
        root = scene.node("Sqrt", x)
        return root if exponent == 0.5 else scene.node("Reciprocal", root)
    raise Unsupported("A sealed network takes squares and square roots alone.", found=f"exponent {exponent}")


def where(scene: Scene, condition: Ref, x: Any, y: Any) -> Ref:
    """One or the other."""
    return scene.node("Where", condition, scene.operand(x, y), scene.operand(y, x))


def nan_to_num(scene: Scene, x: Ref, nan: float = 0.0, **ignored: Any) -> Ref:
    """A number in place of none; infinities stay what they are, and inputs have none."""
    return scene.node("Where", scene.node("IsNaN", x), scene.operand(float(nan)), x)


def convert(scene: Scene, x: Ref, *args: Any, **kwargs: Any) -> Ref:
    """Another dtype; other places are where they are."""
    dtypes = [item for item in (*args, *kwargs.values()) if isinstance(item, torch.dtype)]
    return scene.node("Cast", x, to=str(dtypes[0]).removeprefix("torch.")) if dtypes else x


def to_float(scene: Scene, x: Ref) -> Ref:
    """As float32."""
    return scene.node("Cast", x, to="float32")


def to_long(scene: Scene, x: Ref) -> Ref:
    """As int64."""
    return scene.node("Cast", x, to="int64")
