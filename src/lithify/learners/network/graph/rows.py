"""Finds where the rows are in a graph whose shapes are fixed, so that their number can be left open in an export.

The rows come in on the first axis of every input. They are followed through the nodes, each of which either keeps
them on an axis or mixes them, in which case the graph has a fixed number of rows and is refused. Where an axis holds
several views of each row, the views are the slower part of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from lithify.errors import Unsupported
from lithify.learners.network.graph.forms import Form
from lithify.learners.network.graph.graph import Graph, Node

Forms = Mapping[str, Form]
Axes = dict[str, int]


def opened(graph: Graph, forms: Forms) -> dict[str, tuple[int, ...]]:
    """The shape of each ``Reshape`` of rows, by its output, with -1 where the rows are.

    Parameters
    ----------
    graph : Graph
    forms : mapping of str to Form
        Of every value, as :func:`.audit.audit` gives them.

    Raises
    ------
    Unsupported
        A node mixes rows, or it cannot be told where they go.
    """
    axes = row_axes(graph, forms)
    result = {}
    for node in graph.nodes:
        if node.op == "Reshape" and node.output in axes:
            shape = list(forms[node.output].shape)
            shape[axes[node.output]] = -1
            result[node.output] = tuple(shape)
    lost = [value.name for value in graph.outputs if axes.get(value.name) != 0]
    if lost:
        raise Unsupported("The rows of a network are not the first axis of what it gives.", found=", ".join(lost))
    return result


def row_axes(graph: Graph, forms: Forms) -> Axes:
    """The axis that holds the rows, for each value that has them."""
    axes: Axes = {value.name: 0 for value in graph.inputs}
    for node in graph.nodes:
        carriers = [name for name in node.inputs if name in axes]
        if carriers:
            found = {_RULES.get(node.op, _aligned)(node, name, axes[name], forms, graph.rows) for name in carriers}
            if len(found) > 1:
                raise _mixed(node)
            axes[node.output] = found.pop()
    return axes


def _mixed(node: Node) -> Unsupported:
    return Unsupported(
        "The number of rows of the network cannot be left open.", found=f"{node.op} ({node.output}) mixes rows"
    )


def _ints(node: Node, key: str) -> tuple[int, ...]:
    found: Any = node.attributes[key]
    return tuple(found)


def _rank(forms: Forms, name: str) -> int:
    return len(forms[name].shape)


def _aligned(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    """By NumPy's rules of broadcasting, axes are counted from the last."""
    return axis + _rank(forms, node.output) - _rank(forms, name)


def _transpose(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    return _ints(node, "perm").index(axis)


def _flatten(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    if axis or not node.attributes["axis"]:
        raise _mixed(node)
    return 0


def _reshape(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    """The axis on which rows are as far apart as before; one as long as there are rows goes before longer ones."""
    before, after = forms[name].shape, forms[node.output].shape
    stride = math.prod(before[axis + 1 :])
    fits = [i for i, n in enumerate(after) if math.prod(after[i + 1 :]) == stride and n % rows == 0]
    if not fits:
        raise _mixed(node)
    return next((i for i in fits if after[i] == rows), fits[0])


def _reduce(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    gone = _ints(node, "axes")
    if axis in gone:
        raise _mixed(node)
    return axis if node.attributes["keepdims"] else axis - sum(other < axis for other in gone)


def _slice(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    if axis in _ints(node, "axes"):
        raise _mixed(node)
    return axis


def _pad(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    pads = _ints(node, "pads")
    if pads[axis] or pads[len(pads) // 2 + axis]:
        raise _mixed(node)
    return axis


def _gather(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    along: Any = node.attributes["axis"]
    if name == node.inputs[1]:
        return int(along) + axis
    if axis == along:
        raise _mixed(node)
    return axis if axis < along else axis + _rank(forms, node.inputs[1]) - 1


def _along(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    one: Any = node.attributes["axis"]
    if axis == one or (node.op == "LayerNormalization" and axis > one):
        raise _mixed(node)
    return axis


def _matmul(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    last = 1 if name == node.inputs[0] else 2
    if axis >= _rank(forms, name) - last:
        raise _mixed(node)
    return axis + _rank(forms, node.output) - _rank(forms, name)


def _first(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    if axis or name != node.inputs[0]:
        raise _mixed(node)
    return 0


def _never(node: Node, name: str, axis: int, forms: Forms, rows: int) -> int:
    raise _mixed(node)


_FIRST = ("AveragePool", "BatchNormalization", "Conv", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "MaxPool")
_RULES: Mapping[str, Callable[[Node, str, int, Forms, int], int]] = {
    **dict.fromkeys((*_FIRST, "InstanceNormalization"), _first),
    **dict.fromkeys(("LayerNormalization", "LogSoftmax", "Softmax"), _along),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum"), _reduce),
    "Expand": _never,
    "Flatten": _flatten,
    "Gather": _gather,
    "MatMul": _matmul,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Transpose": _transpose,
}
