"""The grains of a step shared between processes that all finish the same sum and so come to the same state.

Each process computes its subtrees of the grains, the sums travel as bytes, every process finishes the tree and applies
the step: nothing but sums of gradients (or whatever a learner adds) is sent, and no process is told a result. What two
processes add up is what one would have: the brackets are those of one tree (:mod:`lithify.training.shares`).

Large sums of equal form travel in slices when there are more than two processes: each process gets its slice of all
sums, finishes the tree for that and sends the result to the others, which is half of the traffic at four processes.
Source of the exchange: Rabenseifner, "Optimization of Collective Reduction Operations" (ICCS 2004), reduce-scatter and
all-gather, with the order of additions fixed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import TrainingData
from lithify.data.state import State
from lithify.errors import EngineMismatch
from lithify.learners.base import Learner, Partial
from lithify.learners.grains import add
from lithify.training import partials
from lithify.training.collectives import Group
from lithify.training.executor import Threads
from lithify.training.partials import Bytes, Form
from lithify.training.shares import Share, join, shares

CHECKED = 100
"""Steps between comparisons of the whole state."""
_SLICED = 1 << 18
"""Bytes of a sum above which slices are worth two exchanges instead of one."""
_CUT = 256
_BEGIN, _STEP, _END = range(3)
_NOTHING = np.zeros(0, dtype=np.uint8)


class Lockstep:
    """An executor of one process of several, which all call the same methods in the same order.

    Parameters
    ----------
    threads : Threads
        Who computes this process's share.
    group : Group
    """

    def __init__(self, threads: Threads, group: Group) -> None:
        self._threads = threads
        self._group = group
        self._headers: list[tuple[int, list[list[Form]]]] = [(0, []) for _ in range(group.size)]
        self._out = _NOTHING

    def begin(self, learner: Learner, data: TrainingData, stage: int, step: int, state: State | None) -> State:
        """Process 0: tells the others where a stage begins, and with which state."""
        begun = self._threads.begin(learner, data, stage, step, state)
        layout, length = partials.forms(begun.arrays)
        text = partials.header([layout], begun.facts)
        message = np.zeros(length, dtype=np.uint8)
        partials.write(begun.arrays, layout, message)
        self._records(_BEGIN, stage, step, len(text), length)
        for out in (np.frombuffer(text, dtype=np.uint8).copy(), message):
            self._group.swap([out] * self._group.size, [_NOTHING] * self._group.size)
        return begun

    def receive(self) -> tuple[int, int, State]:
        """Any other process: stage, step and state, from process 0."""
        stage, step, text_length, length, _ = self._records(_BEGIN)[0].tolist()
        text, message = np.empty(text_length, dtype=np.uint8), np.empty(length, dtype=np.uint8)
        for into in (text, message):
            rest = self._group.size - 1
            self._group.swap([_NOTHING] * self._group.size, [into, *[_NOTHING] * rest])
        (layout,), facts = partials.parse(text.tobytes(), length)
        return stage, step, State(partials.read(layout, message), facts)

    def step(self, learner: Learner, state: State, data: TrainingData, step: int) -> State:
        """The state after one step; ``EngineMismatch`` where the states of the processes were not the same."""
        learner.enter_thread()
        planned = shares(data.grains, self._group.size)
        mine = [self._threads.share(learner, state, data, step, *share) for share in planned[self._group.rank]]
        total = self._total(mine, planned, step, _digest(state) if step % CHECKED == 0 else 0)
        return learner.apply(state, data, step, total)

    def end(self, learner: Learner, state: State, step: int) -> None:
        """Raises ``EngineMismatch`` unless all processes came to the same state."""
        _same(self._records(_END, step, _digest(state)))

    def close(self) -> None:
        """The connections end with the process."""

    def _total(self, mine: list[Partial], planned: Sequence[Sequence[Share]], step: int, state: int) -> Partial:
        layouts, length = [], 0
        for partial in mine:
            layout, length = partials.forms(partial, length)
            layouts.append(layout)
        text = partials.header(layouts)
        records = self._records(_STEP, step, state, len(text), length, _number(text))
        _same(records[:, :2])
        self._learn_headers(records, text)
        if len(self._out) != length:
            self._out = np.zeros(length, dtype=np.uint8)
        for layout, partial in zip(layouts, mine, strict=True):
            partials.write(partial, layout, self._out)
        everything = [layout for _, layouts in self._headers for layout in layouts]
        size = _equal(everything) if self._group.size > 2 else 0
        if size >= _SLICED:
            return self._in_slices(planned, everything[0], size)
        return self._in_copies(planned, mine, records[:, 3].tolist())

    def _in_copies(self, planned: Sequence[Sequence[Share]], mine: list[Partial], lengths: list[int]) -> Partial:
        """Everyone gets all sums."""
        size, rank = self._group.size, self._group.rank
        into = [np.empty(lengths[r] if r != rank else 0, dtype=np.uint8) for r in range(size)]
        self._group.swap([self._out] * size, into)
        parts = []
        for r, (_, layouts) in enumerate(self._headers):
            found = mine if r == rank else [partials.read(layout, into[r]) for layout in layouts]
            parts += list(zip(planned[r], found, strict=True))
        return join(parts, add)

    def _in_slices(self, planned: Sequence[Sequence[Share]], layout: list[Form], length: int) -> Partial:
        """Everyone gets its slice of all sums, finishes it, and gives it to all."""
        size, rank = self._group.size, self._group.rank
        cut = [length * r // size // _CUT * _CUT for r in range(size)] + [length]
        mine = self._out.reshape(-1, length)
        low, high = cut[rank], cut[rank + 1]
        out = [np.ascontiguousarray(mine[:, cut[r] : cut[r + 1]]).reshape(-1) for r in range(size)]
        into = [np.empty(len(planned[r]) * (high - low), dtype=np.uint8) for r in range(size)]
        into[rank] = out[rank].copy()
        self._group.swap(out, into)
        rows = [row for each in into for row in each.reshape(-1, high - low)]
        everyone = [share for each in planned for share in each]

        def merge(left: Bytes, right: Bytes) -> Bytes:
            for form in layout:
                first, last = max(form.at, low) - low, min(form.at + form.size, high) - low
                if first < last:
                    values = left[first:last].view(form.dtype)
                    values += right[first:last].view(form.dtype)
            return left

        finished = np.ascontiguousarray(join(zip(everyone, rows, strict=True), merge))
        whole = np.empty(length, dtype=np.uint8)
        whole[low:high] = finished
        self._group.swap([finished] * size, [whole[cut[r] : cut[r + 1]] for r in range(size)])
        return partials.read(layout, whole)

    def _learn_headers(self, records: NDArray[np.int64], text: bytes) -> None:
        """Sends and receives the headers that are not those of the step before."""
        size, rank = self._group.size, self._group.rank
        digests = records[:, 4].tolist()
        new = [digests[r] != self._headers[r][0] for r in range(size)]
        if not any(new):
            return
        mine = np.frombuffer(text if new[rank] else b"", dtype=np.uint8).copy()
        into = [np.empty(int(records[r, 2]) if new[r] else 0, dtype=np.uint8) for r in range(size)]
        into[rank] = mine
        self._group.swap([mine] * size, into)
        for r in range(size):
            if new[r]:
                self._headers[r] = (digests[r], partials.parse(into[r].tobytes(), int(records[r, 3]))[0])

    def _records(self, kind: int, *numbers: int) -> NDArray[np.int64]:
        """The numbers of all processes; ``EngineMismatch`` unless all are about to do the same."""
        row = [kind, *numbers, *[0] * (5 - len(numbers))]
        records = self._group.records(row)
        _same(records[:, :1])
        return records[:, 1:]


def _same(records: NDArray[np.int64]) -> None:
    if (records != records[0]).any():
        raise EngineMismatch(
            "The processes of this run came to different states.",
            found=f"{records.tolist()}",
            hint="The learner's steps are not the same everywhere on this machine: run with --processes 1.",
        )


def _equal(layouts: list[list[Form]]) -> int:
    """The bytes of one sum where all of them have the same form; 0 where they have not, or cannot be cut."""
    starts = [layout[0].at if layout else 0 for layout in layouts]
    first = [form._replace(at=form.at - starts[0]) for form in layouts[0]] if layouts else []
    if any([f._replace(at=f.at - at) for f in each] != first for at, each in zip(starts, layouts, strict=True)):
        return 0
    if not first or any(_CUT % np.dtype(form.dtype).itemsize for form in first):
        return 0
    last = first[-1]
    return last.at + -(-last.size // partials.ALIGNMENT) * partials.ALIGNMENT


def _digest(state: State) -> int:
    """Eight bytes that are those of an equal state alone."""
    digest = hashlib.sha256(json.dumps(state.facts, sort_keys=True, default=lambda number: number.item()).encode())
    for name in sorted(state.arrays):
        array = state.arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return _number(digest.digest())


def _number(text: bytes) -> int:
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big", signed=True)
