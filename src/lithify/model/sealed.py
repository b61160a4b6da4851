"""The sealed model file: a draft, its card, its drift reference and its golden scores in one container.

The reader takes nothing on the word of the file: the JSON is audited field by field against a closed list of kinds,
tensors are checked for dtype and shape by the learner and the features they belong to, and nothing is imported,
evaluated or unpickled. The layout is specified in docs/format.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.state import State
from lithify.errors import LithifyError, MalformedContainer
from lithify.model import golden
from lithify.model.draft import Draft
from lithify.store import container

KIND = "model"
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "labels": list,
    "spam": str,
    "features": dict,
    "learner": dict,
    "calibration": dict,
    "cutoffs": (dict, type(None)),
    "golden": dict,
    "reference": dict,
    "card": dict,
}
_COMPONENT: dict[str, type | tuple[type, ...]] = {"name": str, "params": dict, "facts": dict}


@dataclass(frozen=True)
class Sealed:
    """What a model file holds."""

    draft: Draft
    card: dict[str, Any]
    reference: dict[str, Any]
    golden_raw: NDArray[np.float64]
    golden_revision: int
    tolerance: float
    file: container.Container


def seal(draft: Draft, card: Mapping[str, Any], reference: Mapping[str, Any]) -> bytes:
    """The bytes of a sealed model; equal drafts and cards give equal bytes."""
    meta = {
        "kind": draft.kind,
        "labels": list(draft.labels),
        "spam": draft.spam,
        "features": {
            "name": draft.kind,
            "params": dict(draft.features_params),
            "facts": draft.features_state.facts,
        },
        "learner": {
            "name": draft.learner_name,
            "params": dict(draft.learner_params),
            "facts": draft.learner_state.facts,
        },
        "calibration": dict(draft.calibration),
        "cutoffs": None if draft.cutoffs is None else dict(draft.cutoffs),
        "golden": {"revision": golden.REVISION, "tolerance": draft.learner.tolerance},
        "reference": dict(reference),
        "card": dict(card),
    }
    tensors = {f"features/{name}": array for name, array in draft.features_state.arrays.items()}
    tensors |= {f"learner/{name}": array for name, array in draft.learner_state.arrays.items()}
    tensors["golden/raw"] = draft.raw(golden.inputs(draft.kind))
    return container.pack(KIND, meta, tensors)


def open_sealed(source: Path | bytes) -> Sealed:
    """Opens and audits a sealed model.

    Raises
    ------
    MalformedContainer, IntegrityError, NewerFormat, NotFound
        See :mod:`lithify.store.container`.
    """
    what = source.name if isinstance(source, Path) else "model"
    opened = container.open_file(source, KIND) if isinstance(source, Path) else container.unpack(source, KIND)
    meta = opened.meta
    _audit(meta, _FIELDS, what)
    _audit(meta["features"], _COMPONENT, f"features of {what}")
    _audit(meta["learner"], _COMPONENT, f"learner of {what}")
    labels = tuple(meta["labels"])
    if len(labels) < 2 or list(labels) != sorted(set(labels)) or not all(isinstance(t, str) for t in labels):
        raise MalformedContainer(f"The labels of {what} are not a sorted list of texts.")
    try:
        draft = _draft(meta, labels, opened.tensors)
        golden_raw = opened.tensors["golden/raw"]
        tolerance, revision = float(meta["golden"]["tolerance"]), int(meta["golden"]["revision"])
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedContainer(f"{what} is not a model this version can open.", found=repr(error)[:200]) from None
    if golden_raw.shape != (golden.COUNT, len(labels)) or golden_raw.dtype != np.float64 or not 0 <= tolerance < 1:
        raise MalformedContainer(f"The golden scores of {what} have the wrong shape.")
    return Sealed(draft, meta["card"], meta["reference"], golden_raw, revision, tolerance, opened)


def _draft(meta: Mapping[str, Any], labels: tuple[str, ...], tensors: Mapping[str, NDArray[Any]]) -> Draft:
    draft = Draft(
        kind=meta["kind"],
        labels=labels,
        spam=meta["spam"],
        learner_name=meta["learner"]["name"],
        features_params=meta["features"]["params"],
        learner_params=meta["learner"]["params"],
        features_state=State(_below("features/", tensors), meta["features"]["facts"]),
        learner_state=State(_below("learner/", tensors), meta["learner"]["facts"]),
        calibration=_calibration(meta["calibration"]),
        cutoffs=_cutoffs(meta["cutoffs"], meta["spam"], labels),
    )
    try:
        draft.features.audit(draft.features_state)
        draft.learner.audit(draft.learner_state, draft.features, len(labels))
    except MalformedContainer:
        raise
    except LithifyError as error:
        raise MalformedContainer("The model names parts this version does not have.", found=error.message) from None
    return draft


def _calibration(state: Mapping[str, Any]) -> Mapping[str, Any]:
    numbers = {"platt": ("slope", "offset"), "temperature": ("slope",)}.get(state["kind"])
    if numbers is None or any(not isinstance(state[name], (int, float)) for name in numbers):
        raise ValueError("calibration")
    return state


def _cutoffs(state: Mapping[str, Any] | None, spam: str, labels: tuple[str, ...]) -> Mapping[str, Any] | None:
    if state is None:
        return None
    if spam not in labels or any(not isinstance(state[name], (int, float)) for name in ("spam", "unsure", "budget")):
        raise ValueError("cutoffs")
    return state


def _below(prefix: str, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def _audit(document: Mapping[str, Any], fields: Mapping[str, type | tuple[type, ...]], what: str) -> None:
    if set(document) != set(fields) or any(not isinstance(document[key], kind) for key, kind in fields.items()):
        raise MalformedContainer(
            f"The JSON of {what} has the wrong fields.",
            expected=", ".join(sorted(fields)),
            found=", ".join(sorted(document))[:300],
        )
