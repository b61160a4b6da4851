"""How torch computes while a network trains: one kernel thread, no denormal numbers, on a GPU deterministic kernels."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from lithify import engines, rng
from lithify.learners.network import convolutions


@contextlib.contextmanager
def exactly(device: str = "cpu") -> Iterator[None]:
    """Inside, this thread computes as every thread of every session of a run does.

    Denormal numbers are flushed to zero thread by thread (MXCSR), so each thread has to ask for it; afterwards they are
    let in again, as the rest of the process expects.
    """
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
    if device == "cuda":
        _deterministic()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@functools.cache
def _deterministic() -> None:
    """No kernel whose sums come in any order, none chosen by a contest, no reduced precision behind one's back."""
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


@functools.cache
def probe(device: str, precision: str, how: str) -> str:
    """Digest of what this process makes of a small step whose data are known: convolution, norm, pooling, layers, loss.

    ``how`` is what 3 × 3 convolutions are computed by; see :mod:`lithify.learners.network.convolutions`.

    Machines and libraries that would train other weights nearly always differ in it; it takes milliseconds.
    """
    with exactly(device):
        return engines.probe(f"network {device} {precision} {how}", lambda: _known(device, precision, how))


def _known(device: str, precision: str, how: str) -> list[NDArray[np.float32]]:
    images, filters, norm = _draws("images", (16, 8, 12, 12)), _draws("filters", (16, 8, 3, 3)), torch.ones(16)
    matrix, more = _draws("matrix", (16, 40)), _draws("more", (10, 16))
    given = [each.to(device).requires_grad_() for each in (filters, norm, matrix, more)]
    images = images.to(device).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(16, device=device) % 10
    with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16"):
        maps = torch.nn.functional.conv2d(images, given[0].contiguous(memory_format=torch.channels_last), padding=1)
        maps = torch.nn.functional.batch_norm(maps, None, None, given[1], training=True)
        maps = torch.relu(torch.nn.functional.max_pool2d(maps, 2))
        hidden = torch.nn.functional.gelu(maps.mean(dim=(2, 3)) @ given[2]) @ given[2].T
        scores = torch.nn.functional.linear(hidden, given[3])
    loss = torch.nn.functional.cross_entropy(scores.float(), labels, label_smoothing=0.1, reduction="sum")
    found = [loss.detach(), *torch.autograd.grad(loss, given)]
    long = _draws("long", (257, 1031)).to(device)
    found += [long @ long.T, torch.sqrt(long.abs()), torch.linalg.vector_norm(long)]
    found += [] if how == "plain" else _convolved(precision, how)
    return [each.float().cpu().contiguous().numpy() for each in found]


def _convolved(precision: str, how: str) -> list[torch.Tensor]:
    """A convolution of the installed kind, and its gradients."""
    part = torch.nn.Conv2d(32, 48, 3, padding=1, bias=False, device="meta").to_empty(device="cpu")
    part.weight.data = _draws("more filters", (48, 32, 3, 3)).contiguous(memory_format=torch.channels_last)
    convolutions.install(part, how)
    maps = _draws("maps", (8, 32, 7, 7)).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        made = part(maps)
    return [made.detach(), *torch.autograd.grad(made.float().square().sum(), (maps, part.weight))]


def _draws(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    numbers = rng.uniform(rng.key(0, "network probe", name), 0, int(np.prod(shape)))
    return torch.from_numpy((2.0 * numbers - 1.0).astype(np.float32)).reshape(shape)
