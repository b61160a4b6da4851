"""What translations of PyTorch calls write to: a builder, with numbers as constants and tensors as references."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lithify.errors import Unsupported
from lithify.learners.network.graph.build import Builder
from lithify.learners.network.graph.forms import FLOAT, WHOLE
from lithify.learners.network.graph.graph import Attribute


class Ref(str):
    """The name of a value or an array, told apart from other text among the arguments of a call."""

    __slots__ = ()


class Scene:
    """A graph under construction, as rules see it."""

    def __init__(self, build: Builder) -> None:
        self.build = build

    def node(self, op: str, *inputs: str, **attributes: Attribute) -> Ref:
        """Adds a node."""
        return Ref(self.build.node(op, *inputs, **attributes))

    def array(self, tensor: torch.Tensor | np.ndarray[Any, Any], name: str) -> Ref:
        """Adds an array: a parameter or something made of parameters."""
        values = tensor.detach().cpu().numpy() if isinstance(tensor, torch.Tensor) else tensor
        if values.dtype.kind not in "iuf" or values.ndim == 0:
            values = np.asarray(values, dtype=np.float32).reshape(values.shape or (1,))
        return Ref(self.build.array(values, name))

    def operand(self, value: Any, beside: Any = None) -> Ref:
        """A value, or a number as a constant of the dtype of what stands beside it."""
        if isinstance(value, Ref):
            return value
        if type(value) not in (int, float):
            raise Unsupported("A network computes with tensors and numbers.", found=repr(value)[:80])
        whole = isinstance(beside, Ref) and self.build.form(beside).dtype == WHOLE and type(value) is int
        name = f"c/{value!r}".replace("+", "") + ("i" if whole else "")
        return Ref(self.build.array(np.array([value], dtype=WHOLE if whole else FLOAT), name))

    def shape(self, value: str) -> tuple[int, ...]:
        """Shape of a value."""
        return self.build.shape(value)

    def axis(self, value: str, axis: int) -> int:
        """An axis, counted from the front."""
        return axis % max(1, len(self.shape(value)))

    def reshape(self, value: str, shape: tuple[int, ...]) -> Ref:
        """Another shape, without a node where it is the same."""
        return Ref(value) if shape == self.shape(value) else self.node("Reshape", value, shape=shape)
