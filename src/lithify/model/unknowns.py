"""How well a model tells unknown inputs: fitted on its own rows, and measured on rows and made-up pictures.

The made-up ones are of kinds that no camera takes, but that reach a service: noise, a picture cut up and shuffled, one
colour alone, a negative. That they are caught does not show that a picture of another thing is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import novelty, rng
from lithify.data.snapshot import Snapshot
from lithify.model.draft import Draft

KINDS = ("noise", "shuffled", "flat", "inverted")
"""Kinds of unknown pictures, in the order in which they are shown."""
MADE = 200
"""Pictures of each kind at most."""
LEARNED, LEARNED_EACH = 2_000, 20
"""Training rows that means are taken from: so many, or so many of each label where that is more."""
_PATCHES = 4

Scores = tuple[NDArray[np.float64], NDArray[np.float32] | None]
"""Raw scores of some rows and their embeddings."""


def with_novelty(draft: Draft, snapshot: Snapshot, calibrate: Scores) -> Draft:
    """The draft with what tells unknown inputs, where it is of images and its learner gives embeddings.

    Parameters
    ----------
    draft : Draft
    snapshot : Snapshot
        Of its training rows some are scored: those with the smallest keys, as many of each label.
    calibrate : (n, labels) and (n, d)
        Of the calibration rows; see :meth:`Draft.score_all`.
    """
    raw, embedding = calibrate
    if draft.kind != "image" or embedding is None or not draft.labels:
        return draft
    rows = _some(snapshot)
    found = [draft.score_all(contents)[1] for _, contents in snapshot.batches(rows, 1024)]
    points = [each for each in found if each is not None]
    if not points:
        return draft
    codes = snapshot.table.label[rows]
    return replace(draft, novelty=novelty.fit((np.concatenate(points), codes), raw, embedding, len(draft.labels)))


def figures(draft: Draft, snapshot: Snapshot, test: NDArray[np.int64], scores: Scores) -> dict[str, Any] | None:
    """What share of familiar and of unknown inputs is called unusual, for the card; None without novelty or test rows.

    Returns
    -------
    dict
        ``rows`` and ``levels``; ``test``, the share of test rows at or above each level; ``made``, how many pictures of
        each kind, and ``unknown``, by kind the share of them that is.
    """
    raw, embedding = scores
    if draft.novelty is None or embedding is None or not len(test):
        return None
    some = test[_by_key(snapshot, test)[:MADE]]
    pixels = _pixels(draft, snapshot.content(some))
    unknown = {kind: called(draft.judge(made(kind, pixels))[1]) for kind in KINDS}
    seen = called(novelty.novelty(draft.novelty, raw, embedding))
    return {
        "rows": len(test), "levels": list(novelty.LEVELS), "test": seen, "made": len(some), "unknown": unknown
    }  # fmt: skip


def called(unusual: NDArray[np.float64] | None) -> list[float]:
    """Share of rows called unusual at each of :data:`lithify.novelty.LEVELS`, to six digits.

    >>> called(np.array([0.2, 0.96, 0.995, 0.5]))
    [0.25, 0.5]
    """
    found = np.zeros(0) if unusual is None else unusual
    rows = max(1, len(found))
    return [float(f"{np.count_nonzero(found >= 1.0 - level) / rows:.6g}") for level in novelty.LEVELS]


def sentences(found: Mapping[str, Any]) -> list[str]:
    """The figures in words."""
    level, share = found["levels"][0], found["test"][0]
    caught = ", ".join(f"{100 * shares[0]:.3g} % of {kind}" for kind, shares in found["unknown"].items())
    return [
        f"At the level of {100 * level:g} %, {100 * share:.3g} % of {found['rows']:,} test rows are called unlike "
        f"anything it was trained on; of {found['made']:,} made-up pictures of each kind, {caught}."
    ]


def made(kind: str, pixels: NDArray[np.uint8]) -> list[bytes]:
    r"""Unknown pictures as PNM.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    pixels : (n, side, side, channels) uint8
        Familiar ones, one for each that is made.

    Examples
    --------
    >>> made("inverted", np.array([[[[250]]]], dtype=np.uint8))
    [b'P5\n1 1\n255\n\x05']
    """
    rows, side = pixels.shape[:2]
    changed = np.stack([_CHANGED[kind](pixels[at], at) for at in range(rows)]) if rows else pixels
    head = b"P%d\n%d %d\n255\n" % (5 if pixels.shape[3] == 1 else 6, side, side)
    return [head + each.tobytes() for each in changed.astype(np.uint8)]


def _noise(picture: NDArray[np.uint8], number: int) -> NDArray[np.integer]:
    return rng.below(rng.key(0, "unknown", "noise", number), 0, 256, picture.size).reshape(picture.shape)


def _shuffled(picture: NDArray[np.uint8], number: int) -> NDArray[np.integer]:
    """Cut into 4 x 4 patches that change places; what is left at the edges stays."""
    size = len(picture) // _PATCHES
    moved = picture.copy()
    places = _PATCHES * _PATCHES
    order = rng.permute(rng.key(0, "unknown", "shuffled", number), np.arange(places), places)
    for to, of in enumerate(order.tolist()):
        (y, x), (v, u) = divmod(to, _PATCHES), divmod(of, _PATCHES)
        moved[y * size : (y + 1) * size, x * size : (x + 1) * size] = picture[
            v * size : (v + 1) * size, u * size : (u + 1) * size
        ]
    return moved


def _flat(picture: NDArray[np.uint8], number: int) -> NDArray[np.integer]:
    colour = rng.below(rng.key(0, "unknown", "flat", number), 0, 256, picture.shape[2])
    return np.broadcast_to(colour, picture.shape)


def _inverted(picture: NDArray[np.uint8], number: int) -> NDArray[np.integer]:
    return 255 - picture


_CHANGED = {"noise": _noise, "shuffled": _shuffled, "flat": _flat, "inverted": _inverted}


def _some(snapshot: Snapshot) -> NDArray[np.int64]:
    """Training rows of each label, those with the smallest keys, in order."""
    rows = snapshot.rows("train")
    codes = snapshot.table.label[rows]
    labels = max(1, len(snapshot.labels))
    each = max(LEARNED_EACH, LEARNED // labels)
    order = _by_key(snapshot, rows)
    kept = [order[codes[order] == code][:each] for code in range(labels)]
    return np.sort(rows[np.concatenate(kept)])


def _by_key(snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order of some rows by their keys, which is as good as drawn."""
    keys = np.ascontiguousarray(snapshot.table.key[rows, :8]).view(">u8")[:, 0]
    return np.argsort(keys, kind="stable")


def _pixels(draft: Draft, contents: list[bytes]) -> NDArray[np.uint8]:
    """The pictures as the network reads them."""
    block = draft.features.transform(draft.features_state, contents)["pixels"]
    pixels: NDArray[np.uint8] = block.take(np.arange(len(contents)))  # type: ignore[union-attr]
    return pixels
