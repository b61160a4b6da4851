"""A step of training: what one grain of rows says about the weights, and the weights after all grains have spoken."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lithify import rng
from lithify.data.state import State
from lithify.learners.base import Partial
from lithify.learners.network import front, optim
from lithify.learners.network.arithmetic import exactly
from lithify.learners.network.augment import Augment, augment
from lithify.learners.network.first import array, kept, trained
from lithify.learners.network.job import Job, pixels_of
from lithify.learners.network.nets.drop import keyed
from lithify.learners.network.replica import Replicas, tensor_of
from lithify.learners.network.schedule import early, side_at

POINTS = 1000
"""Of the history; each is the mean of the steps that it stands for."""
_WHITENED = "net.whiten.bias"


def first_state(job: Job, whole: torch.nn.Module, facts: dict[str, Any]) -> State:
    """The state before step 0."""
    arrays = {f"p/{name}": array(value) for name, value in trained(whole).items()}
    arrays |= {f"b/{name}": array(value) for name, value in kept(whole).items()}
    averaged = {f"e/{name[2:]}": value.copy() for name, value in arrays.items() if _averages(name, job)}
    for name, value in trained(whole).items():
        for slot, zeros in optim.slots(_kind(job, name, value), value.data).items():
            arrays[f"{slot}/{name}"] = array(zeros)
    history = np.zeros((min(POINTS, job.steps), 4), dtype=np.float64)
    return State(arrays | averaged | {"history": history}, {**facts, "step": 0})


def _averages(name: str, job: Job) -> bool:
    return job.params.ema > 0.0 and (name.startswith("p/") or name.endswith(("running_mean", "running_var")))


def _kind(job: Job, name: str, value: torch.Tensor | NDArray[Any]) -> str:
    """What the optimiser does with a parameter; tables before a network are AdamW's."""
    optimiser = "adamw" if name.startswith("front.") else job.params.optimiser
    return optim.kind_of(optimiser, name.removeprefix("net."), tuple(value.shape))


def grain(job: Job, replicas: Replicas, state: State, step: int, number: int) -> Partial:
    """Sums over the rows of one grain: gradients ``g/…``, statistics of norms ``s/…``, loss, right answers."""
    with exactly(job.params.device):
        if not len(job.data.train):
            return _nothing(state)
        replica = replicas.at(state)
        rows, epochs = job.shown(step, number)
        batch = tuple(each.to(job.params.device) for each in _batch(job, rows, epochs, step))
        with keyed(rng.key(job.data.seed, "network drop", step, number)):
            scores = _forward(job, replica.module, batch)
        loss, right = _loss(job, scores, rows)
        parameters = replica.trained
        moving = [name for name in parameters if _share(job, name, step)]
        found_of = torch.autograd.grad(loss, [parameters[name] for name in moving], allow_unused=True)
        gradients = dict(zip(moving, found_of, strict=True))
        partial: Partial = {"loss": np.array([loss.item()]), "right": np.array([right])}
        held: set[int] = set()
        for name, value in parameters.items():
            gradient = gradients.get(name)
            found = (torch.zeros_like(value) if gradient is None else gradient).float().cpu().contiguous()
            # autograd may give two parameters one tensor; each needs its own, since sums are made in place
            partial[f"g/{name}"] = (found.clone() if found.data_ptr() in held else found).numpy()
            held.add(found.data_ptr())
        for name, norm in replica.norms.items():
            assert norm.running_mean is not None
            assert norm.running_var is not None
            partial[f"s/{name}.running_mean"] = array(norm.running_mean)
            partial[f"s/{name}.running_var"] = array(norm.running_var)
        return partial


def _nothing(state: State) -> Partial:
    named = {f"g/{name[2:]}": np.zeros_like(array) for name, array in state.arrays.items() if name.startswith("p/")}
    return {"loss": np.zeros(1), "right": np.zeros(1), **named}


def _batch(job: Job, rows: NDArray[np.int64], epochs: NDArray[np.int64], step: int) -> front.BATCH:
    if job.inputs.kind != "pixels":
        return front.batch_of(job.inputs, job.encoding, job.data.blocks, rows, job.params.fold)
    params = job.params
    how = Augment(params.flip == "yes", params.shift, params.crop, params.erase, params.colour)
    side = side_at(step, job.steps, job.inputs.side) if params.net == "residual" else job.inputs.side
    images = pixels_of(job.data).take(rows)
    dtype = torch.bfloat16 if params.precision == "bf16" else torch.float32
    mean, std = job.encoding["mean"], job.encoding["std"]
    return (augment(images, rows, epochs, job.data.seed, how, mean, std, side, dtype),)


def _forward(job: Job, module: torch.nn.Module, batch: front.BATCH) -> torch.Tensor:
    short = job.params.precision == "bf16"
    with torch.autocast(job.params.device, dtype=torch.bfloat16, enabled=short, cache_enabled=False):
        scores: torch.Tensor = module(*batch)
    return scores.float()


def _loss(job: Job, scores: torch.Tensor, rows: NDArray[np.int64]) -> tuple[torch.Tensor, float]:
    """Sum of the weighted losses of some rows, and how many of them have the highest score where it belongs."""
    device = scores.device
    weight = torch.from_numpy(job.weight[rows]).to(device)
    if job.data.classes:
        label = torch.from_numpy(job.data.target[rows].astype(np.int64)).to(device)
        losses = torch.nn.functional.cross_entropy(
            scores, label, label_smoothing=job.params.smoothing, reduction="none"
        )
        return (losses * weight).sum(), float((scores.detach().argmax(dim=1) == label).sum().item())
    mean, spread = job.scale
    value = torch.from_numpy(((job.data.target[rows] - mean) / spread).astype(np.float32)).to(device)
    off = scores[:, 0] - value
    return (0.5 * off * off * weight).sum(), 0.0


def apply(job: Job, momenta: dict[str, float], state: State, step: int, total: Partial) -> State:
    """The state after a step, from the sums over all grains.

    Parameters
    ----------
    momenta : dict of str to float
        Share of the newest statistics in the running ones, by the name of each norm.
    """
    with exactly(job.params.device):
        arrays = dict(state.arrays)
        if len(job.data.train):
            _move(job, arrays, step, total)
            for name, share in momenta.items():
                for kind in (f"{name}.running_mean", f"{name}.running_var"):
                    newest = total[f"s/{kind}"] / np.float32(job.data.grains)
                    arrays[f"b/{kind}"] = arrays[f"b/{kind}"] * np.float32(1.0 - share) + newest * np.float32(share)
            _average(job, arrays, step)
        arrays["history"] = _noted(job, arrays["history"], step, total)
    return State(arrays, {**state.facts, "step": step + 1})


def _move(job: Job, arrays: dict[str, NDArray[Any]], step: int, total: Partial) -> None:
    """Every parameter and what is remembered of it, by the mean gradient."""
    params, device = job.params, job.params.device
    gradients = {name: tensor_of(g).to(device) / job.batch for name, g in total.items() if name.startswith("g/")}
    if params.clip:
        squares = [float(torch.linalg.vector_norm(g).item()) ** 2 for g in gradients.values()]
        length = float(np.sqrt(sum(squares)))
        if length > params.clip:
            gradients = {name: g * (params.clip / length) for name, g in gradients.items()}
    for name, gradient in gradients.items():
        own = name[2:]
        kind = _kind(job, own, gradient)
        value = tensor_of(arrays[f"p/{own}"]).to(device)
        slots = {slot: tensor_of(arrays[f"{slot}/{own}"]).to(device) for slot in optim.slots(kind, gradient[:0])}
        rate = optim.rate_of(kind, job.batch) * params.rate * _share(job, own, step)
        value, slots = optim.update(kind, value, gradient, slots, rate, params.decay, step, params.momentum)
        arrays[f"p/{own}"] = value.cpu().contiguous().numpy()
        arrays |= {f"{slot}/{own}": tensor.cpu().contiguous().numpy() for slot, tensor in slots.items()}


def _share(job: Job, name: str, step: int) -> float:
    """What share of its highest rate a parameter is moved at; the bias of the whitened patches is soon left alone."""
    at = min(step, job.steps - 1)
    if job.params.optimiser == "muon" and name == _WHITENED:
        return early(at, job.steps)
    return float(job.rates[at])


def _average(job: Job, arrays: dict[str, NDArray[Any]], step: int) -> None:
    """The average of the weights over the last steps, counted from the first one while there are few."""
    if not job.params.ema:
        return
    horizon = max(1.0, job.params.ema * job.steps)
    share = np.float32(max(1.0 / horizon, min(1.0, 10.0 / (10.0 + step))))
    for name in [name for name in arrays if name.startswith("e/")]:
        newest = arrays["p/" + name[2:]] if "p/" + name[2:] in arrays else arrays["b/" + name[2:]]
        arrays[name] = arrays[name] + (newest - arrays[name]) * share


def _noted(job: Job, history: NDArray[np.float64], step: int, total: Partial) -> NDArray[np.float64]:
    """The history with this step: means of step, loss and accuracy of each point, and how many steps they are of."""
    noted = history.copy()
    point = noted[min(step, job.steps - 1) * len(history) // job.steps]
    rows = float(job.batch)
    here = np.array([step + 1.0, float(total["loss"][0]) / rows, float(total["right"][0]) / rows])
    point[3] += 1.0
    point[:3] += (here - point[:3]) / point[3]
    return noted


def curve(history: NDArray[np.float64]) -> NDArray[np.float32]:
    """Points of a history as (points, 3) float32: step, mean loss, mean accuracy; those that were reached."""
    return history[history[:, 3] > 0.0, :3].astype(np.float32)


def latest(state: State) -> dict[str, float]:
    """Loss and accuracy at the newest point of the history of a running state; nothing before the first step."""
    history = state.arrays.get("history")
    if history is None or history.ndim != 2 or history.shape[1] != 4 or not history[:, 3].any():
        return {}
    _, loss, accuracy, _ = history[np.flatnonzero(history[:, 3])[-1]]
    return {"loss": float(loss), "accuracy": float(accuracy)}
