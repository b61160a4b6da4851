"""What each patch of an image, each column or each bucket adds to one score of a finished network."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import BLOCKS, Blocks, Hashed, Pixels
from lithify.features.image import edges, grid
from lithify.learners.network.lookup import bucket_vectors, owner_of, vectors
from lithify.learners.network.scoring import Network
from lithify.learners.network.shapley import Score, shares

_ORDERS = {"pixels": 4, "columns": 16, "hashed": 2}


def contributions(network: Network, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Shares by block, and the score of a row of which nothing is known.

    Of two labels it is the difference of the scores that is explained. For images the shares are those of the cells of
    :func:`lithify.features.image.grid`, row by row; what is not there has the mean colour of the image.
    """
    kind = network.inputs.kind
    if kind == "pixels":
        ((name, block),) = blocks.items()
        assert isinstance(block, Pixels)
        cells = patches(network.inputs.side)
        found, base = shares(int(cells.max()) + 1, _ORDERS[kind], _of_image(network, block, cells, column))
        return {name: found}, base
    if kind == "hashed":
        ((name, hashed),) = blocks.items()
        assert isinstance(hashed, Hashed)
        added = bucket_vectors(network.front, hashed, 0, network.inputs.width)
        whole = vectors(network.inputs, network.encoding, network.front, blocks)[0]
        found, base = shares(len(added), _ORDERS[kind], _of_buckets(network, added, whole, column))
        return {name: found}, base
    return _of_columns(network, blocks, column)


def patches(side: int) -> NDArray[np.int64]:
    """Which cell of the grid over an image each pixel lies in, (side, side).

    >>> int(patches(8).max()), int(patches(32)[0, 31]), int(patches(32)[31, 31])
    (15, 7, 63)
    """
    at = np.repeat(np.arange(grid(side)), np.diff(edges(side)))
    return np.asarray(at[:, None] * grid(side) + at[None, :], dtype=np.int64)


def _score(network: Network, x: NDArray[np.float32], column: int) -> NDArray[np.float64]:
    return _one(network, network.outputs({"x": x})["raw"], column)


def _one(network: Network, raw: NDArray[np.float32], column: int) -> NDArray[np.float64]:
    scores = network.scores(raw)
    found = scores[:, column] - scores[:, 1 - column] if network.classes == 2 else scores[:, column]
    return np.asarray(found, dtype=np.float64)


def _of_image(network: Network, block: Pixels, cells: NDArray[np.int64], column: int) -> Score:
    (image,) = block.take(np.zeros(1, dtype=np.int64))
    mean = np.rint(image.reshape(-1, image.shape[2]).mean(axis=0)).astype(np.uint8)

    def score(there: NDArray[np.bool_]) -> NDArray[np.float64]:
        shown = np.where(there[:, cells][..., None], image, mean)
        return _one(network, network.outputs({"pixels": shown}, 1)["raw"], column)

    return score


def _of_buckets(network: Network, added: NDArray[np.float64], whole: NDArray[np.float32], column: int) -> Score:
    def score(there: NDArray[np.bool_]) -> NDArray[np.float64]:
        x = (there.astype(np.float64) @ added).astype(np.float32)
        x[there.all(axis=1)] = whole  # to the bit what is predicted
        return _score(network, x, column)

    return score


def _of_columns(network: Network, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
    inputs = network.inputs
    (whole,) = vectors(inputs, network.encoding, network.front, blocks)[:1]
    base = network.state.arrays["base"]
    owner = owner_of(inputs, network.encoding, network.front)

    def score(there: NDArray[np.bool_]) -> NDArray[np.float64]:
        return _score(network, np.where(there[:, owner], whole, base).astype(np.float32), column)

    found, without = shares(inputs.columns, _ORDERS["columns"], score)
    ends = np.cumsum([0, inputs.numbers, len(inputs.sizes), inputs.words])
    parts = dict(zip(BLOCKS, (found[a:b] for a, b in pairwise(ends.tolist())), strict=True))
    return {name: parts[name] for name in blocks}, without
