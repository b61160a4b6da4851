"""Every learner keeps every promise, on mail and text, on two labels and on more; and a broken one is found out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lithify.checks import Case, check_learner, learner_checks, make_case, make_table_case
from lithify.data.params import plain, read
from lithify.data.state import State
from lithify.features.mail import Mail, MailParams
from lithify.features.text import Text, TextParams
from lithify.learners.boosting.rules import MOST_ROUNDS
from lithify.learners.ensemble.ensemble import Ensemble
from lithify.learners.ensemble.rules import EnsembleParams
from lithify.learners.ensemble.selection import select
from lithify.learners.linear.linear import Linear
from lithify.training.executor import Threads, never

SMALL = {"body_bits": 8, "shape_bits": 8}
TOPICS = (b"kernel patch thanks list", b"free money click prize", b"rain football garden soup")


def _rows(classes: int, mail: bool) -> tuple[list[bytes], list[int]]:
    codes = [number % classes for number in range(40)]
    head = b"Subject: %d\nDate: Mon, 2 Feb 2015 10:00:00 +0000\n\n"
    texts = [b" ".join([TOPICS[code]] * 3) + b" %d" % (number * 37) for number, code in enumerate(codes)]
    return [head % number + text for number, text in enumerate(texts)] if mail else texts, codes


def _case(classes: int, mail: bool) -> Case:
    features = Mail(MailParams(header_bits=8, **SMALL)) if mail else Text(TextParams(**SMALL))
    return make_case(features, *_rows(classes, mail))


CASES = {"mail": _case(2, True), "text": _case(2, False), "three labels": _case(3, False)}
GIVEN = {"steps": 9, "tolerance": 0.0}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{on}-{name}")
        for on, case in CASES.items()
        for name, check in learner_checks(Linear, case, GIVEN)
    ],
)
def test_linear(check) -> None:
    check()


TABLES = {
    "two labels": make_table_case(2),
    "three labels": make_table_case(3),
    "values": make_table_case(0),
    "numbers alone": make_table_case(2, categories=False),
    "categories alone": make_table_case(0, numbers=False),
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{on}-{name}")
        for on, case in TABLES.items()
        for name, check in learner_checks(Linear, case, GIVEN)
    ],
)
def test_linear_on_tables(check) -> None:
    check()


BOOSTING = {"learner": "boosting", "members": 2, "rounds": 6, "chunk": 2, "min_rows_leaf": 3}
ENSEMBLE = {
    "members": [BOOSTING, {"learner": "linear", "steps": 4}],
    "candidates": [{**BOOSTING, "leaves": leaves} for leaves in (2, 3, 5, 8)],
    "rungs": [1, 2],
    "keep": 1,
    "folds": 2,
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{on}-{name}")
        for on in ("two labels", "three labels", "values")
        for name, check in learner_checks(
            Ensemble, TABLES[on], plain(Ensemble.settle(read(EnsembleParams, ENSEMBLE), 96, 5, 0))
        )
    ],
)
def test_ensemble(check) -> None:
    check()


NETWORK = {
    "learner": "network",
    "width": 0.03,
    "depth": 1,
    "batch": 16,
    "epochs": 6.0,
    "device": "cpu",
    "precision": "fp32",
}
MIXED = {"members": [{**BOOSTING, "rounds": 2}, {"learner": "linear", "steps": 3}, NETWORK], "folds": 2, "repeats": 2}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{on}-{name}")
        for on in ("two labels", "values")
        for name, check in learner_checks(
            Ensemble, TABLES[on], plain(Ensemble.settle(read(EnsembleParams, MIXED), 96, 5, 0))
        )
    ],
)
def test_an_ensemble_with_networks(check) -> None:
    pytest.importorskip("torch")
    check()


@pytest.mark.parametrize("on", ["two labels", "three labels", "values"])
def test_linear_without_a_row_to_learn_from(on) -> None:
    """As in a part of an ensemble that leaves out a fold in which all rows are."""
    case = TABLES[on]
    none = case.data.only(np.zeros(0, dtype=np.int64))
    learner = Linear(read(Linear.Params, GIVEN))
    finished = learner.finish(learner.start(none), none)
    learner.audit(finished, case.features, case.fitted, case.data.classes)
    assert np.isfinite(learner.predict(finished, case.data.blocks)).all()


def test_an_ensemble_of_one_group_is_its_first_member() -> None:
    case = TABLES["two labels"]
    data = replace(case.data, group=np.zeros_like(case.data.group))
    params = Ensemble.settle(read(EnsembleParams, {"members": ENSEMBLE["members"][::-1], "folds": 2}), 96, 5, 2)
    learner = Ensemble(params)
    state, step = learner.start(data), 0
    with Threads(1, never()) as threads:
        while not learner.done(state):
            state, step = threads.step(learner, state, data, step), step + 1
    finished = learner.finish(state, data)
    assert [(member["learner"], member["weight"]) for member in finished.facts["members"]] == [("linear", 1.0)]
    assert learner.held_out(finished, data) is None


def test_losses_without_end_still_give_weights() -> None:
    endless = np.array([[np.inf], [0.0]])
    assert select([endless, endless], np.zeros(2), np.ones(2), 0, 3) == [1.0, 0.0]


def test_a_slow_pace_asks_for_no_more_rounds_than_there_may_be() -> None:
    asked = EnsembleParams(members=({"learner": "boosting", "rounds": MOST_ROUNDS},), pace=0.4)
    assert Ensemble.settle(asked, 5000, 5, 2).members[0]["rounds"] == MOST_ROUNDS


def test_linear_stops_early() -> None:
    check_learner(Linear, CASES["text"], {"tolerance": 0.5, "steps": 30})


class Forgetful(Linear):
    """Keeps something outside of its state."""

    def apply(self, state: State, data: Any, step: int, total: Any) -> State:
        self.calls = getattr(self, "calls", 0) + 1
        after = super().apply(state, data, step, total)
        return State(after.arrays, {**after.facts, "rate": after.facts["rate"] / self.calls})


class Scribbler(Linear):
    """Writes into the state it is given."""

    def grain(self, state: State, data: Any, step: int, grain: int) -> Any:
        state.arrays["trial"][0] += 1.0
        return super().grain(state, data, step, grain)


class Drifter(Linear):
    """Scores a row by its neighbours."""

    def predict(self, state: State, blocks: Any) -> Any:
        raw = super().predict(state, blocks)
        return raw + len(raw) * 1e-9


class Credulous(Linear):
    """Believes every file."""

    def audit(self, state: State, features: Any, fitted: Any, classes: int) -> None:
        return


class Nan(Linear):
    """Divides by nothing."""

    def predict(self, state: State, blocks: Any) -> Any:
        return super().predict(state, blocks) * np.nan


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Forgetful, "same_bits_for_any_cut"),
        (Forgetful, "same_bits_for_any_kill"),
        (Drifter, "one_row_equals_the_batch"),
        (Credulous, "models_are_audited"),
        (Nan, "predictions_are_finite"),
    ],
)
def test_a_broken_promise_is_found(broken, promise) -> None:
    checks = dict(learner_checks(broken, CASES["text"], GIVEN))
    with pytest.raises(AssertionError, match="Broken promise"):
        checks[promise]()


def test_a_write_into_the_state_is_found() -> None:
    with pytest.raises(ValueError, match="read-only"):
        dict(learner_checks(Scribbler, CASES["text"], GIVEN))["grain_is_pure"]()
