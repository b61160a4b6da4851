"""A finished network: blocks to raw scores and embeddings through ONNX Runtime, any number of rows, the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks
from lithify.data.decoded import cores
from lithify.data.state import State
from lithify.learners.network.graph.graph import from_json as graph_from_json
from lithify.learners.network.graph.session import Session, Taken, in_grains
from lithify.learners.network.inputs import Inputs, from_json
from lithify.learners.network.lookup import part, vectors

GRAIN = {"pixels": 1, "hashed": 16, "columns": 16}
"""Rows in a call of the graph. Images are work enough one by one; for flat rows a call would cost more than the row."""
MANY = 512
"""Images from which on it pays to find out whether several may go into a call."""
_SIDE_BY_SIDE = 64


class Network:
    """A finished state, ready to score rows; many threads may use it at once.

    Parameters
    ----------
    state : State
        Audited.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.inputs: Inputs = from_json(state.facts["inputs"])
        self.classes = int(state.facts["classes"])
        self.encoding = part(state.arrays, "x/")
        self.front = part(state.arrays, "f/")
        self._session = Session(graph_from_json(state.facts["graph"]), part(state.arrays, "w/"))

    def outputs(
        self, given: Mapping[str, NDArray[Any] | Taken], threads: int = 1, many: bool = False
    ) -> dict[str, NDArray[Any]]:
        """What the graph gives, ``raw`` and ``embedding``, for any number of rows; see :func:`in_grains`."""
        return in_grains(self._session, given, threads, many)

    def both(
        self, blocks: Blocks, threads: int | None = None, many: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Raw scores (n, outputs) and embeddings (n, d) of some rows, on as many threads as pays unless told.

        ``many`` says that they are some of many, as :data:`MANY` rows are.
        """
        rows = len(next(iter(blocks.values())))
        count = threads or (cores() if rows >= _SIDE_BY_SIDE and self.inputs.kind == "pixels" else 1)
        if self.inputs.kind == "pixels":
            (block,) = blocks.values()
            found = self.outputs({"pixels": block}, count, many or rows >= MANY)  # type: ignore[dict-item]
        else:
            found = self.outputs({"x": vectors(self.inputs, self.encoding, self.front, blocks)}, count)
        return self.scores(found["raw"]), found["embedding"]

    def raw(self, blocks: Blocks) -> NDArray[np.float32]:
        """Scores as they come out of the graph; (n, outputs) float32."""
        x = vectors(self.inputs, self.encoding, self.front, blocks)
        return np.asarray(self.outputs({"x": x})["raw"], dtype=np.float32)

    def scores(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        """Raw scores as a learner gives them: of two labels (0, s), in regression the value."""
        found = raw.astype(np.float64)
        if self.classes == 2:
            return np.stack([np.zeros(len(found)), found[:, 1] - found[:, 0]], axis=1)
        if self.classes:
            return found
        mean, spread = self.state.arrays["scale"]
        return np.asarray(found * spread + mean, dtype=np.float64)
