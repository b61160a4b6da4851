"""The parts of a member that each leave one fold of the rows out, trained side by side: a part belongs to one grain.

A small step that is shared among many grains costs more in the sharing than in the work. So each part takes its steps
by itself, some of them in one step of the ensemble, and what its grain gives is the state it has come to. Grain g takes
the parts g, g + grains, ...: what becomes of a part depends on its number alone, so the grains change no bit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data.batches import TrainingData
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.learners.base import Learner, Partial
from lithify.learners.folds import fold_of

_FACTS = {"parts", "steps"}


class Abreast:
    """The parts of one member.

    Parameters
    ----------
    make : callable
        Makes a learner of the member's kind with its parameters; each part has one of its own.
    folds : int
        How many parts.
    chunk : int
        Steps of a part in a step of all.
    """

    def __init__(self, make: Callable[[], Learner], folds: int, chunk: int) -> None:
        self._learners = [make() for _ in range(folds)]
        self._chunk = chunk
        self._asked: TrainingData | None = None
        self._data: list[TrainingData] = []
        self._lock = threading.Lock()

    def steps(self, data: TrainingData) -> int:
        """An upper bound: as many as the part takes that has the most."""
        most = max(learner.steps(its) for learner, its in self._each(data))
        return -(-most // self._chunk)

    def start(self, data: TrainingData) -> State:
        """All parts before their first step."""
        return _together([learner.start(its) for learner, its in self._each(data)], [0] * len(self._learners))

    def grain(self, state: State, data: TrainingData, step: int, grain: int) -> Partial:
        """The next states of some parts."""
        partial: Partial = {}
        each = self._each(data)
        for part in range(grain, len(each), data.grains):
            after, taken = self._advanced(_part(state, part), state.facts["steps"][part], *each[part])
            partial |= {_prefix(part) + name: array.copy() for name, array in after.arrays.items()}
            partial[_prefix(part)] = np.frombuffer(canon.dumps([after.facts, taken]), dtype=np.uint8).copy()
        return partial

    def apply(self, state: State, data: TrainingData, step: int, total: Partial) -> State:
        """The states that the grains have given."""
        told = [canon.loads(total[_prefix(part)].tobytes()) for part in range(len(self._learners))]
        known = {_prefix(part) for part in range(len(self._learners))}
        arrays = {name: array for name, array in total.items() if name not in known}
        return State(arrays, {"parts": [facts for facts, _ in told], "steps": [taken for _, taken in told]})

    def done(self, state: State, data: TrainingData) -> bool:
        """Whether every part is."""
        steps = state.facts["steps"]
        return all(
            steps[part] >= learner.steps(its) or learner.done(_part(state, part))
            for part, (learner, its) in enumerate(self._each(data))
        )

    def finish(self, state: State, data: TrainingData) -> list[State]:
        """What is sealed of each part."""
        return [learner.finish(_part(state, part), its) for part, (learner, its) in enumerate(self._each(data))]

    def admit(self, state: State, data: TrainingData) -> None:
        """Has every part checked; ``MalformedContainer``."""
        facts, count = state.facts, len(self._learners)
        sound = facts.keys() == _FACTS and all(type(facts[name]) is list for name in _FACTS)
        sound = sound and len(facts["parts"]) == len(facts["steps"]) == count
        sound = sound and all(type(part) is dict for part in facts["parts"])
        sound = sound and all(type(taken) is int and taken >= 0 for taken in facts["steps"])
        known = {_prefix(part) for part in range(count)}
        if not sound or not {name.partition("/")[0] + "/" for name in state.arrays} <= known:
            raise MalformedContainer("The parts of a member in the checkpoint do not fit.")
        for part, (learner, its) in enumerate(self._each(data)):
            if facts["steps"][part] > learner.steps(its):
                raise MalformedContainer("The steps in the checkpoint do not fit.", found=str(facts["steps"][part]))
            learner.admit(_part(state, part), its)

    def figures(self, state: State) -> dict[str, float]:
        """Those of the first part."""
        found = self._learners[0].figures(_part(state, 0))
        return {name: value for name, value in found.items() if name != "rows_per_step"}

    def _advanced(self, state: State, taken: int, learner: Learner, data: TrainingData) -> tuple[State, int]:
        """A part some steps later, at most up to its end, and how many it has taken then."""
        learner.enter_thread()
        end = min(taken + self._chunk, learner.steps(data))
        while taken < end and not learner.done(state):
            state = learner.apply(state, data, taken, learner.grain(state, data, taken, 0))
            taken += 1
        return state, taken

    def _each(self, data: TrainingData) -> list[tuple[Learner, TrainingData]]:
        """Learner and rows of each part."""
        with self._lock:
            if self._asked is not data:
                count = len(self._learners)
                fold = fold_of(data.group[data.train], count, data.seed)
                self._data = [
                    replace(data, train=data.train[fold != part], stop=data.train[fold == part], grains=1)
                    for part in range(count)
                ]
                self._asked = data
            return list(zip(self._learners, self._data, strict=True))


def _prefix(part: int) -> str:
    return f"{part}/"


def _part(state: State, part: int) -> State:
    head = _prefix(part)
    arrays: dict[str, NDArray[Any]] = {
        name[len(head) :]: array for name, array in state.arrays.items() if name.startswith(head)
    }
    return State(arrays, state.facts["parts"][part])


def _together(states: list[State], steps: list[int]) -> State:
    arrays = {_prefix(part) + name: array for part, state in enumerate(states) for name, array in state.arrays.items()}
    return State(arrays, {"parts": [state.facts for state in states], "steps": steps})
