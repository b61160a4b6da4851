"""The Open Inference Protocol v2, asked by its official client through a real server, and by hand."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import message
from tests.deployment.routed import KINDS, PERSON, Asker, application, picture, use_patches
from tests.deployment.served import serving
from tests.imaging import picture as pixels

from lithify.deployment.http.app import App
from lithify.deployment.http.message import Request
from lithify.deployment.limits import Limits

tritonclient = pytest.importorskip("tritonclient.http")
INFER = "/v2/models/people/infer"


@pytest.fixture(scope="module", autouse=True)
def patches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_patches(patch)
        yield


@pytest.fixture(scope="module")
def app() -> App:
    return application(Limits(rows=50))


@pytest.fixture(scope="module")
def ask(app: App) -> Asker:
    return Asker(app)


@pytest.fixture(scope="module")
def client(app: App) -> Iterator[Any]:
    with serving(application=app) as served:
        found = tritonclient.InferenceServerClient(f"127.0.0.1:{served.port}", concurrency=2)
        yield found
        found.close()


def tensor(name: str, values: Any, datatype: str, binary: bool = True) -> Any:
    array = np.array(values, dtype=np.object_ if datatype == "BYTES" else None)
    made = tritonclient.InferInput(name, list(array.shape), datatype)
    return made.set_data_from_numpy(array, binary_data=binary)


def test_client_sees_server_and_models(client: Any, ask: Asker) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    for kind in KINDS:
        digest = ask.json("GET", f"/v1/{kind}")["model"]
        found = client.get_model_metadata(kind)
        assert found["versions"] == [digest[7:19]]
        assert found["platform"] == "lithify"
        assert found["parameters"]["model"] == digest
        for version in ("", digest[7:19], digest[7:], digest):
            assert client.is_model_ready(kind, version)
            assert client.get_model_metadata(kind, version) == found
        assert not client.is_model_ready(kind, "abcdefabcdef")
    assert not client.is_model_ready("nobody")


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
def test_client_asks_for_rows_of_a_table(client: Any, ask: Asker, binary_in: bool, binary_out: bool | None) -> None:
    rows = [PERSON, PERSON | {"age": 61, "job": "smith", "since": ""}, PERSON | {"age": 25, "note": ""}]
    inputs = [
        tensor("age", np.array([[row["age"]] for row in rows], dtype=np.int64), "INT64", binary_in),
        tensor("job", [row["job"] for row in rows], "BYTES", binary_in),
        tensor("married", np.array([row["married"] for row in rows]), "BOOL", binary_in),
        tensor("since", [row["since"] for row in rows], "BYTES", binary_in),
        tensor("note", [row["note"] for row in rows], "BYTES", binary_in),
    ]
    names = [each["name"] for each in client.get_model_metadata("people")["outputs"]]
    wanted = [tritonclient.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    found = client.infer("people", inputs, request_id="mine", outputs=None if binary_out is None else wanted)
    expected = ask.json("POST", "/v1/people/predict", rows)
    assert found.get_response()["id"] == "mine"
    assert found.get_response()["parameters"]["model"] == expected["model"]
    labels = [each.decode() if isinstance(each, bytes) else each for each in found.as_numpy("label").tolist()]
    assert labels == [each["label"] for each in expected["predictions"]]
    shares = [list(each["probabilities"].values()) for each in expected["predictions"]]
    assert found.as_numpy("probabilities").tolist() == shares
    sets = [[label in each["labels"] for label in each["probabilities"]] for each in expected["predictions"]]
    assert found.as_numpy("labels").tolist() == sets


def test_missing_cells(client: Any, ask: Asker) -> None:
    ages = tensor("age", np.array([np.nan, 61.0]), "FP64")
    found = client.infer("people", [ages]).as_numpy("probabilities").tolist()
    expected = ask.json("POST", "/v1/people/predict", [{"age": None}, {"age": 61}])["predictions"]
    assert found == [list(each["probabilities"].values()) for each in expected]
    inputs = [{"name": "age", "shape": [2], "datatype": "FP64", "data": [None, 61.0]}]
    (output,) = ask.json("POST", INFER, {"inputs": inputs, "outputs": [{"name": "probabilities"}]})["outputs"]
    assert np.reshape(output["data"], output["shape"]).tolist() == found


def test_rows_as_objects_and_values_with_intervals(client: Any, ask: Asker) -> None:
    rows = tensor("rows", [json.dumps(PERSON), json.dumps({"age": 61})], "BYTES")
    found = client.infer("hours", [rows])
    expected = ask.json("POST", "/v1/hours/predict", [PERSON, {"age": 61}])["predictions"]
    assert found.as_numpy("value").tolist() == [each["value"] for each in expected]
    assert found.as_numpy("interval").tolist() == [each["interval"] for each in expected]


def test_mail_texts_and_images(client: Any, ask: Asker) -> None:
    raw = message("spam", 12) + b"\xff\xfe"
    found = client.infer("inbox", [tensor("content", [[raw]], "BYTES")])
    expected = ask.json("POST", "/v1/inbox/predict", raw, "message/rfc822")
    assert found.as_numpy("verdict").tolist() == [expected["verdict"].encode()]
    found = client.infer("topics", [tensor("content", ["free money", "soup"], "BYTES", binary=False)])
    assert found.as_numpy("label").shape == (2,)
    found = client.infer("colours", [tensor("content", [picture("red"), picture("blue")], "BYTES")])
    assert found.as_numpy("label").tolist() == [b"red", b"blue"]
    assert found.as_numpy("novelty").shape == (2,)
    raw_pixels = np.stack([pixels("red", 900), pixels("blue", 900)])
    seen = client.infer("colours", [tensor("pixels", raw_pixels, "UINT8")])
    assert seen.as_numpy("probabilities").tolist() == found.as_numpy("probabilities").tolist()


def test_client_is_told_what_is_wrong(client: Any) -> None:
    with pytest.raises(tritonclient.InferenceServerException, match="no input 'size'"):
        client.infer("people", [tensor("size", np.array([1.0]), "FP64")])
    with pytest.raises(tritonclient.InferenceServerException, match="not served"):
        client.infer("people", [tensor("age", np.array([1.0]), "FP64")], model_version="000000000000")


AGE = {"name": "age", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"inputs": []}, "no inputs"),
        ({"inputs": {}}, "list of inputs"),
        ({"inputs": [7]}, "object"),
        ({"inputs": [AGE, AGE]}, "twice"),
        ({"inputs": [AGE | {"name": 7}]}, "no name"),
        ({"inputs": [AGE | {"datatype": "FP8"}]}, "datatype"),
        ({"inputs": [AGE | {"datatype": ["FP64"]}]}, "datatype"),
        ({"inputs": [AGE | {"shape": [3]}]}, "3 elements"),
        ({"inputs": [AGE | {"shape": []}]}, "shape"),
        ({"inputs": [AGE | {"shape": [-2]}]}, "shape"),
        ({"inputs": [AGE | {"shape": [2.0]}]}, "shape"),
        ({"inputs": [AGE | {"shape": [1, 2]}]}, "[n, 1]"),
        ({"inputs": [AGE | {"shape": [0], "data": []}]}, "no rows"),
        ({"inputs": [AGE | {"data": ["a", "b"]}]}, "of type FP64"),
        ({"inputs": [AGE | {"data": [[1.0], [2.0, 3.0]], "shape": [2, 1]}]}, "elements"),
        ({"inputs": [AGE | {"data": None}]}, "list"),
        ({"inputs": [{k: v for k, v in AGE.items() if k != "data"}]}, "no data"),
        ({"inputs": [AGE | {"datatype": "INT8", "data": [1, 300]}]}, "fit into INT8"),
        ({"inputs": [AGE | {"datatype": "INT8", "data": [1, 2.0]}]}, "of type INT8"),
        ({"inputs": [AGE | {"datatype": "BYTES", "data": ["a", "b"]}]}, "cannot be read"),
        ({"inputs": [AGE, AGE | {"name": "married", "shape": [1], "data": [1.0]}]}, "different lengths"),
        ({"inputs": [AGE | {"parameters": {"binary_data_size": 16}}]}, "cut short"),
        ({"inputs": [AGE | {"parameters": {"binary_data_size": -1}}]}, "whole number"),
        ({"inputs": [AGE | {"parameters": {"shared_memory_region": "x"}}]}, "Shared memory"),
        ({"inputs": [{"name": "rows", "shape": [1], "datatype": "BYTES", "data": ["{"]}]}, "no JSON"),
        ({"inputs": [{"name": "rows", "shape": [1], "datatype": "BYTES", "data": ['{"x": 1}']}]}, "Row 0"),
        ({"inputs": [AGE], "outputs": [{"name": "verdict"}]}, "no such output"),
        ({"inputs": [AGE], "outputs": [7]}, "no such output"),
        ({"inputs": [AGE], "outputs": 7}, "list"),
        ({"inputs": [AGE], "outputs": [{"name": "label", "parameters": {"classification": 3}}]}, "binary_data"),
        ({"inputs": [AGE], "outputs": [{"name": "label", "parameters": {"binary_data": 3}}]}, "true or false"),
        ({"inputs": [AGE], "parameters": 7}, "object"),
        ({"inputs": [AGE], "id": 7}, "string"),
    ],
)
def test_refusals_name_what_is_wrong(ask: Asker, changed: dict[str, Any], says: str) -> None:
    error = ask.refused(400, "POST", INFER, changed)
    assert says in error


def test_other_refusals(ask: Asker) -> None:
    assert "50" in ask.refused(413, "POST", INFER, {"inputs": [AGE | {"shape": [51], "data": [1.0] * 51}]})
    for body in (b"", b"x", b"[]", b"[" * 100_000, b'{"inputs": NaN}'):
        assert isinstance(ask.refused(400, "POST", INFER, body), str)
    for path in ("/v2/models/nobody", "/v2/models/people/versions/0", "/v2/models/people/config", "/v2/models", "/v2x"):
        found = ask("GET", path)
        assert found.status == 404
        assert isinstance(json.loads(found.body)["error"], str)
    assert ask("GET", INFER).status == 405
    assert ask("POST", "/v2/models/colours/infer", {"inputs": [
        {"name": "pixels", "shape": [1, 2, 2, 2], "datatype": "UINT8", "data": [0] * 8}
    ]}).status == 400  # fmt: skip
    assert ask("POST", "/v2/models/colours/infer", {"inputs": [
        {"name": "content", "shape": [1], "datatype": "BYTES", "data": ["no image"]}
    ]}).status == 400  # fmt: skip


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "9999", "²", ""])
def test_length_of_the_json_is_checked(ask: Asker, length: str) -> None:
    found = ask("POST", INFER, json.dumps({"inputs": [AGE]}).encode(), Inference_Header_Content_Length=length)
    assert found.status == 400


def test_bytes_are_checked(ask: Asker) -> None:
    def infer(inputs: list[Any], rest: bytes) -> int:
        head = json.dumps({"inputs": inputs}).encode()
        return ask("POST", INFER, head + rest, Inference_Header_Content_Length=str(len(head))).status

    age = {"name": "age", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": 16}}
    job = {"name": "job", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 10}}
    words = struct.pack("<I", 1) + b"a" + struct.pack("<I", 1) + b"b"
    assert infer([age, job], bytes(16) + words) == 200
    assert infer([age], bytes(17)) == 400
    assert infer([age | {"shape": [3]}], bytes(16)) == 400
    assert infer([job], words[:-1] + b"") == 400
    assert infer([job], struct.pack("<I", 1 << 31) + bytes(6)) == 400
    assert infer([job | {"shape": [1]}], words) == 400
    assert infer([job], words[:9] + b"\xff") == 400  # no UTF-8


def test_answers_that_are_not_finite_are_null_in_json() -> None:
    from lithify.deployment.http.tensors import rendered

    assert rendered("interval", np.array([[-np.inf, np.inf]]), False)[0]["data"] == [None, None]


def test_requests_together_are_as_alone(ask: Asker) -> None:
    bodies = [{"inputs": [AGE]}, {"inputs": [AGE | {"data": [30.0, 70.0]}]}, {"inputs": [AGE | {"shape": [9]}]}]
    opened = [ask.open("POST", INFER, body) for body in bodies]
    together = ask.app.answer([each for each in opened if isinstance(each, tuple) and isinstance(each[1], Request)])
    assert [each.status for each in together] == [200, 200, 400]
    assert together == [ask("POST", INFER, body) for body in bodies]


values = (
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats() | st.text(max_size=4) | st.just([]) | st.just({})
)
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["age", "job", "married", "since", "rows", "x"]),
        "shape": st.lists(st.integers(-1, 3), max_size=3) | values,
        "datatype": st.sampled_from(["FP64", "FP16", "INT8", "UINT64", "BOOL", "BYTES", "X"]) | values,
        "data": st.lists(values | st.lists(values, max_size=2), max_size=3) | values,
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "x"]), values) | values,
    },
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inputs=st.lists(tensors, max_size=3) | values, rest=st.binary(max_size=30))
def test_no_request_makes_the_server_fail(ask: Asker, inputs: Any, rest: bytes) -> None:
    head = json.dumps({"inputs": inputs}).encode()
    found = ask("POST", INFER, head + rest, Inference_Header_Content_Length=str(len(head)))
    assert found.status in (200, 400, 413)
    assert found.status == 200 or isinstance(json.loads(found.body)["error"], str)
