"""Members of several kinds, trained one after the other, weighted by what they say of rows they have not seen.

First the candidates compete: each is trained a few steps, the better part goes on from there, and so on (successive
halving; Jamieson, Talwalkar 2016, arXiv:1502.07943). The last ones and the members that were named are then trained in
full, each in bags of parts that leave a fold of the rows out. Greedy selection with replacement on the scores of those
folds (Caruana et al. 2004, doi:10.1145/1015330.1015432) gives the weights. Raw scores are averaged, so what a row's
fields add to a member's score adds up to what they add to the score of the whole.

A step of the ensemble is a step of one bag of one member, so it can be cut anywhere. Its grains are those of the member
where that leaves folds out by itself, and take its parts side by side otherwise (:mod:`.abreast`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks, TrainingData, take
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.features.base import Features
from lithify.learners.base import Learner, Partial
from lithify.learners.ensemble import jobs
from lithify.learners.ensemble import state as states
from lithify.learners.ensemble.abreast import Abreast
from lithify.learners.ensemble.rules import (
    ENGINE,
    EnsembleParams,
    engine_of,
    fingerprint,
    needs,
    settle,
    tolerance_of,
    within,
)
from lithify.learners.ensemble.selection import loss_of, select
from lithify.learners.folds import fold_of, parted

_SCORED = 4096


class Ensemble(Learner):
    """See the module."""

    Params: ClassVar[type] = EnsembleParams
    engine: ClassVar[Mapping[str, int | str]] = ENGINE
    reads: ClassVar[tuple[str, ...]] = ("columns",)
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self.engine = engine_of(params)  # type: ignore[misc]  # an ensemble depends on what is in it
        self.tolerance = tolerance_of(params)  # type: ignore[misc]
        self._open: tuple[str, Learner | Abreast, TrainingData, TrainingData] | None = None
        self._finished: tuple[State, list[states.Member]] | None = None
        self._lock = threading.Lock()

    @classmethod
    def settle(cls, params: Any, rows: int, columns: int, classes: int, side: int = 0, channels: int = 0) -> Any:
        """Members and candidates with all of their parameters, where they are left to the data."""
        return settle(params, rows, columns, classes)

    @classmethod
    def fingerprint(cls, params: Any) -> Mapping[str, int | str]:
        """Those of the learners that are in it."""
        return fingerprint(params)

    @classmethod
    def needs(cls, params: Any) -> Mapping[str, str]:
        """What the learners that are in it need."""
        return needs(params)

    @classmethod
    def within(cls, params: Any, seconds: float, per_step: float) -> Any:
        """Fewer candidates, fewer members, fewer rounds, in this order; or more bags."""
        return within(params, seconds, per_step)

    def steps(self, data: TrainingData) -> int:
        """Those of all rungs and of all parts of all members."""
        before = (0, *self.params.rungs)
        rungs = sum(self._live(number) * (after - before[number]) for number, after in enumerate(self.params.rungs))
        keys = [key for keys in jobs.members(self.params, ()) for key in keys]
        named = (jobs.trains(self.params, key, ()).steps(jobs.data_of(key, data)) for key in keys)
        full = [jobs.made(candidate).steps(data) for candidate in self.params.candidates]
        return int(rungs) + sum(named) + (self.params.keep * self.params.repeats * max(full) if full else 0)

    def start(self, data: TrainingData) -> State:
        """The first step of the first candidate, or of the first member."""
        live = list(range(len(self.params.candidates)))
        empty = State({}, {"phase": 0, "at": 0, "live": live, "steps": {}, "jobs": {}})
        return self._next(empty, data)

    def grain(self, state: State, data: TrainingData, step: int, grain: int) -> Partial:
        """The grain of the member that is being trained."""
        key, member, its = self._opened(state, data)
        return member.grain(states.job(state, key), its, state.facts["steps"][key], grain)

    def apply(self, state: State, data: TrainingData, step: int, total: Partial) -> State:
        """The step of the member; after its last one the next member's turn."""
        key, member, its = self._opened(state, data)
        taken = state.facts["steps"][key]
        after = member.apply(states.job(state, key), its, taken, total)
        return self._next(states.put(state, key, after, taken + 1), data)

    def done(self, state: State) -> bool:
        """Whether all members are trained."""
        return bool(state.facts["phase"] > len(self.params.rungs))

    def finish(self, state: State, data: TrainingData) -> State:
        """The members that were given a weight."""
        self._open = None  # what the last member learned from goes before the others' is made again
        finished, scores, live = [], [], state.facts["live"]
        members = jobs.members(self.params, live)
        for keys in members:
            parts = []
            for key in keys:
                member, its = jobs.trains(self.params, key, live), jobs.data_of(key, data)
                parts += jobs.finished(member, states.job(state, key), its)
            spec = jobs.spec(self.params, keys[0], live)
            finished.append((spec, parts))
            made = [(jobs.made(spec), part) for part in parts]
            scores.append(None if len(members) == 1 else self._held_out(made, data))
        weights = select(
            scores,
            data.target[data.train],
            data.weight[data.train],
            data.classes,
            self.params.picks,
            self.params.shrink,
        )
        return states.sealed(finished, weights, data.classes)

    def predict(self, state: State, blocks: Blocks) -> NDArray[np.float64]:
        """The weighted average of the members' raw scores."""
        out = np.zeros((len(next(iter(blocks.values()))), max(1, state.facts["classes"])))
        for parts, weight in self._members(state):
            for member, part in parts:
                out += (weight / len(parts)) * member.predict(part, blocks)
        return out

    def contributions(self, state: State, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
        """The weighted average of what the members say."""
        shares: dict[str, NDArray[np.float64]] = {}
        base = 0.0
        for parts, weight in self._members(state):
            for member, part in parts:
                found, its_base = member.contributions(part, blocks, column)
                base += weight / len(parts) * its_base
                for name, values in found.items():
                    shares[name] = shares.get(name, np.zeros_like(values)) + (weight / len(parts)) * values
        return shares, base

    def held_out(self, state: State, data: TrainingData) -> NDArray[np.float64] | None:
        """The weighted average of the members' scores of rows they have not seen."""
        out = np.zeros((len(data.train), data.outputs))
        for parts, weight in self._members(state):
            scores = self._held_out(parts, data)
            if scores is None:
                return None
            out += weight * scores
        return out

    def importances(self, state: State, features: Features, fitted: State) -> NDArray[np.float64] | None:
        """The weighted average of those of the members that know them."""
        out = np.zeros(len(features.columns(fitted)))
        for parts, weight in self._members(state):
            for member, part in parts:
                found = member.importances(part, features, fitted)
                if found is not None:
                    out += (weight / len(parts)) * found
        return out / out.sum() if out.sum() > 0.0 else None

    def audit(self, state: State, features: Features, fitted: State, classes: int) -> None:
        """Checks the list of members and has each of them check its own."""
        states.check(state, classes, max(2, self.params.folds) * self.params.repeats)
        for parts, _ in self._members(state):
            for member, part in parts:
                member.audit(part, features, fitted, classes)

    def admit(self, state: State, data: TrainingData) -> None:
        """Checks where the state stands, and has each member check its own."""
        states.check_progress(state, len(self.params.candidates), len(self.params.rungs), self.params.keep)
        facts = state.facts
        keys = facts["jobs"].keys()
        queue = jobs.queue(self.params, facts)
        known = {*queue, *(f"c{number}" for number in range(len(self.params.candidates)))}
        late = facts["phase"] <= len(self.params.rungs) and not 0 <= facts["at"] < len(queue)
        if late or not keys <= known or keys != facts["steps"].keys():
            raise MalformedContainer("The state in the checkpoint is of another ensemble.")
        for key in keys:
            its = jobs.data_of(key, data)
            member = jobs.trains(self.params, key, facts["live"])
            if not 0 <= facts["steps"][key] <= member.steps(its):
                raise MalformedContainer("The steps in the checkpoint do not fit.", found=str(facts["steps"][key]))
            member.admit(states.job(state, key), its)

    def figures(self, state: State) -> dict[str, float]:
        """Those of the member that is being trained."""
        queue = jobs.queue(self.params, state.facts)
        if self.done(state) or state.facts["at"] >= len(queue):
            return {}
        key = queue[state.facts["at"]]
        return jobs.trains(self.params, key, state.facts["live"]).figures(states.job(state, key))

    def _members(self, state: State) -> list[states.Member]:
        """The members of a finished state, made once: their learners keep what they derive."""
        with self._lock:
            if self._finished is None or self._finished[0] is not state:
                self._finished = (state, list(states.members(state)))
            return self._finished[1]

    def _live(self, rung: int) -> int:
        """How many candidates take part in a rung."""
        first, rungs = len(self.params.candidates), len(self.params.rungs)
        return states.surviving(first, self.params.keep, rungs)[rung]

    def _opened(self, state: State, data: TrainingData) -> tuple[str, Learner | Abreast, TrainingData]:
        key = jobs.queue(self.params, state.facts)[state.facts["at"]]
        with self._lock:
            if self._open is None or self._open[0] != key or self._open[3] is not data:
                member = jobs.trains(self.params, key, state.facts["live"])
                self._open = (key, member, jobs.data_of(key, data), data)
            return self._open[:3]

    def _next(self, state: State, data: TrainingData) -> State:
        """The same state, with a job under way that has a step left to take, unless all is done."""
        while not self.done(state):
            facts = state.facts
            queue = jobs.queue(self.params, facts)
            if facts["at"] == len(queue):
                state = self._after(state)
                continue
            key = queue[facts["at"]]
            _, member, its = self._opened(state, data)
            if key not in facts["jobs"]:
                state = states.put(state, key, member.start(its), 0)
                facts = state.facts
            most = member.steps(its)
            if facts["phase"] < len(self.params.rungs):
                most = min(most, self.params.rungs[facts["phase"]])
            if facts["steps"][key] < most and not jobs.done(member, states.job(state, key), its):
                return state
            state = State(state.arrays, {**facts, "at": facts["at"] + 1})
        return state

    def _after(self, state: State) -> State:
        """The next phase; after a rung the better candidates are left."""
        facts = dict(state.facts, phase=state.facts["phase"] + 1, at=0)
        rungs = len(self.params.rungs)
        if facts["phase"] > rungs:
            return State(state.arrays, facts)
        live = facts["live"]
        losses = {c: loss_of(jobs.trains(self.params, f"c{c}", live).figures(states.job(state, f"c{c}"))) for c in live}
        kept = states.surviving(len(self.params.candidates), self.params.keep, rungs)[facts["phase"]]
        facts["live"] = sorted(sorted(live, key=lambda c: (losses[c], c))[:kept])
        gone = [f"c{c}" for c in live if facts["phase"] == rungs or c not in facts["live"]]
        return states.without(State(state.arrays, facts), gone)

    def _held_out(self, parts: Sequence[states.Part], data: TrainingData) -> NDArray[np.float64] | None:
        """Scores of the training rows by parts that have not seen them, the mean of all bags; None without such parts.

        Every bag has the folds that it was trained with.
        """
        alone = jobs.bags(type(parts[0][0]))
        size = 1 if alone else self.params.folds
        out = np.zeros((len(data.train), data.outputs))
        for bag in range(len(parts) // size):
            its, some = jobs.parted_anew(data, bag), parts[bag * size : (bag + 1) * size]
            found = some[0][0].held_out(some[0][1], its) if alone else _left_out(some, its)
            if found is None:
                return None
            out += found / (len(parts) // size)
        return out


def _left_out(parts: Sequence[states.Part], data: TrainingData) -> NDArray[np.float64] | None:
    """Scores of the training rows, each by the part whose fold it is in; None where one fold holds all rows."""
    fold = fold_of(data.group[data.train], len(parts), data.seed)
    if not parted(fold):
        return None
    out = np.empty((len(fold), data.outputs))
    for number, (member, part) in enumerate(parts):
        held = np.flatnonzero(fold == number)
        for at in range(0, len(held), _SCORED):
            some = held[at : at + _SCORED]
            out[some] = member.predict(part, take(data.blocks, data.train[some]))
    return out
