"""The contract of learners and features, as tests that anyone who writes one can run.

A learner is good for Lithify when it passes :func:`learner_checks`, features when they pass :func:`feature_checks`.
Each is a list of pairs (name, function), so that pytest shows every promise by itself::

    CASE = make_case(Text(TextParams()), contents, codes)


    @pytest.mark.parametrize("name, check", learner_checks(MyLearner, CASE))
    def test_contract(name, check):
        check()

:func:`check_learner` and :func:`check_features` run them all. A broken promise raises ``AssertionError`` and says which.
"""

from __future__ import annotations

import base64
import functools
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon, numerics
from lithify.data import params as parameters
from lithify.data.batches import Block, Blocks, Dense, Hashed, TrainingData
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.features.base import Features
from lithify.learners.base import Learner
from lithify.store import container
from lithify.training.executor import Threads, never
from lithify.training.stages import take

Check = tuple[str, Callable[[], None]]
HOSTILE = (b"", b"\n", b" \n\t ", b"\0", b"\xff" * 300, b"=?x?b?", b": :\n\n", bytes(range(256)) * 4)
"""Rows that come up in the wild; nothing may raise on them."""


@dataclass(frozen=True)
class Case:
    """What a learner is tried on: rows as blocks, with the features that made them."""

    data: TrainingData
    features: Features
    fitted: State


def make_case(features: Features, contents: Sequence[bytes], codes: Sequence[int], grains: int = 8) -> Case:
    """A case from contents and the codes of their labels; every code from 0 upwards must occur.

    >>> from lithify.features.text import Text, TextParams
    >>> case = make_case(Text(TextParams(body_bits=8)), [b"good", b"bad"] * 8, [0, 1] * 8)
    >>> case.data.classes, len(case.data.train)
    (2, 16)
    """
    fitted = features.fit([list(contents)])
    rows = len(contents)
    data = TrainingData(
        blocks=features.transform(fitted, list(contents)),
        target=np.asarray(codes, dtype=np.int32),
        weight=np.ones(rows),
        train=np.arange(rows),
        stop=np.zeros(0, dtype=np.int64),
        classes=int(max(codes)) + 1,
        seed=0,
        grains=grains,
    )
    return Case(_frozen(data), features, fitted)


def check_learner(kind: type[Learner], case: Case, given: Mapping[str, Any] | None = None) -> None:
    """Runs :func:`learner_checks`."""
    for _, check in learner_checks(kind, case, given):
        check()


def check_features(features: Features, contents: Sequence[bytes]) -> None:
    """Runs :func:`feature_checks`."""
    for _, check in feature_checks(features, contents):
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
    )
    return [(promise.__name__.lstrip("_"), functools.partial(promise, subject)) for promise in promises]


def feature_checks(features: Features, contents: Sequence[bytes]) -> list[Check]:
    """Every promise of features.

    Parameters
    ----------
    features : Features
    contents : sequence of bytes
        A few dozen rows of the kind they read.
    """
    rows = [*contents, *HOSTILE]
    promises = (
        _features_are_strict,
        _fitting_ignores_batches,
        _a_row_alone_equals_the_row_in_a_batch,
        _a_fresh_process_gives_the_same_bits,
        _buckets_are_distinct_and_in_range,
        _spans_cover_the_features,
        _feature_state_is_audited,
    )
    return [(promise.__name__.lstrip("_"), functools.partial(promise, features, rows)) for promise in promises]


class _Subject:
    """A learner on trial: made anew, with data made anew, whenever nothing may be remembered."""

    def __init__(self, kind: type[Learner], case: Case, given: dict[str, Any]) -> None:
        self.kind, self.case = kind, case
        self.params = parameters.read(kind.Params, given)

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
    parameters.read(schema, {})
    _demand(schema.__dataclass_params__.frozen, "Params is a frozen dataclass")  # type: ignore[attr-defined]
    _refuses(parameters.Misfit, lambda: parameters.read(schema, {"no_such_parameter": 1}), "an unknown parameter")
    for name in names:
        _refuses(parameters.Misfit, lambda name=name: parameters.read(schema, {name: object()}), f"nonsense as {name}")


def _engine_is_declared(subject: _Subject) -> None:
    _demand(bool(numerics.engine(subject.kind.engine)), "the engine says what the bits depend on")
    _demand(0.0 <= subject.kind.tolerance < 1.0, "the tolerance is in [0, 1)")


def _steps_bound_the_training(subject: _Subject) -> None:
    learner, data = subject.fresh()
    bound = learner.steps(data)
    _demand(type(bound) is int and bound >= 1, "steps is a whole number of at least 1")
    _demand(len(subject.states) > 1, "there is at least one step")
    _demand(learner.steps(data) == bound, "steps is known before the first step and stays")


def _grain_is_pure(subject: _Subject) -> None:
    learner, data = subject.fresh()
    for step in _some(len(subject.states) - 1):
        state = _frozen_state(subject.states[step])
        before = _digest(state)
        partials = [learner.grain(state, data, step, grain) for grain in range(data.grains)]
        again = [learner.grain(state, data, step, grain) for grain in reversed(range(data.grains))]
        _demand(all(map(_same, partials, reversed(again))), "a grain depends on its arguments alone")
        _demand(_digest(state) == before, "a grain leaves the state as it is")
        forms = {tuple((n, a.dtype.str, a.shape) for n, a in sorted(partial.items())) for partial in partials}
        _demand(len(forms) == 1, "partials of one step have the same names, dtypes and shapes")
        shared = any(np.shares_memory(a, b) for a in partials[0].values() for b in partials[-1].values())
        _demand(data.grains == 1 or not shared, "every grain has a buffer of its own")


def _apply_is_pure(subject: _Subject) -> None:
    for step in _some(len(subject.states) - 1):
        learner, data = subject.fresh()
        state = _frozen_state(subject.states[step])
        with Threads(1, never()) as threads:
            after = threads.step(learner, state, data, step)
        _demand(_digest(after) == _digest(subject.states[step + 1]), "a step depends on its arguments alone")


def _done_is_pure(subject: _Subject) -> None:
    learner, _ = subject.fresh()
    for number, state in enumerate(subject.states):
        answer = learner.done(_frozen_state(state))
        _demand(type(answer) is bool, "done says yes or no")
        _demand(subject.kind(subject.params).done(state) is answer, "done looks at the state alone")
        _demand(not answer or number == len(subject.states) - 1, "done stays done")


def _same_bits_for_any_threads(subject: _Subject) -> None:
    for count in (2, 3, 4):
        learner, data = subject.fresh()
        state = learner.start(data)
        with Threads(count, never()) as threads:
            for step in range(len(subject.states) - 1):
                state = threads.step(learner, state, data, step)
        _demand(_digest(state) == _digest(subject.states[-1]), f"{count} threads give the bits of one")


def _same_bits_for_any_cut(subject: _Subject) -> None:
    state = subject.states[0]
    with Threads(2, never()) as threads:
        for step in range(len(subject.states) - 1):
            learner, data = subject.fresh()  # another process, as far as the learner can tell
            state = _through_a_file(state)
            learner.admit(state, data)
            state = threads.step(learner, state, data, step)
            _demand(_digest(state) == _digest(subject.states[step + 1]), f"a cut before step {step} changes no bit")
    learner, data = subject.fresh()
    finished = learner.finish(_through_a_file(state), data)
    _demand(_digest(finished) == _digest(subject.finished), "a cut before the end changes no bit")


def _same_bits_for_any_kill(subject: _Subject) -> None:
    """Work that a kill throws away leaves no trace in what is done again."""
    for kept in _some(len(subject.states) - 1):
        learner, data = subject.fresh()
        with Threads(2, never()) as threads:
            state = _through_a_file(subject.states[kept])
            for step in range(kept, min(kept + 2, len(subject.states) - 1)):
                state = threads.step(learner, state, data, step)
            learner.grain(state, data, kept, 0)  # half a step, lost
            state = threads.step(learner, _through_a_file(subject.states[kept]), data, kept)
        _demand(_digest(state) == _digest(subject.states[kept + 1]), f"a kill after step {kept} changes no bit")


def _same_bits_from_the_recipe(subject: _Subject) -> None:
    document = canon.loads(canon.dumps(parameters.plain(subject.params)))
    params = parameters.read(subject.kind.Params, document)
    _demand(params == subject.params, "parameters come back from a recipe as they went")
    again = _Subject(subject.kind, subject.case, document)
    _demand(_digest(again.finished) == _digest(subject.finished), "a clone by recipe learns the same")


def _checkpoints_are_audited(subject: _Subject) -> None:
    learner, data = subject.fresh()
    state = subject.states[-1]
    learner.admit(state, data)
    for wrong, what in _spoiled(state):
        _refuses(MalformedContainer, lambda wrong=wrong: learner.admit(wrong, data), f"a checkpoint with {what}")


def _models_are_audited(subject: _Subject) -> None:
    learner, data = subject.fresh()
    learner.audit(_through_a_file(subject.finished), subject.case.features, data.classes)
    for wrong, what in _spoiled(subject.finished):
        _refuses(
            MalformedContainer,
            lambda wrong=wrong: learner.audit(wrong, subject.case.features, data.classes),
            f"a model with {what}",
        )
    _refuses(
        MalformedContainer,
        lambda: learner.audit(subject.finished, subject.case.features, data.classes + 3),
        "a model for other labels",
    )


def _predictions_are_finite(subject: _Subject) -> None:
    learner, data = subject.fresh()
    hostile = subject.case.features.transform(subject.case.fitted, list(HOSTILE))
    for blocks in (data.blocks, hostile):
        raw = learner.predict(subject.finished, blocks)
        rows = len(next(iter(blocks.values())))
        _demand(raw.shape == (rows, data.classes) and raw.dtype == np.float64, "raw scores are (n, classes) float64")
        _demand(bool(np.isfinite(raw).all()), "raw scores are finite")


def _one_row_equals_the_batch(subject: _Subject) -> None:
    learner, data = subject.fresh()
    state = _frozen_state(_through_a_file(subject.finished))
    batch = learner.predict(state, data.blocks)
    for row in range(len(batch)):
        alone = learner.predict(state, take(data.blocks, np.array([row])))
        _demand(alone.tobytes() == batch[row : row + 1].tobytes(), f"row {row} alone has the bits it has in a batch")


def _contributions_add_up(subject: _Subject) -> None:
    learner, data = subject.fresh()
    for row in _some(len(data.train)):
        one = take(data.blocks, np.array([row]))
        raw = learner.predict(subject.finished, one)[0]
        for column in range(data.classes):
            shares, base = learner.contributions(subject.finished, one, column)
            _demand(shares.keys() == one.keys(), "there are contributions for every block")
            total = base + sum(float(share.sum()) for share in shares.values())
            if data.classes == 2:  # only the difference of two scores has a meaning
                total, raw_score = total, float(raw[column] - raw[1 - column])
            else:
                raw_score = float(raw[column])
            _demand(abs(total - raw_score) <= 1e-9 * max(1.0, abs(raw_score)), "contributions add up to the score")


def _features_are_strict(features: Features, rows: Sequence[bytes]) -> None:
    schema = type(features).Params
    _refuses(parameters.Misfit, lambda: parameters.read(schema, {"no_such_parameter": 1}), "an unknown parameter")
    _demand(parameters.read(schema, parameters.plain(features.params)) == features.params, "parameters come back")
    _demand(bool(numerics.engine(type(features).engine)), "the engine says what the bits depend on")


def _fitting_ignores_batches(features: Features, rows: Sequence[bytes]) -> None:
    at_once = features.fit([list(rows)])
    one_by_one = features.fit([row] for row in rows)
    _demand(_digest(at_once) == _digest(one_by_one), "how rows are batched does not change what is fitted")


def _a_row_alone_equals_the_row_in_a_batch(features: Features, rows: Sequence[bytes]) -> None:
    fitted = features.fit([list(rows)])
    batch = features.transform(fitted, list(rows) * (1 + 32 // len(rows)))
    for number, row in enumerate(rows):
        alone = _block_digest(features.transform(fitted, [row]))
        _demand(alone == _block_digest(take(batch, np.array([number]))), f"row {number} alone equals it in a batch")


def _a_fresh_process_gives_the_same_bits(features: Features, rows: Sequence[bytes]) -> None:
    """Without numba, and with another seed of Python's hashes: plain kernels and compiled ones agree to the bit."""
    few = [row[:4000] for row in rows[:4]] + list(HOSTILE)
    kind = type(features)
    job = {
        "module": kind.__module__,
        "name": kind.__qualname__,
        "params": parameters.plain(features.params),
        "rows": [base64.b64encode(row).decode() for row in few],
        "path": sys.path,
    }
    done = subprocess.run(
        [sys.executable, "-c", _FRESH], input=json.dumps(job), capture_output=True, text=True, check=False
    )
    _demand(done.returncode == 0, f"a process without numba can compute them: {done.stderr[-500:]}")
    here = features.transform(features.fit([few]), few * (1 + 32 // len(few)))
    for number, digest in enumerate(json.loads(done.stdout)):
        _demand(
            _block_digest(take(here, np.array([number]))) == digest, f"row {number} has the same bits without numba"
        )


_FRESH = """
import base64, importlib, json, sys
job = json.load(sys.stdin)
sys.path[:] = job["path"]
sys.modules["numba"] = None
from lithify import checks
from lithify.data import params
kind = getattr(importlib.import_module(job["module"]), job["name"])
features = kind(params.read(kind.Params, job["params"]))
rows = [base64.b64decode(row) for row in job["rows"]]
fitted = features.fit([rows])
print(json.dumps([checks._block_digest(features.transform(fitted, [row])) for row in rows]))
"""


def _buckets_are_distinct_and_in_range(features: Features, rows: Sequence[bytes]) -> None:
    for block in features.transform(features.fit([list(rows)]), list(rows)).values():
        _demand(len(block) == len(rows), "a block has every row")
        if isinstance(block, Dense):
            _demand(bool(np.isfinite(block.values).all()), "numbers are finite")
            continue
        _demand(int(block.index.max(initial=0)) < block.buckets, "buckets are in range")
        for row in range(len(block)):
            index = block.index[block.start[row] : block.start[row + 1]]
            _demand(len(np.unique(index)) == len(index), "the buckets of a row are distinct")


def _spans_cover_the_features(features: Features, rows: Sequence[bytes]) -> None:
    fitted = features.fit([list(rows)])
    for number, row in enumerate(rows):
        blocks, spans = features.transform(fitted, [row]), features.spans(fitted, row)
        for name, block in blocks.items():
            held = set(block.index.tolist()) if isinstance(block, Hashed) else set(range(block.values.shape[1]))
            told = {feature for span in spans if span.block == name for feature in span.features.tolist()}
            _demand(told == held, f"the spans of row {number} cover exactly its features in {name}")
        _demand(all(0 <= span.start <= span.end for span in spans), "spans start before they end")


def _feature_state_is_audited(features: Features, rows: Sequence[bytes]) -> None:
    fitted = features.fit([list(rows)])
    features.audit(_through_a_file(fitted))
    for wrong, what in _spoiled(fitted):
        _refuses(MalformedContainer, lambda wrong=wrong: features.audit(wrong), f"a state with {what}")


def _spoiled(state: State) -> list[tuple[State, str]]:
    """States that a file might hold instead of this one."""
    wrong: list[tuple[State, str]] = [(State({**state.arrays, "extra": np.zeros(3, np.int8)}, state.facts), "one more")]
    for name, array in state.arrays.items():
        others = {key: other for key, other in state.arrays.items() if key != name}
        wrong.append((State({**others, name: array[:-1]}, state.facts), f"{name} cut short"))
        wrong.append((State({**others, name: array[None]}, state.facts), f"{name} of another rank"))
        other = np.float32 if array.dtype != np.float32 else np.int32
        wrong.append((State({**others, name: array.astype(other)}, state.facts), f"{name} of another dtype"))
    if state.arrays:
        wrong.append((State({}, state.facts), "no arrays"))
    return wrong


def _through_a_file(state: State) -> State:
    """What a checkpoint or a model gives back."""
    opened = container.unpack(container.pack("state", {"facts": state.facts}, state.arrays))
    return State(dict(opened.tensors), opened.meta["facts"])


def _digest(state: State) -> str:
    return canon.digest(container.pack("state", {"facts": state.facts}, state.arrays))


def _block_digest(blocks: Blocks) -> str:
    return canon.digest_of(
        {name: [canon.digest(array.tobytes()) for array in _arrays(b)] for name, b in blocks.items()}
    )


def _arrays(block: Block) -> list[NDArray[Any]]:
    return [block.values] if isinstance(block, Dense) else [block.start, block.index]


def _same(left: Mapping[str, NDArray[Any]], right: Mapping[str, NDArray[Any]]) -> bool:
    return left.keys() == right.keys() and all(left[name].tobytes() == right[name].tobytes() for name in left)


def _frozen(data: TrainingData) -> TrainingData:
    """The same data, whose arrays refuse to be written."""
    arrays = [data.target, data.weight, data.train, data.stop]
    for array in [*arrays, *(array for block in data.blocks.values() for array in _arrays(block))]:
        array.flags.writeable = False
    return data


def _frozen_state(state: State) -> State:
    arrays = {name: array.copy() for name, array in state.arrays.items()}
    for array in arrays.values():
        array.flags.writeable = False
    return State(arrays, state.facts)


def _some(count: int) -> list[int]:
    """First, second, middle and last of so many."""
    return sorted({number for number in (0, 1, count // 2, count - 1) if 0 <= number < count})


def _refuses(error: type[Exception], call: Callable[[], Any], what: str) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"Broken promise: {what} must be refused with {error.__name__}")


def _demand(holds: bool, promise: str) -> None:
    if not holds:
        raise AssertionError(f"Broken promise: {promise}")
