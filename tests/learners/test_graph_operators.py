"""Every operator: its shape rule is ONNX's own, and what is encoded passes ONNX's checker and runs."""

from __future__ import annotations

import numpy as np
import pytest

from lithify.learners.network.graph.build import Builder
from lithify.learners.network.graph.forms import Wrong
from lithify.learners.network.graph.graph import Value
from lithify.learners.network.graph.onnx import encode
from lithify.learners.network.graph.operators import OPERATORS
from lithify.learners.network.graph.protobuf import Message
from lithify.learners.network.graph.session import Session

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

IMAGE, ROWS = ("float32", (2, 4, 7, 6)), ("float32", (3, 5))
TRUTH, INDEX = ("bool", (3, 5)), ("int64", (3, 2))
COLUMN = ("float32", (4,))
POOL = {"kernel_shape": (3, 2), "strides": (2, 1), "pads": (1, 0, 1, 1)}
LINE = {"strides": (2,), "pads": (1, 1), "dilations": (1,), "group": 1}
CONV = {"strides": (1, 2), "pads": (1, 1, 0, 2), "dilations": (2, 1), "group": 1}

PADS = (0, 0, 1, 2, 0, 0, 3, 0)
PLAIN = ["Abs", "Neg", "Exp", "Log", "Erf", "Tanh", "Sigmoid", "Relu", "Sqrt", "Softplus", "Reciprocal", "Identity"]
TWO = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Less", "Greater", "Equal"]
CASES = [
    *[(op, [ROWS], {}) for op in [*PLAIN, "IsNaN"]],
    *[(op, [ROWS, ("float32", shape)], {}) for op in TWO for shape in ((3, 5), (5,), (1, 1), (2, 3, 1))],
    *[(op, [("int64", (3, 5)), ("int64", (1,))], {}) for op in ("Add", "Sub", "Mul", "Less", "Greater", "Equal")],
    ("And", [TRUTH, TRUTH], {}),
    ("Or", [TRUTH, ("bool", (1, 5))], {}),
    ("Not", [TRUTH], {}),
    ("Where", [TRUTH, ROWS, ("float32", (1,))], {}),
    ("Where", [("bool", (1, 5)), ("int64", (3, 1)), ("int64", (3, 5))], {}),
    ("AveragePool", [IMAGE], POOL | {"count_include_pad": 0}),
    ("AveragePool", [IMAGE], POOL | {"count_include_pad": 1}),
    ("MaxPool", [IMAGE], POOL),
    ("MaxPool", [("float32", (2, 4, 9))], {"kernel_shape": (2,), "strides": (2,), "pads": (0, 0)}),
    ("BatchNormalization", [IMAGE, COLUMN, COLUMN, COLUMN, COLUMN], {"epsilon": 1e-5}),
    ("BatchNormalization", [("float32", (3, 4)), COLUMN, COLUMN, COLUMN, COLUMN], {"epsilon": 1e-5}),
    ("InstanceNormalization", [IMAGE, COLUMN, COLUMN], {"epsilon": 1e-5}),
    ("LayerNormalization", [ROWS, ("float32", (5,)), ("float32", (5,))], {"axis": 1, "epsilon": 1e-5}),
    ("LayerNormalization", [IMAGE, ("float32", (7, 6))], {"axis": 2, "epsilon": 1}),
    *[("Cast", [ROWS], {"to": to}) for to in ("int64", "bool", "float32")],
    ("Cast", [("uint8", (2, 3))], {"to": "float32"}),
    ("Cast", [("int32", (2, 3))], {"to": "int64"}),
    ("Clip", [ROWS], {"min": -1, "max": 0.5}),
    ("Concat", [ROWS, ("float32", (3, 2)), ROWS], {"axis": 1}),
    ("Conv", [IMAGE, ("float32", (6, 4, 2, 3)), ("float32", (6,))], CONV),
    ("Conv", [IMAGE, ("float32", (8, 1, 3, 3))], CONV | {"group": 4}),
    ("Conv", [("float32", (2, 3, 9)), ("float32", (4, 3, 3))], LINE),
    ("Elu", [ROWS], {"alpha": 1.0}),
    ("LeakyRelu", [ROWS], {"alpha": 0.1}),
    ("Expand", [("float32", (3, 1))], {"shape": (2, 3, 4)}),
    *[("Flatten", [IMAGE], {"axis": axis}) for axis in range(4)],
    ("Gather", [IMAGE, INDEX], {"axis": 2}),
    ("Gather", [("int64", (9,)), ("int32", (3,))], {"axis": 0}),
    ("Gemm", [ROWS, ("float32", (7, 5)), ("float32", (7,))], {"transB": 1}),
    ("Gemm", [ROWS, ("float32", (5, 7))], {"transB": 0}),
    ("MatMul", [ROWS, ("float32", (5, 7))], {}),
    ("MatMul", [("float32", (2, 3, 5)), ("float32", (5, 7))], {}),
    ("MatMul", [("float32", (2, 1, 3, 5)), ("float32", (4, 5, 7))], {}),
    ("MatMul", [("float32", (3, 5)), ("float32", (4, 5, 7))], {}),
    ("GlobalAveragePool", [IMAGE], {}),
    ("GlobalMaxPool", [IMAGE], {}),
    *[(op, [IMAGE], {"axis": axis}) for op in ("Softmax", "LogSoftmax") for axis in (1, 3)],
    *[("Pad", [IMAGE], {"pads": PADS, "mode": mode, "value": 0.5}) for mode in ("constant", "reflect", "edge")],
    *[(op, [IMAGE], {"axes": axes, "keepdims": keep}) for op in ("ReduceMax", "ReduceMean", "ReduceSum")
      for axes, keep in (((2, 3), 1), ((1,), 0), ((0, 1, 2, 3), 1))],
    ("Reshape", [IMAGE], {"shape": (8, 42)}),
    ("Slice", [IMAGE], {"axes": (3, 1), "starts": (5, 1), "ends": (-7, 3), "steps": (-1, 1)}),
    ("Slice", [IMAGE], {"axes": (2,), "starts": (-6,), "ends": (100,), "steps": (4,)}),
    ("Transpose", [IMAGE], {"perm": (0, 2, 3, 1)}),
]  # fmt: skip


def _values(form, seed: int):
    dtype, shape = form
    random = np.random.default_rng(seed)
    whole = random.integers(0, 2, shape)
    return (random.uniform(0.1, 2.0, shape) if dtype == "float32" else whole).astype(dtype)


def _inferred(model):
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    found = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    tensor = found.graph.output[0].type.tensor_type
    shape = tuple(d.dim_value for d in tensor.shape.dim)
    return onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name, shape


def test_every_operator_has_a_case() -> None:
    assert {op for op, _, _ in CASES} == set(OPERATORS)


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_rule_says_what_onnx_says_and_what_comes_out(op, inputs, attributes) -> None:
    build = Builder([Value(f"i{at}", *form) for at, form in enumerate(inputs)])
    graph, arrays = build.finish({"y": build.node(op, *(value.name for value in build.inputs), **attributes)})
    (output,) = graph.outputs
    model = onnx.load_from_string(encode(graph, arrays))
    onnx.checker.check_model(model, full_check=True)
    assert _inferred(model) == (output.dtype, output.shape)
    result = Session(graph, arrays).run({f"i{at}": _values(form, at) for at, form in enumerate(inputs)})["y"]
    assert result.dtype.name == output.dtype
    assert result.shape == output.shape


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"),
    [
        ("Add", [ROWS, ("int64", (3, 5))], {}),
        ("Add", [ROWS, ("float32", (3, 4))], {}),
        ("Div", [("int64", (3,)), ("int64", (3,))], {}),
        ("AveragePool", [ROWS], {"kernel_shape": (), "strides": (), "pads": (), "count_include_pad": 0}),
        ("MaxPool", [IMAGE], POOL | {"kernel_shape": (9, 9)}),
        ("MaxPool", [IMAGE], POOL | {"pads": (3, 0, 3, 0)}),
        ("MaxPool", [IMAGE], POOL | {"pads": (1, 1)}),
        ("Conv", [IMAGE, ("float32", (6, 4, 9, 3))], CONV),
        ("Conv", [IMAGE, ("float32", (6, 3, 3, 3))], CONV),
        ("Expand", [ROWS], {"shape": (3, 6)}),
        ("Gather", [ROWS, ("float32", (2,))], {"axis": 0}),
        ("Gather", [ROWS, INDEX], {"axis": 2}),
        ("Gemm", [ROWS, ("float32", (4, 7))], {"transB": 0}),
        ("Gemm", [ROWS, ("float32", (5, 7)), ("float32", (5,))], {"transB": 0}),
        ("MatMul", [ROWS, ("float32", (5,))], {}),
        ("Pad", [IMAGE], {"pads": (0, 0, 7, 0, 0, 0, 0, 0), "mode": "reflect", "value": 0}),
        ("Reshape", [IMAGE], {"shape": (8, 41)}),
        ("Slice", [IMAGE], {"axes": (1,), "starts": (3,), "ends": (3,), "steps": (1,)}),
        ("Slice", [IMAGE], {"axes": (1,), "starts": (3,), "ends": (1,), "steps": (0,)}),
        ("Slice", [IMAGE], {"axes": (1, 1), "starts": (0, 0), "ends": (1, 1), "steps": (1, 1)}),
        ("Transpose", [IMAGE], {"perm": (0, 1, 2, 2)}),
        ("ReduceSum", [ROWS], {"axes": (), "keepdims": 0}),
        ("Softmax", [ROWS], {"axis": 2}),
        ("LayerNormalization", [ROWS, ("float32", (3,))], {"axis": 1, "epsilon": 0.0}),
        ("BatchNormalization", [IMAGE, COLUMN, COLUMN, COLUMN, ("float32", (3,))], {"epsilon": 0.0}),
        ("Relu", [("int64", (3,))], {}),
        ("Where", [ROWS, ROWS, ROWS], {}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(op, inputs, attributes) -> None:
    build = Builder([Value(f"i{at}", *form) for at, form in enumerate(inputs)])
    with pytest.raises(Wrong):
        build.node(op, *(value.name for value in build.inputs), **attributes)


def test_encoding_is_canonical_and_keeps_metadata() -> None:
    build = Builder([Value("x", "float32", (1, 2))])
    graph, arrays = build.finish({"y": build.node("MatMul", "x", build.array(np.eye(2), "w"))})
    data = encode(graph, arrays, {"b": "2", "a": "ä"})
    assert data == encode(graph, dict(reversed(arrays.items())), {"a": "ä", "b": "2"})
    model = onnx.load_from_string(data)
    assert [(p.key, p.value) for p in model.metadata_props] == [("a", "ä"), ("b", "2")]
    (weights,) = model.graph.initializer
    assert onnx.numpy_helper.to_array(weights).tolist() == np.eye(2).tolist()
    assert not weights.external_data
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 18)]


def test_messages_of_numbers_of_all_sizes() -> None:
    numbers = [0, 1, 127, 128, 2**31, 2**63 - 1, -1, -(2**63)]
    data = Message().wholes(8, numbers).text(1, "a").whole(20, 7).join()
    assert list(onnx.AttributeProto.FromString(data).ints) == numbers
    with pytest.raises(ValueError, match="64 bits"):
        Message().whole(1, 2**64)
