"""A model's bill of materials: what it is, learned from, is made with and is worth, as a CycloneDX ML-BOM.

All of it is taken from the card that is sealed into the model, so equal models have equal bills, byte for byte.

Source: CycloneDX 1.6 (ECMA-424), components of the type ``machine-learning-model`` with a model card.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from lithify import canon
from lithify.evaluation.libraries import Library, libraries
from lithify.model.model import Model

SPECIFICATION = "1.6"

_READS = {"mail": "message/rfc822", "text": "text/plain", "table": "a row of a table", "image": "image/*"}


def bill(model: Model) -> dict[str, Any]:
    """The bill of a model, JSON after the schema of CycloneDX 1.6.

    The serial number is derived from the model's digest; there is no time in it.
    """
    card = model.card
    used = libraries(card["engine"])
    snapshot = card["data"]["snapshot"]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, model.digest)}",
        "version": 1,
        "metadata": {"component": _model(model)},
        "components": [_snapshot(card["data"]), *map(_library, used)],
        "dependencies": [
            {"ref": model.digest, "dependsOn": [snapshot, *(library.purl for library in used)]},
            *({"ref": ref} for ref in (snapshot, *(library.purl for library in used))),
        ],
    }


def _model(model: Model) -> dict[str, Any]:
    """The component that all of it is about."""
    return {
        "type": "machine-learning-model",
        "bom-ref": model.digest,
        "name": f"{model.digest[7:19]}.lith",
        "version": model.digest,
        "description": f"A sealed {model.task} of {_rows(model.kind)}; it never changes.",
        "hashes": _hashes(model.digest),
        "modelCard": {
            "modelParameters": _parameters(model),
            "quantitativeAnalysis": {"performanceMetrics": _metrics(model.card["test"])},
            "considerations": {"technicalLimitations": list(model.card["limits"])},
            "properties": [
                {"name": "lithify:recipe", "value": _text(model.card["recipe"])},
                {"name": "lithify:engine", "value": _text(model.card["engine"])},
            ],
        },
    }


def _parameters(model: Model) -> dict[str, Any]:
    recipe = model.card["recipe"]
    gives = f"a probability of each label: {', '.join(model.labels)}" if model.labels else "a value with an interval"
    return {
        "approach": {"type": "supervised"},
        "task": model.task,
        "architectureFamily": recipe["learner"],
        "modelArchitecture": str(recipe["params"].get("net", recipe["learner"])),
        "datasets": [{"ref": model.card["data"]["snapshot"]}],
        "inputs": [{"format": _READS[model.kind]}],
        "outputs": [{"format": gives}],
    }


def _metrics(test: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures that are sealed in, with their intervals of 95 %."""
    measured_on = f"{test['rows']} test rows, before sealing"
    return [
        {
            "type": name,
            "value": _text(found["value"]),
            "slice": measured_on,
            "confidenceInterval": {"lowerBound": _text(found["low"]), "upperBound": _text(found["high"])},
        }
        for name, found in sorted(test["metrics"].items())
        if found["value"] is not None
    ]


def _snapshot(data: Mapping[str, Any]) -> dict[str, Any]:
    split = data["split"]
    return {
        "type": "data",
        "bom-ref": data["snapshot"],
        "name": "snapshot",
        "version": data["snapshot"],
        "hashes": _hashes(data["snapshot"]),
        "data": [
            {
                "type": "dataset",
                "name": "snapshot",
                "description": f"{data['rows']} rows of {_rows(data['kind'])}, split by {split['rule']}.",
                "contents": {
                    "properties": [
                        {"name": "lithify:split", "value": _text(split["counts"])},
                        {"name": "lithify:generations", "value": _text(data["generations"])},
                    ]
                },
            }
        ],
    }


def _library(library: Library) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": library.purl,
        "name": library.name,
        "version": library.version,
        "purl": library.purl,
    }


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest.removeprefix(canon.DIGEST_PREFIX)}]


def _rows(kind: str) -> str:
    return {"text": "texts", "table": "tables", "image": "images"}.get(kind, kind)


def _text(value: Any) -> str:
    """Canonical JSON: numbers as RFC 8785 writes them."""
    return canon.dumps(value).decode()
