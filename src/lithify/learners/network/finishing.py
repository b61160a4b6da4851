"""From trained weights to what is sealed: a graph with its arrays, compared with what torch computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lithify import rng
from lithify.data.batches import take
from lithify.data.state import State
from lithify.errors import RunError
from lithify.learners.network import front
from lithify.learners.network.arithmetic import exactly
from lithify.learners.network.augment import normalised
from lithify.learners.network.first import array, kept, trained
from lithify.learners.network.graph.graph import Graph, to_json
from lithify.learners.network.graph.pixels import pixels
from lithify.learners.network.graph.trace import trace
from lithify.learners.network.job import Job
from lithify.learners.network.lookup import owner_of, part, vectors
from lithify.learners.network.replica import tensor_of
from lithify.learners.network.scoring import GRAIN, Network
from lithify.learners.network.steps import curve

_ROWS = 16
_AVERAGED, _RANKED = 4096, 512
"""Training rows at most that the mean is of, and that the importance of columns is of."""
_APART = 1e-3
"""How far scores of graph and module may be apart, as a share of the spread of the scores."""


def finish(job: Job, state: State) -> State:
    """The sealed state of a training; ``RunError`` where the graph does not compute what the module does."""
    with exactly():
        whole = averaged(job, state)
        sealed = _sealed(job, state, whole)
        _compare(job, whole, sealed)
    return sealed


def averaged(job: Job, state: State) -> front.Whole:
    """The module on the CPU with the averaged weights, in evaluation mode and float32."""
    whole = job.network().float()
    assert isinstance(whole, front.Whole)
    named = {**{name: value.data for name, value in trained(whole).items()}, **kept(whole)}
    for name, value in named.items():
        values = next(state.arrays[p + name] for p in ("e/", "p/", "b/") if p + name in state.arrays)
        value.copy_(tensor_of(values))
    return whole.eval()


def _sealed(job: Job, state: State, whole: front.Whole) -> State:
    grain = GRAIN[job.inputs.kind]
    if job.inputs.kind == "pixels":
        graph, weights = _from_pixels(job, whole.net, grain)
        arrays: dict[str, NDArray[Any]] = {}
    else:
        graph, weights = trace(whole.net, {"x": torch.zeros(grain, job.inputs.width)})
        arrays = {f"x/{name}": values for name, values in job.encoding.items()}
        tables = {} if whole.front is None else {name: array(value) for name, value in whole.front.named_parameters()}
        arrays |= {f"f/{name}": values for name, values in front.sealed(tables).items()}
    arrays |= {f"w/{name}": values for name, values in weights.items()}
    arrays["history"] = curve(state.arrays["history"])
    if not job.data.classes:
        arrays["scale"] = np.array(job.scale)
    if job.inputs.kind != "pixels":
        x = _vectors(job, part(arrays, "f/"))
        arrays["base"] = np.asarray(x.astype(np.float64).mean(axis=0), dtype=np.float32)
        if job.inputs.kind == "columns":
            arrays["shares"] = _shares(job, whole, part(arrays, "f/"), x[:_RANKED], arrays["base"])
    facts: dict[str, Any] = {"graph": to_json(graph), "inputs": job.inputs.to_json(), "classes": job.data.classes}
    facts["points"] = len(arrays["history"])
    return State(arrays, facts)


def _from_pixels(job: Job, net: torch.nn.Module, rows: int) -> tuple[Graph, dict[str, NDArray[Any]]]:
    side, channels, views = job.inputs.side, job.inputs.channels, job.params.views
    inner, weights = trace(net, {"x": torch.zeros(views * rows, channels, side, side)})
    mean, std = (job.encoding[name].tolist() for name in ("mean", "std"))
    return pixels(inner, weights, side, channels, mean, std, views)


def _vectors(job: Job, tables: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Vectors of some training rows of columns; a row of zeros where there are none, and for buckets."""
    rows = job.data.train[:: max(1, -(-len(job.data.train) // _AVERAGED))]
    if job.inputs.kind == "hashed" or not len(rows):
        return np.zeros((1, job.inputs.width), dtype=np.float32)
    return vectors(job.inputs, job.encoding, tables, take(job.data.blocks, rows))


def _shares(
    job: Job, whole: front.Whole, tables: dict[str, NDArray[Any]], x: NDArray[np.float32], base: NDArray[np.float32]
) -> NDArray[np.float64]:
    """How far the scores of some rows move, in the mean, where a column is not known: (columns,), summing to 1."""
    owner = owner_of(job.inputs, job.encoding, tables)
    found = np.zeros(job.inputs.columns)
    with torch.no_grad():
        full = whole.net(torch.from_numpy(x))
        for column in range(job.inputs.columns):
            without = whole.net(torch.from_numpy(np.where(owner == column, base, x)))
            found[column] = np.abs((full - without).double().numpy()).mean()
    total = float(found.sum())
    return found / total if total > 0.0 else found


def _compare(job: Job, whole: front.Whole, sealed: State) -> None:
    """Raises ``RunError`` unless graph and module agree on some training rows, or on noise where these are images."""
    network = Network(sealed)
    with torch.no_grad():
        if job.inputs.kind == "pixels":
            side, channels = job.inputs.side, job.inputs.channels
            draws = rng.bits(rng.key(0, "network noise"), 0, _ROWS * side * side * channels)
            noise = (draws >> np.uint64(56)).astype(np.uint8).reshape(_ROWS, side, side, channels)
            noise[_ROWS // 2 :] = np.sort(noise[_ROWS // 2 :], axis=1)  # half of them smooth from top to bottom
            theirs = network.outputs({"pixels": noise})["raw"]
            ours = torch.stack([whole.net(view) for view in _views(job, noise)]).mean(dim=0)
        else:
            rows = job.data.train[:_ROWS]
            if not len(rows):
                return
            theirs = network.raw(take(job.data.blocks, rows))
            ours = whole(*front.batch_of(job.inputs, job.encoding, job.data.blocks, rows, job.params.fold))
    check(ours.double().numpy(), theirs.astype(np.float64))


def _views(job: Job, images: NDArray[np.uint8]) -> list[torch.Tensor]:
    """What a network is shown of some images at prediction, as torch has it."""
    x = normalised(torch.from_numpy(images).float(), job.encoding["mean"], job.encoding["std"]).permute(0, 3, 1, 2)
    side, views = x.shape[-1], job.params.views
    wide = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
    every = [x] + [wide[:, :, at : at + side, at : at + side] for at in (0, 2) if views == 6]
    return every + [view.flip(3) for view in every] if views > 1 else every


def check(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> None:
    """Raises ``RunError`` unless scores agree within a thousandth of their spread, and so do the labels they give.

    >>> check(np.array([[0.0, 1.0]]), np.array([[0.0, 1.0001]]))
    """
    near = _APART * float(ours.max() - ours.min()) + 1e-6
    apart = float(np.abs(ours - theirs).max()) if np.isfinite(theirs).all() else np.inf
    best = theirs.argmax(axis=1)
    short = ours.max(axis=1) - ours[np.arange(len(ours)), best]
    if not (apart <= near and (short <= 2.0 * near).all()):
        raise RunError(
            "The sealed graph does not compute what the trained network does.",
            expected=f"scores at most {near:.3g} apart",
            found=f"{apart:.3g}",
            hint="If the network is your own, one of its layers behaves otherwise than its ONNX operator.",
        )
