"""The OpenAPI document: sound, true of what the routes do, and silent to those without a token."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from tests.deployment.routed import PERSON, Asker, application, use_patches
from tests.deployment.served import serving

from lithify.deployment.guard import Guard
from lithify.deployment.limits import Limits
from lithify.store.home import Home
from lithify.store.tokens import Tokens

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")
KINDS = ("people", "inbox", "colours")


@pytest.fixture(scope="module", autouse=True)
def patches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_patches(patch)
        yield


@pytest.fixture(scope="module")
def ask() -> Asker:
    return Asker(application(kinds=KINDS))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    limits = Limits(rows=20)
    with serving(limits, application(limits, kinds=KINDS)) as served:
        yield f"http://127.0.0.1:{served.port}"


@pytest.fixture(scope="module")
def fuzzed(address: str) -> Any:
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


TOTAL = []
TRUE = (
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_routes_do_what_the_document_says(fuzzed: Any, mode: Any) -> None:
    tried = 0
    for found in fuzzed.get_all_operations():
        tried += _fuzz(found.ok(), mode)
    assert tried > 25; print("TRIED", len(TOTAL))


def _fuzz(operation: Any, mode: Any) -> int:
    """Sends what fits the document, or what does not, and checks every answer; 0 where there is nothing to vary."""
    count = 0

    @settings(max_examples=250, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(case=operation.as_strategy(generation_mode=mode))
    def fuzz(case: Any) -> None:
        nonlocal count
        count += 1
        TOTAL.append(1)
        case.call_and_validate(checks=TRUE)

    with contextlib.suppress(Unsatisfiable):
        fuzz()
    return count


def test_it_tells_fields_labels_and_media_types(ask: Asker) -> None:
    document = ask.json("GET", "/openapi.json")
    assert document["openapi"].startswith("3.1")
    row = document["components"]["schemas"]["people.Input"]["properties"]
    assert list(row) == sorted(PERSON)
    labels = document["components"]["schemas"]["people.Prediction"]["properties"]["label"]
    assert labels == {"enum": ["poor", "rich"]}
    operation = document["paths"]["/v1/inbox/predict"]["post"]
    assert "message/rfc822" in operation["requestBody"]["content"]
    assert {"400", "401", "403", "404", "405", "413", "415", "422", "429", "503"} <= operation["responses"].keys()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_every_reference_leads_somewhere_and_every_operation_has_a_name(ask: Asker) -> None:
    document = ask.json("GET", "/openapi.json")
    text = json.dumps(document)
    names = [each.split('"')[0] for each in text.split("#/components/schemas/")[1:]]
    assert set(names) <= document["components"]["schemas"].keys()
    identifiers = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(identifiers) == len(set(identifiers))


def test_examples_are_answered(ask: Asker) -> None:
    document = ask.json("GET", "/openapi.json")
    for kind in KINDS:
        content = document["paths"][f"/v1/{kind}/predict"]["post"]["requestBody"]["content"]
        assert ask("POST", f"/v1/{kind}/predict", content["application/json"]["example"]).status == 200


def test_without_a_token_it_names_no_model(home: Home) -> None:
    tokens = Tokens(home.catalog)
    secret = tokens.add("one", ["people"])
    ask = Asker(application(guard=Guard(tokens, True), kinds=KINDS))
    document = ask.json("GET", "/openapi.json")
    assert not [path for path in document["paths"] if "people" in path or "inbox" in path]
    assert not [name for name in document["components"]["schemas"] if "." in name]
    assert document["security"] == [{"bearer": []}]
    assert document["paths"]["/v1"]
    assert "/v1/people" not in ask.json("GET", "/openapi.json", Authorization="Bearer wrong")["paths"]
    told = ask.json("GET", "/openapi.json", Authorization=f"Bearer {secret}")["paths"]
    assert "/v1/inbox" not in told
