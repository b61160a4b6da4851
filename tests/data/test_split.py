"""Which side each row stands on, for every rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.data import split
from lithify.data.open import open_source
from lithify.data.snapshotting import snapshot
from lithify.data.split import CALIBRATE, EXCLUDED, STOP, TEST, TIME_MISSING, TRAIN, UNDECIDED, Facts, assign
from lithify.errors import TooFewRows, UsageError


def facts(n: int, seed: int = 0, **changes) -> Facts:
    draw = np.random.default_rng(seed)
    key = draw.integers(0, 256, size=(n, 32)).astype(np.uint8)
    key = key[np.lexsort(key.T[::-1])]
    return replace(
        Facts(
            key,
            draw.integers(0, 2, n).astype(np.int32),
            draw.permutation(n).astype(np.int64),
            np.arange(n),
            np.full(n, UNDECIDED, dtype=np.uint8),
            np.zeros(n, dtype=bool),
        ),
        **changes,
    )


def grouped(n: int, groups: int, seed: int = 0) -> np.ndarray:
    _, first, member = np.unique(
        np.random.default_rng(seed).integers(0, groups, n), return_index=True, return_inverse=True
    )
    return first[member].astype(np.int64)


def shares(side: np.ndarray) -> dict[str, float]:
    return {name: float(np.isin(side, codes).mean()) for name, codes in split.SIDES.items()}


def test_time_trains_on_the_past_and_tests_on_the_future():
    some = facts(1000)
    found = assign(some, "auto")
    assert (found.rule, shares(found.side)) == ("time", {"train": 0.8, "validation": 0.1, "test": 0.1})
    phase = np.select([found.side == TRAIN, found.side == TEST], [0, 2], 1)
    assert (np.diff(phase[np.argsort(some.time)]) >= 0).all()
    validation = found.side[np.isin(found.side, (STOP, CALIBRATE))]
    assert 25 < (validation == STOP).sum() < 75


def test_later_copies_of_earlier_rows_are_left_out_and_counted():
    time = np.arange(1000)
    group = np.arange(1000)
    group[950], group[850], group[960] = 10, 20, 855
    label = np.arange(1000, dtype=np.int32) % 2
    found = assign(facts(1000, time=time, group=group, label=label), "time")
    assert np.flatnonzero(found.side == EXCLUDED).tolist() == [850, 950, 960]
    assert split.counts(found.side, label, ["a", "b"])["excluded"] == {"a": 3, "b": 0}


def test_rows_without_a_time_train():
    time = np.arange(1000)
    time[::25] = TIME_MISSING
    found = assign(facts(1000, time=time), "auto")
    assert found.rule == "time"
    assert (found.side[::25] == TRAIN).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"time": np.full(1000, TIME_MISSING)}, "no times"),
        ({"time": np.where(np.arange(1000) % 10, 1, TIME_MISSING) * np.arange(1000)}, "only 90.0% of the rows"),
        ({"label": (np.arange(1000) < 990).astype(np.int32), "time": np.arange(1000)}, "0 rows of one label for train"),
        ({"label": (np.arange(1000) < 951).astype(np.int32), "time": np.arange(1000)}, "0 rows of one label for train"),
        ({"label": (np.arange(1000) > 160).astype(np.int32), "time": np.arange(1000)}, "for validation and test"),
    ],
)
def test_where_time_cannot_be_it_is_hash_and_the_reason_is_said(changes, reason):
    if "only" in reason:
        changes = {"time": np.where(np.arange(1000) % 10, np.arange(1000), TIME_MISSING)}
    found = assign(facts(1000, **changes), "auto")
    assert found.rule == "hash"
    assert reason in found.reason


def test_fifty_rows_of_each_label_are_enough():
    time = np.arange(1000)
    label = np.zeros(1000, dtype=np.int32)
    label[:50] = label[-50:] = 1
    assert assign(facts(1000, time=time, label=label), "auto").rule == "time"
    label[0] = 0
    assert assign(facts(1000, time=time, label=label), "auto").rule == "hash"


def test_hash_is_stratified_and_keeps_groups():
    label = (np.arange(5000) % 10 == 0).astype(np.int32)
    group = np.arange(5000) // 10 * 10 + (np.arange(5000) % 10 == 0)
    _, first, member = np.unique(group, return_index=True, return_inverse=True)
    found = assign(facts(5000, label=label, group=first[member]), "hash")
    for code in (0, 1):
        of = shares(found.side[label == code])
        assert of["train"] == pytest.approx(0.8, abs=0.02)
        assert of["test"] == pytest.approx(0.1, abs=0.02)
        assert of["validation"] == pytest.approx(0.1, abs=0.02)
    assert all(len(set(found.side[member == g].tolist())) == 1 for g in range(len(first)))


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(["time", "hash", "group", "given"]), st.integers(0, 99))
def test_groups_never_straddle(n, groups, rule, seed):
    some = facts(n, seed, group=grouped(n, groups, seed), grouped=np.ones(n, dtype=bool))
    some = replace(some, given=np.random.default_rng(seed).choice([TRAIN, CALIBRATE, TEST], n).astype(np.uint8))
    side = assign(some, rule).side
    assert set(side.tolist()) <= {TRAIN, STOP, CALIBRATE, TEST, EXCLUDED}
    for group in np.unique(some.group):
        sides = set(side[some.group == group].tolist()) - {EXCLUDED}
        assert len(sides) == 1


@given(st.integers(2, 40), st.integers(0, 99))
def test_a_new_row_takes_the_side_of_its_old_group(n, seed):
    some = facts(n, seed, group=grouped(n, n // 2 + 1, seed))
    before = assign(some, "hash").side
    old = np.random.default_rng(seed).random(n) < 0.5
    after = assign(some, "hash", np.where(old, before, UNDECIDED).astype(np.uint8)).side
    assert (after[old] == before[old]).all()
    for row in np.flatnonzero(~old):
        known = before[old & (some.group == some.group[row])]
        if len(known):
            assert after[row] == known[0]


def test_the_side_of_a_row_depends_on_no_other_group():
    some = facts(300, time=np.full(300, TIME_MISSING), label=np.zeros(300, dtype=np.int32))
    halves = split._halves(some)
    assert (split._halves(some.take(np.arange(0, 300, 3))) == halves[::3]).all()


def test_what_does_not_fit_the_rows_is_refused():
    with pytest.raises(TooFewRows, match=r"Found: 0\.0%"):
        assign(facts(100, time=np.full(100, TIME_MISSING)), "time")
    with pytest.raises(UsageError, match="Unknown split"):
        assign(facts(100), "random")
    with pytest.raises(UsageError, match="No row has a value"):
        assign(facts(100), "group")
    given = np.where(np.arange(100) < 3, UNDECIDED, TRAIN).astype(np.uint8)
    with pytest.raises(UsageError, match="3 of 100 rows"):
        assign(facts(100, given=given), "given")


def test_given_by_folders_and_by_a_column(home, tmp_path, message):
    for number in range(60):
        side = "train" if number % 3 else "test"
        path = tmp_path / "data" / side / ("ham" if number % 2 else "spam") / f"{number}.eml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(message(number))
    snap = snapshot(open_source(tmp_path / "data"), home, rule="given")
    assert (len(snap.rows("train")), len(snap.rows("validation")), len(snap.rows("test"))) == (40, 0, 20)
    lines = ["text,label,side"]
    for number in range(60):
        text = message(number).split(b"\n\n")[1].decode().strip()
        lines.append(f"{text},{'ab'[number % 2]},{('Train', 'test', 'dev')[number % 3]}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    table = snapshot(open_source(tmp_path / "table.csv", side="side"), home, rule="given")
    assert (len(table.rows("train")), len(table.rows("validation")), len(table.rows("test"))) == (20, 20, 20)
    assert {STOP, CALIBRATE} <= set(table.table.side.tolist())


def test_group_by_a_header_field(home, tmp_path, message):
    for number in range(200):
        path = tmp_path / "data" / ("ham" if number % 2 else "spam") / f"{number}.eml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"List-Id: list%d\n" % (number // 4) + message(number))
    snap = snapshot(open_source(tmp_path / "data", group="list-id"), home, rule="group")
    assert snap.manifest["groups"] == {"near_duplicate_groups": 50, "rows_in_them": 200}
    for group in np.unique(snap.table.group):
        assert len(set(snap.table.side[snap.table.group == group].tolist())) == 1
    assert 10 <= len(snap.rows("test")) <= 30


@given(st.lists(st.integers(0, 40), max_size=60))
def test_groups_are_numbered_as_by_sorting(group: list[int]) -> None:
    numbers = np.array(group, dtype=np.int64)
    first, member = split._groups(numbers)
    _, expected_first, expected_member = np.unique(numbers, return_index=True, return_inverse=True)
    assert (first.tolist(), member.tolist()) == (expected_first.tolist(), expected_member.tolist())
