"""The sealed model file: a draft, its card, its drift reference and its golden scores in one container.

The reader takes nothing on the word of the file: the JSON is audited field by field against a closed list of kinds,
tensors are checked for dtype and shape by the learner and the features they belong to, and nothing is imported,
evaluated or unpickled. The layout is specified in docs/format.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from lithify import calibration, conformal, novelty
from lithify.data.params import Misfit
from lithify.data.schema import Field, Form
from lithify.data.state import State
from lithify.errors import LithifyError, MalformedContainer, NewerFormat, Unsupported
from lithify.model import golden
from lithify.model.audit import audit
from lithify.model.draft import Draft
from lithify.store import container

KIND = "model"
GOLDEN = "golden/raw"
NOVELTY = "novelty/"


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

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The input fields of a table, sorted by name; empty for all else."""
        return tuple(Field(**field) for field in self.card["data"]["fields"] if field["role"] == "input")


def seal(draft: Draft, card: Mapping[str, Any], reference: Mapping[str, Any]) -> bytes:
    """The bytes of a sealed model; equal drafts and cards give equal bytes."""
    meta = {
        "kind": draft.kind,
        "task": draft.task,
        "labels": list(draft.labels),
        "spam": draft.spam,
        "features": {
            "name": draft.features_name,
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
        "conformal": None if draft.conformal is None else dict(draft.conformal),
        "golden": {"revision": golden.REVISION, "tolerance": draft.learner.tolerance},
        "reference": dict(reference),
        "card": dict(card),
    }
    tensors = {f"features/{name}": array for name, array in draft.features_state.arrays.items()}
    tensors |= {f"learner/{name}": array for name, array in draft.learner_state.arrays.items()}
    if draft.kind == "image":
        meta["novelty"] = None if draft.novelty is None else dict(draft.novelty.facts)
        tensors |= {NOVELTY + name: array for name, array in (draft.novelty or State()).arrays.items()}
    tensors[GOLDEN] = draft.raw(draft.golden_inputs())
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
    audit(meta, what)
    try:
        draft = _draft(meta, opened.tensors)
        if meta["features"]["name"] != draft.features_name:
            raise MalformedContainer(f"The features of {what} are not those of its learner.")
        _check_fields(draft, meta["card"]["data"]["fields"], what)
        draft.features.audit(draft.features_state)
        draft.learner.audit(draft.learner_state, draft.features, draft.features_state, len(draft.labels))
        _check_novelty(draft, opened.tensors, what)
        _check_engine(draft, meta["card"]["engine"], what)
    except (MalformedContainer, NewerFormat, Unsupported):
        raise
    except Misfit as error:
        raise MalformedContainer(
            f"A parameter in {what} does not fit.", expected=error.expected, found=f"{error.key} {error.found}"
        ) from None
    except LithifyError as error:
        raise MalformedContainer(f"{what} names parts this version does not have.", found=str(error)) from None
    return Sealed(
        draft=draft,
        card=meta["card"],
        reference=meta["reference"],
        golden_raw=_golden(opened.tensors, draft.outputs, what),
        golden_revision=meta["golden"]["revision"],
        tolerance=float(meta["golden"]["tolerance"]),
        file=opened,
    )


def _draft(meta: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Draft:
    return Draft(
        kind=meta["kind"],
        task=meta["task"],
        labels=tuple(meta["labels"]),
        spam=meta["spam"],
        learner_name=meta["learner"]["name"],
        features_params=meta["features"]["params"],
        learner_params=meta["learner"]["params"],
        features_state=State(_below("features/", tensors), meta["features"]["facts"]),
        learner_state=State(_below("learner/", tensors), meta["learner"]["facts"]),
        calibration=meta["calibration"],
        cutoffs=meta["cutoffs"],
        conformal=meta["conformal"],
        novelty=None if meta.get("novelty") is None else State(_below(NOVELTY, tensors), meta["novelty"]),
    )


def _check_fields(draft: Draft, fields: Sequence[Mapping[str, str]], what: str) -> None:
    """The input fields that the card lists must be those that the features read, and be written in a known form."""
    inputs = [(field["name"], field["kind"]) for field in fields if field["role"] == "input"]
    forms = {field["form"] for field in fields}
    if inputs != [(field.name, field.kind) for field in draft.fields] or not forms <= set(get_args(Form)):
        raise MalformedContainer(f"The fields of {what} are not those of its features.")


def _check_novelty(draft: Draft, tensors: Mapping[str, NDArray[Any]], what: str) -> None:
    """What tells unknown inputs must fit the labels, and its tensors be there exactly where it is."""
    there = any(name.startswith(NOVELTY) for name in tensors)
    fits = not there if draft.novelty is None else novelty.sound(draft.novelty, len(draft.labels))
    if not fits:
        raise MalformedContainer(f"What tells unknown inputs in {what} does not fit.", found=NOVELTY)


def _check_engine(draft: Draft, sealed: Mapping[str, Any], what: str) -> None:
    """The codes that predict must be of the revisions the model was sealed with: others give other scores."""
    here = {
        **draft.features.engine,
        **draft.learner.engine,
        "calibration": calibration.REVISION,
        "conformal": conformal.REVISION,
        **({"novelty": novelty.REVISION} if draft.novelty is not None else {}),
    }
    for name, revision in here.items():
        found = sealed.get(name)
        if found == revision:
            continue
        if isinstance(found, int) and isinstance(revision, int) and found > revision:
            raise NewerFormat(
                f"{what} was sealed by a newer Lithify.",
                expected=f"{name} {revision}",
                found=f"{name} {found}",
                hint="Install a newer Lithify to open it.",
            )
        raise Unsupported(
            f"{what} was sealed by other code than this version has.",
            expected=f"{name} {revision}",
            found=f"{name} {found}",
            hint="Open it with the Lithify it was sealed with, or train again.",
        )


def _golden(tensors: Mapping[str, NDArray[Any]], outputs: int, what: str) -> NDArray[np.float64]:
    others = [name for name in tensors if not name.startswith(("features/", "learner/", NOVELTY))]
    raw = tensors.get(GOLDEN)
    if others != [GOLDEN] or raw is None or raw.shape != (golden.COUNT, outputs) or raw.dtype != np.float64:
        raise MalformedContainer(
            f"The golden scores of {what} do not fit.", expected=f"{GOLDEN} ({golden.COUNT}, {outputs}) float64"
        )
    return raw


def _below(prefix: str, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
