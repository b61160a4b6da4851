"""Predictions into a file: whole or not at all, in order, the same bytes however often it was broken off."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify.deployment import batch
from lithify.deployment.batch import Chunk, State, Written, write
from lithify.errors import (
    DamagedSource,
    IntegrityError,
    RunBusy,
    RunChanged,
    SessionEnded,
    StoreFull,
    UsageError,
)
from lithify.store import blobs

SIZES = [1, 3, 2, 1]
REQUEST = {"model": "sha256:a", "inputs": "b"}


def chunks(skip: int) -> Iterator[Chunk]:
    """Rows by their numbers; every fourth could not be judged. Chunks may begin anywhere, as after a cut."""
    at = 0
    for size in SIZES:
        rows = [row for row in range(at, at + size) if row >= skip]
        at += size
        if rows:
            yield Chunk("".join(f'{{"row": {row}}}\n' for row in rows), len(rows), sum(row % 4 == 3 for row in rows))


def upper(part: Path) -> Iterator[bytes]:
    with open(part, "rb") as lines:
        yield from (line.upper() for line in lines)


WHOLE = "".join(chunk.lines for chunk in chunks(0)).encode()
DONE = Written(7, 1, 0)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "EVERY", 0.0)


def beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir())


@pytest.mark.parametrize("convert", [None, upper])
def test_a_file_is_written_and_then_is_there_already(out: Path, convert: object) -> None:
    assert write(out, REQUEST, chunks, convert) == DONE  # type: ignore[arg-type]
    assert out.read_bytes() == (WHOLE.upper() if convert else WHOLE)
    assert beside(out) == [".out.jsonl.state", "out.jsonl"]
    assert write(out, REQUEST, lambda skip: iter(()), convert) == Written(7, 1, 7)  # type: ignore[arg-type]
    out.unlink()
    assert write(out, REQUEST, chunks, convert) == DONE, "it was taken away, and is asked for again"  # type: ignore[arg-type]
    assert beside(out) == [".out.jsonl.state", "out.jsonl"]


@pytest.mark.parametrize("convert", [None, upper])
@pytest.mark.parametrize("left", [b"", WHOLE[:-1], WHOLE[::-1]])
def test_a_finished_file_that_was_changed_is_not_called_whole(out: Path, convert: object, left: bytes) -> None:
    write(out, REQUEST, chunks, convert)  # type: ignore[arg-type]
    out.write_bytes(left)
    with pytest.raises(IntegrityError, match=r"out.jsonl is no longer what was written.*Add --new"):
        write(out, REQUEST, chunks, convert)  # type: ignore[arg-type]
    assert out.read_bytes() == left
    assert write(out, REQUEST, chunks, convert, new=True) == DONE  # type: ignore[arg-type]
    assert write(out, REQUEST, chunks, convert) == Written(7, 1, 7)  # type: ignore[arg-type]


def test_what_there_is_to_say(out: Path) -> None:
    found: list[tuple[int, int]] = []
    write(out, REQUEST, chunks, tell=lambda before, now: found.append((before.rows, now.rows)))
    assert found == [(0, rows) for rows in itertools.accumulate(SIZES)]


def _killed_at(out: Path, point: int, convert: object = None) -> bool:
    """Whether a process that is to be killed at that point was."""
    child = os.fork()
    if child == 0:
        blobs._countdown = point
        write(out, REQUEST, chunks, convert)  # type: ignore[arg-type]
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("every", [0.0, 1e9])
@pytest.mark.parametrize("convert", [None, upper])
def test_killed_at_every_point_and_run_again(
    convert: object, every: float, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "EVERY", every)
    wanted = WHOLE.upper() if convert else WHOLE
    for point in itertools.count(1):
        folder = out.parent / str(point)
        folder.mkdir()
        place = folder / out.name
        if not _killed_at(place, point, convert):
            break
        assert not place.exists() or place.read_bytes() == wanted
        rows, problems, _ = write(place, REQUEST, chunks, convert)  # type: ignore[arg-type]
        assert (rows, problems) == (7, 1)
        assert place.read_bytes() == wanted
        assert beside(place) == [".out.jsonl.state", "out.jsonl"]
    assert point > 15


@settings(max_examples=15)
@given(st.lists(st.integers(1, 25), min_size=2, max_size=8))
def test_killed_again_and_again(points: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.jsonl"
        before = 0
        for point in points:
            if not _killed_at(out, point):
                break
            state = out.with_name(".out.jsonl.state")
            rows = json.loads(state.read_bytes())["rows"] if state.exists() else 0
            assert rows >= before, "what was durable stays"
            before = rows
        assert write(out, REQUEST, chunks)[:2] == (7, 1)
        assert out.read_bytes() == WHOLE


def test_bytes_that_were_not_durable_are_cut_off(out: Path) -> None:
    def broken(skip: int) -> Iterator[Chunk]:
        yield from itertools.islice(chunks(skip), 2)
        raise DamagedSource("cut short")

    with pytest.raises(DamagedSource):
        write(out, REQUEST, broken)
    part = out.with_name("out.jsonl.part")
    assert part.read_bytes().count(b"\n") == 4, "what came before an error is kept"
    part.write_bytes(part.read_bytes() + b'{"row": half')
    asked: list[int] = []
    assert write(out, REQUEST, lambda skip: asked.append(skip) or chunks(skip)) == Written(7, 1, 4)  # type: ignore[func-returns-value]
    assert asked == [4]
    assert out.read_bytes() == WHOLE


def _stopped(skip: int) -> Iterator[Chunk]:
    yield from itertools.islice(chunks(skip), 2)
    raise KeyboardInterrupt


def test_stopped_it_says_how_to_go_on(out: Path) -> None:
    with pytest.raises(SessionEnded, match=r"Run the same command again") as error:
        write(out, REQUEST, _stopped)
    assert error.value.exit_status == 75
    with pytest.raises(SessionEnded, match=r"without --new"):
        write(out, REQUEST, _stopped, new=True)
    assert not out.exists()
    assert write(out, REQUEST, chunks) == Written(7, 1, 4)


def _begun(out: Path) -> None:
    with pytest.raises(SessionEnded):
        write(out, REQUEST, _stopped, new=True)


def test_another_request_is_refused(out: Path) -> None:
    for request, said in (
        ({**REQUEST, "model": "c"}, "other model"),
        ({"model": "c", "inputs": "d"}, "model and inputs"),
    ):
        for begin in (_begun, lambda out: write(out, REQUEST, chunks, new=True)):
            begin(out)
            files = {path: path.read_bytes() for path in out.parent.iterdir()}
            with pytest.raises(RunChanged, match=said):
                write(out, request, chunks)
            assert files == {path: path.read_bytes() for path in out.parent.iterdir()}
    assert write(out, {**REQUEST, "model": "c"}, chunks, new=True) == DONE


def test_a_foreign_file_is_not_overwritten(out: Path) -> None:
    for name in ("out.jsonl", "out.jsonl.part"):
        out.with_name(name).write_bytes(b"mine")
        with pytest.raises(UsageError, match="--new"):
            write(out, REQUEST, chunks)
        assert out.with_name(name).read_bytes() == b"mine"
        assert beside(out) == [name]
        assert write(out, REQUEST, chunks, new=True) == DONE
        assert out.read_bytes() == WHOLE
        out.unlink()
        out.with_name(".out.jsonl.state").unlink()


def test_the_file_before_stays_until_the_new_one_is_whole(out: Path) -> None:
    out.write_bytes(b"before")
    _begun(out)
    assert out.read_bytes() == b"before"
    write(out, REQUEST, chunks)
    assert out.read_bytes() == WHOLE


def test_damage_is_refused(out: Path) -> None:
    state, part = out.with_name(".out.jsonl.state"), out.with_name("out.jsonl.part")
    for damage in (b"", b"{}", b'{"request": 1, "rows": 2, "more": 3}', b"\xff"):
        _begun(out)
        state.write_bytes(damage)
        with pytest.raises(IntegrityError, match=r"state is damaged.*--new"):
            write(out, REQUEST, chunks)
        state.unlink()
        part.unlink()
    _begun(out)
    for short in (part.read_bytes()[:-1], b""):
        part.write_bytes(short)
        with pytest.raises(IntegrityError, match="shorter than it was"):
            write(out, REQUEST, chunks)


def test_only_one_process_writes(out: Path) -> None:
    def busy(skip: int) -> Iterator[Chunk]:
        with pytest.raises(RunBusy, match=r"out\.jsonl"):
            write(out, REQUEST, chunks)
        yield from chunks(skip)

    assert write(out, REQUEST, busy) == DONE


def test_a_full_disk_loses_nothing(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(point: str) -> None:
        if point == "sync-part" and out.with_name("out.jsonl.part").stat().st_size > 20:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(blobs, "fault", full)
    with pytest.raises(StoreFull, match=r"out\.jsonl"):
        write(out, REQUEST, chunks)
    monkeypatch.setattr(blobs, "fault", None)
    rows, problems, before = write(out, REQUEST, chunks)
    assert (rows, problems) == (7, 1)
    assert before > 0
    assert out.read_bytes() == WHOLE


def test_no_rows_and_odd_names(tmp_path: Path) -> None:
    for name in ("a[1].jsonl", "ö *.jsonl", ".hidden.jsonl"):
        out = tmp_path / name
        out.with_name(f"..{name}.state.99-0.tmp").write_bytes(b"left by a killed process")
        assert write(out, REQUEST, lambda skip: iter(())) == Written(0, 0, 0)
        assert out.read_bytes() == b""
        assert write(out, REQUEST, lambda skip: iter(())) == Written(0, 0, 0)
    assert len(list(tmp_path.iterdir())) == 6
    assert State(REQUEST) == State(REQUEST, 0, 0, 0, False)
