"""Proves a graph and its arrays sound: what passes is a computation of known size that cannot reach outside of itself.

Nothing is handed to ONNX Runtime before it has passed here, and it is handed nothing else: the bytes of the ONNX model
are written anew from the audited graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.errors import MalformedContainer
from lithify.learners.network.graph.forms import Form, Wrong
from lithify.learners.network.graph.graph import DTYPES, Graph, Node, Value, need
from lithify.learners.network.graph.operators import OPERATORS, size

MOST_ELEMENTS = 2**28
"""Of one value."""

MOST_ALIVE = 2**30
"""Elements of all values that are alive at one time: 4 GiB of float32."""

MOST_WORK = 2**41
"""Multiply-adds of one call."""

MOST_WEIGHTS = 2**29 - 2**20
"""Elements of all arrays together; ONNX has no room for 2 GiB."""

_ARRAYS = ("float32", "int64")

Arrays = Mapping[str, NDArray[Any]]


def audit(
    graph: Graph,
    arrays: Arrays,
    inputs: Mapping[str, Form] | None = None,
    outputs: Mapping[str, Form] | None = None,
) -> dict[str, Form]:
    """The form of every value, once all is proved sound.

    Afterwards: every operator is on the closed list, with attributes within their bounds; every name is given once and
    before it is read; all arrays are there, of float32 or int64, finite, and each is read; every shape is known and
    every value, the memory alive at one time and the work of a call are bounded; constant indices are within what they
    point into; the outputs are what the graph says.

    Parameters
    ----------
    graph : Graph
    arrays : mapping of str to ndarray
    inputs, outputs : mapping of str to Form, optional
        What the graph must take and give, to the last name.

    Raises
    ------
    MalformedContainer
    """
    need(len(graph.inputs) > 0 and len(graph.outputs) > 0, "inputs and outputs")
    _ends(graph.inputs, inputs, "inputs")
    _ends(graph.outputs, outputs, "outputs")
    known = {name: _array(name, array) for name, array in arrays.items()}
    need(sum(map(size, known.values())) <= MOST_WEIGHTS, f"at most {MOST_WEIGHTS:,} weights")
    for value in graph.inputs:
        _name(known, value.name, Form(value.dtype, value.shape))
    work = 0
    for number, node in enumerate(graph.nodes):
        form, cost = _node(f"node {number} ({node.op[:40]})", node, known, arrays)
        _name(known, node.output, form)
        work += cost
    need(work <= MOST_WORK, f"at most {MOST_WORK:,} multiply-adds", work)
    _used(graph, known, arrays)
    need(_alive(graph, known) <= MOST_ALIVE, f"at most {MOST_ALIVE:,} elements alive")
    return known


def form_of(graph: Graph) -> tuple[dict[str, Form], dict[str, Form]]:
    """Forms of the inputs and of the outputs, by name."""
    inputs, outputs = ({v.name: Form(v.dtype, v.shape) for v in values} for values in (graph.inputs, graph.outputs))
    return inputs, outputs


def _ends(values: Sequence[Value], wanted: Mapping[str, Form] | None, what: str) -> None:
    found = {value.name: Form(value.dtype, value.shape) for value in values}
    need(len(found) == len(values), f"{what} of different names")
    for value in values:
        need(value.dtype in DTYPES, f"{what} of known dtypes", value)
        need(len(value.shape) > 0 and min(value.shape) >= 1, "lengths of at least 1", value)
    need(wanted is None or found == dict(wanted), f"the {what} {dict(wanted or {})}"[:400], found)


def _array(name: str, array: NDArray[Any]) -> Form:
    need(array.dtype.name in _ARRAYS and array.dtype.isnative, f"{name}: an array of float32 or int64", array.dtype)
    need(array.size > 0, f"{name}: an array that is not empty", array.shape)
    need(array.dtype != np.float32 or bool(np.isfinite(array).all()), f"{name}: finite numbers")
    return Form(array.dtype.name, array.shape)


def _name(known: dict[str, Form], name: str, form: Form) -> None:
    need(name not in known, "names that are given once", name)
    need(size(form) <= MOST_ELEMENTS and len(form.shape) <= 8, f"values of at most {MOST_ELEMENTS:,} elements", form)
    known[name] = form


def _node(what: str, node: Node, known: Mapping[str, Form], arrays: Arrays) -> tuple[Form, int]:
    """The form of the output and the work it is."""
    operator = OPERATORS.get(node.op)
    if operator is None:
        raise MalformedContainer("The graph of the network names an operator that is not known.", found=what)
    missing = [name for name in node.inputs if name not in known]
    need(not missing, f"{what}: inputs that are there before they are read", missing)
    inputs = [known[name] for name in node.inputs]
    try:
        form = operator.form(node.attributes, inputs)
    except Wrong as error:
        found = ", ".join(f"{form.dtype} {form.shape}" for form in inputs)
        raise MalformedContainer(
            "The graph of the network does not fit together.", expected=f"{what}: {error}", found=found[:200]
        ) from None
    if node.op == "Gather" and node.inputs[1] in arrays:
        index, length = arrays[node.inputs[1]], inputs[0].shape[node.attributes["axis"]]  # type: ignore[index]
        need(bool((index >= 0).all() and (index < length).all()), f"{what}: indices below {length}")
    return form, operator.cost(node.attributes, inputs, form)


def _used(graph: Graph, known: Mapping[str, Form], arrays: Arrays) -> None:
    read = {name for node in graph.nodes for name in node.inputs}
    computed = {node.output for node in graph.nodes}
    need(arrays.keys() <= read, "arrays that are all read", sorted(arrays.keys() - read)[:3])
    need({value.name for value in graph.inputs} <= read, "inputs that are all read")
    for value in graph.outputs:
        need(value.name in computed, "outputs that are computed", value.name)
        need(known[value.name] == (value.dtype, value.shape), f"{value.name}: {value.shape}", known[value.name])
    idle = computed - read - {value.name for value in graph.outputs}
    need(not idle, "values that are all used", sorted(idle)[:3])


def _alive(graph: Graph, known: Mapping[str, Form]) -> int:
    """The most elements that are alive at one time when each value lives from its making to its last use."""
    last = {name: number for number, node in enumerate(graph.nodes) for name in node.inputs}
    last |= {value.name: len(graph.nodes) for value in graph.outputs}
    alive = most = sum(size(known[value.name]) for value in graph.inputs)
    made = {value.name for value in graph.inputs}
    for number, node in enumerate(graph.nodes):
        alive += size(known[node.output])
        made.add(node.output)
        most = max(most, alive)
        alive -= sum(size(known[name]) for name in set(node.inputs) if name in made and last[name] == number)
    return most
