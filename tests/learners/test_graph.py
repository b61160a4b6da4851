"""The graph of a network: strict JSON, and an audit that nothing gets past."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify import canon
from lithify.errors import MalformedContainer, NewerFormat
from lithify.learners.network.graph.audit import audit
from lithify.learners.network.graph.build import Builder
from lithify.learners.network.graph.forms import Form
from lithify.learners.network.graph.graph import Graph, Node, Value, from_json, to_json

X = Value("x", "float32", (2, 3, 8, 8))


def small():
    """A convolution, a pool, a linear layer; two outputs."""
    random = np.random.default_rng(0)
    build = Builder([X])
    weight, bias = build.array(random.normal(size=(4, 3, 3, 3)), "conv.weight"), build.array(np.ones(4), "conv.bias")
    x = build.node("Conv", "x", weight, bias, strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1), group=1)
    x = build.node("GlobalAveragePool", build.node("Clip", x, min=0, max=6.5))
    embedding = build.node("Flatten", x, axis=1)
    raw = build.node("Gemm", embedding, build.array(random.normal(size=(5, 4)), "head"), transB=1)
    return build.finish({"raw": raw, "embedding": embedding})


def test_json_and_back_through_canonical_json() -> None:
    graph, arrays = small()
    again = from_json(canon.loads(canon.dumps(to_json(graph))))
    assert again == graph
    audit(
        again,
        arrays,
        {"x": Form("float32", X.shape)},
        {"raw": Form("float32", (2, 5)), "embedding": Form("float32", (2, 4))},
    )


def test_a_newer_format_is_said_to_be_newer() -> None:
    with pytest.raises(NewerFormat):
        from_json({**to_json(small()[0]), "format": 2})


def _places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*path, key))


DOCUMENT = to_json(small()[0])
PLACES = [path for path in _places(DOCUMENT) if path]
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.text(max_size=6),
    st.sampled_from(["x", "v1", "Conv", "Loop", "raw", "float32", "int64", "../x", ""]),
    st.lists(st.integers(-2, 9), max_size=5), st.lists(st.sampled_from(["x", "v0", "raw", "head"]), max_size=3),
    st.dictionaries(st.sampled_from(["op", "axis", "to", "x"]), st.integers(0, 3), max_size=2),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(PLACES), junk=JUNK, how=st.sampled_from(["set", "drop", "add"]))
def test_spoiled_json_is_refused_or_sound(path, junk, how) -> None:
    document = copy.deepcopy(DOCUMENT)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if how == "drop":
        del holder[path[-1]]
    elif how == "add" and isinstance(holder, dict):
        holder["more"] = junk
    else:
        holder[path[-1]] = junk
    try:
        graph = from_json(document)
        audit(graph, small()[1], {"x": Form("float32", X.shape)})
    except (MalformedContainer, NewerFormat):
        return
    assert {node.op for node in graph.nodes} <= {node.op for node in small()[0].nodes} | {"Identity"}
    assert how != "add" or not isinstance(holder, dict)


def hostile(**changes):
    graph, arrays = small()
    return replace(graph, **changes), arrays


CONV = small()[0].nodes[0]


def spoil_node(at, **changes):
    graph, arrays = small()
    nodes = list(graph.nodes)
    nodes[at] = replace(nodes[at], **changes)
    return replace(graph, nodes=tuple(nodes)), arrays


def with_attribute(at, **attributes):
    return spoil_node(at, attributes={**small()[0].nodes[at].attributes, **attributes})


def with_arrays(**arrays):
    return small()[0], {**small()[1], **arrays}


@pytest.mark.parametrize(
    ("spoiled", "says"),
    [
        (lambda: spoil_node(1, op="Loop"), "not known"),
        (lambda: spoil_node(1, op="com.microsoft.Gelu"), "not known"),
        (lambda: spoil_node(1, inputs=("v9",)), "before they are read"),
        (lambda: spoil_node(0, inputs=("raw", *CONV.inputs[1:])), "before they are read"),
        (lambda: spoil_node(1, output="x"), "given once"),
        (lambda: spoil_node(1, output=CONV.output), "given once"),
        (lambda: spoil_node(1, output="head"), "given once"),
        (lambda: with_attribute(0, group=0), "group"),
        (lambda: with_attribute(0, group=2), "filters that fit"),
        (lambda: with_attribute(0, strides=(0, 1)), "strides"),
        (lambda: with_attribute(0, pads=(-1, 0, 0, 0)), "pads"),
        (lambda: with_attribute(0, more=1), "the attributes"),
        (lambda: with_attribute(1, min=float("nan")), "min"),
        (lambda: hostile(inputs=()), "inputs and outputs"),
        (lambda: hostile(outputs=()), "inputs and outputs"),
        (lambda: hostile(inputs=(replace(X, dtype="uint8"),)), "float32"),
        (lambda: hostile(inputs=(X, X)), "different names"),
        (lambda: hostile(inputs=(X, Value("idle", "float32", (1,)))), "all read"),
        (lambda: hostile(outputs=(Value("raw", "float32", (2, 6)), small()[0].outputs[1])), "raw"),
        (lambda: hostile(outputs=(Value("head", "float32", (5, 4)),)), "outputs that are computed"),
        (lambda: hostile(outputs=small()[0].outputs[1:]), "all used"),
        (lambda: with_arrays(idle=np.zeros(2, dtype=np.float32)), "all read"),
        (lambda: with_arrays(head=np.zeros((5, 5), dtype=np.float32)), "do not fit|that fit"),
        (lambda: with_arrays(head=np.zeros((5, 4))), "float32 or int64"),
        (lambda: with_arrays(head=np.full((5, 4), np.inf, dtype=np.float32)), "finite"),
        (lambda: with_arrays(head=np.zeros((5, 0), dtype=np.float32)), "not empty"),
        (lambda: (small()[0], {k: v for k, v in small()[1].items() if k != "head"}), "before they are read"),
    ],
)
def test_what_is_unsound_is_refused(spoiled, says) -> None:
    with pytest.raises(MalformedContainer, match=says):
        audit(*spoiled())


def _grown(*shapes):
    """Reads one number and makes tensors of these shapes of it, all needed at the end."""
    nodes = [Node("Expand", ("x",), f"v{i}", {"shape": shape}) for i, shape in enumerate(shapes)]
    nodes += [Node("ReduceSum", (f"v{i}",), f"s{i}", {"axes": (0,), "keepdims": 1}) for i in range(len(shapes))]
    nodes.append(Node("Concat", tuple(f"s{i}" for i in range(len(shapes))), "y", {"axis": 0}))
    return Graph((Value("x", "float32", (1,)),), (Value("y", "float32", (len(shapes),)),), tuple(nodes))


def test_memory_and_work_are_bounded() -> None:
    audit(_grown((2**20,)), {})
    with pytest.raises(MalformedContainer, match="elements"):
        audit(_grown((2**29,)), {})
    with pytest.raises(MalformedContainer, match="elements alive"):
        audit(_grown(*[(2**28,)] * 5), {})
    side = 2**13
    square = Value("x", "float32", (side, side))
    names = ["x", *(f"v{i}" for i in range(16)), "y"]
    nodes = tuple(Node("MatMul", (a, a), b, {}) for a, b in itertools.pairwise(names))
    with pytest.raises(MalformedContainer, match="multiply-adds"):
        audit(Graph((square,), (replace(square, name="y"),), nodes), {})


def test_constant_indices_stay_within_what_they_point_into() -> None:
    table, index = np.zeros((4, 2), dtype=np.float32), np.array([0, 3])
    graph = Graph(
        (Value("x", "float32", (1, 2)),),
        (Value("y", "float32", (2, 2)),),
        (Node("Gather", ("table", "index"), "g", {"axis": 0}), Node("Add", ("g", "x"), "y", {})),
    )
    audit(graph, {"table": table, "index": index})
    for wrong in (np.array([0, 4]), np.array([-1, 0])):
        with pytest.raises(MalformedContainer, match="indices below 4"):
            audit(graph, {"table": table, "index": wrong})


def test_the_inputs_and_outputs_that_are_wanted() -> None:
    graph, arrays = small()
    with pytest.raises(MalformedContainer, match="inputs"):
        audit(graph, arrays, {"x": Form("float32", (1, 3, 8, 8))})
    with pytest.raises(MalformedContainer, match="outputs"):
        audit(graph, arrays, None, {"raw": Form("float32", (2, 5))})
