"""The first values of a network: drawn by name from the seed, with filters that whiten the patches of training images.

A network of another package brings values of its own, drawn from torch's generator; that is seeded for the time being.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lithify import rng
from lithify.learners.network.front import Whole
from lithify.learners.network.job import Job, seen
from lithify.learners.network.nets import layers, registry

_SMALL = 0.05
_COUNTED = "num_batches_tracked"


def module(job: Job) -> nn.Module:
    """The network with its first values."""
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(rng.key(job.data.seed, "network") >> 1)
        whole = job.network()
    assert isinstance(whole, Whole)
    if job.params.net in registry.BUILT_IN:
        layers.initialise(whole.net, job.data.seed)
    if whole.front is not None:
        for name, table in whole.front.named_parameters():
            table.data.copy_(_table(table, rng.key(job.data.seed, "network table", name)))
    filters = getattr(whole.net, "whiten", None)
    if isinstance(filters, nn.Conv2d) and not filters.weight.requires_grad and len(job.data.train):
        patches = layers.patches(seen(job), filters.kernel_size[0])
        filters.weight.data.copy_(torch.from_numpy(layers.whiten(patches, filters.out_channels)))
    return whole


def _table(table: torch.Tensor, stream: int) -> torch.Tensor:
    """Between -1/2 and 1/2 over the root of the length for categories; small for the many buckets of a row."""
    bound = _SMALL if len(table) > 100_000 else 0.5 * table.shape[1] ** -0.5
    draws = rng.uniform(stream, 0, table.numel())
    return torch.from_numpy(((2.0 * draws - 1.0) * bound).astype(np.float32)).reshape(table.shape)


def trained(whole: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that change in training, by name."""
    return {name: value for name, value in whole.named_parameters() if value.requires_grad}


def kept(whole: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters that stay, and buffers, by name; no counters."""
    frozen = {name: value.data for name, value in whole.named_parameters() if not value.requires_grad}
    return frozen | {name: value for name, value in whole.named_buffers() if not name.endswith(_COUNTED)}


def norms(whole: nn.Module) -> dict[str, nn.modules.batchnorm._BatchNorm]:
    """The layers that measure the batch, by name."""
    found = {name: part for name, part in whole.named_modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)}
    return {name: part for name, part in found.items() if part.track_running_stats}


def array(tensor: torch.Tensor) -> NDArray[Any]:
    """A copy as an array of the layout that states have."""
    return np.array(tensor.detach().cpu().contiguous().numpy(), order="C", copy=True)
