"""The network of one thread: modules are not safe to share, so every thread has one, over the same values.

A state's arrays become tensors once for all threads, without a copy where precision and device allow it; a thread
points the parameters of its module at them.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lithify.data.state import State
from lithify.learners.network import convolutions
from lithify.learners.network.first import kept, norms, trained
from lithify.learners.network.job import Job

_FILTER_AXES = 4


class Replica:
    """The module of one thread, with its parts by name.

    Parameters
    ----------
    module : Module
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.trained = trained(module)
        self.norms = norms(module)
        measured = {f"{name}.{kind}" for name in self.norms for kind in ("running_mean", "running_var")}
        self._kept = {name: value for name, value in kept(module).items() if name not in measured}
        self._values: dict[str, torch.Tensor] | None = None
        for norm in self.norms.values():
            norm.momentum = 1.0  # after a batch they hold that batch's statistics

    def point(self, values: dict[str, torch.Tensor]) -> None:
        """Points the parameters at some values."""
        if self._values is not values:
            for name, parameter in self.trained.items():
                parameter.data = values["p/" + name]
            for name, buffer in self._kept.items():
                buffer.copy_(values["b/" + name])
            self._values = values


class Replicas:
    """The modules of all threads of a process, and the tensors of the state they are at.

    Parameters
    ----------
    job : Job
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._lock = threading.Lock()
        self._own = threading.local()
        self._of: State | None = None
        self._values: dict[str, torch.Tensor] = {}

    def at(self, state: State) -> Replica:
        """The replica of this thread in training mode, with the values of a state; its norms measure the next batch."""
        values = self._tensors(state)
        found: Replica | None = getattr(self._own, "replica", None)
        if found is None:
            module = self.job.network().to(self.job.params.device).train()
            convolutions.install(module, self.job.params.convolutions)
            found = self._own.replica = Replica(module)
        found.point(values)
        return found

    def _tensors(self, state: State) -> dict[str, torch.Tensor]:
        with self._lock:
            if self._of is not state:
                self._values = {
                    name: self._computed(tensor_of(array), name)
                    for name, array in state.arrays.items()
                    if name[:2] in ("p/", "b/")
                }
                self._of = state
            return self._values

    def _computed(self, tensor: torch.Tensor, name: str) -> torch.Tensor:
        """As it is computed with: matrices and filters in the precision of the training, channels last."""
        short = self.job.params.precision == "bf16" and tensor.dim() > 1 and name.startswith("p/net.")
        dtype = torch.bfloat16 if short else tensor.dtype
        layout = torch.channels_last if tensor.dim() == _FILTER_AXES else torch.contiguous_format
        return tensor.to(device=self.job.params.device, dtype=dtype, memory_format=layout)


class _Window:
    """An array of which torch may be given a tensor though it refuses to be written; nothing writes to it."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def tensor_of(array: NDArray[Any]) -> torch.Tensor:
    """A tensor over the memory of an array, which must not be written."""
    if array.flags.writeable:
        return torch.from_numpy(array)
    return torch.from_numpy(np.asarray(_Window(array)))
