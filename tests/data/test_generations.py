"""Snapshots with a parent: old rows keep their place, new ones are a generation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lithify.data.snapshot import Snapshot, diff
from lithify.data.snapshotting import snapshot
from lithify.data.split import CALIBRATE, EXCLUDED, STOP, TEST, TRAIN
from lithify.errors import UsageError


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
