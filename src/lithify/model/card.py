"""The card: what a person must know of a model, sealed into it. Nothing of when, where, by whom or how often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import novelty
from lithify.data import split
from lithify.data.snapshot import Snapshot
from lithify.model import unknowns
from lithify.model.draft import Draft


def card(
    snapshot: Snapshot,
    recipe: Mapping[str, Any],
    engine: Mapping[str, Any],
    draft: Draft,
    figures: Mapping[str, Any],
    test: NDArray[np.int64],
    calibration: Mapping[str, int],
    unknown: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The card of a draft about to be sealed; ``figures`` were measured on the rows ``test``, by number.

    ``unknown`` is what :func:`lithify.model.unknowns.figures` found; the card of images has it, or null, and no other.
    """
    manifest = snapshot.manifest
    measured = {"novelty": None if unknown is None else dict(unknown)} if manifest["kind"] == "image" else {}
    generations = np.bincount(snapshot.table.generation[test], minlength=len(manifest["generations"]))
    return {
        "data": {
            "snapshot": snapshot.digest,
            "kind": manifest["kind"],
            "task": manifest["task"],
            "fields": manifest["fields"],
            "labels": manifest["labels"],
            "rows": manifest["rows"]["count"],
            "split": manifest["split"],
            "groups": manifest["groups"],
            "generations": manifest["generations"],
            "period": manifest["period"],
            "quarantine": manifest["quarantine"],
            "copies": manifest["copies"],
            "truncated": manifest["truncated"],
        },
        "recipe": dict(recipe),
        "engine": dict(engine),
        "calibration": dict(calibration),
        "test": {"rows": len(test), "generations": generations.tolist(), "metrics": dict(figures), **measured},
        "limits": _limits(snapshot, draft, calibration, len(test), unknown),
    }


def _limits(
    snapshot: Snapshot,
    draft: Draft,
    calibration: Mapping[str, Any],
    test_rows: int,
    unknown: Mapping[str, Any] | None,
) -> list[str]:
    rule = snapshot.manifest["split"]["rule"]
    held_out = int(calibration.get("held_out_training_rows", 0))
    stopping = len(snapshot.rows("validation")) > (snapshot.table.side == split.CALIBRATE).sum()
    limits = [
        "The parameters never change; what the world does after the newest training row is unknown to the model.",
        "Training rows and the half of validation that may stop training were learned from; the other half calibrated."
        if stopping
        else "Training rows were learned from; validation rows calibrated.",
    ]
    if held_out:
        limits.append(f"So did {held_out:,} training rows, each scored by what had not learned from it.")
    if rule != "time":
        limits.append("The split is not by time: the figures flatter a model that has to judge the future.")
    if test_rows == 0:
        limits.append("There were no test rows: how good it is was not measured.")
    elif test_rows < 500:
        limits.append(f"Only {test_rows} test rows: mind the intervals.")
    if draft.novelty is not None:
        limits += novelty.sentences(int(draft.novelty.facts["rows"]))
    elif draft.kind == "image":
        limits.append("It does not say when an image is unlike all that it was trained on: it gives each a label.")
    if unknown is not None:
        limits += unknowns.sentences(unknown)
    if draft.cutoffs is not None:
        limits += list(draft.cutoffs["text"])
    return limits
