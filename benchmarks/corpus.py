"""The messages of a benchmark, one row for each distinct content, in an order that no file name decides."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithify.data.duplicates import BINS, signature
from lithify.data.open import open_source
from lithify.data.schema import Row
from lithify.media import mime

SIMILAR = 0.5
"""Estimated share of common word triples from which two messages are near-duplicates here.

Lithify's own groups begin at 0.7: a benchmark should be stricter than what it measures.
"""


@dataclass(frozen=True)
class Corpus:
    """Messages, sorted by the digest of their content.

    Attributes
    ----------
    content : list of bytes
        Whole messages, header included, with LF line ends.
    spam : (n,) int64
        1 for spam, 0 for ham.
    time : (n,) int64
        Seconds UTC of the top ``Received``, else ``Date``; the earliest of all where there is neither.
    key : list of bytes
        SHA-256 of the contents.
    """

    content: list[bytes]
    spam: NDArray[np.int64]
    time: NDArray[np.int64]
    key: list[bytes]

    def __len__(self) -> int:
        return len(self.content)


def read(archive: Path, rows: int | None = None) -> Corpus:
    """Reads an archive with the folders ``ham`` and ``spam``; a content with both labels is left out."""
    found: dict[bytes, Row] = {}
    labels: defaultdict[bytes, set[str | None]] = defaultdict(set)
    for row in open_source(archive, kind="mail").rows():
        if isinstance(row, Row):
            found.setdefault(row.key, row)
            labels[row.key].add(row.label)
    keys = [key for key in sorted(found) if labels[key] in ({"ham"}, {"spam"})]
    keys = keys[:: max(1, len(keys) // rows)] if rows else keys
    kept = [found[key] for key in keys]
    times = [row.time for row in kept if row.time is not None]
    earliest = min(times, default=0)
    return Corpus(
        content=[row.content for row in kept],
        spam=np.array([row.label == "spam" for row in kept], dtype=np.int64),
        time=np.array([earliest if row.time is None else row.time for row in kept], dtype=np.int64),
        key=keys,
    )


def groups(corpus: Corpus) -> NDArray[np.int64]:
    """For each message the smallest row number of its near-duplicates; every pair is compared, nothing is guessed."""
    signatures = np.empty((len(corpus), BINS), dtype=np.uint16)
    for row, content in enumerate(corpus.content):
        signatures[row] = signature(mime.text(content).encode("utf-8", "replace"))
    group = np.arange(len(corpus))
    for row in range(len(corpus)):
        alike = row + 1 + np.flatnonzero((signatures[row] == signatures[row + 1 :]).mean(axis=1) >= SIMILAR)
        for other in np.unique(group[alike]):
            low, high = sorted((int(group[row]), int(other)))
            group[group == high] = low
    return group


def coin(purpose: str, key: bytes) -> bytes:
    """What decides where a row goes: the digest of a purpose and the row's key."""
    return sha256(purpose.encode() + key).digest()
