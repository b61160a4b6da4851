"""Findings on labels and values that are probably wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import calibration
from lithify.evaluation.audit.finding import MOST, Finding, Item
from lithify.evaluation.audit.held import held_out
from lithify.evaluation.audit.noise import doubt, standardised
from lithify.evaluation.audit.scene import Scene
from lithify.progress import Reporter

LEAST_ROWS = 100
SURE = 0.9
NOISY = 0.02
"""Share of rows that models, surely, contradict from which a person should look."""
FAR, FAR_SHARE = 6.0, 0.01
_ADVICE = (
    "Look at the rows listed first (lithify audit --show-content); correct the source, or take rows out with "
    "lithify withdraw. "
)


def labels(scene: Scene, report: Reporter) -> Iterator[Finding]:
    """Rows whose label or value disagrees with what models say that have not seen them."""
    rows = scene.rows[: scene.learn]
    if scene.snapshot.kind == "image":
        return  # to train networks in parts takes longer than an audit may
    if scene.learn < LEAST_ROWS or (scene.snapshot.labels and len(np.unique(scene.target)) < 2):
        return
    held = held_out(scene.snapshot, rows, report)
    measured = f"{scene.learnable}, each by a {held.learner} model that has not seen it"
    if scene.snapshot.labels:
        yield from _wrong_labels(scene, held.raw, measured)
    else:
        yield from _far_values(scene, held.raw[:, 0], measured)


def _wrong_labels(scene: Scene, raw: NDArray[np.float64], measured: str) -> Iterator[Finding]:
    y, names = scene.target, scene.snapshot.labels
    p = calibration.apply_temperature(calibration.fit_temperature(raw, y), raw)
    found = doubt(p, y)
    if not len(found.suspects):
        return
    some = found.suspects[:MOST]
    sure = int((p[found.suspects].max(axis=1) >= SURE).sum())
    items = [
        Item(key, _figures(names, y, p, row, int(found.predicted[row])))
        for key, row in zip(scene.keys(some), some.tolist(), strict=True)
    ]
    yield Finding(
        "label noise",
        "warning" if sure >= NOISY * len(y) else "note",
        "Rows whose label models that have not seen them confidently contradict, the most suspect first.",
        measured,
        _ADVICE
        + "Rows that are only hard to tell count too: the share is right where labels are told well, and far too "
        "high where they are not.",
        {
            "suspects": len(found.suspects),
            f"of them by a probability of {SURE:g}": sure,
            "estimated share of wrong labels": found.share,
        },
        tuple(items),
        "rows",
        len(found.suspects),
    )


def _figures(
    names: tuple[str, ...], y: NDArray[Any], p: NDArray[np.float64], row: int, predicted: int
) -> dict[str, float | int | str | None]:
    return {
        "label": names[y[row]],
        "predicted": names[predicted],
        "probability": float(p[row, predicted]),
        "of the label": float(p[row, y[row]]),
    }


def _far_values(scene: Scene, predicted: NDArray[np.float64], measured: str) -> Iterator[Finding]:
    y = scene.target
    z = standardised(y, predicted)
    far = np.flatnonzero(np.abs(z) >= FAR)
    if not len(far):
        return
    some = far[np.argsort(-np.abs(z[far]), kind="stable")][:MOST]
    items = [
        Item(key, {"value": float(y[row]), "predicted": float(predicted[row]), "residual in spreads": float(z[row])})
        for key, row in zip(scene.keys(some), some.tolist(), strict=True)
    ]
    yield Finding(
        "far values",
        "warning" if len(far) >= FAR_SHARE * len(y) else "note",
        "Rows whose value lies far from what models that have not seen them say, the furthest first.",
        measured,
        _ADVICE + "A value in another unit, or with a digit too many, shows here; so do rows that are only unusual.",
        {f"rows beyond {FAR:g} spreads": len(far), "share": len(far) / len(y)},
        tuple(items),
        "rows",
        len(far),
    )
