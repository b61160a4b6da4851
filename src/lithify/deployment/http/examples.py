"""Example requests, made of what is in the sealed file alone: no row of the data is in there."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from lithify.model.model import Model

KNOWN = 200
"""Values of a category field that are shown."""
_DAY = "2024-01-31"
_MAIL = """From: Sam <sam@example.org>
To: you@example.com
Subject: Minutes of the meeting
Date: Wed, 31 Jan 2024 10:00:00 +0000

Hello,

thanks for the review. The minutes are on the list, the patch comes on Friday.

Regards, Sam
"""
_TEXT = "Thanks for the review. The minutes are on the list, the patch comes on Friday."


def body(model: Model) -> dict[str, Any]:
    """The JSON of a request that works."""
    if model.kind == "table":
        shown = values(model)
        return {name: some[len(some) // 2] for name, some in shown.items() if some}
    if model.kind == "image":
        return {"image": base64.b64encode(_picture(model)).decode()}
    return {"message": _MAIL} if model.kind == "mail" else {"text": _TEXT}


def values(model: Model) -> dict[str, list[Any]]:
    """Cells of each field of a table that the model knows; empty for all else.

    Of a category its known values, of a number some between which the model tells, where it is made of trees.
    """
    known = {column.field: list(column.values) for column in model.draft.columns() if column.kind == "category"}
    between = _between(model)
    plain: dict[str, list[Any]] = {"boolean": [True, False], "time": [_DAY], "text": [_TEXT]}
    found: dict[str, list[Any]] = {}
    for one in model.fields:
        if one.kind == "category":
            found[one.name] = known.get(one.name, [])[:KNOWN]
        elif one.kind == "number":
            found[one.name] = between.get(one.name, [1])
        else:
            found[one.name] = plain[one.kind]
    return found


def _between(model: Model) -> dict[str, list[Any]]:
    """By field three of the numbers that trees compare it with: a low one, the middle one, a high one."""
    arrays = model.draft.learner_state.arrays
    pairs = [(name[: -len("threshold")], array) for name, array in arrays.items() if name.endswith("threshold")]
    columns = [column for column in model.draft.columns() if column.block == "numbers"]
    thresholds: dict[int, list[float]] = {}
    for prefix, threshold in pairs:
        feature = arrays.get(prefix + "feature")
        if feature is not None and feature.shape == threshold.shape:
            for at in range(len(columns)):
                thresholds.setdefault(at, []).extend(threshold[feature == at].tolist())
    found = {}
    for at, some in thresholds.items():
        finite = np.array([each for each in some if abs(each) < 1e300])
        if len(finite) and columns[at].kind == "number" and not columns[at].origin:
            found[columns[at].field] = [_round(each) for each in np.quantile(finite, (0.1, 0.5, 0.9)).tolist()]
    return found


def _round(value: float) -> int | float:
    """A number with few digits, whole where it is large.

    >>> _round(38.499), _round(-0.01234567), _round(189912.4)
    (38, -0.012, 190000)
    """
    short = float(f"{value:.2g}")
    return int(short) if abs(short) >= 1 and short == int(short) else short


def _picture(model: Model) -> bytes:
    """A drawing as PNG, of the golden inputs."""
    from lithify.media.pixels import thumbnail_png

    return thumbnail_png(model.draft.golden_inputs()[4], 64)
