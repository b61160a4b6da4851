"""Bagged gradient boosting: LightGBM grows the trees, in chunks of rounds; a step is one chunk of every member.

Each member of the bag learns from the rows outside of its fold (Friedman 2001, doi:10.1214/aos/1013203451; Ke et al.
2017, "LightGBM"). After every round the loss on all folds together, each row scored by the member that has not seen
it, says how many rounds are best; all members are cut back to as many and averaged. Grain g grows the members
g, g + grains, ...: a member's trees depend on its number and nothing else, so the grains change no bit.

What is sealed is our own forest: LightGBM is needed to train, and never to predict.
"""

from __future__ import annotations

import importlib.metadata
import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks, TrainingData, take
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.features.base import Features
from lithify.learners.base import Learner, Partial
from lithify.learners.boosting.bag import appended, audit_bag, audit_member, bag, best, member_of, prefix
from lithify.learners.boosting.data import width
from lithify.learners.boosting.growing import Problem, grow, judged_by, pose
from lithify.learners.boosting.losses import loss_of
from lithify.learners.boosting.pairs import Pairs, check, made_of, of_columns, pairs_of, with_pairs
from lithify.learners.boosting.pairs import audit as audit_pairs
from lithify.learners.boosting.probe import choose
from lithify.learners.boosting.rules import BoostingParams, settle
from lithify.learners.boosting.statistics import Statistics, statistics_of
from lithify.learners.boosting.statistics_audit import audit as audit_statistics
from lithify.learners.folds import fold_of, parted
from lithify.learners.forest.forest import DTYPES, Forest, empty, from_arrays, importances
from lithify.learners.forest.scoring import READ, matrix, score
from lithify.learners.forest.shap import contributions

_SCORED = 4096
_PATIENCE = 50
_FACTS = {"rounds", "best_round", "loss", "grew", "pairs"}


def _version() -> str:
    try:
        return importlib.metadata.version("lightgbm")
    except importlib.metadata.PackageNotFoundError:
        return "none"


class Boosting(Learner):
    """See the module."""

    Params: ClassVar[type] = BoostingParams
    engine: ClassVar[Mapping[str, int | str]] = {"learner.boosting": 1}
    trains_with: ClassVar[Mapping[str, int | str]] = {"lightgbm": _version()}
    reads: ClassVar[tuple[str, ...]] = ("columns",)
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._asked: TrainingData | None = None
        self._columns: list[int] = []
        self._problem: Problem | None = None
        self._pairs: Pairs | None = None
        self._opened: tuple[State, Forest] | None = None
        self._lock = threading.Lock()

    @classmethod
    def settle(cls, params: Any, rows: int, columns: int, classes: int, side: int = 0, channels: int = 0) -> Any:
        """Learning rate, size of trees and rounds in a step, where they are left to the data."""
        return settle(params, rows, columns, classes)

    @classmethod
    def within(cls, params: Any, seconds: float, per_step: float) -> Any:
        """Fewer rounds."""
        chunk = params.chunk or 1
        return replace(params, rounds=max(1, min(params.rounds, chunk * int(seconds / max(per_step, 1e-9)))))

    def steps(self, data: TrainingData) -> int:
        """One chunk of rounds each."""
        return -(-int(self.params.rounds) // int(self._settled(data).chunk))

    def start(self, data: TrainingData) -> State:
        """No trees; the best constant scores."""
        params = self._settled(data)
        columns, members = choose(data, params), params.members
        problem = self._prepare(data, columns)
        shape = (len(problem.rows), problem.loss.outputs)
        arrays: dict[str, NDArray[Any]] = {}
        for member in range(members):
            name = prefix(member)
            raw = np.broadcast_to(problem.start(member), shape).copy()
            rounds = {name + "raw": raw, name + "rounds": np.zeros(0, dtype=np.int64)}
            arrays |= empty(problem.loss.outputs).arrays(name) | rounds
        losses = self._losses(arrays, problem, [np.zeros(0)] * members, 1)
        loss = None if losses is None else float(losses[0])
        return State(arrays, {"rounds": 0, "best_round": 0, "loss": loss, "grew": True, "pairs": columns})

    def grain(self, state: State, data: TrainingData, step: int, grain: int) -> Partial:
        """The next chunk of some members; empty where there are fewer members than grains."""
        problem, params = self._prepare(data, state.facts["pairs"]), self._settled(data)
        partial: Partial = {}
        for member in range(grain, params.members, data.grains):
            name = prefix(member)
            chunk = grow(problem, params, member, step, state.arrays[name + "raw"])
            partial |= chunk.forest.arrays(name) | {name + "raw": chunk.raw, name + "losses": chunk.losses}
        return partial

    def apply(self, state: State, data: TrainingData, step: int, total: Partial) -> State:
        """Puts the new trees behind the old ones, and looks for the best round among the new."""
        problem, params = self._prepare(data, state.facts["pairs"]), self._settled(data)
        members = range(params.members)
        arrays: dict[str, NDArray[Any]] = {}
        for member in members:
            arrays |= appended(state.arrays, total, member)
        rounds = min(params.chunk, params.rounds - state.facts["rounds"])
        losses = self._losses(state.arrays, problem, [total[prefix(member) + "losses"] for member in members], rounds)
        facts = dict(state.facts, rounds=state.facts["rounds"] + rounds)
        facts["grew"] = any(len(total[prefix(member) + "losses"]) for member in members)
        if losses is None:
            return State(arrays, {**facts, "best_round": facts["rounds"]})
        at = int(losses.argmin())
        if losses[at] < state.facts["loss"]:
            facts |= {"loss": float(losses[at]), "best_round": state.facts["rounds"] + at + 1}
        return State(arrays, facts)

    def done(self, state: State) -> bool:
        """Whether the held-out loss has not fallen for long, or no tree found a split any more."""
        facts = state.facts
        return not facts["grew"] or facts["rounds"] - facts["best_round"] >= (self.params.patience or _PATIENCE)

    def finish(self, state: State, data: TrainingData) -> State:
        """The members, cut back to the best round, as one forest."""
        problem, params = self._prepare(data, state.facts["pairs"]), self._settled(data)
        members = [
            replace(best(state.arrays, member, params.chunk, state.facts["best_round"]), bias=problem.start(member))
            for member in range(params.members)
        ]
        made = [each for each in (self._pairs, problem.statistics) if each is not None]
        columns = width(data.blocks) + sum(each.width for each in made)
        whole = bag(members, problem.shift, problem.scale, data.classes, columns)
        return State(
            whole.arrays | {name: array for each in made for name, array in each.arrays().items()}, whole.facts
        )

    def predict(self, state: State, blocks: Blocks) -> NDArray[np.float64]:
        """Raw scores: for two classes (0, s), else one for each class; in regression the value."""
        return _whole(score(self._forest(state), _rows(_made(state), blocks)), state.facts["classes"])

    def contributions(self, state: State, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
        """SHAP values of the columns of each block; what is made of two columns is given back to both in halves."""
        rows = _rows(_made(state), take(blocks, np.zeros(1, dtype=np.int64)))
        sign = -1.0 if state.facts["classes"] == 2 and column == 0 else 1.0
        shares = sign * contributions(self._forest(state), rows)[0, :, 0 if state.facts["classes"] <= 2 else column]
        widths = {name: width({name: blocks[name]}) for name in READ if name in blocks}
        own = _own(state, shares[:-1], sum(widths.values()))
        ends = np.cumsum(list(widths.values()))[:-1]
        return dict(zip(widths, np.split(own, ends), strict=True)), float(shares[-1])

    def audit(self, state: State, features: Features, fitted: State, classes: int) -> None:
        """Checks that the arrays are a bag of trees for these labels and columns."""
        audit_bag(state, classes)
        columns = [column.block for column in features.columns(fitted)]
        numbers, categories = columns.count("numbers"), columns.count("categories")
        found = (audit_pairs(state.arrays, numbers), audit_statistics(state.arrays, numbers, categories))
        if state.facts["columns"] != len(columns) + sum(each.width for each in found if each):
            raise MalformedContainer("The forest reads other columns.", expected=str(len(columns)))

    def held_out(self, state: State, data: TrainingData) -> NDArray[np.float64] | None:
        """Scores of each training row by the member whose fold it is in; None where one fold holds all rows."""
        members, means = len(state.arrays["member_bias"]), statistics_of(state.arrays)
        fold = fold_of(data.group[data.train], members, data.seed)
        if not parted(fold):
            return None
        out = np.empty((len(fold), max(1, data.classes)))
        for member in range(members):
            forest, held = member_of(state, self._forest(state), member), np.flatnonzero(fold == member)
            its = None if means is None else judged_by(means, data, self._settled(data), member)
            for at in range(0, len(held), _SCORED):
                some = held[at : at + _SCORED]
                rows = _rows((pairs_of(state.arrays), its), take(data.blocks, data.train[some]))
                out[some] = _whole(score(forest, rows), data.classes)
        return out

    def importances(self, state: State, features: Features, fitted: State) -> NDArray[np.float64] | None:
        """Share of each column in the gain of all splits."""
        columns = len(features.columns(fitted))
        return _own(state, importances(self._forest(state), state.facts["columns"]), columns)

    def admit(self, state: State, data: TrainingData) -> None:
        """Checks every array that LightGBM or a kernel would be given, and that no other is there."""
        facts = state.facts
        counts = [facts.get(name) for name in ("rounds", "best_round")]
        loss = facts.get("loss")
        known = type(loss) in (int, float, type(None)) and type(facts.get("grew")) is bool
        if facts.keys() != _FACTS or not known or any(type(count) is not int for count in counts):
            raise MalformedContainer("The state in the checkpoint is not one of boosting.")
        params, rounds, paired = self._settled(data), facts["rounds"], check(facts["pairs"], data)
        whole = 0 <= facts["best_round"] <= rounds <= params.rounds and math.isfinite(loss or 0.0)
        if not whole or (rounds % params.chunk and rounds != params.rounds):
            raise MalformedContainer("The rounds in the checkpoint do not fit.", found=str(facts["rounds"]))
        names = [*DTYPES, "raw", "rounds"]
        expected = {prefix(member) + name for member in range(params.members) for name in names}
        if state.arrays.keys() != expected:
            raise MalformedContainer("The arrays in the checkpoint are not those of boosting.")
        chunks = -(-rounds // params.chunk)
        scored = len(data.train) + (len(data.stop) if params.members == 1 else 0)
        means = self._prepare(data, paired).statistics if params.statistics else None
        columns = width(data.blocks) + made_of(len(paired)) + (means.width if means else 0)
        shape = (scored, loss_of(params, data.classes).outputs)
        for member in range(params.members):
            raw = state.arrays[prefix(member) + "raw"]
            if raw.dtype != np.float64 or raw.shape != shape or not np.isfinite(raw).all():
                raise MalformedContainer("The scores in the checkpoint do not fit.", expected=str(shape))
            audit_member(state.arrays, member, columns, shape[1], chunks)

    def figures(self, state: State) -> dict[str, float]:
        """Rounds, and the smallest loss on held-out rows."""
        loss = {} if state.facts["loss"] is None else {"loss": float(state.facts["loss"])}
        return {"rounds": float(state.facts["rounds"]), **loss}

    def _losses(
        self, arrays: Mapping[str, NDArray[Any]], problem: Problem, found: list[NDArray[np.float64]], rounds: int
    ) -> NDArray[np.float64] | None:
        """Mean loss on held-out rows after each round of a chunk; None where no row is held out.

        A member that found no more splits stays where it was.
        """
        weight = 0.0
        losses = np.zeros(rounds)
        for member, some in enumerate(found):
            held = np.flatnonzero(problem.fold == member)
            if len(held) == 0:
                continue
            weight += float(np.cumsum(problem.cost[held])[-1])
            stays = problem.loss.total(arrays[prefix(member) + "raw"], problem.target, problem.cost, held)
            padding = np.full(rounds - len(some), some[-1] if len(some) else stays)
            losses += np.concatenate([some, padding])
        return losses / weight if weight > 0.0 else None

    def _settled(self, data: TrainingData) -> Any:
        """The parameters; those of a resolved recipe are settled already."""
        return settle(self.params, len(data.train), width(data.blocks), data.classes)

    def _prepare(self, data: TrainingData, columns: list[int]) -> Problem:
        """The problem of these data, with pairs of some columns; kept for the next step, made again after a resume."""
        with self._lock:
            if self._problem is None or self._asked is not data or self._columns != columns:
                self._problem = None  # two at a time would take twice the memory
                params = self._settled(data)
                self._pairs = of_columns(data, columns) if columns else None
                self._problem = pose(data if self._pairs is None else with_pairs(data, self._pairs), params)
                self._asked, self._columns = data, columns
            return self._problem

    def _forest(self, state: State) -> Forest:
        """The forest of a finished state; its tables are made once."""
        with self._lock:
            if self._opened is None or self._opened[0] is not state:
                self._opened = (state, from_arrays(state.arrays))
            return self._opened[1]


def _made(state: State) -> tuple[Pairs | Statistics | None, ...]:
    """What columns of a finished state are made by."""
    return pairs_of(state.arrays), statistics_of(state.arrays)


def _rows(made: tuple[Pairs | Statistics | None, ...], blocks: Blocks) -> NDArray[np.float64]:
    """What the trees look at: the columns, and those that are made of them."""
    return matrix({**blocks, **{name: block for each in made if each for name, block in each.block(blocks).items()}})


def _own(state: State, shares: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """Shares of the columns that trees look at, (d,), as shares of those that none was made for, (columns,)."""
    own, at = shares[:columns], columns
    for made in _made(state):
        if made is not None:
            own = own + made.shared(shares[at : at + made.width], columns)
            at += made.width
    return own


def _whole(raw: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    return np.concatenate([np.zeros_like(raw), raw], axis=1) if classes == 2 else raw
