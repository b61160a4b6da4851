"""What boosting promises beyond the contract: grains and threads change no bit, and it learns what LightGBM learns."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from itertools import pairwise
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify import numerics
from lithify.checks import make_table_case
from lithify.checks.common import digest
from lithify.data import params as parameters
from lithify.data.batches import Codes, Dense, TrainingData
from lithify.data.state import State
from lithify.errors import MalformedContainer, MissingExtra, Unsupported
from lithify.learners.boosting import pairs
from lithify.learners.boosting.bag import between, member_of
from lithify.learners.boosting.boosting import Boosting
from lithify.learners.boosting.data import binned, matrix
from lithify.learners.boosting.growing import data_settings
from lithify.learners.boosting.losses import Loss
from lithify.learners.folds import fold_of
from lithify.learners.forest.forest import from_arrays
from lithify.learners.forest.scoring import add_trees, score
from lithify.training.executor import Stopped, Threads, never

QUICK = {"members": 4, "rounds": 60, "chunk": 10, "leaves": 6, "min_rows_leaf": 4, "category_rows": 10}


def table(classes: int, rows: int = 400, **changes: Any) -> TrainingData:
    """A made-up table to learn from."""
    return replace(make_table_case(classes, rows).data, **changes)


def train(data: TrainingData, threads: int = 1, stop_after: int = 10**9, **given: Any) -> tuple[Boosting, State, State]:
    """A learner, its last state and what it comes to."""
    learner = Boosting(parameters.read(Boosting.Params, {**QUICK, **given}))
    state, step = learner.start(data), 0
    with Threads(threads, never()) as executor:
        while step < min(stop_after, learner.steps(data)) and not learner.done(state):
            state, step = executor.step(learner, state, data, step), step + 1
    return learner, state, learner.finish(state, data)


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_grains_and_threads_change_no_bit(classes: int) -> None:
    first = train(table(classes), rounds=20)
    for grains, threads in ((1, 1), (2, 2), (4, 2), (16, 3)):
        again = train(table(classes, grains=grains), threads, rounds=20)
        assert digest(again[1]) == digest(first[1])
        assert digest(again[2]) == digest(first[2])


def test_members_in_threads_side_by_side_have_the_bits_they_have_alone() -> None:
    data = table(2, 2000, grains=4)
    learner = Boosting(parameters.read(Boosting.Params, {**QUICK, "chunk": 25}))
    state = learner.start(data)
    alone = [learner.grain(state, data, 0, grain) for grain in range(4)]
    together: dict[int, Any] = {}

    def grow(grain: int) -> None:
        together[grain] = learner.grain(state, data, 0, grain)

    for _ in range(3):
        threads = [threading.Thread(target=grow, args=(grain,)) for grain in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for grain, partial in enumerate(alone):
            assert all(together[grain][name].tobytes() == array.tobytes() for name, array in partial.items())


@pytest.mark.parametrize("classes", [2, 3])
def test_raw_scores_are_those_of_the_trees(classes: int) -> None:
    data = table(classes)
    learner = Boosting(parameters.read(Boosting.Params, {**QUICK, "rounds": 10}))
    state = learner.start(data)
    with Threads(1, never()) as executor:
        after = executor.step(learner, state, data, 0)
    rows = matrix(data.blocks, data.train)
    for member in range(4):
        sums = np.zeros((len(rows), 1 if classes == 2 else classes))
        add_trees(from_arrays(after.arrays, f"m{member:03d}/"), rows, sums)
        raw = state.arrays[f"m{member:03d}/raw"] + sums
        assert raw.tobytes() == after.arrays[f"m{member:03d}/raw"].tobytes()


def test_a_member_learns_nothing_from_its_fold() -> None:
    data = table(2)
    fold = fold_of(data.group, 4, data.seed)
    other = np.where(fold == 1, 1 - data.target, data.target).astype(np.int32)
    learner = Boosting(parameters.read(Boosting.Params, {**QUICK, "rounds": 10}))
    partials = []
    for target in (data.target, other):
        changed = replace(data, target=target)
        partials.append(learner.grain(learner.start(changed), changed, 0, 1))
    names = [name for name in partials[0] if "losses" not in name]
    assert all(partials[0][name].tobytes() == partials[1][name].tobytes() for name in names)
    assert partials[0]["m001/losses"].tobytes() != partials[1]["m001/losses"].tobytes()


def test_held_out_scores_are_of_the_member_that_has_not_seen_the_row() -> None:
    data = table(3, grains=1)
    learner, _, finished = train(data)
    held = learner.held_out(finished, data)
    assert held is not None
    whole, fold = from_arrays(finished.arrays), fold_of(data.group, 4, data.seed)
    everything = [score(member_of(finished, whole, member), matrix(data.blocks, data.train)) for member in range(4)]
    assert held.tobytes() == np.stack(everything)[fold, np.arange(len(fold))].tobytes()
    assert np.allclose(np.mean(everything, axis=0), learner.predict(finished, data.blocks), rtol=0, atol=1e-12)
    right = float((held.argmax(axis=1) == data.target).mean())
    assert 0.5 < right < float((learner.predict(finished, data.blocks).argmax(axis=1) == data.target).mean())


def test_no_stretch_of_trees_is_lost() -> None:
    data = table(2)
    _, _, finished = train(data)
    whole = from_arrays(finished.arrays)
    rows = matrix(data.blocks, data.train)
    sums, cuts = np.zeros((len(rows), 1)), [0, 1, 7, len(whole) // 2, len(whole)]
    for first, last in pairwise(cuts):
        add_trees(between(whole, first, last), rows, sums)
    assert (whole.bias + whole.scale * sums).tobytes() == score(whole, rows).tobytes()


def test_members_are_cut_back_to_the_best_round() -> None:
    data = table(2)
    learner, state, finished = train(data, rounds=300, learning_rate=0.3, patience=20, chunk=10)
    best, rounds = state.facts["best_round"], state.facts["rounds"]
    assert 0 < best <= rounds - 20
    assert rounds < 300
    assert np.diff(finished.arrays["member_start"]).tolist() == [best] * 4
    held = learner.held_out(finished, data)
    assert held is not None
    margin = np.where(data.target == 1, held[:, 1], -held[:, 1])
    loss = float((data.weight * numerics.log1pexp(-margin)).sum() / data.weight.sum())
    assert loss == pytest.approx(state.facts["loss"], rel=1e-9)


def _plain(data: TrainingData, objective: str, rounds: int, **more: Any) -> np.ndarray:
    """Scores of the training rows by LightGBM's own objective."""
    made = lightgbm.Dataset(
        matrix(data.blocks, data.train),
        label=data.target,
        weight=data.weight,
        categorical_feature=[3, 4],
        params=data_settings(Boosting.settle(parameters.read(Boosting.Params, {}), 1000, 5, 2)),
    )
    wanted = {"objective": objective, "num_leaves": 6, "learning_rate": 0.1, "min_data_in_leaf": 4, "lambda_l2": 1.0}
    booster = lightgbm.train(
        {**wanted, "min_data_per_group": 10, "num_threads": 1, "verbosity": -1, **more}, made, rounds
    )
    return booster.predict(matrix(data.blocks, data.train), raw_score=True)


@pytest.mark.parametrize(
    ("classes", "given", "objective", "more"),
    [
        (2, {}, "binary", {}),
        (3, {}, "multiclass", {"num_class": 3}),
        (0, {}, "regression", {}),
        (0, {"objective": "absolute"}, "regression_l1", {}),
        (0, {"objective": "quantile", "quantile": 0.8}, "quantile", {"alpha": 0.8}),
    ],
)
def test_it_learns_what_lightgbm_learns(classes: int, given: dict, objective: str, more: dict) -> None:
    data = table(classes, 600)
    same = {"members": 1, "rounds": 40, "learning_rate": 0.1, "column_share": 1.0, "row_share": 1.0}
    learner, _, finished = train(data, **{**same, **given})
    ours = learner.predict(finished, data.blocks)
    ours = ours[:, 1] if classes == 2 else ours[:, 0] if classes == 0 else ours
    theirs = _plain(data, objective, 40, **more)
    spread = float(np.std(theirs))
    assert float(np.abs(ours - theirs).mean()) < 0.06 * spread
    assert float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]) > 0.995


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_a_quantile_is_exceeded_as_often_as_it_says(level: float) -> None:
    data = table(0, 1000)
    learner, _, finished = train(data, objective="quantile", quantile=level, learning_rate=0.1)
    held = learner.held_out(finished, data)
    assert held is not None
    assert float((data.target <= held[:, 0]).mean()) == pytest.approx(level, abs=0.07)


def test_weights_are_as_good_as_copies() -> None:
    """A row of weight 3 counts like three rows, up to LightGBM's counting of rows in leaves."""
    data = table(0, 300, weight=np.ones(300))
    thrice = np.arange(300) % 3 == 0
    rows = np.concatenate([np.arange(300), np.flatnonzero(thrice), np.flatnonzero(thrice)])
    same = {"members": 1, "row_share": 1.0, "column_share": 1.0, "max_bins": 1000, "l2": 0.0, "rounds": 20}
    learner, _, weighted = train(replace(data, weight=np.where(thrice, 3.0, 1.0)), **same)
    _, _, copied = train(replace(data, train=rows), **same)
    left, right = (learner.predict(state, data.blocks)[:, 0] for state in (weighted, copied))
    assert float(np.corrcoef(left, right)[0, 1]) > 0.99


def test_balanced_labels_weigh_the_same() -> None:
    data = table(2)
    rare = np.concatenate([np.flatnonzero(data.target == 0), np.flatnonzero(data.target == 1)[:20]])
    data = replace(data, train=rare, weight=np.ones(len(data.target)))
    said = []
    for weight in ("none", "balanced"):
        learner, _, finished = train(data, class_weight=weight)
        said.append(float(numerics.sigmoid(learner.predict(finished, data.blocks)[:, 1]).mean()))
    assert said[1] > said[0] + 0.1


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_ten_rows(classes: int) -> None:
    data = table(classes, 10)
    for members in (1, 8):
        learner, state, finished = train(data, members=members, leaves=0, min_rows_leaf=0)
        assert np.isfinite(learner.predict(finished, data.blocks)).all()
        assert learner.done(state) or state.facts["rounds"] == 60


def test_nothing_is_printed_and_no_share_is_too_small(capfd) -> None:
    data = table(2, 30, weight=np.zeros(30))
    for given_ in ({"row_share": 0.01}, {"column_share": 0.01, "leaves": 1}, {"max_bins": 2}):
        learner, _, finished = train(data, rounds=5, **given_)
        assert np.isfinite(learner.predict(finished, data.blocks)).all()
    assert capfd.readouterr() == ("", "")


def test_columns_that_say_nothing() -> None:
    data = table(2, 50, blocks={"numbers": Dense(np.full((50, 2), 3.0))})
    learner, state, finished = train(data)
    assert learner.done(state)
    raw = learner.predict(finished, data.blocks)
    assert np.ptp(raw[:, 1]) == 0.0
    missing = replace(data, blocks={"numbers": Dense(np.full((50, 2), np.nan))})
    assert np.isfinite(train(missing)[0].predict(finished, missing.blocks)).all()


def test_a_label_that_a_member_never_sees() -> None:
    data = table(3, 200)
    fold = fold_of(data.group, 4, data.seed)
    target = np.where(fold == 2, 2, data.target % 2).astype(np.int32)
    learner, _, finished = train(replace(data, target=target))
    held = learner.held_out(finished, replace(data, target=target))
    assert held is not None
    assert np.isfinite(held).all()


@pytest.mark.parametrize("group", [np.zeros(60, dtype=np.int64), np.arange(60) // 30])
def test_few_groups(group: np.ndarray) -> None:
    data = table(2, 60, group=group)
    learner, _, finished = train(data)
    assert np.isfinite(learner.predict(finished, data.blocks)).all()


@pytest.mark.parametrize("value", [1e-30, 1e30, 5e8])
def test_values_of_any_size(value: float) -> None:
    data = table(0)
    learner, _, finished = train(replace(data, target=data.target * value))
    right = np.corrcoef(learner.predict(finished, data.blocks)[:, 0], data.target)[0, 1]
    assert right > 0.9


def test_a_kill_midway_costs_nothing() -> None:
    data = table(2, grains=4)
    learner, state, finished = train(data)
    again = Boosting(learner.params)
    now, stop = again.start(data), threading.Event()
    for step in range(again.steps(data)):
        if again.done(now):
            break
        stop.set()
        with Threads(2, stop) as killed, pytest.raises(Stopped):
            killed.step(again, now, data, step)
        again = Boosting(learner.params)
        with Threads(2, never()) as threads:
            now = threads.step(again, now, data, step)
    assert digest(now) == digest(state)
    assert digest(again.finish(now, data)) == digest(finished)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_checkpoint_is_refused(draw) -> None:
    data, (learner, state, _) = DAMAGED
    name = draw.draw(st.sampled_from(sorted(name for name, array in state.arrays.items() if array.size)))
    array = state.arrays[name].copy()
    at = draw.draw(st.integers(0, array.size - 1))
    wild = [-1, 2**31 - 1, 200] if array.dtype.kind in "iu" else [np.nan, np.inf]
    array.reshape(-1)[at] = np.array(draw.draw(st.sampled_from(wild))).astype(array.dtype)
    spoiled = State({**state.arrays, name: array}, state.facts)
    try:
        learner.admit(spoiled, data)
    except MalformedContainer:
        return
    with Threads(1, never()) as threads:  # what is let in does no harm
        after = threads.step(learner, spoiled, data, 1)
    learner.admit(after, data)


DAMAGED = (table(3, 60), train(table(3, 60), rounds=8, chunk=4, stop_after=1))


@pytest.mark.parametrize(
    "facts",
    [{"rounds": -1}, {"best_round": 10**9}, {"loss": "low"}, {"grew": 1}, {"rounds": 2.0}, {"more": 1}, {"rounds": 7}],
)
def test_damaged_facts_are_refused(facts: dict) -> None:
    data, (learner, state, _) = DAMAGED
    with pytest.raises(MalformedContainer):
        learner.admit(State(state.arrays, {**state.facts, **facts}), data)


def test_a_checkpoint_is_admitted_before_anything_is_made_of_the_data(monkeypatch) -> None:
    data, (learner, state, _) = DAMAGED
    monkeypatch.setattr("lithify.learners.boosting.boosting.pose", None)
    Boosting(learner.params).admit(state, data)


def test_a_checkpoint_cannot_ask_for_any_number_of_pairs() -> None:
    wide = table(2, 4, blocks={"numbers": Dense(np.zeros((4, 2000)))})
    assert pairs.check([0, 1999], wide) == [0, 1999]
    with pytest.raises(MalformedContainer):
        pairs.check(list(range(2000)), wide)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("where", ["member_start", "member_bias"])
def test_a_damaged_bag_is_refused(where: str) -> None:
    _, (learner, _, finished) = DAMAGED
    array = finished.arrays[where].copy()
    array.reshape(-1)[-1] = 10**6 if where == "member_start" else np.nan
    features = make_table_case(3).features
    with pytest.raises(MalformedContainer):
        learner.audit(State({**finished.arrays, where: array}, finished.facts), features, State(), 3)


@pytest.mark.parametrize("facts", [{}, {"classes": 3}, {"classes": 3, "columns": 0}, {"classes": 3, "columns": True}])
def test_a_bag_that_does_not_say_what_it_reads_is_refused(facts: dict) -> None:
    _, (learner, _, finished) = DAMAGED
    with pytest.raises(MalformedContainer):
        learner.audit(State(finished.arrays, facts), make_table_case(3).features, State(), 3)


def test_bins_do_not_depend_on_how_the_rows_are_handed_over() -> None:
    data = table(2, 3000)
    wanted = data_settings(Boosting.settle(parameters.read(Boosting.Params, {}), 1000, 5, 2))
    slope, curve = (data.target - 0.5).astype(np.float32), np.ones(3000, dtype=np.float32)
    texts = []
    for at_once in (0, 1 << 30):
        made = binned(data.blocks, data.train, wanted, at_once=at_once)
        booster = lightgbm.Booster({**wanted, "objective": "none"}, made)
        booster.update(fobj=lambda *_: (slope, curve))
        texts.append(booster.model_to_string())
    assert texts[0] == texts[1]


def test_lightgbm_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """More categories than bins are no news to us, nor a reader's business."""
    codes = np.arange(3000, dtype=np.int32)[:, None] % 400
    wanted = data_settings(Boosting.settle(parameters.read(Boosting.Params, {"max_bins": 30}), 1000, 5, 2))
    for at_once in (0, 1 << 30):
        given = ({"categories": Codes(codes, (400,))}, np.arange(3000), wanted, None, at_once)
        fresh = threading.Thread(target=binned, args=given)  # how loud LightGBM is, a thread remembers
        fresh.start()
        fresh.join()
    found = capfd.readouterr()
    assert (found.out, found.err) == ("", "")


def test_settled_by_the_size_of_the_data() -> None:
    asked = parameters.read(Boosting.Params, {"leaves": 12})
    settled = Boosting.settle(asked, rows=5_000_000, columns=50, classes=7)
    assert settled.leaves == 12
    assert settled.chunk == 1
    assert settled.learning_rate > 0
    assert Boosting.within(settled, seconds=10.0, per_step=2.0).rounds == 5


def test_losses_of_their_definition() -> None:
    raw = np.array([[0.3], [-1.2], [4.0]])
    target, cost, rows = np.array([1, 0, 0]), np.array([1.0, 2.0, 0.5]), np.arange(3)
    chance = 1 / (1 + np.exp(-raw[:, 0]))
    expected = -(cost * np.log(np.where(target == 1, chance, 1 - chance))).sum()
    assert Loss("labels", 1).total(raw, target, cost, rows) == pytest.approx(expected)
    slope, curve = Loss("labels", 1).slopes(raw, target, cost)
    assert slope == pytest.approx(cost * (chance - target), rel=1e-6)
    assert curve == pytest.approx(cost * chance * (1 - chance), rel=1e-6)
    three = np.array([[0.1, 2.0, -1.0]])
    shares = np.exp(three) / np.exp(three).sum()
    assert Loss("labels", 3).total(three, np.array([2]), np.ones(1), np.arange(1)) == pytest.approx(
        -np.log(shares[0, 2])
    )
    tilted = Loss("tilted", 1, 0.9)
    assert tilted.total(np.array([[1.0], [5.0]]), np.array([3.0, 3.0]), np.ones(2), np.arange(2)) == pytest.approx(2.0)
    assert tilted.start(np.arange(10.0), np.ones(10)).tolist() == [8.0]


def test_other_blocks_are_refused() -> None:
    with pytest.raises(Unsupported, match="columns"):
        train(table(2, blocks={"body": Dense(np.zeros((400, 1)))}))
    words = {
        "words": Dense(np.tile(np.float32([0, 1]), 200)[:, None]),
        "categories": Codes(np.ones((400, 1), np.int32), (2,)),
    }
    assert train(table(2, blocks=words))[2].facts["columns"] == 2


def test_without_lightgbm_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtra, match=r"pip install 'lithify\[boost\]'"):
        train(table(2))
