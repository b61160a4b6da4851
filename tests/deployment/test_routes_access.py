"""Who may go where: tokens, scopes, and what is open to all; one model in the whole of an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.deployment.routed import PERSON, Asker, application, files

from lithify.deployment.guard import Guard
from lithify.deployment.http.app import App
from lithify.deployment.service import Deployed
from lithify.model.model import open_model
from lithify.store.home import Home
from lithify.store.tokens import Token, Tokens

BEARER = 'Bearer realm="lithify"'


class Scoped(Guard):
    """Scopes by the names of files, which are no aliases of a home."""

    def allow(self, token: Token | None, alias: str) -> None:
        super().allow(token, f"{alias}@production")


@pytest.fixture
def secret(home: Home) -> str:
    return Tokens(home.catalog).add("one", ["people"])


@pytest.fixture
def ask(home: Home, secret: str) -> Asker:
    return Asker(application(guard=Scoped(Tokens(home.catalog), True), kinds=("people", "hours")))


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/openapi.json", "/v2/health/live", "/v2/health/ready"])
def test_open_to_all(ask: Asker, path: str) -> None:
    assert ask("GET", path).status == 200


@pytest.mark.parametrize(
    "path", ["/v1", "/metrics", "/v1/people", "/v1/nobody", "/v2", "/v2/models/people", "/nowhere"]
)
def test_all_else_asks_for_a_token(ask: Asker, secret: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer lith_wrong"}, {"Authorization": f"Basic {secret}"}):
        found = ask("GET", path, **headers)
        assert (found.status, dict(found.headers)["WWW-Authenticate"]) == (401, BEARER)
        assert isinstance(json.loads(found.body)["error"], str if path.startswith("/v2") else dict)


def test_token_opens_what_it_is_for(ask: Asker, secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}"}
    assert [each["name"] for each in ask.json("GET", "/v1", **headers)["models"]] == ["people"]
    assert ask("POST", "/v1/people/predict", PERSON, **headers).status == 200
    assert ask("POST", "/v1/hours/predict", PERSON, **headers).status == 403
    assert ask("GET", "/v2/models/hours", **headers).status == 403
    opened = ask.open("POST", "/v1/people/predict", PERSON, **headers)
    assert isinstance(opened, tuple)
    assert opened[0].client == "one"


class Swapping:
    """A service whose model changes every time it is asked for one."""

    def __init__(self, models: Sequence[Any]) -> None:
        self.models, self.count = models, 0

    def get(self, alias: str) -> Deployed:
        self.count += 1
        model = self.models[self.count % 2]
        return Deployed("people@production", "people", model, model.digest, 0.0)

    def all(self) -> list[Deployed]:
        return [self.get("people")]

    def ready(self) -> bool:
        return True


def test_an_answer_is_wholly_of_one_model() -> None:
    models = [open_model(files() / f"{kind}.lith") for kind in ("people", "hours")]
    base = application(kinds=("people",))
    ask = Asker(App(Swapping(models), Guard(None, False), base.limits, base.instruments))  # type: ignore[arg-type]
    seen = set()
    for _ in range(3):
        opened = [each for _ in range(5) if isinstance(each := ask.open("POST", "/v1/people/predict", PERSON), tuple)]
        for found in ask.app.answer(opened):
            document = json.loads(found.body)
            assert document["model"] == found.model
            assert ("value" in document) == (found.model == models[1].digest)
            seen.add(found.model)
    assert len(seen) == 2


def test_metrics_count_what_was_answered() -> None:
    ask = Asker(application(kinds=("people",)))
    opened = ask.open("POST", "/v1/people/predict", PERSON)
    assert isinstance(opened, tuple)
    (found,) = ask.app.answer([opened])
    ask.app.observe(opened[0], opened[1].head, found, 0.001)
    told = ask("GET", "/metrics").body.decode()
    assert 'lithify_requests_total{route="predict",alias="people",status="200"} 1' in told
    assert f'lithify_decisions_total{{alias="people",decision="{json.loads(found.body)["label"]}"}} 1' in told
