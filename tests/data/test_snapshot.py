"""Snapshots: what their names stand for, what is left out and counted, and damage."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lithify import canon
from lithify.data import chunks, shards
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.snapshot import diff, open_snapshot
from lithify.data.snapshotting import snapshot
from lithify.errors import (
    IntegrityError,
    LithifyError,
    NewerFormat,
    NotFound,
    QuarantinedRows,
    RunBusy,
    TooFewRows,
    UsageError,
)
from lithify.store.home import open_home
from lithify.store.lock import Lock

CANARY = b"xyzzy-canary-1234"


def write_folder(folder: Path, mails: list[tuple[str, bytes]], names: str = "{:04d}.eml") -> Path:
    for number, (label, content) in enumerate(mails):
        path = folder / label / names.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def damage(home, name: str) -> None:
    path = home.blobs.path(name)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.fixture
def mails(message):
    return [("ham" if n % 3 else "spam", message(n)) for n in range(40)]


def test_the_same_rows_have_the_same_name_however_they_lie(tmp_path, mails, monkeypatch):
    folders = [
        write_folder(tmp_path / "a", mails),
        write_folder(tmp_path / "somewhere" / "else", mails[::-1], "m{:d}.txt"),
    ]
    with tarfile.open(tmp_path / "c.tar.xz", "w:xz") as archive:
        archive.add(folders[1], arcname="x")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as packed:
        for path in sorted(folders[0].rglob("*.eml")):
            packed.write(path, str(path.relative_to(folders[0])))
    for label in ("ham", "spam"):
        mbox = tmp_path / "e" / f"{label}.mbox"
        mbox.parent.mkdir(exist_ok=True)
        start = b"From a@b.org Mon Nov  3 10:00:00 2003\n"
        mbox.write_bytes(b"".join(start + content + b"\n" for name, content in mails if name == label))
    places = [*folders, tmp_path / "c.tar.xz", tmp_path / "d.zip", tmp_path / "e"]
    digests = [snapshot(open_source(place), open_home(tmp_path / f"home{i}")).digest for i, place in enumerate(places)]
    monkeypatch.setitem(chunks.CHUNK_ROWS, "text", 3)
    monkeypatch.setattr(shards, "SHARD_BYTES", 2000)
    cut = snapshot(open_source(places[2]), open_home(tmp_path / "home"))
    assert len(cut.layout["shards"]) > 3
    assert {*digests, cut.digest} == {cut.digest}


def test_every_fact_changes_the_name(tmp_path, rows, source_of):
    some = [replace(row, group=f"g{n}", side="test" if n % 5 == 0 else "train") for n, row in enumerate(rows(30))]
    changes = [
        {"content": some[3].content + b"more\n"},
        {"label": "other"},
        {"time": 5},
        {"time": None},
        {"weight": 2.0},
        {"group": "g4"},
        {"side": "validation"},
    ]
    sources = [some, *([*some[:3], replace(some[3], **change), *some[4:]] for change in changes), some[:-1]]
    digests = [
        snapshot(source_of(each), open_home(tmp_path / str(i)), rule="given").digest for i, each in enumerate(sources)
    ]
    assert len(set(digests)) == len(digests)
    renamed = [replace(row, origin="elsewhere") for row in some]
    assert snapshot(source_of(renamed[::-1]), open_home(tmp_path / "r"), rule="given").digest == digests[0]


def test_copies_are_merged_and_counted_and_two_labels_are_quarantined(home, rows, source_of):
    some = rows(20)
    torn = [replace(some[0], label="ham", origin="x"), replace(some[0], label="spam", origin="y")]
    read = [*some, *some[5:8], *some[5:8], *torn]
    snap = snapshot(source_of(read), home)
    assert (len(snap), snap.manifest["copies"], snap.manifest["quarantine"]) == (19, 6, {"two labels": 3})
    assert len(snap) + snap.manifest["copies"] + sum(snap.manifest["quarantine"].values()) == len(read)
    listed = canon.loads(home.blobs.get(home.catalog.snapshot(snap.digest).quarantine))
    assert {each["origin"] for each in listed} == {"row 0", "x", "y"}
    assert {each["key"] for each in listed} == {some[0].key.hex()}


def test_of_copies_the_earliest_known_time_counts_wherever_it_stands(tmp_path, rows, source_of):
    some = rows(20)
    copies = [replace(some[0], time=None), replace(some[0], time=77), some[0]]
    orders = [copies, copies[::-1]]
    snaps = [snapshot(source_of([*c, *some[1:]]), open_home(tmp_path / str(i))) for i, c in enumerate(orders)]
    assert snaps[0].digest == snaps[1].digest
    at = [key.tobytes() for key in snaps[0].table.key].index(some[0].key)
    assert snaps[0].table.time[at] == 77


def test_what_is_no_row_is_counted_or_refused(home, rows, source_of):
    bad = [Row(b" \n", "ham", origin="a"), Row(b"x", None, origin="b"), Problem("c", "unreadable", "no right")]
    snap = snapshot(source_of([*rows(20), *bad]), home)
    assert snap.manifest["quarantine"] == {"empty": 1, "no label": 1, "unreadable": 1}
    with pytest.raises(QuarantinedRows, match="3 rows would be quarantined"):
        snapshot(source_of([*rows(20), *bad]), home, strict=True)
    assert snapshot(source_of(rows(20)), home, strict=True).manifest["quarantine"] == {}


def test_nothing_to_learn_from(home, rows, source_of):
    with pytest.raises(TooFewRows, match="no rows"):
        snapshot(source_of([]), home)
    with pytest.raises(TooFewRows, match="1 empty"):
        snapshot(source_of([Row(b"", "ham")]), home)
    with pytest.raises(TooFewRows, match="only 'ham'"):
        snapshot(source_of([row for row in rows(10) if row.label == "ham"]), home)
    with pytest.raises(UsageError, match="no labels"):
        snapshot(source_of([replace(row, label=row.content.hex()) for row in rows(1001)], "text"), home)
    same = [replace(row, time=5) for row in rows(20)]
    with pytest.raises(TooFewRows, match="to train on"):
        snapshot(source_of(same), home, rule="time")
    assert home.catalog.snapshots() == []


def test_names(home, rows, source_of):
    first = snapshot(source_of(rows(10)), home, name="inbox")
    second = snapshot(source_of(rows(12)), home, name="inbox")
    assert open_snapshot(home, "inbox").digest == second.digest == open_snapshot(home, second.digest[7:19]).digest
    assert open_snapshot(home, first.digest).digest == first.digest
    with pytest.raises(UsageError, match="look like a digest"):
        snapshot(source_of([]), home, name="deadbeef")


def test_contents_come_in_the_order_asked_for(home, rows, source_of, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 800)
    some = rows(64)
    snap = snapshot(source_of(some), home)
    assert len(snap.layout["shards"]) > 8
    by_key = {row.key: row.content for row in some}
    asked = np.random.default_rng(0).permutation(64)
    assert snap.content(asked) == [by_key[snap.table.key[row].tobytes()] for row in asked]
    assert [c for _, part in snap.batches(asked, 7) for c in part] == snap.content(asked)
    assert snap.content([]) == []
    snap.verify()


def test_any_arrow_reader_opens_it(home, rows, source_of):
    snap = snapshot(source_of(rows(20)), home)
    shard = pa.ipc.open_file(str(home.blobs.path(snap.layout["shards"][0]))).read_all()
    assert shard.column_names == ["key", "content"]
    assert all(hashlib.sha256(row["content"]).digest() == row["key"] for row in shard.to_pylist())
    keys = shard.column("key").to_pylist()
    assert keys == sorted(keys)
    index = pa.ipc.open_file(str(home.blobs.path(snap.layout["index"]))).read_all()
    assert index.num_rows == 20
    assert index.column("key").to_pylist() == keys


@pytest.mark.parametrize("part", ["manifest", "layout", "index", "shard"])
def test_a_flipped_bit_is_found(home, rows, source_of, part):
    snap = snapshot(source_of(rows(20)), home)
    names = {
        "manifest": snap.digest,
        "layout": home.catalog.snapshot(snap.digest).layout,
        "index": snap.layout["index"],
        "shard": snap.layout["shards"][0],
    }
    damage(home, names[part])
    with pytest.raises(IntegrityError, match=names[part][:19]):
        snap.verify()
    with pytest.raises(IntegrityError, match=names[part][:19]):
        open_snapshot(home, snap.digest).content([0])


def test_a_missing_part_is_said(home, rows, source_of):
    snap = snapshot(source_of(rows(20)), home)
    home.blobs.delete(snap.layout["shards"][0])
    with pytest.raises(NotFound, match="not whole"):
        open_snapshot(home, snap.digest).content([0])
    home.blobs.delete(snap.layout["index"])
    with pytest.raises(NotFound, match="not whole"):
        open_snapshot(home, snap.digest)


def other_index(home, snap, change) -> str:
    """A snapshot of the same rows whose index was changed, with a layout that fits it."""
    table = pa.ipc.open_file(str(home.blobs.path(snap.layout["index"]))).read_all()
    sink = pa.BufferOutputStream()
    changed = change(table)
    with pa.ipc.new_file(sink, changed.schema) as writer:
        writer.write_table(changed)
    index = home.blobs.put(sink.getvalue().to_pybytes())
    layout = home.blobs.put(canon.dumps({**snap.layout, "index": index}))
    home.catalog.add_snapshot(snap.digest, "mail", len(snap), layout=layout)
    return index


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.drop_columns(["side"]),
        lambda t: t.set_column(1, "label", t["label"].cast(pa.int64())),
        lambda t: t.set_column(0, "key", pa.array([b"short"] * len(t))),
        lambda t: t.set_column(1, "label", pa.array([1] * len(t), pa.int32())),
        lambda t: t.set_column(1, "label", pa.array([None] * len(t), pa.int32())),
        lambda t: t.set_column(7, "shard", pa.array([9] * len(t), pa.int32())),
        lambda t: t.slice(1),
    ],
)
def test_a_row_table_of_another_making_is_refused(home, rows, source_of, change):
    snap = snapshot(source_of(rows(20)), home)
    other_index(home, snap, change)
    with pytest.raises(IntegrityError):
        open_snapshot(home, snap.digest)


def test_a_newer_format_is_refused(home, rows, source_of):
    snap = snapshot(source_of(rows(20)), home)
    newer = home.blobs.put(canon.dumps({**snap.manifest, "format": 2}))
    home.catalog.add_snapshot(newer, "mail", 20, layout=home.catalog.snapshot(snap.digest).layout)
    with pytest.raises(NewerFormat, match="format 2"):
        open_snapshot(home, newer)


def test_diff(home, rows, source_of):
    some = rows(20)
    old = snapshot(source_of(some), home, rule="hash")
    changed = [replace(some[4], label="ham"), *some[5:], *rows(3, first=30)]
    new = snapshot(source_of(changed), home, rule="hash")
    found = diff(old, new)
    assert found.added == sorted(row.key.hex() for row in rows(3, first=30))
    assert found.removed == sorted(row.key.hex() for row in some[:4])
    assert found.relabelled == [some[4].key.hex()]
    assert found.to_json()["added"] == {"rows": 3, "keys": found.added}
    assert diff(old, old).to_json() == {
        name: {"rows": 0, "keys": []} for name in ("added", "removed", "relabelled", "moved")
    }


def test_two_at_once(home, rows, source_of):
    source = source_of(rows(20))
    with Lock(chunks.work_folder(home.work, source) / "lock"), pytest.raises(RunBusy, match="snapshotting this source"):
        snapshot(source, home)
    assert len(snapshot(source, home)) == 20
    assert list(home.work.iterdir()) == []


def test_no_content_outside_of_the_shards(home, rows, source_of, tmp_path):
    some = [replace(row, content=row.content + CANARY + b"\n") for row in rows(20)]
    bad = [Row(CANARY, None, origin="a"), Row(some[0].content, "other", origin="b")]
    snap = snapshot(source_of([*some, *bad]), home, name="inbox")
    holds = [path for path in home.path.rglob("*") if path.is_file() and CANARY in path.read_bytes()]
    assert holds == [home.blobs.path(name) for name in snap.layout["shards"]]
    assert home.path.stat().st_mode & 0o077 == 0
    for attempt in (
        lambda: snapshot(source_of([*some, *bad]), home, strict=True),
        lambda: snapshot(source_of([replace(row, side=CANARY.decode()) for row in some]), home, rule="given"),
        lambda: snapshot(source_of(some), home, rule="group"),
    ):
        with pytest.raises(LithifyError) as caught:
            attempt()
        assert CANARY.decode() not in str(caught.value)


def test_what_json_and_arrow_cannot_hold(home, rows, source_of):
    odd = [replace(row, label=f"{row.label}\ud800", group="\udcff", origin="\ud800") for row in rows(12)]
    snap = snapshot(source_of(odd), home)
    assert snap.labels == ("ham\\ud800", "spam\\ud800")
    assert len(set(snap.table.group.tolist())) == 1


def test_a_tar_is_read_again_when_it_changed(tmp_path, mails):
    def write(some):
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            for number, (label, content) in enumerate(some):
                member = tarfile.TarInfo(f"{label}/{number}.eml")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    write(mails)
    source = open_source(tmp_path / "a.tar")
    assert len(list(source.rows())) == len(list(source.rows())) == 40
    write(mails[:30])
    assert len(list(source.rows())) == 30


def test_the_shipped_sample(sample_snapshot):
    manifest = sample_snapshot.manifest
    assert (len(sample_snapshot), sample_snapshot.labels) == (1500 - manifest["copies"], ("ham", "spam"))
    assert manifest["split"]["rule"] == "time"
    assert sum(len(sample_snapshot.rows(side)) for side in ("train", "validation", "test")) == len(
        sample_snapshot
    ) - sum(manifest["split"]["counts"]["excluded"].values())
    sample_snapshot.verify()
    assert "mail, labels ham, spam" in repr(sample_snapshot)
