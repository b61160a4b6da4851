"""Sums over processes: the same tree, the same bits, whoever has which grains; the exchange itself is played here."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify import rng
from lithify.data.state import State
from lithify.errors import EngineMismatch, MalformedContainer
from lithify.training import lockstep, partials
from lithify.training.executor import Threads, never
from lithify.training.lockstep import CHECKED, Lockstep
from lithify.training.shares import Share, join, shares


class _Wire:
    """What a group of processes does, between threads of one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size)
        self.said: list[Any] = [None] * size
        self.swaps = 0

    def all(self, rank: int, what: Any) -> list[Any]:
        self.said[rank] = what
        self.barrier.wait(30)
        heard = list(self.said)
        self.barrier.wait(30)
        return heard


class _Group:
    def __init__(self, wire: _Wire, rank: int) -> None:
        self.wire, self.rank, self.size = wire, rank, wire.size

    def records(self, record):
        return np.array(self.wire.all(self.rank, list(record)), dtype=np.int64)

    def swap(self, out, into) -> None:
        self.wire.swaps += 1
        for rank, theirs in enumerate(self.wire.all(self.rank, [np.array(each) for each in out])):
            if rank != self.rank:
                assert len(theirs[self.rank]) == len(into[rank])
                into[rank][:] = theirs[self.rank]
        self.wire.barrier.wait(30)


class _Sums:
    """Stands for a learner whose state is all that was added up so far; ``grain`` gives its partial."""

    def __init__(self, grain) -> None:
        self._grain = grain
        self.entered = set()

    def enter_thread(self) -> None:
        self.entered.add(threading.get_ident())

    def start(self, data) -> State:
        return State({"a": np.zeros(3)}, {"n": 1.0})

    def grain(self, state, data, step, grain):
        assert threading.get_ident() in self.entered
        return self._grain(step, grain)

    def apply(self, state, data, step, total) -> State:
        return State(total, {"step": step})


class _Data:
    def __init__(self, grains: int) -> None:
        self.grains = grains


def _together(size: int, work) -> list[Any]:
    wire = _Wire(size)
    with ThreadPoolExecutor(size) as pool:
        return [each.result(60) for each in [pool.submit(work, _Group(wire, rank)) for rank in range(size)]]


def _bits(arrays) -> list[Any]:
    return [(name, a.dtype.str, a.shape, a.flags.f_contiguous, a.tobytes("A")) for name, a in arrays.items()]


def _normal(*place: int, count: int) -> np.ndarray:
    return rng.uniform(rng.key(5, "grain", *place), 0, count) * 10.0 ** (place[-1] % 7 - 3)


def _alike(step: int, grain: int):
    values = _normal(step, grain, count=700)
    return {
        "w": values[:600].astype(np.float32).reshape(20, 30),
        "f": np.asfortranarray(values[:60].reshape(6, 10)),
        "n": np.array(grain),
        "none": np.zeros((0, 4)),
    }


def _unlike(step: int, grain: int):
    """Names that one grain alone gives, and names that come and go."""
    found = {"loss": _normal(step, grain, count=1), f"only {grain}": _normal(step, grain, count=1 + grain)}
    return found | ({"odd": _normal(step, grain, count=5)} if (grain + step) % 2 else {})


@pytest.mark.parametrize(("size", "threads"), [(1, 1), (2, 1), (2, 3), (3, 1), (3, 2), (4, 1), (5, 1), (8, 1), (11, 2)])
@pytest.mark.parametrize("grain", [_alike, _unlike])
@pytest.mark.parametrize("sliced", [1, 1 << 18])
def test_sums_have_the_bits_of_one_process(size, threads, grain, sliced, monkeypatch) -> None:
    monkeypatch.setattr(lockstep, "_SLICED", sliced)
    data, steps = _Data(16), 3
    learner = _Sums(grain)
    with Threads(1, never()) as alone:
        expected = [_bits(alone.step(learner, State(), data, step).arrays) for step in range(steps)]

    def work(group):
        with Threads(threads, never()) as pool:
            executor, learner = Lockstep(pool, group), _Sums(grain)
            states = [State()]
            for step in range(steps):
                states.append(executor.step(learner, states[-1], data, step))
            executor.end(learner, states[-1], steps)
            kept = [_bits(state.arrays) for state in states[1:]]  # no later step wrote into what an earlier one gave
        return kept

    for found in _together(size, work):
        assert found == expected


def test_slices_are_taken_where_sums_are_large_and_alike(monkeypatch) -> None:
    monkeypatch.setattr(lockstep, "_SLICED", 1024)
    seen = []
    sliced, copied = Lockstep._in_slices, Lockstep._in_copies
    monkeypatch.setattr(Lockstep, "_in_slices", lambda *a: seen.append("slices") or sliced(*a))
    monkeypatch.setattr(Lockstep, "_in_copies", lambda *a: seen.append("copies") or copied(*a))

    def run(size, grain) -> set[str]:
        seen.clear()
        _together(size, lambda group: Lockstep(Threads(1, never()), group).step(_Sums(grain), State(), _Data(8), 1))
        return set(seen)

    assert run(3, _alike) == {"slices"}
    assert run(2, _alike) == {"copies"}
    assert run(3, _unlike) == {"copies"}


def test_the_state_comes_from_the_first_process() -> None:
    given_state = State(
        {"x": np.arange(4.0)[::-1].copy(), "f": np.asfortranarray(np.eye(3))}, {"a": 1.0, "b": [1, None]}
    )

    def work(group):
        executor = Lockstep(Threads(1, never()), group)
        if group.rank == 0:
            return 2, 7, executor.begin(_Sums(_alike), _Data(4), 2, 7, given_state)
        return executor.receive()

    for stage, step, state in _together(3, work):
        assert (stage, step, state.facts) == (2, 7, given_state.facts)
        assert type(state.facts["a"]) is float
        assert _bits(state.arrays) == _bits(given_state.arrays)


def test_a_first_state_is_made_once() -> None:
    def work(group):
        executor = Lockstep(Threads(1, never()), group)
        if group.rank == 0:
            return executor.begin(_Sums(_alike), _Data(4), 0, 0, None)
        return executor.receive()[2]

    for state in _together(2, work):
        assert _bits(state.arrays) == _bits({"a": np.zeros(3)})


@pytest.mark.parametrize("where", ["step", "end"])
def test_states_that_differ_are_noticed(where) -> None:
    def work(group):
        executor, state = Lockstep(Threads(1, never()), group), State({"x": np.array([group.rank * 1e-300])})
        step, end = (_Sums(_alike), state, _Data(4), CHECKED), (_Sums(_alike), state, 3)
        with pytest.raises(EngineMismatch, match="came to different states"):
            executor.step(*step) if where == "step" else executor.end(*end)

    _together(2, work)


def test_processes_that_do_different_things_are_noticed() -> None:
    def work(group):
        executor = Lockstep(Threads(1, never()), group)
        step, end = (_Sums(_alike), State(), _Data(4), 1), (_Sums(_alike), State(), 1)
        with pytest.raises(EngineMismatch):
            executor.end(*end) if group.rank else executor.step(*step)

    _together(2, work)


@given(power=st.integers(0, 7), size=st.integers(1, 20))
def test_shares_are_aligned_fair_and_whole(power, size) -> None:
    grains = 1 << power
    found = shares(grains, size)
    assert len(found) == size
    everything = sorted(share for each in found for share in each)
    assert [n for share in everything for n in range(share.first, share.first + share.width)] == list(range(grains))
    assert all(share.first % share.width == 0 and share.width.bit_count() == 1 for share in everything)
    assert max(sum(share.width for share in each) for each in found) <= -(-grains // size)

    def tree(first, width):
        half = width // 2
        return str(first) if width == 1 else f"({tree(first, half)}+{tree(first + half, half)})"

    parts = [(share, tree(*share)) for share in reversed(everything)]
    assert join(parts, lambda left, right: f"({left}+{right})") == tree(0, grains)


def test_few_subtrees_travel() -> None:
    assert [[share.width for share in each] for each in shares(16, 3)] == [[4, 2], [4, 2], [4]]
    assert shares(8, 2) == ((Share(0, 4),), (Share(4, 4),))


_ARRAYS = [
    np.arange(6, dtype=np.int16).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(3.5, dtype=np.float32),
    np.zeros((0, 3)),
    np.array([True, False]),
    np.arange(12, dtype=np.uint8)[::2],
    np.arange(4, dtype=">i4"),
]


@given(st.lists(st.sampled_from(range(len(_ARRAYS))), max_size=6), st.integers(0, 3))
def test_arrays_travel_as_they_are(picked, more) -> None:
    arrays = {f"{n} {at}": _ARRAYS[at] for n, at in enumerate(picked)}
    start = more * partials.ALIGNMENT
    layout, length = partials.forms(arrays, start)
    message = np.full(length, 255, dtype=np.uint8)
    partials.write(arrays, layout, message)
    (again,), facts = partials.parse(partials.header([layout], {"x": 1.0}), length)
    assert again == layout
    assert facts == {"x": 1.0}
    found = partials.read(again, message)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)
        if array.flags.f_contiguous or array.flags.c_contiguous:
            assert found[name].flags.f_contiguous == array.flags.f_contiguous


def test_what_does_not_fit_its_message_is_refused() -> None:
    layout, length = partials.forms({"x": np.zeros(9)})
    with pytest.raises(MalformedContainer):
        partials.parse(partials.header([layout]), length - 64)
    with pytest.raises(TypeError):
        partials.forms({"x": np.array([None])})
