"""Snapshots with a parent: old rows keep their place, new ones are a generation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify.data.growth import between
from lithify.data.open import open_source
from lithify.data.schema import Problem
from lithify.data.snapshot import Snapshot, diff
from lithify.data.snapshotting import grow, snapshot
from lithify.data.split import CALIBRATE, EXCLUDED, STOP, TEST, TRAIN
from lithify.errors import UsageError
from lithify.store.home import open_home


def rows_of(snap: Snapshot, some) -> list[int]:
    at = {key.tobytes(): row for row, key in enumerate(snap.table.key)}
    return [at[row.key] for row in some]


def test_old_rows_keep_their_place_and_new_rows_are_cut_within_themselves(home, rows, source_of):
    old = rows(200)
    parent = snapshot(source_of(old), home, rule="hash")
    child = snapshot(source_of(rows(150, first=150)), home, parent=parent, rule="time", name="next")
    assert (child.manifest["parent"], child.manifest["generations"]) == (parent.digest, [200, 100])
    at = rows_of(child, old)
    before = rows_of(parent, old)
    assert (child.table.side[at] == parent.table.side[before]).all()
    assert (child.table.generation[at] == 0).all()
    new = rows_of(child, rows(100, first=200))
    assert (child.table.generation[new] == 1).all()
    assert (child.table.side[new[:80]] == TRAIN).all()
    assert (child.table.side[new[90:]] == TEST).all()
    assert child.content(np.array(at)) == [row.content for row in old]
    assert child.layout["shards"][: len(parent.layout["shards"])] == parent.layout["shards"]
    child.verify()
    found = diff(parent, child)
    assert (len(found.added), found.removed, found.moved) == (100, [], [])
    third = snapshot(source_of(rows(10, first=300)), home, parent=child, rule="hash")
    assert third.manifest["generations"] == [200, 100, 10]
    third.verify()


def test_new_copies_take_the_side_of_the_old_row(home, rows, source_of, message):
    old = rows(100)
    parent = snapshot(source_of(old), home, rule="hash")
    copies = [replace(row, content=row.content + b"bye\n") for row in old[::3]]
    child = snapshot(source_of([*copies, *rows(20, first=500)]), home, parent=parent, rule="time")
    assert (child.table.side[rows_of(child, copies)] == parent.table.side[rows_of(parent, old[::3])]).all()
    assert (child.table.group[rows_of(child, copies)] == child.table.group[rows_of(child, old[::3])]).all()


@pytest.mark.parametrize("pair", [(TRAIN, TEST), (TRAIN, CALIBRATE), (STOP, CALIBRATE)])
def test_new_rows_between_two_sides_are_quarantined(home, rows, source_of, pair):
    old = rows(100)
    parent = snapshot(source_of(old), home, rule="hash")
    sides = parent.table.side[rows_of(parent, old)]
    in_train, in_test = (old[int(np.flatnonzero(sides == side)[0])] for side in pair)
    field = [replace(in_train, group="thread"), replace(in_test, group="thread")]
    # the same messages in a snapshot whose source named no groups: the field joins nothing old
    between = [
        replace(in_train, content=in_train.content + b"x\n", group="thread"),
        replace(in_test, content=in_test.content + b"x\n", group="thread", origin="between"),
    ]
    child = snapshot(source_of([*field, *between, *rows(30, first=200)]), home, parent=parent, rule="hash")
    assert child.manifest["quarantine"] == {"two sides": 2}
    assert len(child) == 130
    only, growth = grow(source_of(between), home, parent=parent, rule="hash")
    assert (only.digest, growth.nothing, growth.quarantined) == (parent.digest, True, {"two sides": 2})
    a, b = rows_of(child, [in_train, in_test])
    assert child.table.group[a] != child.table.group[b]
    quarantine = home.blobs.get(home.catalog.snapshot(child.digest).quarantine)
    assert b"between" in quarantine


def test_relabelled_rows_are_counted_and_keep_their_side(home, rows, source_of):
    old = rows(60)
    parent = snapshot(source_of(old), home, rule="hash")
    changed = [replace(row, label="other") for row in old[:3]]
    child = snapshot(source_of(changed), home, parent=parent)
    assert (child.manifest["relabelled"], child.labels) == (3, ("ham", "other", "spam"))
    assert child.manifest["generations"] == [60]
    assert diff(parent, child).relabelled == sorted(row.key.hex() for row in changed)
    assert (child.table.side == parent.table.side).all()
    gone = snapshot(source_of([replace(row, label="ham") for row in changed]), home, parent=child)
    assert gone.labels == ("ham", "spam")


def test_nothing_new_is_the_parent_itself(home, rows, source_of):
    parent = snapshot(source_of(rows(30)), home, rule="hash")
    assert snapshot(source_of(rows(20)), home, parent=parent, name="again").digest == parent.digest
    assert home.catalog.names() == {"again": parent.digest}
    assert len(home.catalog.snapshots()) == 1


def test_old_groups_never_fall_apart(home, rows, source_of):
    base = rows(1)[0].content.split()
    family = [
        replace(row, content=b" ".join([*base[: len(base) - 2 * n], *row.content.split()[-2 * n :]]))
        for n, row in enumerate(rows(4))
    ]
    parent = snapshot(source_of([*family, *rows(40, first=10)]), home, rule="hash")
    joined = parent.table.group[rows_of(parent, family)]
    child = snapshot(source_of(rows(300, first=60)), home, parent=parent, rule="hash")
    again = child.table.group[rows_of(child, family)]
    assert len(set(zip(joined.tolist(), again.tolist(), strict=True))) == len(set(joined.tolist())) == len(set(again))


def test_copies_after_the_cut_stay_out_of_the_next_generation_too(home, rows, source_of):
    old = rows(200)
    late = replace(old[0], content=old[0].content + b"again\n", time=old[-1].time + 5)
    parent = snapshot(source_of([*old, late]), home, rule="time")
    assert parent.manifest["split"]["counts"]["excluded"] == {"ham": 0, "spam": 1}
    child = snapshot(source_of(rows(20, first=300)), home, parent=parent, rule="hash")
    assert child.table.side[rows_of(child, [late])].tolist() == [EXCLUDED]


def test_a_parent_of_another_kind_is_refused(home, rows, source_of):
    parent = snapshot(source_of(rows(20)), home)
    with pytest.raises(UsageError, match="another kind"):
        snapshot(source_of(rows(20), "text"), home, parent=parent)


# --- properties -----------------------------------------------------------------------------------------------------

POOL = 120
"""Messages that generations are drawn from."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A home for many examples; what they make is named by content, so they cannot disturb each other."""
    return open_home(tmp_path_factory.mktemp("generations") / "home")


def drawn(rows, numbers, families=(), threads=()):
    """Rows of the pool; a family makes a near-copy of one of them, and a thread ties near-copies of two together."""
    pool = rows(POOL)
    near = [replace(pool[n], content=pool[n].content + b"bye %d\n" % k, origin=f"near {n}") for k, n in families]
    tied = [
        replace(pool[n], content=pool[n].content + b"re %d\n" % k, group=f"thread {k}", origin=f"tied {n}")
        for k, pair in enumerate(threads)
        for n in pair
    ]
    return [pool[n] for n in numbers] + near + tied


NUMBERS = st.integers(0, POOL - 1)
PIECES = st.fixed_dictionaries({
    "numbers": st.lists(NUMBERS, max_size=40),
    "families": st.lists(st.tuples(st.integers(0, 9), NUMBERS), max_size=5),
    "threads": st.lists(st.tuples(NUMBERS, NUMBERS).filter(lambda pair: pair[0] != pair[1]), max_size=3),
})  # fmt: skip


def facts(snap: Snapshot) -> dict[bytes, tuple]:
    """By key what an old row may never lose."""
    t = snap.table
    whole = zip(t.key, t.side, t.generation, t.time, t.weight, snap.content(np.arange(len(snap))), strict=True)
    return {key.tobytes(): tuple(rest) for key, *rest in whole}


def together(snap: Snapshot) -> set[frozenset[bytes]]:
    """Groups of more than one row, by keys."""
    of = {}
    for key, group in zip(snap.table.key, snap.table.group, strict=True):
        of.setdefault(int(group), set()).add(key.tobytes())
    return {frozenset(keys) for keys in of.values() if len(keys) > 1}


@settings(max_examples=12)
@given(st.lists(PIECES, min_size=2, max_size=2), st.sampled_from(["hash", "auto"]), st.randoms(use_true_random=False))
def test_two_generations_keep_every_old_row_and_no_group_straddles(place, rows, source_of, pieces, rule, shuffle):
    snaps = [snapshot(source_of(rows(50)), place, rule=rule)]
    for piece in pieces:
        listed = drawn(rows, **piece)
        made, growth = grow(source_of(listed), place, parent=snaps[-1], rule=rule)
        shuffle.shuffle(listed)
        assert snapshot(source_of(listed), place, parent=snaps[-1], rule=rule).digest == made.digest
        before, after = facts(snaps[-1]), facts(made)
        assert {key: after[key] for key in before} == before
        assert growth.added == len(after) - len(before)
        assert growth.removed == len(before) - growth.known
        assert growth.nothing == (made.digest == snaps[-1].digest)
        assert all(any(old <= new for new in together(made)) for old in together(snaps[-1]))
        for group in together(made):
            assert len({after[key][0] for key in group if after[key][0] != EXCLUDED}) <= 1
        snaps.append(made)
    assert snaps[-1].table.generation.max(initial=0) < len(snaps[-1].manifest["generations"]) <= 3


@settings(max_examples=12)
@given(st.tuples(st.integers(0, 59), st.integers(0, 59)).filter(lambda pair: pair[0] != pair[1]))
def test_a_new_group_between_old_rows_takes_their_side_or_is_quarantined(place, rows, source_of, pair):
    old = rows(60)
    parent = snapshot(source_of(old), place, rule="hash")
    sides = {int(side) for side in parent.table.side[rows_of(parent, [old[n] for n in pair])]}
    tied = drawn(rows, [], threads=[pair])
    made, growth = grow(source_of([*tied, *rows(20, first=70)]), place, parent=parent, rule="hash")
    if len(sides) == 2:
        assert growth.quarantined == {"two sides": 2}
        assert (growth.added, growth.removed) == (20, 60)
    else:
        assert growth.quarantined == {}
        assert {int(side) for side in made.table.side[rows_of(made, tied)]} == sides
        assert len(set(made.table.group[rows_of(made, [*tied, *(old[n] for n in pair)])].tolist())) == 1


def test_growth_counts_what_a_source_brings(home, rows, source_of):
    old = rows(100)
    parent, first = grow(source_of([*old, *old[:5]]), home, rule="hash")
    assert (first.added, first.known, first.removed, first.copies) == (100, 0, 0, 5)
    torn = [old[0], replace(old[0], label="other")]  # in the parent, and now with two labels: neither known nor lacking
    relabelled = [replace(row, label="other") for row in old[1:4]]
    listed = [*torn, *relabelled, *old[4:60], *rows(30, first=200), Problem("x", "empty")]
    child, growth = grow(source_of(listed), home, parent=parent, rule="hash")
    assert growth.to_json() == {
        "added": 30, "known": 59, "removed": 40, "relabelled": 3, "moved": 0, "excluded": 0, "copies": 0,
        "quarantined": 3, "reasons": {"empty": 1, "two labels": 2},
    }  # fmt: skip
    assert len(child) == 130
    again = between(parent, child)
    assert (again.added, again.known, again.removed, again.relabelled) == (30, 100, 0, 3)
    _, nothing = grow(source_of(old[:10]), home, parent=parent)
    assert nothing.nothing
    assert (nothing.known, nothing.removed) == (10, 90)


def test_copies_after_a_cut_by_time_are_counted_as_excluded(home, rows, source_of):
    parent = snapshot(source_of(rows(100)), home, rule="hash")
    new = rows(100, first=200)
    late = replace(new[0], content=new[0].content + b"again\n", time=new[-1].time + 5)
    _, growth = grow(source_of([*new, late]), home, parent=parent, rule="time")
    assert (growth.added, growth.excluded) == (101, 1)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_table_grows_in_any_order_of_its_rows(home, task):
    def table(numbers):
        town = ["Ulm", "Bonn", "Trier"]
        cells = {"town": [town[n % 3] for n in numbers], "size": [n * 7919 % 997 for n in numbers]}
        target = [float(n % 50) for n in numbers] if task == "regression" else ["ab"[n * 31 % 7 > 3] for n in numbers]
        return open_source(cells | {"target": target}, label="target", task=task, fields={"size": "number"})

    parent = snapshot(table(range(120)), home)
    child, growth = grow(table(range(60, 200)), home, parent=parent)
    assert (growth.added, growth.known, growth.removed) == (80, 60, 60)
    assert snapshot(table(list(range(60, 200))[::-1]), home, parent=parent).digest == child.digest
    before, after = facts(parent), facts(child)
    assert {key: after[key] for key in before} == before
