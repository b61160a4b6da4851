"""A graph under construction: each node is checked as it is added, and its form is known at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.learners.network.graph.audit import audit
from lithify.learners.network.graph.forms import Form
from lithify.learners.network.graph.graph import Attribute, Graph, Node, Value
from lithify.learners.network.graph.operators import OPERATORS


class Builder:
    """Collects nodes and arrays.

    Examples
    --------
    >>> build = Builder([Value("x", "float32", (2, 3))])
    >>> total = build.node("ReduceSum", "x", axes=(1,), keepdims=0)
    >>> graph, arrays = build.finish({"total": total})
    >>> graph.outputs
    (Value(name='total', dtype='float32', shape=(2,)),)
    """

    def __init__(self, inputs: Sequence[Value], prefix: str = "v") -> None:
        self.inputs = tuple(inputs)
        self.nodes: list[Node] = []
        self.arrays: dict[str, NDArray[Any]] = {}
        self._forms = {value.name: Form(value.dtype, value.shape) for value in inputs}
        self._prefix = prefix

    def form(self, name: str) -> Form:
        """Dtype and shape of a value or an array."""
        return self._forms[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a value or an array."""
        return self._forms[name].shape

    def node(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        """Adds a node; gives the name of its value. Raises ``forms.Wrong`` where it does not fit."""
        form = OPERATORS[op].form(attributes, [self._forms[name] for name in inputs])
        name = self._fresh(self._prefix)
        self.nodes.append(Node(op, tuple(inputs), name, attributes))
        self._forms[name] = form
        return name

    def array(self, values: Any, name: str = "c") -> str:
        """Adds an array, float32 or int64; gives the name it got. The same array under the same name is added once."""
        given = np.asarray(values)
        array = np.ascontiguousarray(given, dtype=np.int64 if given.dtype.kind in "iu" else np.float32)
        array = array.reshape(given.shape)
        there = self.arrays.get(name)
        if there is None or there.shape != array.shape or not np.array_equal(there, array):
            name = name if name not in self._forms else self._fresh(name)
            self.arrays[name] = array
            self._forms[name] = Form(array.dtype.name, array.shape)
        return name

    def extend(self, graph: Graph, arrays: Mapping[str, NDArray[Any]], given: Mapping[str, str]) -> dict[str, str]:
        """Adds a whole graph, its inputs being the values ``given`` by name; gives the names of its outputs here."""
        names = dict(given)
        for name, array in arrays.items():
            names[name] = self.array(array, name)
        for node in graph.nodes:
            names[node.output] = self.node(node.op, *(names[name] for name in node.inputs), **node.attributes)
        return {value.name: names[value.name] for value in graph.outputs}

    def finish(self, outputs: Mapping[str, str]) -> tuple[Graph, dict[str, NDArray[Any]]]:
        """The graph, pruned and audited, and its arrays; ``outputs`` says which value each output is."""
        ends = {name: self.node("Identity", value) for name, value in outputs.items()}
        names = {value: name for name, value in ends.items()}
        nodes = _needed(self.nodes, set(ends.values()))
        renamed = tuple(Node(n.op, n.inputs, names.get(n.output, n.output), n.attributes) for n in nodes)
        values = tuple(Value(name, *self._forms[end]) for name, end in ends.items())
        read = {name for node in renamed for name in node.inputs}
        arrays = {name: array for name, array in self.arrays.items() if name in read}
        graph = Graph(self.inputs, values, without_identities(renamed, {value.name for value in values}))
        audit(graph, arrays)
        return graph, arrays

    def _fresh(self, stem: str) -> str:
        number = len(self.nodes) if stem == self._prefix else 1
        while f"{stem}{number}" in self._forms:
            number += 1
        return f"{stem}{number}"


def without_identities(nodes: Sequence[Node], outputs: set[str]) -> tuple[Node, ...]:
    """The nodes without ``Identity``, where an output is not the value of two or of none of them."""
    made = {node.output for node in nodes if node.op != "Identity"}
    given: dict[str, str] = {}
    for node in nodes:
        source = node.inputs[0] if node.inputs else ""
        if node.op == "Identity" and node.output in outputs and source in made - set(given) - outputs:
            given[source] = node.output
    kept = [n for n in nodes if not (n.op == "Identity" and given.get(n.inputs[0]) == n.output)]
    return tuple(
        Node(n.op, tuple(given.get(name, name) for name in n.inputs), given.get(n.output, n.output), n.attributes)
        for n in kept
    )


def _needed(nodes: Sequence[Node], ends: set[str]) -> list[Node]:
    """The nodes that some end depends on."""
    wanted, kept = set(ends), []
    for node in reversed(nodes):
        if node.output in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]
