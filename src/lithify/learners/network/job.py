"""What a training needs beside its state: settled parameters, the rows of each grain, what is measured of them.

All of it follows from data and parameters, so it is made again after a resume and never part of the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lithify import rng
from lithify.data.batches import Pixels, TrainingData
from lithify.learners.network import params as parameters
from lithify.learners.network.inputs import Inputs, channels_of, fit_columns, inputs_of, width_of
from lithify.learners.network.params import NetworkParams

if TYPE_CHECKING:
    from torch import nn

_MEASURED = 10_000
"""Training images at most that mean and spread are of."""
_KEPT = 1 << 22
"""Training rows at most whose order in an epoch is kept as a whole."""
_WHITENED = 2_000
"""Training images at most whose patches are whitened."""


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes
    ----------
    data : TrainingData
    params : NetworkParams
        Settled.
    inputs : Inputs
    encoding : mapping of str to ndarray
        How columns are encoded; of images ``mean`` and ``std`` of each channel, (c,) float32, for pixels in [0, 1].
    """

    data: TrainingData
    params: NetworkParams
    inputs: Inputs
    encoding: Mapping[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        """Rows of a grain."""
        least = 2 if self.inputs.kind == "pixels" else 1  # a norm needs two
        return max(least, self.params.batch // self.data.grains)

    @property
    def batch(self) -> int:
        """Rows of a step."""
        return self.rows * self.data.grains

    @cached_property
    def steps(self) -> int:
        """Of the whole training; one, which does nothing, where there is no row to learn from."""
        most = self.params.steps or parameters.MOST_STEPS
        return max(1, min(most, int(np.ceil(self.params.epochs * len(self.data.train) / self.batch))))

    @cached_property
    def rates(self) -> NDArray[np.float32]:
        """Share of the highest rate, step by step."""
        from lithify.learners.network.schedule import rates

        return rates(self.params.schedule, self.steps, int(self.params.warmup * self.steps))

    @cached_property
    def weight(self) -> NDArray[np.float32]:
        """(n,) what each row's loss counts: 1 on average over the training rows."""
        train, weight = self.data.train, self.data.weight.astype(np.float64)
        if self.params.class_weight == "balanced" and self.data.classes:
            totals = np.bincount(self.data.target[train], weights=weight[train], minlength=self.data.classes)
            weight = weight / np.where(totals > 0.0, totals, 1.0)[self.data.target]
        mean = float(weight[train].mean()) if len(train) else 1.0
        return (weight / (mean if mean > 0.0 else 1.0)).astype(np.float32)

    @cached_property
    def scale(self) -> tuple[float, float]:
        """Mean and spread of the values of the training rows; (0, 1) for labels."""
        values = self.data.target[self.data.train].astype(np.float64)
        if self.data.classes or not len(values):
            return 0.0, 1.0
        mean = float(np.mean(values))
        spread = float(np.sqrt(np.mean((values - mean) ** 2)))
        return mean, spread if spread > 0.0 and np.isfinite(spread) else 1.0

    def shown(self, step: int, grain: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row numbers of a grain and the epochs in which they are shown, (rows,) each.

        The rows come in the order of an endless sequence of shuffled epochs.
        """
        m = len(self.data.train)
        position = step * self.batch + grain * self.rows + np.arange(self.rows)
        epoch, at = position // m, position % m
        row = np.empty(self.rows, dtype=np.int64)
        for number in range(int(epoch[0]), int(epoch[-1]) + 1):
            own = epoch == number
            row[own] = self._order(number, at[own])
        return self.data.train[row], epoch

    def _order(self, epoch: int, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """What stands at some places of an epoch's order; orders of few rows are made once and kept for a while."""
        m, stream = len(self.data.train), rng.key(self.data.seed, "network epoch", epoch)
        if m > _KEPT:
            return rng.permute(stream, at, m)
        order = self._orders.get(epoch)
        if order is None:
            order = rng.permute(stream, np.arange(m), m).astype(np.int32)
            self._orders[epoch] = order  # two threads that make it at the same time make the same
            for old in [number for number in list(self._orders) if number < epoch - 1]:
                self._orders.pop(old, None)
        return order[at].astype(np.int64)

    @cached_property
    def _orders(self) -> dict[int, NDArray[np.int32]]:
        return {}

    def network(self) -> nn.Module:
        """The module, its values not yet those of the run."""
        from lithify.learners.network import front
        from lithify.learners.network.nets import registry

        net = registry.build(self.params.net, self.inputs, self.data.outputs, self.params)
        return front.Whole(front.front_of(self.inputs, self.params.fold, self.params.breadth), net)


def job_of(params: NetworkParams, data: TrainingData) -> Job:
    """The training of some data; what the parameters leave open is settled by them."""
    inputs = inputs_of(data.blocks)
    settled = parameters.settle(params, len(data.train), inputs.columns, data.classes, inputs.side, inputs.channels)
    encoding: dict[str, NDArray[Any]] = {}
    if inputs.kind == "pixels":
        encoding = measured(data)
    elif inputs.kind == "columns":
        from lithify.learners.network.front import breadth

        encoding = fit_columns(data.blocks, data.train)
        width = width_of(encoding, inputs.words) + sum(map(breadth, inputs.sizes))
        inputs = replace(inputs, width=width)
    else:
        inputs = replace(inputs, width=settled.breadth * (len(channels_of(inputs.buckets)) - 1))
    return Job(data, settled, inputs, encoding)


def measured(data: TrainingData) -> dict[str, NDArray[np.float32]]:
    """Mean and spread of the channels of the training images, by exact sums; no spread is below 1/255."""
    block = pixels_of(data)
    channels = block.shape[3]
    total, squares, count = np.zeros(channels, np.int64), np.zeros(channels, np.int64), 0
    some = _some(data.train, _MEASURED)
    for at in range(0, len(some), 256):
        images = block.take(some[at : at + 256]).reshape(-1, channels).astype(np.int64)
        total += images.sum(axis=0)
        squares += (images * images).sum(axis=0)
        count += len(images)
    mean = total / max(1, count)
    spread = np.sqrt(np.maximum(squares / max(1, count) - mean * mean, 1.0))
    return {"mean": (mean / 255.0).astype(np.float32), "std": (spread / 255.0).astype(np.float32)}


def seen(job: Job) -> NDArray[np.float32]:
    """Some training images as they enter the network, (n, c, side, side) float32."""
    images = pixels_of(job.data).take(_some(job.data.train, _WHITENED))
    values = (images / np.float32(255.0) - job.encoding["mean"]) / job.encoding["std"]
    return np.ascontiguousarray(values.astype(np.float32).transpose(0, 3, 1, 2))


def pixels_of(data: TrainingData) -> Pixels:
    """The block of images."""
    (block,) = data.blocks.values()
    assert isinstance(block, Pixels)
    return block


def _some(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return rows[:: max(1, -(-len(rows) // most))]
