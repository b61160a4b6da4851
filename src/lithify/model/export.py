"""A model as one ONNX file that any runtime can use: pixels in, calibrated probabilities out.

The exported graph is the sealed one with the calibration behind it. Decoding and scaling an image to the square of
pixels that goes in is left to whoever uses the file, and the file's metadata says how it is done. Runtimes differ in
the last bits, so the file is not the model; before it is written it is computed and compared with the model's own
predictions, and it is not written when a label differs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data.split import TEST
from lithify.errors import GoldenMismatch, Unsupported
from lithify.learners.network.graph.build import Builder
from lithify.learners.network.graph.graph import Graph, from_json
from lithify.learners.network.graph.onnx import OPSET, encode
from lithify.learners.network.graph.session import runtime_session
from lithify.model.draft import Draft
from lithify.model.model import Model
from lithify.store.blobs import write_atomic

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot

TEST_ROWS = 1000
"""Rows of a snapshot's test split that are compared, the first by key."""

BATCH = "rows"
_AT_A_TIME = 64
_WEIGHTS = "w/"

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Export:
    """What was written, and how near it is to the model.

    Attributes
    ----------
    path : Path
    digest : str
        Of the file.
    model : str
        Digest of the model; empty for a draft.
    opset : int
        The set of ONNX operators.
    golden, test : int
        Golden inputs and test rows that were compared.
    difference : float
        The largest absolute difference of a probability.
    differing : int
        Rows that get another label; the file is only written when there are none.
    """

    path: Path
    digest: str
    model: str
    opset: int
    golden: int
    test: int
    difference: float
    differing: int

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {**asdict(self), "path": str(self.path)}


def export_onnx(thing: Model | Draft, path: Path, snapshot: Snapshot | None = None) -> Export:
    """Writes a model as a self-contained ONNX file.

    Inputs and outputs of the file: ``pixels`` uint8 (rows, side, side, channels); ``probabilities`` float32
    (rows, labels), calibrated, and ``raw`` float32 (rows, labels), the scores that they are made of. The number of rows
    is open. Metadata: ``labels`` (a JSON list, in the order of the columns), ``model`` (its digest) and ``input`` (in
    words).

    Parameters
    ----------
    thing : Model or Draft
    path : Path
    snapshot : Snapshot, optional
        Up to ``TEST_ROWS`` of its test rows are compared too.

    Raises
    ------
    Unsupported
        The model is not a network that classifies images.
    GoldenMismatch
        The exported graph gives some row another label than the model does; nothing is written.
    """
    draft = thing.draft if isinstance(thing, Model) else thing
    digest = thing.digest if isinstance(thing, Model) else ""
    data = _encoded(draft, digest)
    golden, test = draft.golden_inputs(), _test_rows(snapshot)
    difference, differing = _compared(draft, data, [*golden, *test])
    if differing:
        raise GoldenMismatch(
            "The exported network gives some rows another label than the model does.",
            expected="the same label for every row",
            found=f"{differing:,} of {len(golden) + len(test):,} rows differ; probabilities by up to {difference:.2g}",
            hint="Use the model itself; nothing was written.",
        )
    write_atomic(path, data, mode=0o644)
    return Export(path, canon.digest(data), digest, OPSET, len(golden), len(test), difference, differing)


def calibrated(
    graph: Graph, arrays: Mapping[str, NDArray[Any]], calibration: Mapping[str, Any]
) -> tuple[Graph, Arrays]:
    """The graph with outputs ``probabilities`` and ``raw``; see :func:`lithify.calibration.apply_temperature`."""
    build = Builder(graph.inputs, prefix="e")
    raw = build.extend(graph, arrays, {value.name: value.name for value in graph.inputs})["raw"]
    if calibration["kind"] == "platt":
        apart = build.array(np.array([[0.0, -1.0], [0.0, 1.0]], dtype=np.float32), "calibration/apart")
        raw = build.node("MatMul", raw, apart)
    slope = build.array(np.array([calibration["slope"]], dtype=np.float32), "calibration/slope")
    scores = build.node("Mul", raw, slope)
    if calibration["kind"] == "platt":
        offset = build.array(np.array([0.0, calibration["offset"]], dtype=np.float32), "calibration/offset")
        scores = build.node("Add", scores, offset)
    return build.finish({"probabilities": build.node("Softmax", scores, axis=1), "raw": raw})


def _encoded(draft: Draft, digest: str) -> bytes:
    if draft.learner_name != "network":
        raise Unsupported(
            f"Models of the learner {draft.learner_name} are not exported to ONNX.",
            expected="a network that classifies images",
            hint="Predict with the model itself: it needs no more than NumPy.",
        )
    if draft.kind != "image" or draft.task != "classification":
        raise Unsupported(
            f"Networks for {draft.kind} rows are not exported to ONNX.",
            expected="a network that classifies images",
            hint="What turns such rows into numbers has no ONNX operators; predict with the model itself.",
        )
    state = draft.learner_state
    weights = {k.removeprefix(_WEIGHTS): array for k, array in state.arrays.items() if k.startswith(_WEIGHTS)}
    graph, arrays = calibrated(from_json(state.facts["graph"]), weights, draft.calibration)
    return encode(graph, arrays, _metadata(draft, graph, digest), batch=BATCH)


def _metadata(draft: Draft, graph: Graph, digest: str) -> dict[str, str]:
    _, side, _, channels = graph.inputs[0].shape
    colour = "RGB" if channels == 3 else "grey"
    says = (
        f"uint8 (rows, {side}, {side}, {channels}), {colour}: the image turned as its EXIF says, transparency over "
        f"white, the short side scaled to {side} pixels with antialiasing, the square in the middle"
    )
    return {"labels": json.dumps(list(draft.labels)), "model": digest, "input": says}


def _test_rows(snapshot: Snapshot | None) -> list[bytes]:
    if snapshot is None:
        return []
    return snapshot.content(np.flatnonzero(snapshot.table.side == TEST)[:TEST_ROWS])


def _compared(draft: Draft, data: bytes, contents: Sequence[bytes]) -> tuple[float, int]:
    """The largest difference of a probability, and how many rows get another label."""
    session, largest, differing = runtime_session(data), 0.0, 0
    for at in range(0, len(contents), _AT_A_TIME):
        some = contents[at : at + _AT_A_TIME]
        (block,) = draft.features.transform(draft.features_state, some).values()
        given = block.take(np.arange(len(some)))  # type: ignore[union-attr]
        theirs = session.run(["probabilities"], {"pixels": given})[0].astype(np.float64)
        ours = draft.probabilities(draft.raw(some))
        largest = max(largest, float(np.abs(ours - theirs).max()))
        differing += int(np.count_nonzero(ours.argmax(axis=1) != theirs.argmax(axis=1)))
    return largest, differing
