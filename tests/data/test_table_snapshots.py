"""Snapshots of tables: every row is kept, copies and all, and nothing but the rows themselves decides the name."""

from __future__ import annotations

import csv
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify import rng
from lithify.data import chunks, shards, split
from lithify.data.cells import decode, encode_row
from lithify.data.open import open_source
from lithify.data.schema import Field, Row
from lithify.data.snapshot import Snapshot, diff, open_snapshot
from lithify.data.snapshotting import snapshot
from lithify.data.source import Source
from lithify.data.withdraw import withdraw
from lithify.errors import IntegrityError, LithifyError, TooFewRows, UsageError
from lithify.store.home import open_home

FIELDS = (Field("job", "category", "input"), Field("n", "number", "input"), Field("y", "category", "label"))
VALUES = (*FIELDS[:2], Field("y", "number", "label"))


class Table(Source):
    """Rows of two fields that are there already."""

    kind = "table"

    def __init__(self, rows: Sequence[Row], task: Any = "classification") -> None:
        self.task, self.fields = task, VALUES if task == "regression" else FIELDS
        self._rows = rows

    def describe(self) -> str:
        return "a list"

    def signature(self) -> str:
        return str(id(self._rows))

    def rows(self) -> Iterator[Row]:
        yield from self._rows


def row(n: float, says: Any = "a", job: str = "smith", **more: Any) -> Row:
    content = encode_row(FIELDS, {"n": float(n), "job": job})[0]
    return Row(content, value=says, **more) if isinstance(says, float) else Row(content, says, **more)


def some(count: int, first: int = 0) -> list[Row]:
    """Distinct rows of two labels."""
    return [row(n, "ab"[n % 2]) for n in range(first, first + count)]


def number_of(snap: Snapshot) -> np.ndarray:
    """The cell ``n`` of each row."""
    return decode(snap.inputs, snap.content(np.arange(len(snap)))).numbers[:, 0]


def says(snap: Snapshot, n: float) -> list[Any]:
    """The labels or values of all rows with that number, sorted."""
    at = np.flatnonzero(number_of(snap) == n)
    if snap.task == "regression":
        return sorted(snap.table.value[at].tolist())
    return sorted(snap.labels[code] for code in snap.table.label[at])


# --- copies ---------------------------------------------------------------------------------------------------------


def test_rows_with_equal_inputs_are_rows_of_their_own(home):
    rows = [*some(60), row(3, "b"), row(3, "b"), row(3, "a"), row(4, "a")]
    snap = snapshot(Table(rows), home)
    assert (len(snap), snap.manifest["copies"], snap.manifest["quarantine"]) == (64, 0, {})
    assert says(snap, 3) == ["a", "b", "b", "b"]
    assert len({key.tobytes() for key in snap.table.key}) == 64
    assert snap.manifest["groups"] == {"near_duplicate_groups": 2, "rows_in_them": 6}
    assert sorted(snap.table.copy[number_of(snap) == 3].tolist()) == [0, 1, 2, 3]
    snap.verify()


def test_it_says_that_equal_rows_are_looked_for(home):
    said: list[str] = []
    snapshot(Table(some(60)), home, report=lambda update: said.append(update.note))
    assert "Looking for equal rows." in said
    assert not any("near-duplicates" in each for each in said)


@pytest.mark.parametrize("rule", ["hash", "time"])
def test_copies_never_straddle(home, rule):
    draw = rng.below(rng.key(1, "copies"), 0, 400, 50).tolist()
    rows = [*some(400), *(row(n, "ab"[n % 3 % 2]) for n in draw)]
    rows = [replace(one, time=1_000_000 + 60 * (at % 97)) for at, one in enumerate(rows)]
    snap = snapshot(Table(rows), home, rule=rule)
    cells, side = number_of(snap), snap.table.side
    for n in set(draw):
        on = {split.TRAIN if s == split.TRAIN else int(s) for s in side[cells == n]} - {split.EXCLUDED}
        assert len(on) == 1, n


def test_where_most_rows_are_copies_they_are_not_kept_together(home):
    """A table of few fields: one row of it stands for many people."""
    rows = [row(n % 5, "ab"[n % 2]) for n in range(400)]
    snap = snapshot(Table(rows), home)
    assert snap.manifest["groups"] == {"near_duplicate_groups": 0, "rows_in_them": 0}
    counts = snap.manifest["split"]["counts"]
    assert [sum(counts[side].values()) for side in ("train", "validation", "test")] == [320, 40, 40]
    assert all(len(set(snap.table.side[number_of(snap) == n].tolist())) > 1 for n in range(5))
    snap.verify()


CELLS = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, 5, 70]),
    st.sampled_from([None, "g", "h"]),
    st.sampled_from([1.0, 0.5, 0.0]),
    st.sampled_from([None, "train", "test"]),
)


@settings(max_examples=12)
@given(st.lists(CELLS, max_size=14), st.randoms(use_true_random=False), st.sampled_from([1, 3, 7, 1000]), st.booleans())
def test_neither_order_nor_chunks_change_the_name(cells, random, size, regression):
    values = [(n, float(n) if regression else label, *more) for n, label, *more in cells]
    extra = [(50 + n, float(n) if regression else "ab"[n % 2], None, None, 1.0, None) for n in range(30)]
    rows = [
        row(n, said, time=time, group=group, weight=weight, side=side)
        for n, said, time, group, weight, side in [*values, *extra]
    ]
    mixed = rows[:]
    random.shuffle(mixed)
    task = "regression" if regression else "classification"
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        whole = snapshot(Table(rows, task), open_home(Path(folder, "a")))
        patch.setitem(chunks.CHUNK_ROWS, "table", size)
        patch.setattr(shards, "SHARD_BYTES", 200)
        cut = snapshot(Table(mixed, task), open_home(Path(folder, "b")))
        cut.verify()
        assert cut.digest == whole.digest
        assert cut.layout != whole.layout
        assert len(cut) == len(rows)


def test_every_fact_of_a_copy_changes_the_name(tmp_path):
    rows = [*some(40), row(7, "b", group="g", side="train"), row(7, "b")]
    changes = [{"label": "a"}, {"time": 5}, {"weight": 2.0}, {"weight": 0.0}]
    cases = [rows, rows[:-1], *([*rows[:-1], replace(rows[-1], **change)] for change in changes)]
    names = [snapshot(Table(case), open_home(tmp_path / str(at)), rule="hash").digest for at, case in enumerate(cases)]
    assert len(set(names)) == len(names)


# --- what is in a row -----------------------------------------------------------------------------------------------


def test_files_of_any_form_and_order_give_one_name(tmp_path):
    columns = {
        "age": [20.0 + n % 50 for n in range(120)],
        "job": [["smith", "clerk", "cook", ""][n % 4] for n in range(120)],
        "target": ["yes" if n % 3 else "no" for n in range(120)],
    }
    import pyarrow as pa
    import pyarrow.parquet as pq

    def write(name: str, rows: Sequence[int], names: Sequence[str]) -> None:
        with open(tmp_path / name, "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(names)
            out.writerows([columns[each][at] for each in names] for at in rows)

    write("a.csv", range(120), ["age", "job", "target"])
    write("b.csv", range(119, -1, -1), ["target", "job", "age"])
    (tmp_path / "c").mkdir()
    write("c/2.csv", range(60), ["age", "job", "target"])
    write("c/1.csv", range(60, 120), ["target", "age", "job"])
    pq.write_table(pa.table({**columns, "job": [job or None for job in columns["job"]]}), tmp_path / "d.parquet")
    places = [tmp_path / name for name in ("a.csv", "b.csv", "c", "d.parquet")]
    found = [snapshot(open_source(p), open_home(tmp_path / f"home{at}")) for at, p in enumerate(places)]
    assert len({snap.digest for snap in found}) == 1
    assert sum(found[0].manifest["split"]["counts"]["train"].values()) == 96


def test_a_row_without_any_cell_is_a_row(home):
    empty = [row(math.nan, "a", job=""), row(math.nan, "b", job="")]
    snap = snapshot(Table([*some(60), *empty]), home)
    assert (len(snap), snap.manifest["quarantine"]) == (62, {})
    snap.verify()
    texts = {"note": ["", "word two", None, "three"] * 20, "target": ["x", "y"] * 40}
    frame = snapshot(open_source(texts, kind="table", label="target", fields={"note": "text"}), home)
    assert (len(frame), frame.manifest["quarantine"]) == (80, {})


def test_rows_without_a_label_or_value_are_quarantined(home):
    columns = {"n": [n * 0.5 for n in range(60)], "target": ["a", "b", ""] * 20}
    snap = snapshot(open_source(columns), home)
    assert (len(snap), snap.manifest["quarantine"]) == (40, {"no label": 20})
    values = {"n": [n * 0.5 for n in range(60)], "target": [0.5, None, math.inf, math.nan, 2.25, 1.75] * 10}
    snap = snapshot(open_source(values, task="regression"), home)
    assert (len(snap), snap.task, snap.labels) == (30, "regression", ())
    assert snap.manifest["quarantine"] == {"no label": 30}
    with pytest.raises(TooFewRows, match="no rows to learn from"):
        snapshot(Table([replace(row(n, 1.0), value=None) for n in range(9)], "regression"), home)


def test_values_that_are_no_measurements_are_quarantined(home):
    rows = [row(n, float(n)) for n in range(40)] + [row(50, 1e101), row(51, -1e300), row(52, 1e100)]
    snap = snapshot(Table(rows, "regression"), home)
    assert (len(snap), snap.manifest["quarantine"]) == (41, {"bad record": 2})
    assert snap.table.value.max() == 1e100


def test_weights_are_kept_and_bad_ones_quarantined(home):
    columns = {
        "n": [n * 0.5 for n in range(60)],
        "w": [1.0, 0.0, 2.5, -1.0, math.nan, None] * 10,
        "target": ["a", "b"] * 30,
    }
    snap = snapshot(open_source(columns, weight="w"), home)
    assert snap.manifest["quarantine"] == {"bad record": 30}
    assert sorted(set(snap.table.weight.tolist())) == [0.0, 1.0, 2.5]


def test_a_hundred_thousand_categories(home):
    count = 100_000
    columns = {
        "code": [f"c{n}" for n in range(count)],
        "n": np.arange(count) % 7,
        "target": np.where(np.arange(count) % 2, "a", "b").tolist(),
    }
    snap = snapshot(open_source(columns, fields={"code": "category"}), home)
    assert len(snap) == count
    assert snap.manifest["groups"]["rows_in_them"] == 0
    some_rows = np.arange(0, count, 9973)
    cells = decode(snap.inputs, snap.content(some_rows))
    assert all(cell.startswith(b"c") for cell in cells.strings.raw(0))


# --- splits ---------------------------------------------------------------------------------------------------------


def test_every_side_gets_its_share_of_each_tenth_of_the_values(home):
    draw = rng.uniform(rng.key(2, "values"), 0, 2000)
    rows = [row(n, float(value) ** 6 * 1e5) for n, value in enumerate(draw.tolist())]
    snap = snapshot(Table(rows, "regression"), home)
    tenth = np.argsort(np.argsort(snap.table.value)) * 10 // len(snap)
    for side, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        held = np.bincount(tenth[snap.rows(side)], minlength=10)
        assert np.abs(held - 200 * share).max() <= 1, side
    assert snap.manifest["split"]["counts"]["train"] == {"rows": 1600}


def test_values_that_are_all_equal_or_few_are_split_all_the_same(home):
    snap = snapshot(Table([row(n, 3.0) for n in range(50)], "regression"), home)
    assert snap.manifest["split"]["counts"]["test"] == {"rows": 5}
    snap = snapshot(Table([row(n, float(n)) for n in range(3)], "regression"), home)
    assert len(snap.rows("train")) >= 1


def test_time_group_and_given_splits(tmp_path):
    n = 600
    columns = {
        "n": np.arange(n) * 0.5,
        "when": [f"2020-01-{1 + at // 24 % 28:02d} {at % 24:02d}:00:00" for at in range(n)],
        "who": [f"person {at % 40}" for at in range(n)],
        "part": [["train", "train", "valid", "test"][at % 4] for at in range(n)],
        "target": ["a" if at % 3 else "b" for at in range(n)],
    }
    home = open_home(tmp_path / "home")
    timed = snapshot(open_source(columns, time="when"), home, rule="time")
    last_train = timed.table.time[timed.rows("train")].max()
    assert last_train < timed.table.time[timed.rows("test")].min()
    groups = snapshot(open_source(columns, group="who"), home, rule="group")
    who = number_of(groups) * 2 % 40
    for person in range(40):
        assert len({s if s in (0, 3) else 1 for s in groups.table.side[who == person].tolist()}) == 1
    assert groups.manifest["groups"]["near_duplicate_groups"] == 40
    given_sides = snapshot(open_source(columns, side="part"), home, rule="given")
    part = (number_of(given_sides) * 2).astype(int) % 4
    assert (given_sides.table.side[part < 2] == split.TRAIN).all()
    assert (given_sides.table.side[part == 3] == split.TEST).all()
    assert "part" not in [field.name for field in given_sides.inputs]


def test_a_given_side_is_not_torn_by_a_copy(home):
    rows = [*(replace(one, side="train") for one in some(40)), row(3, "b", side="test"), row(90, "a", side="test")]
    snap = snapshot(Table(rows), home, rule="given")
    assert snap.manifest["split"]["counts"]["excluded"] == {"a": 0, "b": 1}
    assert snap.manifest["split"]["counts"]["test"] == {"a": 1, "b": 0}


# --- generations ----------------------------------------------------------------------------------------------------


def side_of(snap: Snapshot, n: float) -> set[int]:
    return set(snap.table.side[number_of(snap) == n].tolist())


def test_a_generation_takes_over_sides_and_adds_a_third_copy(home):
    rows = [*some(200), row(3, "b")]
    parent = snapshot(Table(rows), home)
    child = snapshot(Table([*rows, row(3, "b"), *some(20, first=500)]), home, parent=parent)
    assert child.manifest["generations"] == [201, 21]
    assert side_of(child, 3) == side_of(parent, 3)
    assert diff(parent, child).to_json()["moved"]["rows"] == 0
    assert len(diff(parent, child).added) == 21
    assert sorted(child.table.copy[number_of(child) == 3].tolist()) == [0, 1, 2]
    child.verify()
    assert snapshot(Table(rows[::-1]), home, parent=child).digest == child.digest


def test_only_what_a_source_adds_is_new_whatever_its_labels(home):
    """Copies are told apart by what they say: a new one that sorts before the old ones relabels none of them."""
    parent = snapshot(Table([*some(100), row(3, "b")]), home)
    child = snapshot(Table([row(3, "a"), *some(100), row(3, "b")]), home, parent=parent)
    assert (child.manifest["relabelled"], child.manifest["generations"]) == (0, [101, 1])
    assert says(child, 3) == ["a", "b", "b"]
    new = np.flatnonzero(child.table.generation == 1)
    assert [child.labels[code] for code in child.table.label[new]] == ["a"]


def test_relabelled_rows_are_counted_and_stay_where_they_are(home):
    parent = snapshot(Table([*some(100), row(3, "b")]), home)
    changed = [one if at != 3 else row(3, "c") for at, one in enumerate(some(100))]
    child = snapshot(Table([*changed, row(3, "b")]), home, parent=parent)
    assert (child.manifest["relabelled"], child.manifest["generations"]) == (1, [101])
    assert says(child, 3) == ["b", "c"]
    assert child.labels == ("a", "b", "c")
    assert len(diff(parent, child).relabelled) == 1
    assert (child.table.side == parent.table.side).all()


def test_values_are_taken_over_and_set_anew(home):
    rows = [row(n, float(n)) for n in range(80)]
    parent = snapshot(Table(rows, "regression"), home)
    child = snapshot(Table([*rows[1:], row(0, 7.5), row(90, 1.0)], "regression"), home, parent=parent)
    assert (child.manifest["relabelled"], child.manifest["generations"]) == (1, [80, 1])
    assert says(child, 0) == [7.5]
    assert len(diff(parent, child).relabelled) == 1
    assert snapshot(Table(rows[:4], "regression"), home, parent=parent).digest == parent.digest
    child.verify()


def test_the_way_of_a_parent_with_copies_is_kept(home):
    apart = snapshot(Table([row(n % 5, "ab"[n % 2]) for n in range(200)]), home)
    child = snapshot(Table([*(row(n % 5, "ab"[n % 2]) for n in range(200)), *some(900, first=50)]), home, parent=apart)
    assert child.manifest["groups"]["rows_in_them"] == 0
    together = snapshot(Table([*some(100), row(3, "b")]), home)
    more = [*some(100), row(3, "b"), *(row(n % 9, "ab"[n % 2]) for n in range(300))]
    child = snapshot(Table(more), home, parent=together)
    for n in range(9):
        assert len(side_of(child, n)) == 1
    child.verify()


@settings(max_examples=12)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abc")), max_size=12), st.integers(0, 12), st.data())
def test_a_source_that_grows_loses_and_invents_nothing(cells, cut, data):
    """All rows of the source are in the child, once each; rows that were there are there still."""
    base = [*some(20, first=50), *(row(n, label) for n, label in cells[:cut])]
    grown = [*base, *(row(n, label) for n, label in cells[cut:])]
    mixed = data.draw(st.permutations(grown))
    with tempfile.TemporaryDirectory() as folder:
        home = open_home(Path(folder))
        parent = snapshot(Table(base), home)
        child = snapshot(Table(mixed), home, parent=parent)
        assert child.manifest["relabelled"] == 0
        for n in range(5):
            assert says(child, n) == sorted(one.label for one in grown if one.content == row(n).content)
        assert diff(parent, child).removed == []
        assert diff(parent, child).moved == []
        child.verify()


def test_a_parent_of_another_task_or_other_fields_is_refused(home, rows, source_of):
    columns = {"n": [n * 0.5 for n in range(60)], "target": ["a", "b"] * 30}
    parent = snapshot(open_source(columns), home)
    with pytest.raises(UsageError, match="other fields"):
        snapshot(open_source({**columns, "more": [n % 7 for n in range(60)]}), home, parent=parent)
    with pytest.raises(UsageError, match="other fields"):
        snapshot(open_source({**columns, "target": [n / 7 for n in range(60)]}), home, parent=parent)
    with pytest.raises(UsageError, match="another kind"):
        snapshot(source_of(rows(20), "text"), home, parent=parent)


def test_kinds_are_inherited_and_columns_left_out_may_come_and_go(home):
    columns = {"code": [str(n % 9) for n in range(90)], "one": ["same"] * 90, "target": ["a", "b", "b"] * 30}
    parent = snapshot(open_source(columns, fields={"code": "category"}), home)
    assert [(field.name, field.role) for field in parent.fields if field.name == "one"] == [("one", "left out")]
    later = {"code": [str(20 + n) for n in range(40)], "target": ["a", "b"] * 20}
    child = snapshot(open_source(later, like=parent.fields), home, parent=parent)
    assert [(field.name, field.kind) for field in child.inputs] == [("code", "category")]
    assert child.manifest["generations"] == [90, 40]
    values = {"n": [n * 0.5 for n in range(60)], "target": [n * 1.5 for n in range(60)]}
    parent = snapshot(open_source(values), home)
    more = {"n": [n * 0.25 + 1 for n in range(60)], "target": [n * 1.5 for n in range(60)]}
    child = snapshot(open_source(more, like=parent.fields, task="regression"), home, parent=parent)
    assert child.task == "regression"


# --- taking rows out, and damage ------------------------------------------------------------------------------------


def test_one_of_several_copies_is_erased_and_the_others_stay(home):
    rows = [*some(80), row(3, "a"), row(3, "c"), row(5, "c")]
    old = snapshot(Table(rows), home, name="people")
    copies = np.flatnonzero(number_of(old) == 3)
    first = copies[old.table.copy[copies] == 0]
    done = withdraw(home, old, [old.table.key[int(first[0])].tobytes().hex()], erase=True)
    assert len(done.snapshot) == 82
    assert says(done.snapshot, 3) == ["b", "c"]
    done.snapshot.verify()
    again = snapshot(Table([one for at, one in enumerate(rows) if at != 80]), home, parent=done.snapshot)
    assert again.digest == done.snapshot.digest  # what is left is known, whatever its number was
    back = snapshot(Table(rows), home, parent=done.snapshot)
    assert (back.manifest["generations"], back.manifest["relabelled"]) == ([82, 1], 0)
    back.verify()


def test_erased_inputs_are_nowhere(home):
    canary = "xyzzy-withdrawn-9876"
    rows = [*some(60), row(3, "b", job=canary), row(3, "a", job=canary)]
    old = snapshot(Table(rows), home, name="people")
    keys = [
        old.table.key[at].tobytes().hex()
        for at, content in enumerate(old.content(np.arange(len(old))))
        if canary.encode() in content
    ]
    assert len(keys) == 2
    withdraw(home, old, keys[:1], erase=True)
    left = open_snapshot(home, "people")
    left.verify()
    withdraw(home, left, keys[1:], erase=True)
    home.catalog.names()
    held = [path for path in home.path.rglob("*") if path.is_file() and canary.encode() in path.read_bytes()]
    assert held == []


def test_values_cannot_all_be_withdrawn(home):
    snap = snapshot(Table([row(n, float(n)) for n in range(6)], "regression"), home)
    keys = [key.tobytes().hex() for key in snap.table.key]
    assert len(withdraw(home, snap, keys[:2]).snapshot) == 4
    with pytest.raises(TooFewRows, match="would be left"):
        withdraw(home, snap, keys)


def test_damage_is_found_wherever_it_is(tmp_path):
    made = open_home(tmp_path / "made")
    name = snapshot(Table([*some(50), row(3, "b")]), made).digest
    made.catalog.close()
    for number, path in enumerate(sorted((tmp_path / "made" / "blobs").rglob("*"))):
        if not path.is_file() or path.name == "lock":
            continue
        folder = tmp_path / f"damaged{number}"
        shutil.copytree(tmp_path / "made", folder)
        place = folder / path.relative_to(tmp_path / "made")
        place.chmod(0o600)
        data = bytearray(place.read_bytes())
        data[len(data) // 2] ^= 4
        place.write_bytes(data)
        with pytest.raises(LithifyError):
            open_snapshot(open_home(folder), name).verify()


def test_a_content_that_is_another_copys_is_found(home):
    """A table that says which copy a row is and lies breaks the key."""
    snap = snapshot(Table([*some(50), row(3, "b")]), home)
    copy = snap.table.copy.copy()
    copy[number_of(snap) == 3] = copy[number_of(snap) == 3][::-1]
    index = shards.put_index(home, home.work, replace(snap.table, copy=copy))
    from lithify import canon

    layout = home.blobs.put(canon.dumps({**snap.layout, "index": index}))
    home.catalog.add_snapshot(snap.digest, "table", len(snap), parent=None, layout=layout)
    with pytest.raises(IntegrityError, match="does not fit its key"):
        open_snapshot(home, snap.digest).verify()


# --- kills ----------------------------------------------------------------------------------------------------------

PROGRAM = """
import sys
from lithify.data import chunks, shards, snapshotting
from lithify.data.open import open_source
from lithify.store.home import open_home
chunks.CHUNK_ROWS["table"], shards.SHARD_BYTES = 16, 500
print(snapshotting.snapshot(open_source(sys.argv[1]), open_home(sys.argv[2]), name="people").digest)
"""


class Killed(BaseException):
    """Stands for a kill: nothing but ``finally`` runs after it."""


@pytest.fixture
def table(tmp_path, monkeypatch) -> Path:
    """Sixty rows, some of them alike; four chunks and two shards."""
    monkeypatch.setitem(chunks.CHUNK_ROWS, "table", 16)
    monkeypatch.setattr(shards, "SHARD_BYTES", 500)
    with open(tmp_path / "people.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["age", "job", "target"])
        out.writerows([[n % 55 + 0.5, "smith" if n % 2 else "clerk", "ab"[n % 3 % 2]] for n in range(60)])
    return tmp_path / "people.csv"


def test_a_stop_at_every_point_ends_in_the_same_snapshot(tmp_path, table, monkeypatch):
    expected = snapshot(open_source(table), open_home(tmp_path / "whole"))
    assert len(expected.layout["shards"]) > 1
    at, stopped = 0, True
    while stopped:
        at += 3
        home, left, stopped = open_home(tmp_path / f"home{at}"), at, False

        def fault(point: str) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr("lithify.store.blobs.fault", fault)
            try:
                snapshot(open_source(table), home, name="people")
            except Killed:
                stopped = True
        assert snapshot(open_source(table), home, name="people").digest == expected.digest
        open_snapshot(home, "people").verify()
        assert list(home.work.iterdir()) == []
    assert at > 25


def test_kills_of_the_process(tmp_path, table):
    expected = snapshot(open_source(table), open_home(tmp_path / "whole")).digest
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ends = []
    for at in (15, 30, 0):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(table), str(tmp_path / "home")],
            env={**environment, "LITHIFY_FAULT_KILL": str(at)},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        ends.append(done.returncode)
    assert ends == [-signal.SIGKILL] * 2 + [0]
    assert done.stdout.strip() == expected
