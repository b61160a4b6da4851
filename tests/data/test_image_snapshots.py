"""Snapshots of images: what is merged, grouped, split and quarantined."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify import api, canon
from lithify.data import split
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.snapshot import Snapshot, diff, open_snapshot, read_manifest
from lithify.data.snapshotting import snapshot
from lithify.data.withdraw import withdraw
from lithify.errors import MalformedContainer, UsageError
from lithify.store.home import Home, open_home

Picture = Callable[..., bytes]
Put = Callable[[Path, dict[str, bytes]], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, picture: Picture, put: Put) -> tuple[Path, Snapshot]:
    """120 images of two labels in folders, and their snapshot."""
    root = tmp_path_factory.mktemp("images")
    files = {f"{'cat' if n % 2 else 'dog'}/{n}.png": picture(n, size=(12 + n % 5, 10)) for n in range(120)}
    path = put(root / "files", files)
    return path, snapshot(open_source(path), open_home(root / "home"), name="images")


def listed(home: Home, made: Snapshot) -> list[tuple[str, str]]:
    row = home.catalog.snapshot(made.digest)
    assert row.quarantine is not None
    found = canon.loads(home.blobs.get(row.quarantine))
    return sorted((Path(each["origin"]).name, each["reason"]) for each in found)


def test_what_a_snapshot_says(made: tuple[Path, Snapshot], picture: Picture) -> None:
    _, snap = made
    assert (snap.kind, snap.task, snap.labels, len(snap)) == ("image", "classification", ("cat", "dog"), 120)
    assert snap.manifest["images"] == {"side": 10, "channels": 3, "smallest": 10, "largest": 16}
    assert (snap.side, snap.channels) == (10, 3)
    assert (snap.manifest["split"]["rule"], snap.manifest["split"]["reason"]) == ("hash", "the source names no sides")
    assert {row.tobytes() for row in snap.table.key} == {Row(picture(n, size=(12 + n % 5, 10))).key for n in range(120)}
    snap.verify()


def test_equal_bytes_from_other_places_are_the_same_snapshot(
    made: tuple[Path, Snapshot], tmp_path: Path, picture: Picture
) -> None:
    import pyarrow as pa

    _, snap = made
    raws = [picture(n, size=(12 + n % 5, 10)) for n in reversed(range(120))]
    table = pa.table({"image": raws, "label": ["cat" if n % 2 else "dog" for n in reversed(range(120))]})
    assert api.snapshot(table, home=tmp_path / "home").digest == snap.digest


def test_greys_and_sizes(picture: Picture, pixels: Callable[..., np.ndarray], tmp_path: Path) -> None:
    x = np.stack([pixels(n, (9, 7))[..., 0] for n in range(40)])
    snap = api.snapshot((x, [n % 2 for n in range(40)]), home=tmp_path / "home")
    assert (snap.side, snap.channels) == (7, 1)


def test_other_kinds_have_no_side(tmp_path: Path) -> None:
    rows = {"a": [7 * n % 50 for n in range(60)], "target": ["x", "y"] * 30}
    snap = api.snapshot(rows, home=tmp_path / "home")
    assert (snap.side, snap.channels, "images" in snap.manifest) == (0, 0, False)


def test_what_is_quarantined(picture: Picture, put: Put, home: Home, tmp_path: Path) -> None:
    files = {f"{'ab'[n % 2]}/{n}.png": picture(n) for n in range(20)}
    whole = picture(50, "jpeg", size=(40, 40))
    files |= {
        "a/copy.png": files["a/0.png"],
        "a/torn.png": picture(30),
        "b/torn.png": picture(30),
        "a/empty.png": b"",
        "a/text.jpg": b"no image at all",
        "b/cut.jpg": whole[: len(whole) // 2],
        "b/bomb.png": bomb(),
    }
    snap = snapshot(open_source(put(tmp_path / "f", files)), home)
    assert len(snap) == 20
    assert snap.manifest["copies"] == 1
    assert snap.manifest["quarantine"] == {"empty": 1, "too large": 1, "two labels": 2, "unreadable": 2}
    assert listed(home, snap) == [
        ("bomb.png", "too large"),
        ("cut.jpg", "unreadable"),
        ("empty.png", "empty"),
        ("text.jpg", "unreadable"),
        ("torn.png", "two labels"),
        ("torn.png", "two labels"),
    ]


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 60,000 × 60,000 pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_near_duplicates_never_straddle(picture: Picture, put: Put, home: Home, tmp_path: Path) -> None:
    files = {f"{'ab'[n % 2]}/{n}.png": picture(n, size=(48, 40)) for n in range(60)}
    files |= {f"{'ab'[n % 2]}/{n}.jpg": picture(n, "jpeg", size=(48, 40)) for n in range(60)}
    files |= {f"{'ab'[n % 2]}/{n}.webp": picture(n, "webp", size=(96, 80)) for n in range(0, 60, 2)}
    snap = snapshot(open_source(put(tmp_path / "f", files)), home)
    assert snap.manifest["groups"]["near_duplicate_groups"] == 60
    assert snap.manifest["groups"]["rows_in_them"] == 150
    for group in np.unique(snap.table.group):
        sides = snap.table.side[snap.table.group == group]
        assert len({side for side, codes in split.SIDES.items() if np.isin(sides, codes).any()}) == 1


def test_copies_of_training_images_are_no_test_images(picture: Picture, put: Put, home: Home, tmp_path: Path) -> None:
    files = {f"train/{'ab'[n % 2]}/{n}.png": picture(n, size=(48, 40)) for n in range(60)}
    files |= {f"test/{'ab'[n % 2]}/{n}.jpg": picture(n, "jpeg", size=(48, 40)) for n in range(50, 80)}
    snap = snapshot(open_source(put(tmp_path / "f", files)), home)
    assert snap.manifest["split"]["counts"]["excluded"] == {"a": 5, "b": 5}
    assert len(snap.rows("test")) == 20


# --- splits ---------------------------------------------------------------------------------------------------------


def sided(picture: Picture, sides: dict[str, int]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for side, count in sides.items():
        for _ in range(count):
            n = len(files)
            files[f"{side}/{'ab'[n % 2]}/{n}.png"] = picture(n)
    return files


def test_given_sides_are_kept(picture: Picture, put: Put, home: Home, tmp_path: Path) -> None:
    files = sided(picture, {"train": 60, "val": 20, "test": 20})
    snap = snapshot(open_source(put(tmp_path / "f", files)), home)
    facts = snap.manifest["split"]
    assert (facts["rule"], facts["reason"]) == ("given", "the source names the side of every row")
    assert {side: sum(of.values()) for side, of in facts["counts"].items()} == {
        "train": 60, "validation": 20, "test": 20, "excluded": 0
    }  # fmt: skip


def test_training_images_calibrate_where_none_are_named(picture: Picture, put: Put, home: Home, tmp_path: Path) -> None:
    files = sided(picture, {"train": 100, "test": 20})
    snap = snapshot(open_source(put(tmp_path / "f", files)), home)
    counts = snap.manifest["split"]["counts"]
    assert counts["validation"] == {"a": 5, "b": 5}
    assert "10 of its training rows calibrate" in snap.manifest["split"]["reason"]
    assert not (snap.table.side == split.STOP).any()


def test_without_test_images_they_are_split(picture: Picture, put: Put, home: Home, tmp_path: Path) -> None:
    for names, reason in (({"train": 60}, "both training and test"), ({"train": 40, "": 20}, "some rows only")):
        files = {name.lstrip("/"): raw for name, raw in sided(picture, names).items()}
        table = b"file,label,split\n" + b"".join(
            f"{name},{name[-10:].split('/')[-2]},{name.split('/')[0] if 'train' in name else ''}\n".encode()
            for name in files
        )
        root = put(tmp_path / reason[:4], files | {"labels.csv": table})
        snap = snapshot(open_source(root), home)
        assert snap.manifest["split"]["rule"] == "hash"
        assert reason in snap.manifest["split"]["reason"]


def facts(n: int, labels: int, copies: int = 1) -> split.Facts:
    group = np.arange(n) // copies * copies
    key = np.random.default_rng(5).integers(0, 256, (n, 32), dtype=np.uint8)
    key = key[np.lexsort(key.T[::-1])]
    given = np.where(np.arange(n) % 6 == 5, split.TEST, split.TRAIN).astype(np.uint8)
    given = given[group]
    label = (group // copies % labels).astype(np.int32)
    times = np.full(n, split.TIME_MISSING)
    return split.Facts(key, label, times, group, given, np.zeros(n, dtype=bool))


@pytest.mark.parametrize(
    ("n", "expected"),
    [(120, 10), (1200, 100), (3000, 200), (6000, 200), (30_000, 1000), (180_000, 5000)],
)
def test_how_many_calibrate(n: int, expected: int) -> None:
    side = split.assign(facts(n, 2), "auto", kind="image").side
    assert abs(int((side == split.CALIBRATE).sum()) - expected) <= 1
    assert (side == split.TEST).sum() == n // 6
    assert not (side == split.STOP).any()


@given(st.integers(20, 400), st.integers(1, 4), st.integers(1, 5))
def test_whole_groups_calibrate_and_each_label_its_share(n: int, labels: int, copies: int) -> None:
    given_facts = facts(n, labels, copies)
    found = split.assign(given_facts, "given", kind="image")
    for group in np.unique(given_facts.group):
        assert len(np.unique(found.side[given_facts.group == group])) == 1
    for label in range(labels):
        mine = given_facts.label == label
        train = (given_facts.given == split.TRAIN) & mine
        share = (found.side[mine] == split.CALIBRATE).sum()
        assert share <= 0.1 * train.sum() + 0.5


def test_only_images_are_split_so() -> None:
    some = facts(600, 2)
    assert split.assign(some, "auto").rule == "hash"
    assert not (split.assign(some, "given").side == split.CALIBRATE).any()
    timed = dataclasses.replace(some, time=np.arange(600), given=np.full(600, split.UNDECIDED, np.uint8))
    assert split.assign(timed, "auto", kind="image").rule == "hash"
    assert split.assign(timed, "auto").rule == "time"


# --- afterwards -----------------------------------------------------------------------------------------------------


def test_generations_and_differences(picture: Picture, put: Put, home: Home, tmp_path: Path) -> None:
    path = put(tmp_path / "f", {f"{'ab'[n % 2]}/{n}.png": picture(n) for n in range(60)})
    old = snapshot(open_source(path), home)
    put(path, {f"{'ab'[n % 2]}/{n}.png": picture(n) for n in range(60, 80)})
    (path / "a" / "0.png").rename(path / "b" / "0.png")
    new = snapshot(open_source(path), home, parent=old)
    assert new.manifest["generations"] == [60, 20]
    changes = diff(old, new)
    assert (len(changes.added), len(changes.removed), len(changes.relabelled), len(changes.moved)) == (20, 0, 1, 0)
    with pytest.raises(UsageError, match="another kind"):
        snapshot(open_source({"a": [1, 2], "target": ["x", "y"]}), home, parent=old)


def test_a_copy_of_a_test_image_in_a_later_generation(picture: Picture, put: Put, home: Home, tmp_path: Path) -> None:
    path = put(tmp_path / "f", {f"{'ab'[n % 2]}/{n}.png": picture(n, size=(48, 40)) for n in range(60)})
    old = snapshot(open_source(path), home)
    put(path, {f"{'ab'[n % 2]}/{n}.jpg": picture(n, "jpeg", size=(48, 40)) for n in range(60)})
    new = snapshot(open_source(path), home, parent=old)
    for group in np.unique(new.table.group):
        sides = new.table.side[new.table.group == group]
        assert len({int(split._PHASE[side]) for side in sides}) == 1


def test_withdrawing_and_erasing(made: tuple[Path, Snapshot], tmp_path: Path) -> None:
    path, _ = made
    home = open_home(tmp_path / "home")
    old = snapshot(open_source(path), home)
    keys = [row.tobytes().hex() for row in old.table.key[:3]]
    done = withdraw(home, old, keys, erase=True)
    assert len(done.snapshot) == 117
    assert done.snapshot.manifest["images"]["channels"] == 3
    done.snapshot.verify()
    assert diff(old, done.snapshot).removed == keys


def test_an_interrupted_reading_goes_on(
    made: tuple[Path, Snapshot], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, expected = made
    monkeypatch.setitem(__import__("lithify.data.chunks", fromlist=["x"]).CHUNK_ROWS, "image", 16)
    source = open_source(path)
    whole = source.rows

    def some() -> Iterator[Row | Problem]:
        for number, row in enumerate(whole()):
            if number == 70:
                raise KeyboardInterrupt
            yield row

    monkeypatch.setattr(source, "rows", some)
    with pytest.raises(KeyboardInterrupt):
        snapshot(source, home)
    assert len(list(home.work.glob("*/*.arrow"))) == 4
    notes: list[str] = []
    again = snapshot(open_source(path), home, report=lambda update: notes.append(update.note or ""))
    assert "Going on after what was read before: 64." in notes
    assert again.digest == expected.digest


def test_a_failing_chunk_is_said(made: tuple[Path, Snapshot], home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("disk on fire")

    monkeypatch.setattr("lithify.data.chunks._table", fail)
    with pytest.raises(OSError, match="disk on fire"):
        snapshot(open_source(made[0]), home)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        {"side": 10, "channels": 2, "smallest": 10, "largest": 16},
        {"side": 17, "channels": 3, "smallest": 10, "largest": 16},
        {"side": "10", "channels": 3, "smallest": 10, "largest": 16},
        {"side": 10, "channels": 3, "smallest": 0, "largest": 16},
    ],
)
def test_a_manifest_whose_facts_are_wrong(wrong: Any, made: tuple[Path, Snapshot]) -> None:
    manifest = made[1].manifest
    read_manifest(canon.dumps(manifest), made[1].digest)
    with pytest.raises(MalformedContainer, match="images"):
        read_manifest(canon.dumps({**manifest, "images": wrong}), made[1].digest)
    with pytest.raises(MalformedContainer, match="images"):
        read_manifest(canon.dumps({**manifest, "kind": "text"}), made[1].digest)


def test_it_opens_again(made: tuple[Path, Snapshot]) -> None:
    snap = made[1]
    assert open_snapshot(snap.home, "images").side == snap.side
