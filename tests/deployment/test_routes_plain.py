"""The plain routes: what a person with curl gets, and what is refused with a reason."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import message
from tests.deployment.routed import KINDS, PERSON, Asker, application, files, picture, use_patches

from lithify.deployment.http.app import SLOW
from lithify.deployment.http.message import Response
from lithify.deployment.limits import Limits
from lithify.model.model import open_model


@pytest.fixture(scope="module", autouse=True)
def patches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_patches(patch)
        yield


@pytest.fixture(scope="module")
def ask() -> Asker:
    return Asker(application())


def test_what_is_served(ask: Asker) -> None:
    found = {each["name"]: each for each in ask.json("GET", "/v1")["models"]}
    assert list(found) == list(KINDS)
    assert found["people"]["fields"][1] == {"name": "job", "kind": "category"}
    assert found["topics"]["labels"] == ["ham", "other", "spam"]
    assert all(each["model"].startswith("sha256:") for each in found.values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_model_works(ask: Asker, kind: str) -> None:
    about = ask.json("GET", f"/v1/{kind}")
    found = ask(about["example"]["method"], about["example"]["path"], about["example"]["body"])
    document = json.loads(found.body)
    assert found.status == 200
    assert found.model == document["model"] == about["model"]
    assert document.keys() == {"input", "model", *about["answers"]}
    assert found.rows == 1


@pytest.mark.parametrize("kind", KINDS)
def test_prediction_is_that_of_the_model(ask: Asker, kind: str) -> None:
    model = open_model(files() / f"{kind}.lith")
    given_: dict[str, tuple[Any, Any, str | None]] = {
        "people": (PERSON, PERSON, None),
        "hours": (PERSON, PERSON, None),
        "inbox": (message("spam", 901), message("spam", 901), "message/rfc822"),
        "topics": ("free money", b"free money", "text/plain"),
        "colours": (picture(), picture(), "image/png"),
    }
    plain, body, media = given_[kind]
    (expected,) = model.predict([plain])
    assert ask.json("POST", f"/v1/{kind}/predict", body, media) == expected.to_json() | {"input": ""}
    explained = ask.json("POST", f"/v1/{kind}/explain", body, media)
    wanted = json.loads(json.dumps(model.explain(plain).to_json() | {"input": ""}))
    assert {name: explained[name] for name in wanted} == wanted
    assert ("heat" in explained) == (kind == "colours")


def test_explanation_of_an_image_as_a_picture(ask: Asker) -> None:
    found = ask("POST", "/v1/colours/explain", picture(), "image/png", Accept="image/png")
    assert (found.media, found.body[:4]) == ("image/png", b"\x89PNG")


def test_forms_of_json(ask: Asker) -> None:
    one = ask.json("POST", "/v1/people/predict", PERSON)
    several = {"model": one["model"], "predictions": [one, one]}
    assert ask.json("POST", "/v1/people/predict", [PERSON, PERSON]) == several
    assert ask.json("POST", "/v1/people/predict", {"rows": [PERSON, PERSON]}) == several
    assert ask.json("POST", "/v1/people/predict", [PERSON])["predictions"] == [one]
    noted = {"notes": ["Left out, since unknown: 'more'."]}
    assert ask.json("POST", "/v1/people/predict", PERSON | {"more": [1, {}]}) == one | noted
    assert ask.json("POST", "/v1/people/predict", [PERSON, PERSON | {"more": 1}]) == several | noted
    lines = b"\n".join(json.dumps(row).encode() for row in (PERSON | {"more": 1}, PERSON | {"more": 2}))
    assert ask.json("POST", "/v1/people/predict", lines, "application/x-ndjson")["notes"] == noted["notes"]
    assert ask.json("POST", "/v1/people/explain", PERSON | {"more": 1})["notes"] == noted["notes"]
    said = ask.json("POST", "/v1/topics/predict", {"text": "free money"})
    for body in ("free money", {"message": "free money", "more": 1}):
        assert ask.json("POST", "/v1/topics/predict", body) == said
    assert ask.json("POST", "/v1/topics/predict", ["free money", {"text": "free money"}])["predictions"] == [said] * 2
    encoded = base64.b64encode(picture()).decode()
    shown = ask.json("POST", "/v1/colours/predict", picture(), "image/png")
    for body_ in ({"image": encoded}, {"image": f"data:image/png;base64,{encoded}"}):
        assert ask.json("POST", "/v1/colours/predict", body_) == shown


def test_without_a_type_the_model_decides(ask: Asker) -> None:
    raw = message("ham", 7)
    assert ask.json("POST", "/v1/inbox/predict", raw) == ask.json("POST", "/v1/inbox/predict", raw, "message/rfc822")
    assert ask.json("POST", "/v1/people/predict", json.dumps(PERSON).encode(), "application/x-www-form-urlencoded")
    assert len(ask.json("POST", "/v1/people/predict", b"age,job\n39,clerk\n")["predictions"]) == 1
    assert ask.json("POST", "/v1/colours/predict", picture())["label"]
    assert ask.refused(415, "POST", "/v1/topics/predict", b"a=b", "application/x-www-form-urlencoded")["hint"]


def test_tables_come_in_the_order_of_their_lines(ask: Asker) -> None:
    lines = b"age,job,more\n39,clerk,x\n60,smith,x\nmany,smith,x\n1,2\n25,baker,x\n"
    found = ask.json("POST", "/v1/people/predict", lines, "text/csv; charset=utf-8")
    assert [each["input"] for each in found["predictions"]] == ["-:2", "-:3", "-:4", "-:5", "-:6"]
    assert "problem" in found["predictions"][3]
    assert any("age" in note for note in found["notes"])
    jsonl = b'{"age": 39, "job": "clerk"}\n\n{"age": 60}\n'
    found = ask.json("POST", "/v1/people/predict", jsonl, "application/x-ndjson")
    assert [each["input"] for each in found["predictions"]] == ["-:1", "-:3"]
    one = ask.json("POST", "/v1/people/predict", {"age": 39, "job": "clerk"})
    assert found["predictions"][0] == one | {"input": "-:1"}


def form(**named: bytes) -> tuple[bytes, str]:
    parts = [
        b'--xx\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n' % (name.encode(), data)
        for name, data in named.items()
    ]
    return b"".join(parts) + b"--xx--\r\n", "multipart/form-data; boundary=xx"


def test_files_of_a_form_go_by_their_names(ask: Asker) -> None:
    body = form(one=message("ham", 3), two=message("spam", 4))
    found = ask.json("POST", "/v1/inbox/predict", *body)["predictions"]
    assert [(each["input"], each["label"]) for each in found] == [("one", "ham"), ("two", "spam")]
    body = form(a=picture("red"), bad=b"no image", b=picture("blue"), cut=picture("green")[:-200])
    found = ask.json("POST", "/v1/colours/predict", *body)["predictions"]
    assert [each["input"] for each in found] == ["a", "bad", "b", "cut"]
    assert ["problem" in each for each in found] == [False, True, False, True]
    found = ask.json("POST", "/v1/people/predict", *form(people=b"age,job\n39,clerk\n"))["predictions"]
    assert found[0]["input"] == "people:2"


def test_forms_without_anything_to_judge(ask: Asker) -> None:
    path = "/v1/colours/predict"
    error = ask.refused(422, "POST", path, *form(bad=b"no image", worse=b"none either"))
    assert error["found"].startswith("bad: ")
    assert ask.refused(422, "POST", path, *form(a=picture()[:-200], b=picture("blue")[:-200]))["found"]
    field = b'--xx\r\nContent-Disposition: form-data; name="comment"\r\n\r\nhello\r\n'
    media = "multipart/form-data; boundary=xx"
    assert "no file" in ask.refused(422, "POST", path, field + b"--xx--\r\n", media)["message"]
    found = ask.json("POST", path, field + form(a=picture())[0], media)["predictions"]
    assert [each["input"] for each in found] == ["a"]


def test_one_column_is_a_table(ask: Asker) -> None:
    found = ask.json("POST", "/v1/people/predict", b"age\n39\n61\n", "text/csv")["predictions"]
    assert found[0] == ask.json("POST", "/v1/people/predict", {"age": 39}) | {"input": "-:2"}
    assert len(found) == 2
    error = ask.refused(422, "POST", "/v1/people/predict", b"words\n39\n", "text/csv")
    assert error["message"] == "The body has no records."


def test_fields_that_are_all_unknown(ask: Asker) -> None:
    path = "/v1/people/predict"
    table = ask.refused(422, "POST", path, b"a,b\n1,2\n", "text/csv")
    row = ask.refused(422, "POST", path, {"a": 1, "b": 2})
    assert (table["code"], row["code"]) == ("data", "data")
    assert row["hint"].startswith("See GET /v1/people")


@pytest.mark.parametrize(("body", "media"), [(b"{", "application/json"), (b'{"age": 1}\n{', "application/x-ndjson")])
def test_broken_json_is_told_by_its_code(ask: Asker, body: bytes, media: str) -> None:
    assert ask.refused(400, "POST", "/v1/people/predict", body, media)["code"] == "bad-json"


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"--xx\r\nnonsense", "multipart/form-data; boundary=xx"),
        (b"--xx--\r\n", "multipart/form-data; boundary=xx"),
        (b"hello", "multipart/form-data"),
        (form(a=b"x")[0][:-8], "multipart/form-data; boundary=xx"),
    ],
)
def test_broken_forms_are_refused(ask: Asker, body: bytes, media: str) -> None:
    assert ask("POST", "/v1/inbox/predict", body, media).status in (400, 422)


def test_cells_of_other_types_are_named(ask: Asker) -> None:
    for cell in ("many", [1], {"a": 1}):
        error = ask.refused(422, "POST", "/v1/people/predict", PERSON | {"age": cell})
        assert "'age'" in error["message"]
        assert error["expected"] == "a number"
    error = ask.refused(422, "POST", "/v1/people/predict", [PERSON, PERSON | {"married": "perhaps"}])
    assert error["message"].startswith("Item 1: ")
    assert "'married'" in error["message"]
    assert ask.json("POST", "/v1/people/predict", dict.fromkeys(PERSON))["label"]


@pytest.mark.parametrize(
    ("status", "path", "body", "media"),
    [
        (422, "/v1/people/predict", b"", "application/json"),
        (422, "/v1/people/predict", b"", None),
        (422, "/v1/people/predict", b"{}", "application/json"),
        (422, "/v1/people/predict", b"[]", "application/json"),
        (422, "/v1/people/predict", b"[1]", "application/json"),
        (422, "/v1/people/predict", b"7", "application/json"),
        (422, "/v1/people/predict", b'{"rows": []}', "application/json"),
        (422, "/v1/topics/predict", b'{"words": "x"}', "application/json"),
        (422, "/v1/topics/predict", b'{"text": 7}', "application/json"),
        (422, "/v1/colours/predict", b'{"image": "%%%"}', "application/json"),
        (422, "/v1/colours/predict", b"GIF87a", "image/gif"),
        (400, "/v1/people/predict", b'{"age": NaN}', "application/json"),
        (400, "/v1/people/predict", b'{"age": Infinity}', "application/json"),
        (400, "/v1/people/predict", b'{"job": "\xff"}', "application/json"),
        (400, "/v1/people/predict", b'{"job": "\\ud800"}', "application/json"),
        (400, "/v1/people/predict", b"[" * 100_000, "application/json"),
        (400, "/v1/people/predict", b'{"age":' * 5_000 + b"1" + b"}" * 5_000, "application/json"),
        (400, "/v1/people/predict", b'{"age": 1}\nx', "application/x-ndjson"),
        (422, "/v1/people/predict", b"\n\n", "application/x-ndjson"),
        (415, "/v1/people/predict", b"x", "message/rfc822"),
        (415, "/v1/inbox/predict", b"a,b", "text/csv"),
        (415, "/v1/topics/predict", b"x", "application/pdf"),
        (422, "/v1/people/explain", [PERSON, PERSON], None),
        (422, "/v1/people/explain", b"age\n1\n2\n", "text/csv"),
    ],
)
def test_refusals(ask: Asker, status: int, path: str, body: Any, media: str | None) -> None:
    error = ask.refused(status, "POST", path, body, media)
    assert error["message"]
    if status == 415:
        assert "application/json" in error["expected"]


@pytest.mark.parametrize("number", ["1e400", "9" * 400, "-" + "9" * 30, str(2**64), "1e-400"])
def test_numbers_of_any_size(ask: Asker, number: str) -> None:
    assert ask("POST", "/v1/people/predict", b'{"age": %s}' % number.encode(), "application/json").status in (200, 400)


def test_cut_image_alone_is_refused(ask: Asker) -> None:
    assert ask.refused(422, "POST", "/v1/colours/predict", picture()[:-200], "image/png")["found"]
    assert ask.refused(422, "POST", "/v1/colours/explain", picture()[:-200], "image/png")["found"]


def test_too_many_rows() -> None:
    ask = Asker(application(Limits(rows=3), kinds=("people", "inbox")))
    assert len(ask.json("POST", "/v1/people/predict", [PERSON] * 3)["predictions"]) == 3
    for body, media in (
        ([PERSON] * 4, None),
        (b'{"age": 1}\n' * 4, "application/x-ndjson"),
        (b"age,job\n" + b"1,a\n" * 4, "text/csv"),
    ):
        assert ask.refused(413, "POST", "/v1/people/predict", body, media)["hint"]
    assert ask("POST", "/v1/inbox/predict", *form(a=b"x", b=b"x", c=b"x", d=b"x")).status == 413


def test_methods(ask: Asker) -> None:
    found = ask("GET", "/v1/people/predict")
    assert (found.status, found.headers) == (405, (("Allow", "POST, OPTIONS"),))
    found = ask("DELETE", "/v1/people")
    assert (found.status, found.headers) == (405, (("Allow", "GET, HEAD, OPTIONS"),))
    found = ask("OPTIONS", "/v1/people")
    assert (found.status, found.headers) == (204, (("Allow", "GET, HEAD, OPTIONS"),))
    assert ask("HEAD", "/v1/people").body == ask("GET", "/v1/people").body


@pytest.mark.parametrize(
    "path", ["/v1/", "/v1/nobody", "/v1/people/other", "/v3", "/v1/people/predict/", "//", "/v1//predict"]
)
def test_there_is_nothing_else(ask: Asker, path: str) -> None:
    assert ask.refused(404, "GET", path)["code"] == "not-found"


def test_what_takes_long_is_answered_beside_the_loop(ask: Asker) -> None:
    def slow(*asked: Any, **more: Any) -> bool:
        opened = ask.open(*asked, **more)
        assert not isinstance(opened, Response)
        return opened[0].slow

    assert not slow("POST", "/v1/people/predict", PERSON)
    assert not slow("POST", "/v1/inbox/predict", message("ham", 1), "message/rfc822")
    assert slow("POST", "/v1/people/predict", b" " * (SLOW + 1), "application/json")
    assert slow("POST", "/v1/people/predict", b"age\n1", "text/csv")
    assert slow("POST", "/v1/people/explain", PERSON)
    assert slow("POST", "/v1/colours/predict", picture(), "image/png")
    assert slow("POST", "/v1/people/predict", transfer_encoding="chunked")


def test_compressed_bodies_are_not_read(ask: Asker) -> None:
    assert ask.refused(415, "POST", "/v1/people/predict", b"\x1f\x8b", "application/json", Content_Encoding="gzip")


def test_requests_that_came_together_do_not_harm_each_other(ask: Asker) -> None:
    bodies: list[tuple[str, Any, str | None, int]] = [
        ("people", PERSON, None, 200),
        ("inbox", message("spam", 4), "message/rfc822", 200),
        ("people", {"age": "many"}, None, 422),
        ("people", [PERSON, {"age": 61, "job": "smith"}], None, 200),
        ("colours", picture("red"), "image/png", 200),
        ("colours", picture("red")[:-200], "image/png", 422),
        ("topics", "free", None, 200),
        ("colours", picture("blue"), "image/png", 200),
    ]
    opened = [ask.open("POST", f"/v1/{kind}/predict", body, media) for kind, body, media, _ in bodies]
    together = ask.app.answer([each for each in opened if not isinstance(each, Response)])
    assert [each.status for each in together] == [status for *_, status in bodies]
    for found, (kind, body, media, _) in zip(together, bodies, strict=True):
        assert found == ask("POST", f"/v1/{kind}/predict", body, media)


lists = st.lists(st.integers(), max_size=2)
cells = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | lists
MEDIA = ["", "application/json", "text/csv", "text/plain", "image/png", "multipart/form-data; boundary=x", "\xff/x"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.sampled_from([*PERSON, "other"]), cells) | st.lists(cells, max_size=3))
def test_no_row_makes_the_server_fail(ask: Asker, body: Any) -> None:
    found = ask("POST", "/v1/people/predict", body)
    assert found.status in (200, 400, 422)
    json.loads(found.body)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from(KINDS),
    verb=st.sampled_from(["predict", "explain"]),
    media=st.sampled_from(MEDIA),
)
def test_no_bytes_make_the_server_fail(ask: Asker, body: bytes, kind: str, verb: str, media: str) -> None:
    found = ask("POST", f"/v1/{kind}/{verb}", body, media)
    assert found.status < 500
    assert b"Traceback" not in found.body
