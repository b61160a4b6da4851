"""An exported file gives what the model gives, says what it is, and is not written when a label differs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lithify import calibration, canon
from lithify.data.state import State
from lithify.errors import GoldenMismatch, Unsupported
from lithify.learners.network.graph.build import Builder
from lithify.learners.network.graph.graph import Value, to_json
from lithify.learners.network.graph.pixels import pixels
from lithify.model import export
from lithify.model.draft import Draft
from lithify.model.export import export_onnx

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("PIL")

SIDE = 8


def network(outputs: int, views: int = 1):
    """A convolution and a linear layer, from bytes, one row in a call."""
    random = np.random.default_rng(3)
    build = Builder([Value("x", "float32", (views, 3, SIDE, SIDE))])
    weight = build.array(random.normal(size=(6, 3, 3, 3)) * 0.3, "conv.weight")
    x = build.node("Conv", "x", weight, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1)
    embedding = build.node("Flatten", build.node("GlobalAveragePool", build.node("Relu", x)), axis=1)
    raw = build.node("Gemm", embedding, build.array(random.normal(size=(outputs, 6)), "head.weight"), transB=1)
    graph, arrays = build.finish({"raw": raw, "embedding": embedding})
    return pixels(graph, arrays, SIDE, 3, [0.5] * 3, [0.25] * 3, views)


def draft_of(outputs: int, calibrated, views: int = 1) -> Draft:
    graph, arrays = network(outputs, views)
    inputs = {
        "kind": "pixels",
        "side": SIDE,
        "channels": 3,
        "numbers": 0,
        "sizes": [],
        "words": 0,
        "buckets": 0,
        "width": 0,
    }
    facts = {"graph": to_json(graph), "inputs": inputs, "classes": outputs, "points": 1}
    learned = {f"w/{name}": array for name, array in arrays.items()}
    learned["history"] = np.zeros((1, 3), dtype=np.float32)
    return Draft(
        kind="image",
        task="classification",
        labels=tuple("abcdefg"[:outputs]),
        spam="",
        learner_name="network",
        features_params={"side": SIDE, "channels": 3},
        learner_params={},
        features_state=State({}, {"mean": [0.5] * 3, "std": [0.25] * 3}),
        learner_state=State(learned, facts),
        calibration=calibrated,
        cutoffs=None,
        conformal=None,
    )


TEMPERATURE = {"kind": "temperature", "slope": 1.75, "rows": 9}
PLATT = {"kind": "platt", "slope": 2.5, "offset": -0.75, "rows": 9}


def picture(seed: int) -> bytes:
    return b"P6\n8 8\n255\n" + np.random.default_rng(seed).integers(0, 256, 192).astype(np.uint8).tobytes()


@pytest.mark.parametrize(
    ("outputs", "calibrated", "views"), [(4, TEMPERATURE, 1), (2, PLATT, 2), (3, calibration.identity(3), 6)]
)
def test_the_file_gives_what_the_model_gives(tmp_path, outputs, calibrated, views) -> None:
    draft = draft_of(outputs, calibrated, views)
    report = export_onnx(draft, tmp_path / "model.onnx")
    data = (tmp_path / "model.onnx").read_bytes()
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert {value.name: value.shape for value in session.get_outputs()} == {
        "probabilities": ["rows", outputs],
        "raw": ["rows", outputs],
    }
    contents = [picture(seed) for seed in range(21)]
    given = np.stack([np.frombuffer(content[-192:], dtype=np.uint8).reshape(SIDE, SIDE, 3) for content in contents])
    probabilities, raw = session.run(["probabilities", "raw"], {"pixels": given})
    np.testing.assert_allclose(raw, draft.raw(contents), atol=1e-4)
    np.testing.assert_allclose(probabilities, draft.probabilities(draft.raw(contents)), atol=1e-5)
    assert report.golden == len(draft.golden_inputs())
    assert (report.test, report.differing, report.opset) == (0, 0, 18)
    assert report.difference < 1e-5
    assert report.digest == canon.digest(data)
    assert json.loads(json.dumps(report.to_json()))["path"] == str(tmp_path / "model.onnx")


def test_metadata_says_what_the_file_is(tmp_path) -> None:
    export_onnx(draft_of(4, TEMPERATURE), tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    says = session.get_modelmeta().custom_metadata_map
    assert json.loads(says["labels"]) == ["a", "b", "c", "d"]
    assert says["model"] == ""
    assert "uint8 (rows, 8, 8, 3), RGB" in says["input"]


def test_test_rows_are_compared_too(tmp_path) -> None:
    class Rows:
        class table:
            side = np.array([0, 3, 3, 1, 3], dtype=np.int8)

        def content(self, rows):
            assert rows.tolist() == [1, 2, 4]
            return [picture(int(row)) for row in rows]

    assert export_onnx(draft_of(4, TEMPERATURE), tmp_path / "model.onnx", Rows()).test == 3


def test_a_differing_label_stops_it(tmp_path, monkeypatch) -> None:
    draft = draft_of(4, TEMPERATURE)
    turned = draft.learner_state.arrays["w/head.weight"][::-1]
    other = replace(
        draft, learner_state=State({**draft.learner_state.arrays, "w/head.weight": turned}, draft.learner_state.facts)
    )
    right = export._encoded
    monkeypatch.setattr(export, "_encoded", lambda draft, digest: right(other, digest))
    with pytest.raises(GoldenMismatch, match="another label"):
        export_onnx(draft, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("changes", "says"), [({"learner_name": "linear"}, "linear"), ({"kind": "table"}, "table")])
def test_other_models_are_refused(tmp_path, changes, says) -> None:
    with pytest.raises(Unsupported, match=says):
        export_onnx(replace(draft_of(4, TEMPERATURE), **changes), tmp_path / "model.onnx")
