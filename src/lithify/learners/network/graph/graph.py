"""The intermediate representation of a network: values, nodes and a graph, as frozen records and as strict JSON.

A graph is a list of nodes in the order in which they are computed. Each node gives one value a name, and no name is
given twice. What a node reads is an input of the graph, the value of a node before it, or an array, which stands beside
the graph under its name. Every shape is fixed: the leading dimension of an input is the number of rows of one call.

Operators are those of :mod:`lithify.learners.network.graph.operators`; they mean what the ONNX operators of the same
names mean, except that small constants (axes, shapes, pads) are attributes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lithify.errors import MalformedContainer, NewerFormat

FORMAT = 1
"""Of the JSON document; readers of old formats are kept."""

MOST_NODES = 8192
MOST_ENDS = 16
"""Inputs, and outputs, that a graph may have."""

DTYPES = ("bool", "uint8", "int32", "int64", "float32")

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}(/[A-Za-z0-9_.-]{1,200}){0,7}")
_MOST_DIMENSIONS = 8
_LONGEST = 2**31 - 1
_MOST_LISTED = 16

Attribute = int | float | str | tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A tensor that goes into a graph or comes out of it.

    Attributes
    ----------
    name : str
    dtype : str
        One of ``DTYPES``.
    shape : tuple of int
        Lengths of at least 1.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes
    ----------
    op : str
    inputs : tuple of str
        Names of values and arrays.
    output : str
        The name that the result gets.
    attributes : mapping of str to int, float, str or tuple of int
        Exactly those that the operator has.
    """

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """Inputs, outputs and the nodes between, in the order in which they are computed."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]

    @property
    def rows(self) -> int:
        """Rows of one call: the leading dimension of the first input."""
        return self.inputs[0].shape[0]


def to_json(graph: Graph) -> dict[str, Any]:
    """The JSON document that :func:`from_json` takes.

    >>> x = Value("x", "float32", (1, 2))
    >>> graph = Graph((x,), (Value("y", "float32", (1, 2)),), (Node("Relu", ("x",), "y"),))
    >>> from_json(to_json(graph)) == graph
    True
    """
    return {
        "format": FORMAT,
        "inputs": [_value_json(value) for value in graph.inputs],
        "outputs": [_value_json(value) for value in graph.outputs],
        "nodes": [_node_json(node) for node in graph.nodes],
    }


def _value_json(value: Value) -> dict[str, Any]:
    return {"name": value.name, "dtype": value.dtype, "shape": list(value.shape)}


def _node_json(node: Node) -> dict[str, Any]:
    attributes = {key: list(at) if isinstance(at, tuple) else at for key, at in sorted(node.attributes.items())}
    return {"op": node.op, "inputs": list(node.inputs), "output": node.output, "attributes": attributes}


def from_json(document: Any) -> Graph:
    """A graph from its JSON document, read strictly; whether it makes sense is for :func:`.audit.audit` to say.

    Raises
    ------
    MalformedContainer
        An unknown or missing key, another type, a name or a number that cannot be.
    NewerFormat
    """
    if isinstance(document, dict) and type(document.get("format")) is int and document["format"] > FORMAT:
        raise NewerFormat(
            "The graph is of a newer format.", expected=f"at most {FORMAT}", found=str(document["format"])
        )
    _keys(document, ("format", "inputs", "outputs", "nodes"), "the graph")
    need(type(document["format"]) is int and document["format"] == FORMAT, "a known format", document["format"])
    ends = {key: _list(document[key], MOST_ENDS, key) for key in ("inputs", "outputs")}
    return Graph(
        inputs=tuple(_value(value) for value in ends["inputs"]),
        outputs=tuple(_value(value) for value in ends["outputs"]),
        nodes=tuple(_node(node) for node in _list(document["nodes"], MOST_NODES, "nodes")),
    )


def need(holds: bool, expected: str, found: Any = None) -> None:
    """Raises ``MalformedContainer`` unless something holds."""
    if not holds:
        raise MalformedContainer(
            "The graph of the network is damaged.",
            expected=expected,
            found=None if found is None else repr(found)[:120],
        )


def _value(document: Any) -> Value:
    _keys(document, ("name", "dtype", "shape"), "a value")
    shape = _list(document["shape"], _MOST_DIMENSIONS, "shape")
    whole = all(type(length) is int and 1 <= length <= _LONGEST for length in shape)
    need(whole, "lengths of at least 1", shape)
    need(isinstance(document["dtype"], str) and document["dtype"] in DTYPES, f"one of {DTYPES}", document["dtype"])
    return Value(_name(document["name"]), document["dtype"], tuple(shape))


def _node(document: Any) -> Node:
    _keys(document, ("op", "inputs", "output", "attributes"), "a node")
    need(isinstance(document["op"], str), "the name of an operator", document["op"])
    need(isinstance(document["attributes"], dict), "a table of attributes", document["attributes"])
    return Node(
        op=document["op"],
        inputs=tuple(_name(name) for name in _list(document["inputs"], 64, "inputs")),
        output=_name(document["output"]),
        attributes={key: _attribute(value) for key, value in document["attributes"].items()},
    )


def _attribute(value: Any) -> Attribute:
    if isinstance(value, list):
        whole = len(value) <= _MOST_LISTED and all(type(item) is int for item in value)
        need(whole, f"at most {_MOST_LISTED} whole numbers", value)
        return tuple(value)
    plain = type(value) in (int, str) or (type(value) is float and math.isfinite(value))
    need(plain, "a number, a text or a list of whole numbers", value)
    attribute: Attribute = value
    return attribute


def _name(name: Any) -> str:
    need(isinstance(name, str) and _NAME.fullmatch(name) is not None, "a name", name)
    return str(name)


def _keys(document: Any, keys: Sequence[str], what: str) -> None:
    fits = isinstance(document, dict) and document.keys() == set(keys)
    need(fits, f"{what} with {', '.join(keys)}", list(document) if isinstance(document, dict) else document)


def _list(value: Any, most: int, what: str) -> list[Any]:
    need(isinstance(value, list) and len(value) <= most, f"a list of at most {most} {what}")
    return list(value)
