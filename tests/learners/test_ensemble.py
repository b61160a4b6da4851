"""Who is in an ensemble, what it depends on, how a budget is spent, and bags with folds of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lithify import engines
from lithify.checks import make_table_case
from lithify.data.params import read
from lithify.learners.boosting import boosting
from lithify.learners.ensemble import jobs, rules
from lithify.learners.ensemble.ensemble import Ensemble
from lithify.learners.ensemble.rules import MOST_REPEATS, EnsembleParams, named, settle, within
from lithify.learners.folds import fold_of
from lithify.learners.forest.forest import Forest, from_arrays
from lithify.training.executor import Threads, never

BOOSTING = {"learner": "boosting", "members": 2, "rounds": 2, "min_rows_leaf": 3, "pairs": 0}
NETWORK = {"learner": "network", "width": 0.03, "depth": 1, "batch": 16, "epochs": 2.0, "device": "cpu"}


def _best(rows: int = 5000) -> EnsembleParams:
    return settle(read(EnsembleParams, dict(EnsembleParams.QUALITIES["best"])), rows, 10, 2)


def _trained(members: list[dict], repeats: int = 1):
    case = make_table_case(2)
    params = settle(read(EnsembleParams, {"members": members, "folds": 2, "repeats": repeats}), 96, 5, 2)
    learner, data = Ensemble(params), case.data
    state, step = learner.start(data), 0
    with Threads(2, never()) as threads:
        while not learner.done(state):
            state, step = threads.step(learner, state, data, step), step + 1
    assert step <= learner.steps(data)
    return learner, learner.finish(state, data), data


@pytest.mark.parametrize("networks", [True, False])
def test_a_network_is_in_it_where_there_is_time_and_the_libraries(networks, monkeypatch) -> None:
    monkeypatch.setattr(rules, "_networks", lambda: networks)
    for rows in (500, 50_000):
        assert ("network" in {member["learner"] for member in _best(rows).members}) is networks
    assert "network" not in {member["learner"] for member in named(500, 2, False, networks)}


def test_means_of_the_label_are_in_it_where_there_is_time_and_a_label_has_a_mean() -> None:
    for rows, classes, rich in ((500, 2, True), (50_000, 0, True), (500, 3, True), (500, 2, False)):
        having = [member for member in named(rows, classes, rich, False) if member.get("statistics")]
        assert len(having) == (rich and classes < 3)


@pytest.mark.parametrize("name", [{"network": 1}, ["network"], None, 3, "no such"])
def test_a_member_that_names_no_learner_adds_nothing_to_the_engine(name) -> None:
    params = read(EnsembleParams, {"members": [{"learner": name}]})
    assert Ensemble(params).engine == rules.engine_of(EnsembleParams())


def test_only_an_ensemble_with_a_network_depends_on_networks() -> None:
    without, having = (
        Ensemble(settle(read(EnsembleParams, {"members": members}), 96, 5, 2))
        for members in ([BOOSTING], [BOOSTING, NETWORK])
    )
    assert "learner.network" not in without.engine
    assert having.engine["learner.network"] == 1
    assert not any(name.startswith("network") for name in Ensemble.fingerprint(without.params))
    assert "network.torch" in Ensemble.fingerprint(having.params)
    assert (dict(Ensemble.needs(without.params)), without.tolerance) == ({}, 0.0)
    assert Ensemble.needs(having.params).items() >= engines.pins("native").items()
    assert having.tolerance > 0.0


def test_a_budget_buys_bags_and_its_lack_takes_them_away() -> None:
    best = _best()
    usual = rules._seconds(best, 0.01)
    assert within(best, 100.0 * usual, 0.01).repeats == MOST_REPEATS
    assert within(replace(best, repeats=3), 1.01 * usual, 0.01) == best
    assert within(best, usual, 0.01) == best
    assert within(best, 1.5 * usual, 0.01).repeats == 1
    for share in (0.5, 0.1, 0.01):
        cut = within(best, share * usual, 0.01)
        assert rules._seconds(cut, 0.01) <= share * usual
        assert cut.members


def test_an_ensemble_without_a_contest_buys_no_bags() -> None:
    plain = settle(EnsembleParams(), 5000, 10, 2)
    assert within(plain, 1e9, 0.01) == plain


def test_every_bag_has_its_own_folds() -> None:
    data = make_table_case(2).data
    folds = [fold_of(data.group, 2, jobs.data_of(f"m0.{bag}", data).seed) for bag in range(3)]
    assert not any(np.array_equal(folds[a], folds[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert jobs.data_of("m0.0", data) is data
    assert jobs.data_of("c1", data) is data


def test_bags_are_averaged() -> None:
    learner, state, data = _trained([BOOSTING, {"learner": "linear", "steps": 3}], repeats=2)
    assert [len(member["parts"]) for member in state.facts["members"]] in ([2, 4], [2], [4])
    raw = learner.predict(state, data.blocks)
    alone = [
        member["weight"] / len(member["parts"]) * one.predict(part, data.blocks)
        for member, (parts, _) in zip(state.facts["members"], learner._members(state), strict=True)
        for one, part in parts
    ]
    assert np.allclose(raw, sum(alone), atol=1e-12)


def test_what_parts_derive_is_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several bags of a member must not push each other out."""
    learner, state, data = _trained([BOOSTING], repeats=3)
    forests: list[Forest] = []
    monkeypatch.setattr(boosting, "from_arrays", lambda arrays: forests.append(from_arrays(arrays)) or forests[-1])
    first = learner.predict(state, data.blocks)
    assert len(forests) == len(state.facts["members"][0]["parts"]) == 3
    assert np.array_equal(learner.predict(state, data.blocks), first)
    assert len(forests) == 3


def test_held_out_scores_are_by_parts_that_have_not_seen_the_row() -> None:
    """Other labels of one row change everything but the scores that are held out for it."""
    case = make_table_case(2)
    params = settle(read(EnsembleParams, {"members": [{"learner": "linear", "steps": 6}], "folds": 2}), 96, 5, 2)
    found = []
    for flipped in (False, True):
        target = case.data.target.copy()
        target[0] = 1 - target[0] if flipped else target[0]
        data, learner = replace(case.data, target=target), Ensemble(params)
        state, step = learner.start(data), 0
        with Threads(1, never()) as threads:
            while not learner.done(state):
                state, step = threads.step(learner, state, data, step), step + 1
        found.append(learner.held_out(learner.finish(state, data), data))
    at = int(np.flatnonzero(case.data.train == 0)[0])
    assert np.array_equal(found[0][at], found[1][at])
    assert not np.array_equal(found[0], found[1])
