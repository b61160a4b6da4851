"""The card: what a person must know of a model, sealed into it. Nothing of when, where, by whom or how often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.snapshot import Snapshot
from lithify.model.draft import Draft


def card(
    snapshot: Snapshot,
    recipe: Mapping[str, Any],
    engine: Mapping[str, Any],
    draft: Draft,
    figures: Mapping[str, Any],
    test: NDArray[np.int64],
    calibration: Mapping[str, int],
) -> dict[str, Any]:
    """The card of a draft about to be sealed; ``figures`` were measured on the rows ``test``, by number."""
    manifest = snapshot.manifest
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
        "test": {"rows": len(test), "generations": generations.tolist(), "metrics": dict(figures)},
        "limits": _limits(snapshot, draft, len(test)),
    }


def _limits(snapshot: Snapshot, draft: Draft, test_rows: int) -> list[str]:
    rule = snapshot.manifest["split"]["rule"]
    limits = [
        "The parameters never change; what the world does after the newest training row is unknown to the model.",
        "Training rows and the half of validation that may stop training were learned from; the other half calibrated.",
    ]
    if rule != "time":
        limits.append("The split is not by time: the figures flatter a model that has to judge the future.")
    if test_rows == 0:
        limits.append("There were no test rows: how good it is was not measured.")
    elif test_rows < 500:
        limits.append(f"Only {test_rows} test rows: mind the intervals.")
    if draft.cutoffs is not None:
        limits += list(draft.cutoffs["text"])
    return limits
