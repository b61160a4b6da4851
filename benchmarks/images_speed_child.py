"""One part of ``images_speed`` in a process of its own; prints JSON."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.images_speed import THREADS
from benchmarks.processes import facts

BATCH, GRAINS = 512, 16
_STEPS, _QUICK_STEPS = 24, 3
_SINGLE, _QUICK_SINGLE = 300, 20
_SCORED, _QUICK_SCORED = 8192, 1024


def data(told: dict[str, Any]) -> dict[str, Any]:
    """Archive to snapshot, then the pixels of all its images."""
    from lithify import api
    from lithify.data import pixel_cache

    home = Path(told["home"])
    began = time.perf_counter()
    frozen = api.snapshot(told["data"], home=home, name="images")
    middle = time.perf_counter()
    side, channels = _size(frozen)
    pixel_cache.gather(frozen, np.arange(len(frozen)), side, channels, home / "cache")
    ended = time.perf_counter()
    return {
        "rows": len(frozen), "snapshot": middle - began, "pixels": ended - middle, "cpu": time.process_time()
    }  # fmt: skip


def grains(told: dict[str, Any]) -> dict[str, Any]:
    """Steps of ours, in grain threads, with checkpoints at the pace of a training."""
    from lithify.training.checkpoint import Checkpoint, Checkpoints
    from lithify.training.executor import Threads, never

    learner, given = _learner(told)
    steps, spent = _steps(told), [0.0]
    plain = Checkpoints._write

    def write(checkpoints: Checkpoints, checkpoint: Checkpoint) -> float:
        began = time.thread_time()
        took = plain(checkpoints, checkpoint)
        spent.append(time.thread_time() - began)
        return took

    Checkpoints._write = write  # type: ignore[method-assign, assignment]
    folder = tempfile.TemporaryDirectory(prefix="lithify-images-checkpoints-")
    with folder as path, Threads(THREADS, never()) as threads, Checkpoints(Path(path), "0" * 64) as checkpoints:
        state = threads.begin(learner, given, 0, 0, None)
        for step in range(2):
            state = threads.step(learner, state, given, step)
        began, used = time.perf_counter(), time.process_time()
        for step in range(2, 2 + steps):
            state = threads.step(learner, state, given, step)
            if checkpoints.due(step):
                checkpoints.save(Checkpoint(step, dict(state.facts), dict(state.arrays)))
        seconds, used = time.perf_counter() - began, time.process_time() - used
    return {"images": steps * BATCH / seconds, "cpu": used, "writing": sum(spent), "written": len(spent) - 1}


def loop(told: dict[str, Any]) -> dict[str, Any]:
    """Steps of the same network as a PyTorch user writes them."""
    torch: Any = import_module("torch")
    learner, given = _learner(told)
    job = learner._prepare(given)[0]
    pixels = next(iter(given.blocks.values()))
    mean, std = (torch.from_numpy(job.encoding[name]) * 255.0 for name in ("mean", "std"))
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(told["exact"])
    net = job.network().net.to(memory_format=torch.channels_last).train()
    settled = job.params
    optimiser = torch.optim.SGD(
        [each for each in net.parameters() if each.requires_grad],
        lr=0.01, momentum=settled.momentum, nesterov=True, weight_decay=settled.decay,
    )  # fmt: skip
    order = np.random.default_rng(0).permutation(given.train)

    def step(number: int) -> None:
        rows = order[np.arange(number * BATCH, (number + 1) * BATCH) % len(order)]
        x = ((torch.from_numpy(pixels.take(rows)).float() - mean) / std).permute(0, 3, 1, 2)
        y = torch.from_numpy(given.target[rows].astype(np.int64))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=told["precision"] == "bf16"):
            scores = net(x)
        loss = torch.nn.functional.cross_entropy(scores.float(), y, label_smoothing=settled.smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    for number in range(2):
        step(number)
    steps, began = _steps(told), time.perf_counter()
    for number in range(2, 2 + steps):
        step(number)
    return {"images": steps * BATCH / (time.perf_counter() - began)}


def predict(told: dict[str, Any]) -> dict[str, Any]:
    """Ours from encoded bytes through ONNX Runtime; the module in PyTorch from decoded pixels."""
    from lithify.data.decoded import decoded
    from lithify.data.state import State
    from lithify.features.image import Image, ImageParams
    from lithify.learners.network import finishing

    torch: Any = import_module("torch")
    learner, given = _learner({**told, "precision": "fp32"})
    job = learner._prepare(given)[0]
    state = learner.start(given)
    sealed, whole = learner.finish(state, given), finishing.averaged(job, state)
    net: Any = whole.net
    frozen = _frozen(told)
    side, channels = _size(frozen)
    features = Image(ImageParams(side, channels))
    rows = frozen.rows("test")[: _QUICK_SCORED if told["quick"] else _SCORED]
    contents = frozen.content(rows)

    def ours(some: list[bytes]) -> Any:
        return learner.score(sealed, features, State(), some)

    ours(contents)
    alone = [_seconds(partial(ours, [one])) for one in contents[: _QUICK_SINGLE if told["quick"] else _SINGLE]]
    found: dict[str, Any] = {"ours": len(rows) / _seconds(lambda: ours(contents))}
    found["ours_ms"] = 1e3 * statistics.median(alone)
    images: Any = finishing._views(job, decoded(contents, side, channels))[0]
    torch.set_num_threads(THREADS)
    found["peers"] = {}
    with torch.inference_mode():
        for name, form in (("contiguous", torch.contiguous_format), ("channels_last", torch.channels_last)):
            net = net.to(memory_format=form)
            x = images.contiguous(memory_format=form)
            for batch in (16, 64, 256):
                parts = [part.contiguous(memory_format=form) for part in x.split(batch)]
                _every(net, parts[:4])
                found["peers"][f"{name}, batch {batch}"] = len(rows) / _seconds(partial(_every, net, parts))
        ones = [each.contiguous(memory_format=torch.channels_last) for each in x[: len(alone)].split(1)]
        found["peer_ms"] = 1e3 * statistics.median(_seconds(partial(net, one)) for one in ones)
    return found


def _every(net: Any, parts: list[Any]) -> None:
    for part in parts:
        net(part)


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _steps(told: dict[str, Any]) -> int:
    return _QUICK_STEPS if told["quick"] else _STEPS


def _frozen(told: dict[str, Any]) -> Any:
    from lithify.data.snapshot import open_snapshot
    from lithify.store.home import open_home

    return open_snapshot(open_home(Path(told["home"])), "images")


def _size(frozen: Any) -> Any:
    from lithify.features.image import settled_side

    return settled_side(frozen.manifest["images"]["side"]), frozen.manifest["images"]["channels"]


def _learner(told: dict[str, Any]) -> tuple[Any, Any]:
    """The learner, without augmentation, and what it is given: decoded pixels of all rows."""
    from lithify.data import pixel_cache
    from lithify.data.batches import TrainingData
    from lithify.learners.network.network import Network
    from lithify.learners.network.params import NetworkParams

    frozen = _frozen(told)
    side, channels = _size(frozen)
    rows = np.concatenate([frozen.rows("train"), frozen.rows("test")])
    block = pixel_cache.gather(frozen, rows, side, channels, Path(told["home"]) / "cache")
    params = NetworkParams(
        net="small", width=told["width"], depth=1, batch=BATCH, steps=1000, epochs=1000.0, optimiser="sgd", flip="no",
        shift=0, crop=1.0, erase=0.0, colour=0.0, views=1, device="cpu", precision=told["precision"],
    )  # fmt: skip
    train = np.arange(len(frozen.rows("train")))
    given = TrainingData(
        {"pixels": block}, frozen.table.label[rows], np.ones(len(rows)), train, np.zeros(0, np.int64),
        len(frozen.labels), np.arange(len(rows)), 0, GRAINS,
    )  # fmt: skip
    return Network(params), given


def main() -> None:
    """Works as the facts say: ``part``, ``data``, ``home``, ``quick`` and what the part needs."""
    told = facts()
    json.dump({"data": data, "grains": grains, "loop": loop, "predict": predict}[told["part"]](told), sys.stdout)


if __name__ == "__main__":
    main()
