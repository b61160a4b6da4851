"""The front of a finished network in NumPy: rows of columns or of hashed features to flat vectors.

Sums are of whole numbers and everything else goes element by element, so a row has the same bits alone, in a batch,
and on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks, Hashed
from lithify.errors import MalformedContainer
from lithify.learners.network.inputs import (
    COLUMNS,
    Inputs,
    audit_columns,
    channels_of,
    codes_of,
    encode,
    folded,
    owners,
    width_of,
)

Arrays = Mapping[str, NDArray[Any]]


def part(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def vectors(inputs: Inputs, encoding: Arrays, front: Arrays, blocks: Blocks) -> NDArray[np.float32]:
    """What enters the network: (n, width) float32, all finite."""
    rows = len(next(iter(blocks.values())))
    if inputs.kind == "columns":
        codes = codes_of(blocks)
        found = [front[f"codes.{j}"][codes[:, j]] for j in range(codes.shape[1])]
        return np.concatenate([encode(encoding, blocks, np.arange(rows)), *found], axis=1)
    (block,) = blocks.values()
    assert isinstance(block, Hashed)
    sums = np.zeros((rows, inputs.width))
    for row in range(rows):
        terms, lengths = bucket_terms(front, block, row)
        sums[row] = _total(terms, lengths, len(channels_of(block.buckets)) - 1)
    scale = np.tile(front["scale"], inputs.width // len(front["scale"]))
    return np.asarray(sums * scale, dtype=np.float32)


def bucket_terms(front: Arrays, block: Hashed, row: int) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """The whole-number vector of each bucket of a row, (k, breadth), and the channel it belongs to, (k,)."""
    index = block.index[block.start[row] : block.start[row + 1]]
    channel = np.searchsorted(channels_of(block.buckets), index, side="right") - 1
    return front["table"][folded(index, _bits(front))], channel


def _total(terms: NDArray[np.int16], channel: NDArray[np.int64], channels: int) -> NDArray[np.float64]:
    found = np.zeros((channels, terms.shape[1]))
    for c in range(channels):
        own = channel == c
        count = int(np.count_nonzero(own))
        found[c] = terms[own].sum(axis=0, dtype=np.int64) / np.sqrt(float(max(1, count)))
    return found.ravel()


def bucket_vectors(front: Arrays, block: Hashed, row: int, width: int) -> NDArray[np.float64]:
    """What each bucket of a row adds to its vector, (k, width) float64, all buckets being there."""
    terms, channel = bucket_terms(front, block, row)
    counts = np.maximum(np.bincount(channel, minlength=width // terms.shape[1]), 1)
    found = np.zeros((len(terms), width // terms.shape[1], terms.shape[1]))
    found[np.arange(len(terms)), channel] = terms / np.sqrt(counts[channel].astype(np.float64))[:, None]
    scale = np.tile(front["scale"], width // terms.shape[1])
    return np.asarray(found.reshape(len(terms), width) * scale, dtype=np.float64)


def owner_of(inputs: Inputs, encoding: Arrays, front: Arrays) -> NDArray[np.int64]:
    """Which column each value of a row's vector belongs to, (width,): numbers, categories, words, as they are numbered.

    For rows of columns only.
    """
    own = owners(encoding, inputs)
    widths = [front[f"codes.{j}"].shape[1] for j in range(len(inputs.sizes))]
    ends = inputs.width - sum(widths) + np.cumsum([0, *widths])
    tables = [np.arange(a, b) for a, b in pairwise(ends.tolist())]
    owner = np.empty(inputs.width, dtype=np.int64)
    for number, at in enumerate([*own[: inputs.numbers], *tables, *own[inputs.numbers :]]):
        owner[at] = number
    return owner


def audit(inputs: Inputs, encoding: Arrays, front: Arrays) -> None:
    """Raises ``MalformedContainer`` unless the arrays of a front from a file fit what goes in."""
    if inputs.kind == "hashed":
        sound = not encoding and front.keys() == {"table", "scale"} and inputs.buckets > 0
        sound = sound and front["table"].dtype == np.int16 and front["table"].ndim == 2
        sound = sound and front["scale"].dtype == np.float64 and front["scale"].shape == front["table"].shape[1:]
        sound = sound and len(front["scale"]) >= 1 and len(front["table"]) == 1 << _bits(front)
        sound = sound and 1 <= _bits(front) <= 24 and bool(np.isfinite(front["scale"]).all())
        sound = sound and inputs.width == len(front["scale"]) * (len(channels_of(inputs.buckets)) - 1)
    elif inputs.kind == "columns":
        audit_columns(encoding, inputs)
        sound = front.keys() == {f"codes.{j}" for j in range(len(inputs.sizes))}
        sound = sound and all(
            table.dtype == np.float32 and table.ndim == 2 and len(table) == inputs.sizes[int(name[6:])]
            for name, table in front.items()
        )
        sound = sound and all(bool(np.isfinite(table).all()) for table in front.values())
        widths = sum(table.shape[1] for table in front.values()) if sound else 0
        sound = sound and inputs.width == width_of(encoding, inputs.words) + widths
    else:
        sound = not encoding and not front
    if not sound:
        raise MalformedContainer("What stands before the network does not fit.", expected=", ".join(COLUMNS))


def _bits(front: Arrays) -> int:
    return max(0, (len(front["table"]) - 1).bit_length())
