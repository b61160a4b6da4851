"""The closed list of operators, each with its attributes and their bounds, its inputs, its shape rule and its cost.

Whatever is not here does not exist: there are no subgraphs, no external data, no custom domains and no functions.
Meaning and names are those of ONNX, operator set 18 (https://onnx.ai/onnx/operators/).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lithify.learners.network.graph import forms
from lithify.learners.network.graph.forms import Attributes, Form, Forms, Rule, Wrong
from lithify.learners.network.graph.graph import DTYPES

_LONG = 2**31 - 1
_FAR = 2**15
_MANY = 64


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds."""

    low: int
    high: int

    def admits(self, value: Any) -> bool:
        """Whether a value is one."""
        return type(value) is int and self.low <= value <= self.high


@dataclass(frozen=True)
class Wholes:
    """Some whole numbers within bounds."""

    low: int
    high: int

    def admits(self, value: Any) -> bool:
        """Whether a value is that."""
        one = Whole(self.low, self.high)
        return type(value) is tuple and all(one.admits(item) for item in value)


@dataclass(frozen=True)
class Number:
    """A number within bounds; whole ones count."""

    low: float
    high: float

    def admits(self, value: Any) -> bool:
        """Whether a value is one."""
        return type(value) in (int, float) and self.low <= value <= self.high


@dataclass(frozen=True)
class OneOf:
    """One of some words."""

    words: tuple[str, ...]

    def admits(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return type(value) is str and value in self.words


Bound = Whole | Wholes | Number | OneOf
Cost = Callable[[Attributes, Forms, Form], int]


def _elements(attributes: Attributes, inputs: Forms, output: Form) -> int:
    return size(output)


def _all_elements(attributes: Attributes, inputs: Forms, output: Form) -> int:
    return size(inputs[0])


def _windowed(attributes: Attributes, inputs: Forms, output: Form) -> int:
    return size(output) * math.prod(attributes["kernel_shape"])


def _filtered(attributes: Attributes, inputs: Forms, output: Form) -> int:
    return size(output) * math.prod(inputs[1].shape[1:])


def _multiplied(attributes: Attributes, inputs: Forms, output: Form) -> int:
    return size(output) * inputs[0].shape[-1]


@dataclass(frozen=True)
class Operator:
    """What an operator takes and gives.

    Attributes
    ----------
    rule : callable
        Attributes and forms of the inputs to the form of the output.
    inputs : (int, int)
        The fewest and the most.
    attributes : mapping of str to bound
        All of them; a node has each.
    cost : callable
        How much work it is: multiply-adds, or elements touched.
    """

    rule: Rule
    inputs: tuple[int, int] = (1, 1)
    attributes: Mapping[str, Bound] = field(default_factory=dict)
    cost: Cost = _elements

    def form(self, attributes: Attributes, inputs: Forms) -> Form:
        """The form of the output; raises ``Wrong`` for what does not fit."""
        least, most = self.inputs
        forms.fits(least <= len(inputs) <= most, f"{least} to {most} inputs")
        forms.fits(
            attributes.keys() == self.attributes.keys(), f"the attributes {', '.join(self.attributes) or 'none'}"
        )
        for name, bound in self.attributes.items():
            forms.fits(bound.admits(attributes[name]), f"{name}: {bound}")
        return self.rule(attributes, inputs)


def size(form: Form) -> int:
    """Elements of a tensor."""
    return math.prod(form.shape)


_AXIS, _FLAG, _SIDES = Whole(0, 7), Whole(0, 1), Wholes(0, _FAR)
_STEPS, _SHAPE, _WINDOW = Wholes(1, _FAR), Wholes(1, _LONG), Wholes(1, _FAR)
_EPSILON, _SLOPE, _LIMIT = Number(0.0, 1.0), Number(-1e6, 1e6), Number(-3.4e38, 3.4e38)
_REDUCED: dict[str, Bound] = {"axes": Wholes(0, 7), "keepdims": _FLAG}
_POOLED: dict[str, Bound] = {"kernel_shape": _WINDOW, "strides": _STEPS, "pads": _SIDES}
_PLAIN = Operator(forms.same)
_TWO = Operator(forms.arithmetic, (2, 2))
_TWO_FLOATS = Operator(forms.arithmetic_float, (2, 2))
_COMPARED = Operator(forms.comparison, (2, 2))
_LOGICAL = Operator(forms.logical, (2, 2))
_POOL_ALL = Operator(forms.pool_all, cost=_all_elements)
_REDUCE = Operator(forms.reduce, attributes=_REDUCED, cost=_all_elements)

OPERATORS: Mapping[str, Operator] = {
    "Abs": _PLAIN,
    "Add": _TWO,
    "And": _LOGICAL,
    "AveragePool": Operator(forms.pool, attributes=_POOLED | {"count_include_pad": _FLAG}, cost=_windowed),
    "BatchNormalization": Operator(forms.channel_norm, (5, 5), {"epsilon": _EPSILON}),
    "Cast": Operator(forms.cast, attributes={"to": OneOf(DTYPES)}),
    "Clip": Operator(forms.same, attributes={"min": _LIMIT, "max": _LIMIT}),
    "Concat": Operator(forms.concat, (1, _MANY), {"axis": _AXIS}),
    "Conv": Operator(
        forms.conv,
        (2, 3),
        {"strides": _STEPS, "pads": _SIDES, "dilations": _STEPS, "group": Whole(1, _FAR)},
        cost=_filtered,
    ),
    "Div": _TWO_FLOATS,
    "Elu": Operator(forms.same, attributes={"alpha": _SLOPE}),
    "Equal": _COMPARED,
    "Erf": _PLAIN,
    "Exp": _PLAIN,
    "Expand": Operator(forms.expand, attributes={"shape": _SHAPE}),
    "Flatten": Operator(forms.flatten, attributes={"axis": _AXIS}),
    "Gather": Operator(forms.gather, (2, 2), {"axis": _AXIS}),
    "Gemm": Operator(forms.gemm, (2, 3), {"transB": _FLAG}, cost=_multiplied),
    "GlobalAveragePool": _POOL_ALL,
    "GlobalMaxPool": _POOL_ALL,
    "Greater": _COMPARED,
    "Identity": Operator(forms.identity),
    "InstanceNormalization": Operator(forms.instance_norm, (3, 3), {"epsilon": _EPSILON}),
    "IsNaN": Operator(forms.is_nan),
    "LayerNormalization": Operator(forms.layer_norm, (2, 3), {"axis": _AXIS, "epsilon": _EPSILON}),
    "LeakyRelu": Operator(forms.same, attributes={"alpha": _SLOPE}),
    "Less": _COMPARED,
    "Log": _PLAIN,
    "LogSoftmax": Operator(forms.along, attributes={"axis": _AXIS}),
    "MatMul": Operator(forms.matmul, (2, 2), cost=_multiplied),
    "Max": _TWO_FLOATS,
    "MaxPool": Operator(forms.pool, attributes=_POOLED, cost=_windowed),
    "Min": _TWO_FLOATS,
    "Mul": _TWO,
    "Neg": _PLAIN,
    "Not": Operator(forms.logical),
    "Or": _LOGICAL,
    "Pad": Operator(
        forms.pad, attributes={"pads": _SIDES, "mode": OneOf(("constant", "reflect", "edge")), "value": _LIMIT}
    ),
    "Reciprocal": _PLAIN,
    "ReduceMax": _REDUCE,
    "ReduceMean": _REDUCE,
    "ReduceSum": Operator(forms.reduce, attributes=_REDUCED, cost=_all_elements),
    "Relu": _PLAIN,
    "Reshape": Operator(forms.reshape, attributes={"shape": _SHAPE}),
    "Sigmoid": _PLAIN,
    "Slice": Operator(
        forms.cut,
        attributes={
            "axes": Wholes(0, 7),
            "starts": Wholes(-_LONG, _LONG),
            "ends": Wholes(-_LONG, _LONG),
            "steps": Wholes(-_FAR, _FAR),
        },
    ),
    "Softmax": Operator(forms.along, attributes={"axis": _AXIS}),
    "Softplus": _PLAIN,
    "Sqrt": _PLAIN,
    "Sub": _TWO,
    "Tanh": _PLAIN,
    "Transpose": Operator(forms.transpose, attributes={"perm": Wholes(0, 7)}),
    "Where": Operator(forms.where, (3, 3)),
}
"""All there are, by name."""

__all__ = ["OPERATORS", "Operator", "Wrong", "size"]
