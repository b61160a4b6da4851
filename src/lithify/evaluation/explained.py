"""The explanation of one image as a picture, or as a page with its nearest training rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.snapshot import Snapshot
from lithify.errors import UsageError
from lithify.evaluation import heat, words
from lithify.evaluation.neighbours import Neighbour
from lithify.evaluation.templating import Filters, page
from lithify.evaluation.thumbnails import thumbnail, url
from lithify.media import pixels
from lithify.model.explain import Explanation
from lithify.store.blobs import write_atomic

SUFFIXES = (".png", ".html")
STRONGEST = 10


def check_suffix(path: Path) -> None:
    """``UsageError`` unless it is the name of a file that an explanation can be written to."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "An explanation is written as a picture or a page.", expected=", ".join(SUFFIXES), found=path.name
        )


def write(
    path: Path,
    found: Explanation,
    content: bytes,
    cells: int,
    near: Sequence[Neighbour] = (),
    snapshot: Snapshot | None = None,
    show_content: bool = False,
) -> Path:
    """Writes the explanation of an image as PNG or HTML, by the suffix of the path, and returns the path.

    Parameters
    ----------
    path : Path
    found : Explanation
    content : bytes
        Of the image.
    cells : int
        How many cells it was cut into.
    near : sequence of Neighbour
        Named in a page.
    snapshot : Snapshot, optional
        That the neighbours are of.
    show_content : bool
        Whether neighbours are shown in a page, and not only named by their keys.
    """
    check_suffix(path)
    weights = heat.grid({item.start: item.weight for item in found.items}, cells)
    if path.suffix.lower() == ".png":
        data = heat.drawing(content, weights, _title(found), _said(found), found.label or "more")
    else:
        data = _page(found, content, weights, near, snapshot if show_content else None).encode()
    write_atomic(path, data, 0o644)
    return path


def _title(found: Explanation) -> str:
    p = found.prediction
    return words.value(p.value or 0.0) if p.label is None else f"{p.label}  {words.percent(p.probabilities[p.label])}"


def _said(found: Explanation) -> str:
    """Other labels of some probability, and whether the input is unlike all that was trained on."""
    p = found.prediction
    others = sorted(p.probabilities.items(), key=lambda item: -item[1])[1:3]
    told = [f"{label} {words.percent(share)}" for label, share in others if share >= 0.005]
    return " · ".join(([] if not p.unlike else ["unlike anything it was trained on"]) + told)


def _page(
    found: Explanation,
    content: bytes,
    weights: NDArray[np.float64],
    near: Sequence[Neighbour],
    snapshot: Snapshot | None,
) -> str:
    filters: Filters = {"short": words.short, "percent": words.percent}
    square = heat.seen(content)
    contents = [] if snapshot is None else snapshot.content(np.array([each.row for each in near], dtype=np.int64))
    return page(
        "explained.html",
        filters,
        found=found,
        title=_title(found),
        said=_said(found),
        picture=_url(square),
        heated=_url(heat.overlay(square, weights)),
        strip=_url(heat.legend(weights).repeat(10, axis=0)),
        largest=float(np.abs(weights).max()),
        strongest=_strongest(found),
        rest=sum(item.weight for item in found.items[STRONGEST:]),
        near=[(each, thumbnail(data)) for each, data in zip(near, contents or [b""] * len(near), strict=True)],
        shown=snapshot is not None,
    )


def _strongest(found: Explanation) -> list[dict[str, Any]]:
    some = found.items[:STRONGEST]
    largest = max((abs(item.weight) for item in some), default=1.0) or 1.0
    return [
        {"text": item.text, "weight": item.weight, "long": round(100 * abs(item.weight) / largest)} for item in some
    ]


def _url(drawn: NDArray[np.uint8]) -> str:
    return url(pixels.thumbnail_png(np.ascontiguousarray(drawn), max(drawn.shape)))
