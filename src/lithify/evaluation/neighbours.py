"""Which training rows lie nearest to an input, by what the network takes for alike.

The embeddings of the training rows are kept in the cache of the home, named after the model and the rows: computed
once, and computed again where they are damaged or gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data.snapshot import Snapshot
from lithify.errors import DataError, LithifyError, UsageError
from lithify.model.model import Model
from lithify.progress import Reporter, Update, silent
from lithify.store import blobs, container

PIECE_ROWS = 8192
_BATCH = 1024


@dataclass(frozen=True)
class Neighbour:
    """A training row near an input; nothing of its content.

    Attributes
    ----------
    row : int
        Number of the row in the snapshot's table.
    key : str
        64 hex digits.
    label : str
    distance : float
        One less the cosine between the embeddings: 0 for the same, 1 for nothing in common, at most 2.
    """

    row: int
    key: str
    label: str
    distance: float

    def to_json(self) -> dict[str, Any]:
        """Key, label and distance."""
        return {name: value for name, value in asdict(self).items() if name != "row"}


def neighbours(
    model: Model, snapshot: Snapshot, content: bytes, count: int = 5, report: Reporter = silent
) -> list[Neighbour]:
    """The training rows of a snapshot nearest to some content, the nearest first; of equally near ones by number.

    Parameters
    ----------
    model : Model
        One whose learner gives embeddings.
    snapshot : Snapshot
        The one it was trained on, or another of the same kind.
    content : bytes
        Canonical.
    count : int
        How many, at least 1.
    report : callable
        Told how far the work is, where embeddings have to be computed.

    Raises
    ------
    UsageError
        For a count below 1, and a model without embeddings.
    DataError
        For a snapshot of another kind.
    """
    if count < 1:
        raise UsageError("At least one neighbour is looked for.", found=str(count))
    if snapshot.kind != model.kind:
        raise DataError("The snapshot is of another kind than the model.", expected=model.kind, found=snapshot.kind)
    mine = model.draft.score_all([content])[1]
    if mine is None:
        raise UsageError(
            "This model says nothing of what is alike.", expected="a network", found=model.draft.learner_name
        )
    rows, near = np.zeros(0, dtype=np.int64), np.zeros(0)
    for some, embedding in _pieces(model, snapshot, report):
        rows, near = np.concatenate([rows, some]), np.concatenate([near, _cosine(embedding, mine[0])])
        best = np.argsort(-near, kind="stable")[:count]
        rows, near = rows[best], near[best]
    return [_named(snapshot, int(row), 1.0 - float(cosine)) for row, cosine in zip(rows, near, strict=True)]


def _named(snapshot: Snapshot, row: int, distance: float) -> Neighbour:
    label = snapshot.labels[snapshot.table.label[row]] if snapshot.labels else ""
    return Neighbour(row, snapshot.table.key[row].tobytes().hex(), label, max(0.0, distance))


def _cosine(embedding: NDArray[np.float32], mine: NDArray[np.float32]) -> NDArray[np.float64]:
    one = mine.astype(np.float64)
    length = np.sqrt((embedding.astype(np.float64) ** 2).sum(axis=1)) * float(np.sqrt((one * one).sum()))
    cosine: NDArray[np.float64] = (embedding * one).sum(axis=1) / np.maximum(length, 1e-30)
    return cosine


def _pieces(
    model: Model, snapshot: Snapshot, report: Reporter
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Numbers and embeddings of the training rows, some thousands at a time."""
    train = snapshot.rows("train")
    folder = snapshot.home.cache / f"embeddings-{model.digest[7:31]}"
    for start in range(0, len(train), PIECE_ROWS):
        rows = train[start : start + PIECE_ROWS]
        path = folder / (canon.digest(snapshot.table.key[rows].tobytes())[7:31] + ".block")
        try:
            yield rows, container.open_file(path, "embeddings").tensors["embedding"]
        except (LithifyError, KeyError):
            found = _embedded(model, snapshot, rows)
            folder.mkdir(parents=True, exist_ok=True)
            blobs.write_atomic(path, container.pack("embeddings", {}, {"embedding": found}))
            yield rows, found
            report(Update("reading training rows", start + len(rows), len(train)))


def _embedded(model: Model, snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    found = [model.draft.score_all(contents)[1] for _, contents in snapshot.batches(rows, _BATCH)]
    return np.concatenate([each for each in found if each is not None])
