"""The plain routes, ``/v1``: what is served, predictions and explanations, for people and for curl."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from lithify.deployment.http import bodies, examples
from lithify.deployment.http.instruments import NOT_ONE
from lithify.deployment.http.judging import Judged, Task, judge
from lithify.deployment.http.message import Head, Request, Response
from lithify.deployment.service import Deployed
from lithify.errors import DataError
from lithify.evaluation import heat, words
from lithify.model.explain import Explanation
from lithify.model.prediction import Prediction, predictions

_PNG = "image/png"


def dump(document: Any) -> bytes:
    r"""A document as JSON; what no UTF-8 can hold is written out.

    >>> dump({"p": 0.5, "text": "\udce9"})
    b'{"p": 0.5, "text": "\\udce9"}'
    """
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return json.dumps(document).encode()


def about(deployed: Deployed) -> dict[str, Any]:
    """What a client has to know to use a model: its names, what it judges and what it says."""
    model = deployed.model
    return {
        "name": deployed.name,
        "alias": deployed.alias,
        "model": deployed.digest,
        "kind": model.kind,
        "task": model.task,
        "labels": list(model.labels),
        "fields": [{"name": one.name, "kind": one.kind} for one in model.fields],
        "since": deployed.since,
    }


def served(some: Iterable[Deployed]) -> Response:
    """``GET /v1``: all models that the client may use."""
    return Response(body=dump({"models": [about(deployed) for deployed in some]}))


def described(deployed: Deployed) -> Response:
    """``GET /v1/{alias}``: the facts of its card, and an example that can be sent as it is."""
    model = deployed.model
    card = model.card
    facts = {
        "learner": model.draft.learner_name,
        "rows": card["data"]["rows"],
        "split": card["data"]["split"]["rule"],
        "period": card["data"]["period"],
        "test": card["test"],
        "limits": card["limits"],
    }
    document = about(deployed) | {
        "reads": list(bodies.READS[model.kind]),
        "answers": answers(deployed),
        "example": {"method": "POST", "path": f"/v1/{deployed.name}/predict", "body": examples.body(model)},
        "values": examples.values(model),
        "card": facts,
    }
    return Response(body=dump(document), alias=deployed.alias, model=deployed.digest)


def answers(deployed: Deployed) -> list[str]:
    """Which of its keys a prediction of this model has besides ``input`` and ``model``."""
    model = deployed.model
    if model.task == "regression":
        return ["value"] + (["interval"] if model.conformal else [])
    optional = {"verdict": model.cutoffs, "labels": model.conformal, "novelty": model.novelty}
    return ["label", "probabilities"] + [name for name, has in optional.items() if has is not None]


def predict(deployed: Deployed, request: Request, most: int) -> Task:
    """``POST /v1/{alias}/predict``."""
    return Task(deployed, bodies.read(deployed.model, request.head, request.body, most), _predicted)


def _predicted(task: Task, judged: Judged) -> Response:
    """One document for one input, as ``lithify predict --json`` prints it; a list of them for several."""
    deployed, given = task.deployed, task.given
    found = list(predictions(deployed.model.draft, deployed.digest, given.names, *judged))
    documents = [each.to_json() for each in found]
    return Response(
        body=dump(documents[0] | _notes(given) if given.one else _several(deployed, given, documents)),
        alias=deployed.alias,
        model=deployed.digest,
        rows=len(found),
        decisions=decisions(found),
    )


def _several(deployed: Deployed, given: bodies.Given, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """All documents in the order of the inputs, with a problem in the place of each that cannot be judged."""
    for place, name, why in given.problems:
        documents.insert(place, {"input": name, "problem": why})
    return {"model": deployed.digest, "predictions": documents, **_notes(given)}


def _notes(given: bodies.Given) -> dict[str, list[str]]:
    """Only where there are any, so that an answer is else what ``lithify predict --json`` prints."""
    return {"notes": given.notes} if given.notes else {}


def decisions(found: Iterable[Prediction]) -> dict[str, int]:
    """How many got which verdict, or label where there are no verdicts; empty in regression.

    Under :data:`lithify.deployment.http.instruments.NOT_ONE` those whose set does not hold exactly one label.
    """
    counts: dict[str, int] = {}
    for each in found:
        said = each.verdict or each.label
        if said is None:
            continue
        counts[said] = counts.get(said, 0) + 1
        if each.verdict is None and each.labels is not None and len(each.labels) != 1:
            counts[NOT_ONE] = counts.get(NOT_ONE, 0) + 1
    return counts


def explain(deployed: Deployed, request: Request) -> Response:
    """``POST /v1/{alias}/explain``: which parts of one input pushed which way.

    Of an image also ``heat``, the weights of its cells row by row; or, where PNG is asked for, a drawing of them.
    """
    model = deployed.model
    given = bodies.read(model, request.head, request.body, 2)
    if len(given.contents) != 1 or given.problems:
        found = given.problems[0][2] if given.problems else "several"
        raise DataError("One input is explained at a time.", found=found, hint="Send it alone.")
    (content,) = given.contents
    if model.kind == "image":
        judge(model.draft, replace(given, one=True))
    found_ = model.explain_content(content, given.names[0])
    answer = Response(alias=deployed.alias, model=deployed.digest, rows=1, decisions=decisions([found_.prediction]))
    if model.kind != "image":
        answer.body = dump(found_.to_json() | _notes(given))
        return answer
    cells = len(model.draft.features.spans(model.draft.features_state, content))
    weights = heat.grid({item.start: item.weight for item in found_.items}, cells)
    if _wants_png(request.head):
        answer.media, answer.body = _PNG, heat.drawing(content, weights, *_titles(found_))
    else:
        answer.body = dump(found_.to_json() | {"heat": weights.tolist()})
    return answer


def _wants_png(head: Head) -> bool:
    """Whether PNG is named in ``Accept`` and JSON is not."""
    accept = head.headers.get("accept", "")
    return _PNG in accept and bodies.JSON not in accept


def _titles(found: Explanation) -> tuple[str, str, str]:
    p = found.prediction
    if p.label is None:
        return words.value(p.value or 0.0), "", "more"
    warning = "unlike anything it was trained on" if p.unlike else ""
    return f"{p.label}  {words.percent(p.probabilities[p.label])}", warning, found.label or p.label
