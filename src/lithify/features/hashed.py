"""What the features of mail and of text share: one block of hashed buckets, made by a kernel."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Hashed
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.features.base import Span
from lithify.kernels import fitting

BLOCK = "hashed"
KERNELS = "lithify.features.extract"
BATCH = 256
_mine = threading.local()


def no_fit(batches: Iterable[Sequence[bytes]]) -> State:
    """Hashing needs to know nothing of the rows."""
    return State()


def audit_empty(state: State) -> None:
    """The state of features that fit nothing."""
    if state.arrays or state.facts:
        raise MalformedContainer("These features have no state, and the file gives them one.")


def transform(rows: str, contents: Sequence[bytes], sizes: NDArray[np.int64], buckets: int) -> dict[str, Hashed]:
    """Runs the kernel ``rows`` over all contents, some at a time, so that its buffers stay in the processor's cache."""
    kernels = fitting(KERNELS, len(contents))
    kernel, buffers = getattr(kernels, rows), _scratch(kernels, sizes, buckets)
    starts, indexes, base = [np.zeros(1, dtype=np.int64)], [], 0
    for at in range(0, len(contents), BATCH):
        some = contents[at : at + BATCH]
        data = np.frombuffer(b"".join(some) or b"\0", dtype=np.uint8)
        offsets = np.zeros(len(some) + 1, dtype=np.int64)
        np.cumsum([len(content) for content in some], out=offsets[1:])
        with np.errstate(over="ignore"):
            start, index = kernel(data, offsets, sizes, *buffers)
        starts.append(start[1:] + base)
        indexes.append(index)
        base += len(index)
    whole = indexes[0] if len(indexes) == 1 else np.concatenate([np.zeros(0, dtype=np.uint32), *indexes])
    return {BLOCK: Hashed(np.concatenate(starts), whole, buckets)}


def _scratch(kernels: ModuleType, sizes: NDArray[np.int64], buckets: int) -> tuple[Any, ...]:
    """The buffers of the calling thread; a single row would spend more time on making them than on itself."""
    name = (*sizes.tolist(), buckets)
    if getattr(_mine, "name", None) != name:
        _mine.name, _mine.buffers = name, kernels.scratch(sizes, buckets)
    return _mine.buffers  # type: ignore[no-any-return]


def word_spans(text: bytes, channel: str, bucket: NDArray[np.uint32], where: NDArray[np.int64]) -> list[Span]:
    """One span for each word of a text, with the buckets of all grams that end in it or in the space after it."""
    space = np.frombuffer(text, dtype=np.uint8) <= 32
    begins = np.flatnonzero(~space & np.concatenate([[True], space[:-1]]))
    ends = np.flatnonzero(~space & np.concatenate([space[1:], [True]])) + 1
    if not len(begins):  # a text of nothing but space is one stretch
        begins, ends = np.zeros(1, dtype=np.int64), np.full(1, len(text), dtype=np.int64)
    word = np.maximum(np.searchsorted(begins, where, side="right") - 1, 0)
    order = np.argsort(word, kind="stable")
    edges = np.searchsorted(word[order], np.arange(len(begins) + 1))
    return [
        Span(
            channel=channel,
            block=BLOCK,
            text=text[begins[i] : ends[i]].decode("utf-8", "replace"),
            start=int(begins[i]),
            end=int(ends[i]),
            features=np.unique(bucket[order[edges[i] : edges[i + 1]]]).astype(np.int64),
        )
        for i in range(len(begins))
        if edges[i] < edges[i + 1]
    ]


def plain_kernels() -> Any:
    """The kernels as plain Python, for one row."""
    import lithify.features.extract as plain

    return plain
