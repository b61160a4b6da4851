"""Runs that move from one home to another, and files that only look like one."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from lithify import canon
from lithify.data.snapshot import open_snapshot
from lithify.data.split import TEST
from lithify.errors import (
    IntegrityError,
    LithifyError,
    MalformedContainer,
    NewerFormat,
    NotFound,
    RunBusy,
    SessionEnded,
    UsageError,
)
from lithify.store.home import open_home
from lithify.training.pack import pack, unpack
from lithify.training.run import Settings, resume

Members = list[tuple[str, bytes]]


@pytest.fixture
def run(tiny_train) -> str:
    """A run that was interrupted after three sessions of one step."""
    for _ in range(3):
        with pytest.raises(SessionEnded) as ended:
            tiny_train(Settings(threads=2, session=1e-9, checkpoint_every=1))
    return str(ended.value.run)


@pytest.fixture
def packed(run, home, tmp_path) -> Path:
    return pack(home, run, tmp_path / "run.tar")


@pytest.fixture
def other(tmp_path):
    return open_home(tmp_path / "other")


def members(file: Path) -> Members:
    with tarfile.open(file) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]


def write(file: Path, some: Members) -> Path:
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in some:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file


def untouched(home) -> bool:
    """Whether nothing of a refused file can be found by its name."""
    return not home.catalog.runs() and not home.catalog.snapshots() and not list(home.runs.glob("*/*.checkpoint"))


def test_a_run_finished_elsewhere_gives_the_same_bits(packed, run, other, digest):
    assert unpack(other, packed) == run
    assert (other.catalog.run(run).state, other.catalog.run(run).step) == ("interrupted", 3)
    steps = []
    outcome = resume(other, run, settings=Settings(threads=1), report=lambda update: steps.append(update))
    assert (outcome.model.digest, outcome.run) == (digest, run)
    assert any("after step 3" in update.note for update in steps)


def test_packing_again_gives_the_same_file_which_is_private(packed, run, home, tmp_path):
    again = pack(home, run[7:19], tmp_path / "again.tar")
    assert again.read_bytes() == packed.read_bytes()
    assert again.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.glob(".*")] == []
    assert members(packed)[0][0] == "run.json"


def test_unpacking_again_or_at_home_changes_nothing(packed, run, home, other, digest):
    for place in (home, other, other):
        assert unpack(place, packed) == run
    files = sorted(home.run_folder(run).glob("*.checkpoint"))
    for file in files:
        file.chmod(0o600)
        file.write_bytes(b"newer")
    unpack(home, packed)
    assert [file.read_bytes() for file in files] == [b"newer"] * len(files)
    assert resume(other, run).model.digest == digest
    unpack(other, packed)
    assert list(other.run_folder(run).glob("*.checkpoint")) == []
    assert resume(other, run).model.digest == digest


def test_what_cannot_be_packed(run, home, tiny_train, tmp_path):
    with home.lock(run), pytest.raises(RunBusy):
        pack(home, run, tmp_path / "x.tar")
    with pytest.raises(LithifyError, match=r"x\.tar"):
        pack(home, run, tmp_path / "no" / "x.tar")
    with pytest.raises(NotFound):
        pack(home, "sha256:" + "0" * 64, tmp_path / "x.tar")
    tiny_train()
    with pytest.raises(UsageError, match="finished"):
        pack(home, run, tmp_path / "x.tar")
    assert not list(tmp_path.glob("*.tar*"))


def test_a_file_cut_short_anywhere_is_refused(packed, other, tmp_path):
    whole = packed.read_bytes()
    cut = tmp_path / "cut.tar"
    ends = [0, 1, 511, 512, 700, *range(1024, len(whole) - 20_000, 9973)]
    for end in ends:
        cut.write_bytes(whole[:end])
        with pytest.raises(LithifyError):
            unpack(other, cut)
    assert untouched(other)
    with pytest.raises(NotFound, match="no file"):
        unpack(other, tmp_path / "nowhere.tar")


def test_a_changed_byte_is_refused_or_means_nothing(packed, run, other, tmp_path):
    whole = packed.read_bytes()
    changed = tmp_path / "changed.tar"
    refused = 0
    for at in range(0, len(whole), len(whole) // 60):
        changed.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        try:
            assert unpack(other, changed) == run
        except LithifyError:
            refused += 1
    assert refused > 40


def note_of(some: Members) -> dict:
    return json.loads(some[0][1])


def with_note(some: Members, **changed) -> Members:
    return [("run.json", canon.dumps({**note_of(some), **changed})), *some[1:]]


def named(some: Members, **changed) -> Members:
    """With a note that was changed and a key that fits it."""
    note = {**note_of(some), **changed}
    key = canon.digest_of({name: note[name] for name in ("snapshot", "recipe", "engine")})
    return with_note(some, **changed, run=key)


ATTACKS = {
    "no note": lambda some: some[1:],
    "a note that is not JSON": lambda some: [("run.json", b"{"), *some[1:]],
    "a list for a note": lambda some: [("run.json", b"[]"), *some[1:]],
    "no format": lambda some: [("run.json", canon.dumps({"run": "x"})), *some[1:]],
    "numbers for names": lambda some: with_note(some, blobs=[1, 2]),
    "names that are no digests": lambda some: with_note(some, blobs=["../../x"]),
    "another recipe": lambda some: with_note(some, recipe={}),
    "another run": lambda some: with_note(some, run="sha256:" + "0" * 64),
    "no recipe": lambda some: with_note(some, recipe=None),
    "objects out of order": lambda some: [some[0], some[2], some[1], *some[3:]],
    "an object left out": lambda some: [*some[:2], *some[3:]],
    "an object unlisted": lambda some: [*with_note(some, blobs=note_of(some)["blobs"][:-1])[:4], *some[5:]],
    "another object": lambda some: [*some[:4], (some[4][0], b"other"), *some[5:]],
    "a name that climbs": lambda some: [some[0], ("../" + some[1][0], some[1][1]), *some[2:]],
    "an absolute name": lambda some: [some[0], ("/tmp/" + some[1][0], some[1][1]), *some[2:]],
    "a checkpoint that climbs": lambda some: [
        *with_note(some, checkpoints=["../../1.checkpoint"])[:5],
        ("checkpoints/../../1.checkpoint", some[5][1]),
    ],
    "another step": lambda some: [
        *with_note(some, checkpoints=["000000000099.checkpoint"])[:5],
        ("checkpoints/000000000099.checkpoint", some[5][1]),
    ],
    "a damaged checkpoint": lambda some: [*some[:5], (some[5][0], some[5][1][:-1] + b"x"), *some[6:]],
    "a checkpoint of another run": lambda some: named(some, recipe={"learner": "other"}),
    "no checkpoint": lambda some: some[:5],
    "a manifest that is none": lambda some: replaced(some, 0, b"{}"),
    "a manifest of nothing": lambda some: replaced(some, 0, b'{"format":1}'),
    "labels that are numbers": lambda some: manifest(some, labels=[1, 2]),
    "a label too few": lambda some: manifest(some, labels=["ham"]),
    "no generation": lambda some: manifest(some, generations=[]),
    "a parent that is a list": lambda some: manifest(some, parent=[]),
    "a layout that is none": lambda some: replaced(some, 1, b"[]"),
    "a layout of other objects": lambda some: replaced(
        some, 1, canon.dumps({"index": "sha256:" + "0" * 64, "shards": []})
    ),
}


def manifest(some: Members, **changed) -> Members:
    """With another manifest, under a name that fits it."""
    return replaced(some, 0, canon.dumps({**json.loads(some[1][1]), **changed}))


def replaced(some: Members, number: int, data: bytes) -> Members:
    """With another object under a name that fits it, and a key that fits all."""
    name = canon.digest(data)
    note = note_of(some)
    old = note["blobs"][number]
    text = json.dumps(note).replace(old, name)
    changed = [("run.json", canon.dumps(json.loads(text))), *some[1:]]
    changed[1 + number] = (f"blobs/{name[7:]}", data)
    return named(changed)


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_files_are_refused(packed, other, tmp_path, attack):
    hostile = write(tmp_path / "hostile.tar", ATTACKS[attack](members(packed)))
    before = sorted(tmp_path.rglob("*.checkpoint"))
    with pytest.raises((MalformedContainer, IntegrityError)):
        unpack(other, hostile)
    assert untouched(other)
    assert sorted(tmp_path.rglob("*.checkpoint")) == before


def test_a_snapshot_that_is_not_the_one_it_is_called_is_refused(packed, run, home, other, tmp_path):
    """Layout and index fit each other and their digests, but not the name of the snapshot."""
    snap = open_snapshot(home, home.catalog.run(run).snapshot)
    side = snap.table.side.copy()
    side[side == TEST] = 0
    from dataclasses import replace

    from lithify.data.shards import put_index

    index = put_index(home, home.work, replace(snap.table, side=side))
    some = members(packed)
    data = canon.dumps({**snap.layout, "index": index})
    changed = replaced(some, 1, data)
    old = note_of(changed)["blobs"][2]
    text = json.dumps(note_of(changed)).replace(old, index)
    changed[0] = ("run.json", canon.dumps(json.loads(text)))
    changed[3] = (f"blobs/{index[7:]}", home.blobs.get(index))
    with pytest.raises(IntegrityError, match="not the one it was named by"):
        unpack(other, write(tmp_path / "hostile.tar", changed))
    assert untouched(other)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(packed, other, tmp_path, kind):
    some = members(packed)
    file = write(tmp_path / "hostile.tar", some[:1])
    with tarfile.open(file, "a") as archive:
        member = tarfile.TarInfo(some[1][0])
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(MalformedContainer, match="plain files only"):
        unpack(other, file)
    assert untouched(other)


@pytest.mark.parametrize("sparse", ["1.0", "0.1"])
def test_extended_headers_that_lie_are_refused(packed, other, tmp_path, sparse):
    some = members(packed)
    file = tmp_path / "hostile.tar"
    fields = {"1.0": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, "0.1": {"GNU.sparse.map": "x,y"}}
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("run.json")
        member.size, member.pax_headers = len(some[0][1]), {**fields[sparse], "GNU.sparse.size": "4"}
        archive.addfile(member, io.BytesIO(some[0][1]))
    with pytest.raises(MalformedContainer):
        unpack(other, file)
    assert untouched(other)


def test_a_newer_format_is_refused(packed, other, tmp_path):
    with pytest.raises(NewerFormat):
        unpack(other, write(tmp_path / "newer.tar", with_note(members(packed), format=2)))
    assert untouched(other)


def test_other_files_are_refused(other, tmp_path):
    for data in (b"", b"hello", b"\0" * 10240, b"PK\x03\x04" + b"x" * 600):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(MalformedContainer):
            unpack(other, tmp_path / "x")
    assert untouched(other)
