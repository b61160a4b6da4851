"""Computing a graph: rows get the same bits wherever they stand and however many threads there are."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lithify.errors import MissingExtra, Unsupported, UsageError
from lithify.learners.network.graph.audit import audit
from lithify.learners.network.graph.build import Builder
from lithify.learners.network.graph.graph import Value
from lithify.learners.network.graph.onnx import encode
from lithify.learners.network.graph.pixels import pixels
from lithify.learners.network.graph.rows import opened
from lithify.learners.network.graph.session import Session, aligned, in_grains, runtime_session, steady

pytest.importorskip("onnxruntime")


def _normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def perceptron(rows: int, width: int = 10, hidden: int = 33, outputs: int = 3):
    """Linear, normalisation, GELU, linear, softmax."""
    build = Builder([Value("x", "float32", (rows, width))])
    x = build.node("Gemm", "x", build.array(_normal((hidden, width)), "a"), build.array(_normal(hidden), "b"), transB=1)
    x = build.node("LayerNormalization", x, build.array(np.ones(hidden), "s"), axis=1, epsilon=1e-5)
    erf = build.node("Erf", build.node("Div", x, build.array([2.0**0.5], "root")))
    x = build.node("Mul", x, build.node("Add", erf, build.array([1.0], "one")))
    x = build.node("MatMul", build.node("Tanh", x), build.array(_normal((hidden, outputs)), "w"))
    return build.finish({"raw": x, "p": build.node("Softmax", x, axis=1)})


def network(rows: int, side: int = 9):
    """A convolution with what follows one."""
    build = Builder([Value("x", "float32", (rows, 3, side, side))])
    window = {"strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1), "group": 1}
    x = build.node("Conv", "x", build.array(_normal((16, 3, 3, 3)), "a"), **window)
    x = build.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0))
    x = build.node(
        "Conv", build.node("Mul", x, build.node("Sigmoid", x)), build.array(_normal((8, 16, 3, 3)), "b"), **window
    )
    embedding = build.node("Flatten", build.node("GlobalAveragePool", x), axis=1)
    raw = build.node("Gemm", embedding, build.array(_normal((5, 8)), "w"), transB=1)
    return build.finish({"raw": raw, "embedding": embedding})


@pytest.mark.parametrize("rows", [1, 3, 16])
@pytest.mark.parametrize("make", [perceptron, network])
def test_a_row_has_its_bits_at_every_place_and_alone(make, rows) -> None:
    session = Session(*make(rows))
    x = _normal((37, *session.graph.inputs[0].shape[1:]))
    whole = in_grains(session, {"x": x})["raw"]
    assert np.array_equal(in_grains(session, {"x": x}, threads=3)["raw"], whole)
    assert np.array_equal(in_grains(session, {"x": x[::-1]})["raw"][::-1], whole)
    for row in (0, 5, 36):
        assert np.array_equal(in_grains(session, {"x": x[row : row + 1]})["raw"], whole[row : row + 1])
    assert steady(session, {"x": x[:rows]})


def test_what_depends_on_its_place_is_found_out() -> None:
    build = Builder([Value("x", "float32", (16, 13))])
    graph, arrays = build.finish({"y": build.node("ReduceMean", "x", axes=(1,), keepdims=0)})
    session = Session(graph, arrays)

    class Shifty:
        rows = session.rows

        def run(self, inputs):
            return {name: values + np.arange(16) * 1e-7 for name, values in session.run(inputs).items()}

    assert not steady(Shifty(), {"x": _normal((16, 13))})


def test_bits_do_not_depend_on_the_address() -> None:
    session = Session(*perceptron(2))
    room = np.empty(100, dtype=np.float32)
    results = set()
    for start in range(17):
        room[start : start + 20] = _normal(20)
        results.add(session.run({"x": room[start : start + 20].reshape(2, 10)})["raw"].tobytes())
    assert len(results) == 1
    assert aligned(room[1:]).ctypes.data % 64 == 0
    assert aligned(room[::2]).tolist() == room[::2].tolist()


def test_rows_that_are_fetched_when_needed() -> None:
    x = _normal((70, 10))

    class Taken:
        def __len__(self) -> int:
            return len(x)

        def take(self, rows):
            return x[rows]

    session = Session(*perceptron(16))
    assert np.array_equal(in_grains(session, {"x": Taken()}, 2)["raw"], in_grains(session, {"x": x})["raw"])


def test_no_rows() -> None:
    assert in_grains(Session(*perceptron(4)), {"x": np.zeros((0, 10), dtype=np.float32)})["raw"].shape == (0, 3)


@pytest.mark.parametrize(
    "inputs",
    [{}, {"y": _normal((2, 10))}, {"x": _normal((3, 10))}, {"x": _normal((2, 10)).astype(float)}, {"x": _normal(20)}],
)
def test_other_inputs_are_refused(inputs) -> None:
    with pytest.raises(UsageError):
        Session(*perceptron(2)).run(inputs)


def test_without_onnx_runtime(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match="pip install"):
        Session(*perceptron(1))


def _images(n: int, side: int, channels: int = 3):
    return np.random.default_rng(2).integers(0, 256, (n, side, side, channels)).astype(np.uint8)


def _expected(session, images, views: int):
    """By hand: normalised, viewed, averaged in float64."""
    x = ((images / 255.0 - np.array([0.4, 0.5, 0.6])) / np.array([0.2, 0.3, 0.25])).transpose(0, 3, 1, 2)
    side = x.shape[-1]
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    every = [x] if views < 6 else [wide[:, :, at : at + side, at : at + side] for at in (1, 0, 2)]
    every += [view[..., ::-1] for view in every] if views > 1 else []
    return np.mean([in_grains(session, {"x": view.astype(np.float32)})["raw"] for view in every], axis=0)


@pytest.mark.parametrize("views", [1, 2, 6])
def test_from_bytes_through_views(views) -> None:
    images = _images(5, 9)
    graph, arrays = pixels(*network(2 * views), 9, 3, [0.4, 0.5, 0.6], [0.2, 0.3, 0.25], views)
    assert (graph.inputs[0].dtype, graph.inputs[0].shape) == ("uint8", (2, 9, 9, 3))
    assert [value.shape for value in graph.outputs] == [(2, 5), (2, 8)]
    found = in_grains(Session(graph, arrays), {"pixels": images})["raw"]
    np.testing.assert_allclose(found, _expected(Session(*network(1)), images, views), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("views", [1, 2, 6])
@pytest.mark.parametrize("rows", [1, 2])
def test_the_number_of_rows_can_be_left_open(views, rows) -> None:
    graph, arrays = pixels(*network(rows * views), 9, 3, [0.5], [0.25], views)
    images = _images(7, 9)
    session = runtime_session(encode(graph, arrays, batch="rows"))
    assert session.get_inputs()[0].shape == ["rows", 9, 9, 3]
    found = session.run(["raw"], {"pixels": images})[0]
    np.testing.assert_allclose(found, in_grains(Session(graph, arrays), {"pixels": images})["raw"], atol=1e-4)


@pytest.mark.parametrize("rows", [1, 4])
def test_rows_are_followed_through_shapes(rows) -> None:
    build = Builder([Value("x", "float32", (rows, 2, 3, 4))])
    x = build.node("Transpose", "x", perm=(1, 0, 3, 2))
    x = build.node("Reshape", x, shape=(2, rows, 12))
    x = build.node("MatMul", x, build.array(_normal((12, 6)), "w"))
    x = build.node("Reshape", build.node("Transpose", x, perm=(1, 0, 2)), shape=(rows, 12))
    graph, arrays = build.finish({"y": build.node("Add", x, build.array(_normal(12), "b"))})
    assert set(opened(graph, audit(graph, arrays)).values()) == {(2, -1, 12), (-1, 12)}
    session = runtime_session(encode(graph, arrays, batch="n"))
    x = _normal((8, 2, 3, 4))
    np.testing.assert_allclose(
        session.run(None, {"x": x})[0], in_grains(Session(graph, arrays), {"x": x})["y"], atol=1e-5
    )


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Softmax", {"axis": 0}),
        ("ReduceSum", {"axes": (0,), "keepdims": 1}),
        ("Slice", {"axes": (0,), "starts": (0,), "ends": (2,), "steps": (1,)}),
        ("Reshape", {"shape": (8, 3)}),
        ("Transpose", {"perm": (1, 0)}),
        ("Pad", {"pads": (1, 0, 0, 0), "mode": "constant", "value": 0.0}),
    ],
)
def test_what_mixes_rows_has_a_fixed_number_of_them(op, attributes) -> None:
    build = Builder([Value("x", "float32", (4, 6))])
    graph, arrays = build.finish({"y": build.node(op, "x", **attributes)})
    Session(graph, arrays)
    with pytest.raises(Unsupported):
        encode(graph, arrays, batch="rows")


def test_other_views_are_refused() -> None:
    with pytest.raises(Unsupported):
        pixels(*network(3), 9, 3, [0.5], [0.5], 3)


def bytes_to_scores(rows: int = 1):
    """A network of pixels."""
    inner, arrays = network(rows, side=8)
    return pixels(inner, arrays, 8, 3, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25), views=1)


def test_several_rows_in_a_call_have_the_bits_that_they_have_alone() -> None:
    session = Session(*bytes_to_scores())
    images = np.random.default_rng(0).integers(0, 256, (45, 8, 8, 3), dtype=np.uint8)
    alone = in_grains(session, {"pixels": images})
    found = session.many()
    assert found is not None
    assert found[0] == 16
    for threads in (1, 3):
        together = in_grains(session, {"pixels": images}, threads, many=True)
        assert all(np.array_equal(together[name], alone[name]) for name in alone)


def test_rows_with_other_bits_together_stay_alone(monkeypatch) -> None:
    session = Session(*bytes_to_scores())
    plain = session.run

    def run(inputs):
        return {name: values + np.float32(1e-3) for name, values in plain(inputs).items()}

    monkeypatch.setattr(session, "run", run)
    assert session.many() is None


def test_large_rows_and_sealed_grains_stay_as_they_are() -> None:
    assert Session(*network(1)).many() is None
    assert Session(*bytes_to_scores(2)).many() is None
