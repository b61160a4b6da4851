"""JSON schemas of what the routes take and give, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from lithify.data.schema import Field
from lithify.deployment.http import inference, tensors
from lithify.deployment.service import Deployed
from lithify.model.model import Model

Schema = dict[str, Any]

WORDS: Final = {"table": "rows of a table", "mail": "mail", "text": "texts", "image": "images"}
_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "number"}
_DIGEST: Final[Schema] = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
_CELLS: Final[dict[str, Schema]] = {
    "number": {"type": ["number", "null"], "description": "A number; as a string it is read as in a CSV."},
    "boolean": {"type": ["boolean", "null"]},
    "category": {"type": ["string", "null"]},
    "text": {"type": ["string", "null"]},
    "time": {
        "type": ["string", "number", "null"],
        "description": "A date or time such as 2024-01-31T12:00:00Z, or seconds since 1970.",
    },
}


def ref(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: Schema, optional: tuple[str, ...] = ()) -> Schema:
    """An object that has all of its properties but the optional ones.

    >>> record({"a": {"type": "string"}})["required"]
    ['a']
    """
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def listed(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


_MODEL: Final[Schema] = {
    "name": _TEXT,
    "alias": _TEXT,
    "model": _DIGEST,
    "kind": {"enum": list(WORDS)},
    "task": {"enum": ["classification", "regression"]},
    "labels": listed(_TEXT),
    "fields": listed(record({"name": _TEXT, "kind": {"enum": list(_CELLS)}})),
    "since": _NUMBER,
}
_TENSOR: Final[Schema] = record({"name": _TEXT, "datatype": _TEXT, "shape": listed({"type": "integer"})})
_OBJECT: Final[Schema] = {"type": "object"}

COMMON: Final[dict[str, Schema]] = {
    "Error": record(
        {
            "error": record(
                {"code": _TEXT, "message": _TEXT, "expected": _TEXT, "found": _TEXT, "hint": _TEXT},
                optional=("expected", "found", "hint"),
            )
        }
    ),
    "PlainError": record({"error": _TEXT}),
    "Models": record({"models": listed(record(_MODEL))}),
    "Model": record(
        _MODEL
        | {
            "reads": listed(_TEXT),
            "answers": listed(_TEXT),
            "example": record({"method": _TEXT, "path": _TEXT, "body": _OBJECT}),
            "values": _OBJECT,
            "card": _OBJECT,
        }
    ),
    "Server": record({"name": _TEXT, "version": _TEXT, "extensions": listed(_TEXT)}),
    "Live": record({"live": {"type": "boolean"}}),
    "Ready": record({"name": _TEXT, "ready": {"type": "boolean"}}, optional=("name",)),
    "Metadata": record(
        {
            "name": _TEXT,
            "versions": listed(_TEXT),
            "platform": _TEXT,
            "inputs": listed(_TENSOR),
            "outputs": listed(_TENSOR),
            "parameters": record({"model": _DIGEST}),
        }
    ),
    "InferenceResponse": record(
        {
            "model_name": _TEXT,
            "model_version": _TEXT,
            "id": _TEXT,
            "parameters": record({"model": _DIGEST}),
            "outputs": listed(_TENSOR),
        },
        optional=("id",),
    ),
    "Problem": record({"input": _TEXT, "problem": _TEXT}),
    "Contribution": record(
        {"channel": _TEXT, "text": _TEXT, "weight": _NUMBER, "start": {"type": "integer"}, "end": {"type": "integer"}}
    ),
}
"""Schemas that are the same for every server."""


def of_model(deployed: Deployed) -> dict[str, Schema]:
    """The schemas of one model, by their names."""
    name, model = deployed.name, deployed.model
    prediction = _prediction(model)
    each = {"anyOf": [record(prediction), ref("Problem")]}
    several = record({"model": _DIGEST, "predictions": listed(each), "notes": listed(_TEXT)}, optional=("notes",))
    alone = record(prediction | {"notes": listed(_TEXT)}, optional=("notes",))
    return {
        f"{name}.Input": _input(model),
        f"{name}.Inputs": _inputs(name, model),
        f"{name}.Prediction": alone,
        f"{name}.Predicted": {"anyOf": [ref(f"{name}.Prediction"), several]},
        f"{name}.Explanation": _explanation(model, prediction),
        f"{name}.InferenceRequest": _request(model),
    }


def _input(model: Model) -> Schema:
    if model.kind == "table":
        return _row(model.fields)
    if model.kind == "image":
        return record({"image": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/*"}})
    key = "message" if model.kind == "mail" else "text"
    return record({key: {"type": "string", "description": "A whole message." if model.kind == "mail" else "A text."}})


def _row(fields: tuple[Field, ...]) -> Schema:
    properties = {one.name: _CELLS[one.kind] for one in fields}
    return {
        "type": "object",
        "properties": properties,
        "minProperties": 1,
        "description": "A cell for each field; what is not there is missing, what is no field is left out, and noted.",
    }


def _inputs(name: str, model: Model) -> Schema:
    one = ref(f"{name}.Input")
    several = listed(one) | {"minItems": 1}
    rows = [record({"rows": several})] if model.kind == "table" else []
    return {"anyOf": [one, several, *rows]}


def _prediction(model: Model) -> Schema:
    """The properties of one prediction; those that the model does not say are not there."""
    said: Schema = {"input": _TEXT, "model": _DIGEST}
    if model.task == "regression":
        end = {"type": ["number", "null"]}
        interval = {"interval": listed(end) | {"minItems": 2, "maxItems": 2}} if model.conformal else {}
        return said | {"value": _NUMBER} | interval
    label = {"enum": list(model.labels)}
    said |= {"label": label, "probabilities": record(dict.fromkeys(model.labels, _SHARE))}
    if model.cutoffs is not None:
        said["verdict"] = {"enum": ["ham", "unsure", "spam"]}
    if model.conformal is not None:
        said["labels"] = listed(label)
    if model.novelty is not None:
        said["novelty"] = _SHARE
    return said


def _explanation(model: Model, prediction: Schema) -> Schema:
    said = prediction | {
        "explained": {"type": ["string", "null"]},
        "score": _NUMBER,
        "base": _NUMBER,
        "contributions": listed(ref("Contribution")),
    }
    said |= {"heat": listed(listed(_NUMBER))} if model.kind == "image" else {"notes": listed(_TEXT)}
    return record(said, optional=("notes",))


def _request(model: Model) -> Schema:
    """An inference request: inputs that the model reads, outputs that it gives."""
    names = [each["name"] for each in inference.inputs(model)]
    names += {"table": [inference.ROWS], "image": [inference.PIXELS]}.get(model.kind, [])
    tensor = record(
        {
            "name": {"enum": sorted(set(names))},
            "datatype": {"enum": [*tensors.DTYPES, "BYTES"]},
            "shape": listed({"type": "integer", "minimum": 1}) | {"minItems": 1},
            "data": {"type": "array"},
            "parameters": _OBJECT,
        },
        optional=("data", "parameters"),
    )
    given = {"enum": [name for name, _, _ in inference.outputs(model)]}
    output = record({"name": given, "parameters": _OBJECT}, optional=("parameters",))
    return record(
        {"id": _TEXT, "inputs": listed(tensor) | {"minItems": 1}, "outputs": listed(output), "parameters": _OBJECT},
        optional=("id", "outputs", "parameters"),
    )
