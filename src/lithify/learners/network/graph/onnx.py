"""Writes an audited graph as an ONNX model, self-contained, with no library.

Sources: the field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); operators
are of operator set 18, which ONNX Runtime has read since 1.14.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.learners.network.graph.audit import Arrays, audit
from lithify.learners.network.graph.graph import Attribute, Graph, Node, Value
from lithify.learners.network.graph.operators import OPERATORS, Number
from lithify.learners.network.graph.protobuf import Message
from lithify.learners.network.graph.rows import opened

OPSET = 18
_IR_VERSION = 8
_PRODUCER = "lithify"

_DTYPES = {"float32": 1, "uint8": 2, "int32": 6, "int64": 7, "bool": 9}
_FLOAT, _INT, _STRING, _INTS = 1, 2, 3, 7  # AttributeProto.AttributeType

_AS_INPUTS: Mapping[str, tuple[str, ...]] = {
    "Clip": ("min", "max"),
    "Expand": ("shape",),
    "Pad": ("pads", "value"),
    "ReduceMax": ("axes",),
    "ReduceMean": ("axes",),
    "ReduceSum": ("axes",),
    "Reshape": ("shape",),
    "Slice": ("starts", "ends", "axes", "steps"),
}
"""Attributes that ONNX has as inputs, in their order: they become small constants."""


def encode(graph: Graph, arrays: Arrays, metadata: Mapping[str, str] | None = None, batch: str | None = None) -> bytes:
    """The bytes of a ModelProto. Equal graphs and arrays give equal bytes.

    Parameters
    ----------
    graph : Graph
        Audited here, whatever was audited before.
    arrays : mapping of str to ndarray
    metadata : mapping of str to str, optional
        Kept in ``metadata_props``.
    batch : str, optional
        What to call the number of rows where it is to stay open; by default it is fixed as in the graph.

    Raises
    ------
    MalformedContainer
        A graph that is not sound.
    Unsupported
        ``batch`` is given and the graph mixes rows.
    """
    forms = audit(graph, arrays)
    shapes = opened(graph, forms) if batch else {}
    model = Message().whole(1, _IR_VERSION).text(2, _PRODUCER).message(7, _graph(graph, arrays, shapes, batch))
    model.message(8, Message().text(1, "").whole(2, OPSET))
    for key, value in sorted((metadata or {}).items()):
        model.message(14, Message().text(1, key).text(2, value))
    return model.join()


def _graph(graph: Graph, arrays: Arrays, shapes: Mapping[str, tuple[int, ...]], batch: str | None) -> Message:
    constants: list[Message] = []
    nodes = [_node(node, constants, shapes.get(node.output)) for node in graph.nodes]
    tensors = [_tensor(name, arrays[name]) for name in sorted(arrays)]
    message = Message().messages(1, nodes).text(2, "network").messages(5, tensors + constants)
    message.messages(11, [_value(value, batch, graph.rows) for value in graph.inputs])
    return message.messages(12, [_value(value, batch, graph.rows) for value in graph.outputs])


def _node(node: Node, constants: list[Message], shape: tuple[int, ...] | None) -> Message:
    moved = _AS_INPUTS.get(node.op, ())
    names = list(node.inputs)
    for key in moved:
        names.append(f"{node.output}:{key}")  # no name of ours has a colon
        value = shape if key == "shape" and shape else node.attributes[key]
        constants.append(_tensor(names[-1], _constant(value, isinstance(OPERATORS[node.op].attributes[key], Number))))
    message = Message()
    for name in names:
        message.text(1, name)
    message.text(2, node.output).text(3, node.output).text(4, node.op)
    kept = [_attribute(node.op, key, node.attributes[key]) for key in sorted(node.attributes) if key not in moved]
    return message.messages(5, kept)


def _constant(value: Attribute, real: bool) -> NDArray[Any]:
    return np.array(value, dtype=np.float32 if real else np.int64)


def _attribute(op: str, key: str, value: Attribute) -> Message:
    message = Message().text(1, key)
    bound = OPERATORS[op].attributes[key]
    if op == "Cast":
        return message.whole(3, _DTYPES[str(value)]).whole(20, _INT)
    if isinstance(value, tuple):
        return message.wholes(8, value).whole(20, _INTS)
    if isinstance(value, str):
        return message.data(4, value.encode()).whole(20, _STRING)
    if isinstance(bound, Number):
        return message.single(2, float(value)).whole(20, _FLOAT)
    return message.whole(3, int(value)).whole(20, _INT)


def _tensor(name: str, array: NDArray[Any]) -> Message:
    """TensorProto; ``raw_data`` is little-endian and row by row."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(-1)
    message = Message().wholes(1, array.shape).whole(2, _DTYPES[array.dtype.name]).text(8, name)
    return message.data(9, little.view(np.uint8).data)


def _value(value: Value, batch: str | None, rows: int) -> Message:
    """ValueInfoProto, with the shape."""
    shape = Message()
    for axis, length in enumerate(value.shape):
        left_open = batch is not None and axis == 0 and length == rows
        shape.message(1, Message().text(2, batch or "") if left_open else Message().whole(1, length))
    tensor = Message().whole(1, _DTYPES[value.dtype]).message(2, shape)
    return Message().text(1, value.name).message(2, Message().message(1, tensor))
