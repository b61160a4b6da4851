"""Every promise of a learner; see :mod:`lithify.checks`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon, engines
from lithify.checks.cases import Case
from lithify.checks.common import (
    Check,
    demand,
    digest,
    frozen_state,
    refuses,
    some,
    spoiled,
    through_a_file,
)
from lithify.data import params as parameters
from lithify.data.batches import TrainingData, take
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.learners.base import Learner
from lithify.training.executor import Threads, never


def check_learner(kind: type[Learner], case: Case, given: Mapping[str, Any] | None = None) -> None:
    """Runs :func:`learner_checks`."""
    for _, check in learner_checks(kind, case, given):
        check()


def learner_checks(kind: type[Learner], case: Case, given: Mapping[str, Any] | None = None) -> list[Check]:
    """Every promise of a learner.

    Parameters
    ----------
    kind : type
        The learner.
    case : Case
        A few dozen rows are enough; the checks train some twenty times.
    given : mapping, optional
        Parameters other than the defaults, such as fewer steps.
    """
    subject = _Subject(kind, case, dict(given or {}))
    promises = (
        _parameters_are_strict,
        _engine_is_declared,
        _steps_bound_the_training,
        _grain_is_pure,
        _apply_is_pure,
        _done_is_pure,
        _same_bits_for_any_threads,
        _same_bits_for_any_cut,
        _same_bits_for_any_kill,
        _same_bits_from_the_recipe,
        _checkpoints_are_audited,
        _models_are_audited,
        _predictions_are_finite,
        _one_row_equals_the_batch,
        _contributions_add_up,
        _held_out_rows_are_scored,
        _importances_are_shares,
    )
    return [(promise.__name__.lstrip("_"), functools.partial(promise, subject)) for promise in promises]


class _Subject:
    """A learner on trial: made anew, with data made anew, whenever nothing may be remembered."""

    def __init__(self, kind: type[Learner], case: Case, given: dict[str, Any]) -> None:
        self.kind, self.case = kind, case
        self.params: Any = parameters.read(kind.Params, given)

    def fresh(self) -> tuple[Learner, TrainingData]:
        return self.kind(self.params), replace(self.case.data)

    @functools.cached_property
    def states(self) -> list[State]:
        """The state before and after every step, trained in one go on one thread."""
        learner, data = self.fresh()
        states = [learner.start(data)]
        with Threads(1, never()) as threads:
            while len(states) <= learner.steps(data) and not learner.done(states[-1]):
                states.append(threads.step(learner, states[-1], data, len(states) - 1))
        return states

    @functools.cached_property
    def finished(self) -> State:
        learner, data = self.fresh()
        return learner.finish(self.states[-1], data)


def _parameters_are_strict(subject: _Subject) -> None:
    schema = subject.kind.Params
    names = [field.name for field in fields(schema)]
    settled = subject.kind.settle(subject.params, 1000, 10, 2)
    demand(subject.kind.settle(settled, 10, 2, 0, side=8, channels=3) == settled, "what is settled stays so")
    demand(parameters.read(schema, parameters.plain(settled)) == settled, "what is settled can be read back")
    parameters.read(schema, {})
    demand(schema.__dataclass_params__.frozen, "Params is a frozen dataclass")  # type: ignore[attr-defined]
    refuses(parameters.Misfit, "an unknown parameter", parameters.read, schema, {"no_such_parameter": 1})
    for name in names:
        refuses(parameters.Misfit, f"nonsense as {name}", parameters.read, schema, {name: object()})


def _engine_is_declared(subject: _Subject) -> None:
    settled = subject.kind.settle(subject.params, 1000, 10, 2)
    demand(bool(engines.engine(subject.kind.engine)), "the engine says what the bits depend on")
    prints = engines.engine(subject.kind.fingerprint(settled))
    demand(prints == engines.engine(subject.kind.fingerprint(settled)), "the fingerprint is the same when asked again")
    needs = subject.kind.needs(settled)
    demand(all(type(text) is str for pin in needs.items() for text in pin), "what it needs are texts by name")
    demand(0.0 <= subject.kind.tolerance < 1.0, "the tolerance is in [0, 1)")


def _steps_bound_the_training(subject: _Subject) -> None:
    learner, data = subject.fresh()
    bound = learner.steps(data)
    demand(type(bound) is int and bound >= 1, "steps is a whole number of at least 1")
    demand(len(subject.states) > 1, "there is at least one step")
    demand(learner.steps(data) == bound, "steps is known before the first step and stays")


def _grain_is_pure(subject: _Subject) -> None:
    learner, data = subject.fresh()
    for step in some(len(subject.states) - 1):
        state = frozen_state(subject.states[step])
        before = digest(state)
        partials = [learner.grain(state, data, step, grain) for grain in range(data.grains)]
        again = [learner.grain(state, data, step, grain) for grain in reversed(range(data.grains))]
        demand(all(map(_same, partials, reversed(again))), "a grain depends on its arguments alone")
        demand(digest(state) == before, "a grain leaves the state as it is")
        forms = {(name, array.dtype.str, array.shape) for partial in partials for name, array in partial.items()}
        demand(len(forms) == len({name for name, *_ in forms}), "grains that give a name give one dtype and shape")
        shared = any(np.shares_memory(a, b) for a in partials[0].values() for b in partials[-1].values())
        demand(data.grains == 1 or not shared, "every grain has a buffer of its own")


def _apply_is_pure(subject: _Subject) -> None:
    for step in some(len(subject.states) - 1):
        learner, data = subject.fresh()
        state = frozen_state(subject.states[step])
        with Threads(1, never()) as threads:
            after = threads.step(learner, state, data, step)
        demand(digest(after) == digest(subject.states[step + 1]), "a step depends on its arguments alone")


def _done_is_pure(subject: _Subject) -> None:
    learner, _ = subject.fresh()
    for number, state in enumerate(subject.states):
        answer = learner.done(frozen_state(state))
        demand(type(answer) is bool, "done says yes or no")
        demand(subject.kind(subject.params).done(state) is answer, "done looks at the state alone")
        demand(not answer or number == len(subject.states) - 1, "done stays done")


def _same_bits_for_any_threads(subject: _Subject) -> None:
    for count in (2, 3, 4):
        learner, data = subject.fresh()
        state = learner.start(data)
        with Threads(count, never()) as threads:
            for step in range(len(subject.states) - 1):
                state = threads.step(learner, state, data, step)
        demand(digest(state) == digest(subject.states[-1]), f"{count} threads give the bits of one")


def _same_bits_for_any_cut(subject: _Subject) -> None:
    state = subject.states[0]
    with Threads(2, never()) as threads:
        for step in range(len(subject.states) - 1):
            learner, data = subject.fresh()  # another process, as far as the learner can tell
            state = through_a_file(state)
            learner.admit(state, data)
            state = threads.step(learner, state, data, step)
            demand(digest(state) == digest(subject.states[step + 1]), f"a cut before step {step} changes no bit")
    learner, data = subject.fresh()
    finished = learner.finish(through_a_file(state), data)
    demand(digest(finished) == digest(subject.finished), "a cut before the end changes no bit")


def _same_bits_for_any_kill(subject: _Subject) -> None:
    """Work that a kill throws away leaves no trace in what is done again."""
    for kept in some(len(subject.states) - 1):
        learner, data = subject.fresh()
        with Threads(2, never()) as threads:
            state = through_a_file(subject.states[kept])
            for step in range(kept, min(kept + 2, len(subject.states) - 1)):
                state = threads.step(learner, state, data, step)
            learner.grain(state, data, kept, 0)  # half a step, lost
            state = threads.step(learner, through_a_file(subject.states[kept]), data, kept)
        demand(digest(state) == digest(subject.states[kept + 1]), f"a kill after step {kept} changes no bit")


def _same_bits_from_the_recipe(subject: _Subject) -> None:
    document = canon.loads(canon.dumps(parameters.plain(subject.params)))
    params: Any = parameters.read(subject.kind.Params, document)
    demand(params == subject.params, "parameters come back from a recipe as they went")
    again = _Subject(subject.kind, subject.case, document)
    demand(digest(again.finished) == digest(subject.finished), "a clone by recipe learns the same")


def _checkpoints_are_audited(subject: _Subject) -> None:
    learner, data = subject.fresh()
    state = subject.states[-1]
    learner.admit(state, data)
    for wrong, what in spoiled(state):
        refuses(MalformedContainer, f"a checkpoint with {what}", learner.admit, wrong, data)


def _models_are_audited(subject: _Subject) -> None:
    learner, data = subject.fresh()
    made = (subject.case.features, subject.case.fitted)
    learner.audit(through_a_file(subject.finished), *made, data.classes)
    for wrong, what in spoiled(subject.finished):
        refuses(MalformedContainer, f"a model with {what}", learner.audit, wrong, *made, data.classes)
    refuses(MalformedContainer, "a model for other labels", learner.audit, subject.finished, *made, data.classes + 3)


def _predictions_are_finite(subject: _Subject) -> None:
    learner, data = subject.fresh()
    for blocks in (data.blocks, subject.case.hostile):
        raw = learner.predict(subject.finished, blocks)
        rows = len(next(iter(blocks.values())))
        demand(raw.shape == (rows, data.outputs) and raw.dtype == np.float64, "raw scores are (n, outputs) float64")
        demand(bool(np.isfinite(raw).all()), "raw scores are finite")


def _one_row_equals_the_batch(subject: _Subject) -> None:
    learner, data = subject.fresh()
    state = frozen_state(through_a_file(subject.finished))
    batch = learner.predict(state, data.blocks)
    for row in range(len(batch)):
        alone = learner.predict(state, take(data.blocks, np.array([row])))
        demand(alone.tobytes() == batch[row : row + 1].tobytes(), f"row {row} alone has the bits it has in a batch")


def _contributions_add_up(subject: _Subject) -> None:
    learner, data = subject.fresh()
    for row in some(len(data.train)):
        one = take(data.blocks, np.array([row]))
        raw = learner.predict(subject.finished, one)[0]
        for column in range(data.outputs):
            shares, base = learner.contributions(subject.finished, one, column)
            demand(shares.keys() == one.keys(), "there are contributions for every block")
            total = base + sum(float(share.sum()) for share in shares.values())
            # of two classes only the difference of the scores has a meaning
            score = float(raw[column] - raw[1 - column]) if data.classes == 2 else float(raw[column])
            demand(abs(total - score) <= 1e-9 * max(1.0, abs(score)), "contributions add up to the score")


def _held_out_rows_are_scored(subject: _Subject) -> None:
    learner, data = subject.fresh()
    held = learner.held_out(through_a_file(subject.finished), data)
    if held is None:
        return
    fits = held.shape == (len(data.train), data.outputs) and held.dtype == np.float64
    demand(fits and bool(np.isfinite(held).all()), "there is a finite score for every training row, in their order")
    demand(data.classes != 2 or not held[:, 0].any(), "of two labels the scores are (0, s)")
    rows = data.train[::-1]
    again = learner.held_out(subject.finished, replace(data, train=rows))
    demand(again is not None and again[::-1].tobytes() == held.tobytes(), "held-out scores go with their rows")


def _importances_are_shares(subject: _Subject) -> None:
    learner, _ = subject.fresh()
    features, fitted = subject.case.features, subject.case.fitted
    found = learner.importances(subject.finished, features, fitted)
    if found is None:
        return
    demand(found.shape == (len(features.columns(fitted)),), "there is an importance for every column")
    demand(bool((found >= 0.0).all()), "importances are not negative")
    demand(abs(float(found.sum()) - 1.0) < 1e-9 or not found.any(), "importances are shares of the whole")


def _same(left: Mapping[str, NDArray[Any]], right: Mapping[str, NDArray[Any]]) -> bool:
    return left.keys() == right.keys() and all(left[name].tobytes() == right[name].tobytes() for name in left)
