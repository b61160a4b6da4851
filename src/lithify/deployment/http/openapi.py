"""``/openapi.json``: an OpenAPI 3.1 document of the models that are served, with their fields and labels."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from lithify.deployment.http import bodies, examples, inference, plain, schemas
from lithify.deployment.http.message import Response
from lithify.deployment.http.schemas import ref
from lithify.deployment.service import Deployed

_ABOUT: Final = (
    "Sealed models: trained once, never changed, replaced only on purpose. Every answer names the model that gave it "
    "by its digest, in its body and as `Lithify-Model`. `/v1` is for people and curl, `/v2` is the Open Inference "
    "Protocol."
)
_REFUSED: Final = {
    "400": "The request cannot be meant.",
    "401": "No token, or an unknown one.",
    "403": "The token is not for this model.",
    "404": "There is no such model.",
    "405": "There is no such method.",
    "408": "The request did not arrive in time.",
    "413": "The body is too large, or holds too many rows.",
    "415": "The model does not read such bodies.",
    "422": "Something in the body cannot be judged.",
    "429": "Too many requests of one client at a time.",
    "431": "The headers are too large.",
    "500": "The server failed.",
    "503": "The server has too much to do, or is stopping.",
}


def response(some: Sequence[Deployed], closed: bool) -> Response:
    """``GET /openapi.json``."""
    return Response(body=plain.dump(document(some, closed)))


def document(some: Sequence[Deployed], closed: bool) -> dict[str, Any]:
    """The document.

    Parameters
    ----------
    some : sequence of Deployed
        The models that it tells of.
    closed : bool
        Whether a token is asked for.
    """
    paths: dict[str, Any] = _fixed()
    held: dict[str, Any] = dict(schemas.COMMON)
    for deployed in some:
        held |= schemas.of_model(deployed)
        paths |= _plain(deployed) | _protocol(deployed)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lithify", "version": version("lithify"), "description": _ABOUT},
        "security": [{"bearer": []}] if closed else [],
        "paths": paths,
        "components": {
            "schemas": held,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "Made by `lithify token NAME`."}
            },
        },
    }


def _fixed() -> dict[str, Any]:
    """The paths that are about no model."""
    text = {"200": {"description": "Text for Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    page = {"200": {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}}
    ready = _good("Whether all models are there.", ref("Ready"))
    busy = {"503": ready["200"] | {"description": "Not yet, or no longer."}}
    return {
        "/": {"get": _asked("page", "A page to try the models on.", page) | {"security": []}},
        "/openapi.json": {"get": _open("openapi", "This document.", {"type": "object"})},
        "/metrics": {"get": _asked("metrics", "Numbers for Prometheus.", text)},
        "/v1": {"get": _get("models", "The models that are served.", ref("Models"))},
        "/v2": {"get": _get("server", "The server.", ref("Server"), protocol=True)},
        "/v2/health/live": {"get": _open("live", "Whether the server lives.", ref("Live"), protocol=True)},
        "/v2/health/ready": {
            "get": _asked("ready", "Whether all models are there.", ready, protocol=True, more=busy) | {"security": []}
        },
    }


def _plain(deployed: Deployed) -> dict[str, Any]:
    """The plain paths of a model."""
    name, says = deployed.name, _says(deployed)
    explained = _good("The explanation.", ref(f"{name}.Explanation"))
    if deployed.model.kind == "image":
        explained["200"]["content"]["image/png"] = {"schema": {"type": "string", "format": "binary"}}
    judged = _good("One prediction for one input, a list for several.", ref(f"{name}.Predicted"))
    return {
        f"/v1/{name}": {"get": _get(f"about.{name}", says, ref("Model"))},
        f"/v1/{name}/predict": {
            "post": _asked(f"predict.{name}", says, judged, body=_body(deployed, f"{name}.Inputs", some=True))
        },
        f"/v1/{name}/explain": {
            "post": _asked(
                f"explain.{name}", "What pushed a prediction which way.", explained,
                body=_body(deployed, f"{name}.Input", some=False),
            )
        },
    }  # fmt: skip


def _protocol(deployed: Deployed) -> dict[str, Any]:
    """The paths of a model in the Open Inference Protocol, with its version and without."""
    name, at = deployed.name, inference.version(deployed)
    inferred = _good("The outputs.", ref("InferenceResponse"))
    inferred["200"]["content"]["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    request = {"required": True, "content": {bodies.JSON: {"schema": ref(f"{name}.InferenceRequest")}}}
    paths: dict[str, Any] = {}
    for start, which in ((f"/v2/models/{name}", name), (f"/v2/models/{name}/versions/{at}", f"{name}.{at}")):
        paths[start] = {"get": _get(f"metadata.{which}", "Inputs and outputs.", ref("Metadata"), protocol=True)}
        paths[f"{start}/ready"] = {"get": _get(f"ready.{which}", "Whether it serves.", ref("Ready"), protocol=True)}
        paths[f"{start}/infer"] = {
            "post": _asked(f"infer.{which}", _says(deployed), inferred, body=request, protocol=True)
        }
    return paths


def _says(deployed: Deployed) -> str:
    labels = deployed.model.labels
    what = f"one of {', '.join(labels[:20])}{', …' if len(labels) > 20 else ''}" if labels else "a value"
    return f"{deployed.name} tells {what} of {schemas.WORDS[deployed.model.kind]}."


def _body(deployed: Deployed, schema: str, some: bool) -> dict[str, Any]:
    """The media types of a body; without ``some`` those that hold one input."""
    model = deployed.model
    content: dict[str, Any] = {}
    for media in bodies.READS[model.kind]:
        if media == bodies.JSON:
            content[media] = {"schema": ref(schema), "example": examples.body(model)}
        elif media == bodies.PARTS:
            file = {"type": "string", "format": "binary"}
            files: dict[str, Any] = {"type": "array", "items": file} if some else file
            content[media] = {"schema": {"type": "object", "properties": {"file": files}, "required": ["file"]}}
        elif some or media not in (bodies.LINES, bodies.CSV):
            content[media] = {"schema": {"type": "string", "minLength": 1}}
    return {"required": True, "content": content}


def _get(identifier: str, summary: str, schema: dict[str, Any], protocol: bool = False) -> dict[str, Any]:
    return _asked(identifier, summary, _good(summary, schema), protocol=protocol)


def _open(identifier: str, summary: str, schema: dict[str, Any], protocol: bool = False) -> dict[str, Any]:
    """A way that takes no token."""
    return _get(identifier, summary, schema, protocol) | {"security": []}


def _asked(
    identifier: str,
    summary: str,
    good: dict[str, Any],
    *,
    body: dict[str, Any] | None = None,
    protocol: bool = False,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One operation with all of its responses."""
    error = {"content": {bodies.JSON: {"schema": ref("PlainError" if protocol else "Error")}}}
    refused = {status: {"description": words, **error} for status, words in _REFUSED.items()}
    operation = {"operationId": identifier, "summary": summary, "responses": refused | good | (more or {})}
    return operation if body is None else operation | {"requestBody": body}


def _good(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"200": {"description": description, "content": {bodies.JSON: {"schema": schema}}}}
