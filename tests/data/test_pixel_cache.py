"""Pixels gathered from anywhere are the pixels decoded one by one; the cache may be killed, damaged, full or shared."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.data import decoded, pixel_cache, pixel_room
from lithify.data.batches import Dense, Pixels, take
from lithify.errors import DataError, StoreFull
from lithify.store import blobs

SIDE = 8


def picture(number: int) -> bytes:
    values = np.random.default_rng(number).integers(0, 256, SIDE * SIDE * 3, dtype=np.uint8)
    return b"P6\n%d %d\n255\n" % (SIDE, SIDE) + values.tobytes()


class Rows:
    """What is used of a snapshot: keys in order, and contents."""

    def __init__(self, contents: list[bytes]) -> None:
        self.contents = sorted(contents, key=lambda raw: hashlib.sha256(raw).digest())
        keys = b"".join(hashlib.sha256(raw).digest() for raw in self.contents)
        self.table = SimpleNamespace(key=np.frombuffer(keys, dtype=np.uint8).reshape(-1, 32))
        self.asked = 0
        self.reading = threading.Lock()

    def __len__(self) -> int:
        return len(self.contents)

    def content(self, rows) -> list[bytes]:
        assert self.reading.acquire(blocking=False), "a snapshot is read by one thread at a time"
        time.sleep(0.001)
        self.reading.release()
        self.asked += len(rows)
        return [self.contents[row] for row in np.asarray(rows).tolist()]

    def pixels(self) -> np.ndarray:
        return decoded.decoded(self.contents, SIDE, 3)


@pytest.fixture
def rows() -> Rows:
    return Rows([picture(number) for number in range(100)])


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch) -> None:
    monkeypatch.setattr(pixel_cache, "SEGMENT_ROWS", 16)


def gathered(rows: Rows, cache: Path, which=None, side: int = SIDE, **how) -> Pixels:
    which = np.arange(len(rows)) if which is None else which
    return pixel_cache.gather(rows, which, side, 3, cache, **how)


def whole(pixels: Pixels) -> np.ndarray:
    return pixels.take(np.arange(len(pixels)))


def segments(cache: Path) -> list[Path]:
    return sorted(cache.glob("pixels-*/*.pixels"))


@given(
    lengths=st.lists(st.integers(0, 5), max_size=5),
    picked=st.lists(st.integers(0, 10**6), max_size=30),
    held=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_take_is_plain_indexing(lengths, picked, held, seed) -> None:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (sum(lengths), 2, 2, 3), dtype=np.uint8)
    parts = tuple(np.split(images, np.cumsum(lengths)[:-1])) if lengths else ()
    place = random.permutation(len(images))
    truth = images[place]
    at_hand = np.where(random.random(len(place)) <= held, place, -1)
    pixels = Pixels(parts, at_hand, (2, 2, 3), lambda rows: truth[rows])
    assert pixels.shape == truth.shape
    assert (len(pixels), pixels.dtype) == (len(truth), truth.dtype)
    rows = np.array([number % len(truth) for number in picked] if len(truth) else [], dtype=np.int64)
    taken = pixels.take(rows)
    assert taken.tobytes() == truth[rows].tobytes()
    assert taken.flags.writeable
    assert taken.flags.owndata
    some = take({"pixels": pixels, "numbers": Dense(np.arange(len(truth)))}, rows)["pixels"]
    assert isinstance(some, Pixels)
    assert whole(some).tobytes() == truth[rows].tobytes()


def test_rows_that_are_nowhere_are_an_error() -> None:
    with pytest.raises(IndexError, match="nothing can make them"):
        Pixels((), np.array([-1]), (2, 2, 3)).take(np.array([0]))


@pytest.mark.parametrize("threads", [1, 2, 9])
def test_the_cache_holds_what_decoding_gives(rows, tmp_path, threads) -> None:
    which = np.random.default_rng(0).permutation(100)[:77]
    done, safe = [], []
    pixels = gathered(
        rows, tmp_path, which, threads=threads, report=done.append, interrupt=lambda: safe.append(len(done))
    )
    assert whole(pixels).tobytes() == rows.pixels()[which].tobytes()
    assert [update.done for update in done] == [16, 32, 48, 64, 77]
    assert {update.total for update in done} == {77}
    assert safe == [1, 2, 3, 4, 5]
    asked = rows.asked
    again = gathered(rows, tmp_path, which, interrupt=lambda: pytest.fail("nothing was made"))
    assert whole(again).tobytes() == whole(pixels).tobytes()
    assert (rows.asked, again.beyond) == (asked, None)


def test_rows_may_come_twice_and_in_any_order(rows, tmp_path) -> None:
    which = np.array([5, 3, 5, 99, 0, 3])
    assert whole(gathered(rows, tmp_path, which)).tobytes() == rows.pixels()[which].tobytes()
    assert gathered(rows, tmp_path, np.zeros(0, dtype=np.int64)).shape == (0, SIDE, SIDE, 3)


def test_only_new_images_are_decoded(rows, tmp_path) -> None:
    gathered(rows, tmp_path)
    more = Rows([*rows.contents, *(picture(number) for number in range(200, 210))])
    assert whole(gathered(more, tmp_path)).tobytes() == more.pixels().tobytes()
    assert more.asked == 10


def test_segments_of_no_use_are_not_read(rows, tmp_path, monkeypatch) -> None:
    gathered(rows, tmp_path)
    opened = []
    open_ = pixel_cache._open
    monkeypatch.setattr(pixel_cache, "_open", lambda job, path: opened.append(path) or open_(job, path))
    gathered(rows, tmp_path, np.arange(20))
    assert len(opened) == 2


def test_a_large_image_makes_small_segments(rows, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pixel_cache, "SEGMENT_BYTES", 2 * SIDE * SIDE * 3 + 5)
    gathered(rows, tmp_path, np.arange(9))
    assert len(segments(tmp_path)) == 5


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "garbage", "folder of keys", "other kind", "other size"])
def test_a_damaged_segment_is_made_again(rows, tmp_path, damage) -> None:
    gathered(rows, tmp_path)
    first, second, *_ = segments(tmp_path)
    data = first.read_bytes()
    os.chmod(first, 0o600)
    if damage == "cut":
        first.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        first.write_bytes(data[:-100] + bytes([data[-100] ^ 1]) + data[-99:])
    elif damage == "empty":
        first.write_bytes(b"")
    elif damage == "garbage":
        first.write_bytes(b"\xff" * 5000)
    elif damage == "folder of keys":
        first.write_bytes(b"\x40" + bytes(7) + b'{"keys": {"data_offsets": [1e99, "x"]}}' + bytes(40))
    elif damage == "other kind":
        first.write_bytes(pixel_cache.container.pack("block", {}, {"keys": rows.table.key[:16]}))
    else:
        tensors = {"keys": rows.table.key[:16], "pixels": np.zeros((16, 4, 4, 3), np.uint8)}
        first.write_bytes(pixel_cache.container.pack("pixels", {}, tensors))
    if damage in ("empty", "garbage", "folder of keys"):  # it cannot be seen what they held
        gathered(rows, tmp_path, np.arange(1))
        assert not first.exists()
    for _ in range(2):
        assert whole(gathered(rows, tmp_path)).tobytes() == rows.pixels().tobytes()
    assert second.exists()
    assert len(segments(tmp_path)) == 7


def test_whoever_is_stopped_after_every_segment_comes_to_the_end(rows, tmp_path) -> None:
    def stop() -> None:
        raise InterruptedError

    for ended in range(7):
        with pytest.raises(InterruptedError):
            gathered(rows, tmp_path, interrupt=stop, threads=1)
        assert ended + 1 <= len(segments(tmp_path)) <= 2 * (ended + 1)
        if len(segments(tmp_path)) == 7:
            break
    assert whole(gathered(rows, tmp_path, interrupt=stop)).tobytes() == rows.pixels().tobytes()


_KILLED = textwrap.dedent("""
    import sys
    sys.path.insert(0, sys.argv[1])
    from pathlib import Path
    import test_pixel_cache as here
    here.pixel_cache.SEGMENT_ROWS = 16
    rows = here.Rows([here.picture(number) for number in range(100)])
    pixels = here.gathered(rows, Path(sys.argv[2]), threads=2)
    assert here.whole(pixels).tobytes() == rows.pixels().tobytes()
""")


def _process(cache: Path, kill: int = 0) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "LITHIFY_FAULT_KILL": str(kill)} if kill else dict(os.environ)
    return subprocess.Popen([sys.executable, "-c", _KILLED, str(Path(__file__).parent), str(cache)], env=environment)


@pytest.mark.parametrize("point", [3, 12])
def test_killed_at_any_point_it_goes_on(rows, tmp_path, point) -> None:
    assert _process(tmp_path, point).wait() == -signal.SIGKILL
    assert len(segments(tmp_path)) < 7
    assert whole(gathered(rows, tmp_path)).tobytes() == rows.pixels().tobytes()
    assert not list(tmp_path.glob("pixels-*/.*.tmp"))


def test_processes_may_fill_one_cache_at_a_time(rows, tmp_path) -> None:
    working = [_process(tmp_path) for _ in range(2)]
    assert [process.wait() for process in working] == [0, 0]
    assert len(segments(tmp_path)) == 7
    with ThreadPoolExecutor(4) as pool:
        for pixels in pool.map(lambda n: gathered(Rows(rows.contents), tmp_path / f"other-{n % 2}"), range(6)):
            assert whole(pixels).tobytes() == rows.pixels().tobytes()


@pytest.mark.parametrize("limit", [0, 1000, 2 * (16 * (SIDE * SIDE * 3 + 32) + 4096), 10**9])
def test_what_does_not_fit_is_decoded_each_time(rows, tmp_path, limit) -> None:
    which = np.random.default_rng(1).permutation(100)
    pixels, truth = gathered(rows, tmp_path, which, limit=limit), rows.pixels()[which]
    assert whole(pixels).tobytes() == truth.tobytes()
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= limit
    assert len(segments(tmp_path)) == {0: 0, 1000: 0, 10**9: 7}.get(limit, 2)
    with ThreadPoolExecutor(4) as pool:
        taken = pool.map(lambda seed: (seed, pixels.take(_some(seed))), range(20))
        assert all(images.tobytes() == truth[_some(seed)].tobytes() for seed, images in taken)


def _some(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 100, 30)


def test_a_lower_limit_shrinks_the_cache(rows, tmp_path) -> None:
    gathered(rows, tmp_path)
    limit = sum(path.stat().st_size for path in segments(tmp_path)[:3])
    pixels = gathered(rows, tmp_path, limit=limit)
    assert whole(pixels).tobytes() == rows.pixels().tobytes()
    assert len(pixels.segments) == len(segments(tmp_path))
    assert 0 < sum(path.stat().st_size for path in segments(tmp_path)) <= limit
    assert whole(gathered(rows, tmp_path, limit=0)).tobytes() == rows.pixels().tobytes()
    assert not segments(tmp_path)
    assert whole(gathered(rows, tmp_path)).tobytes() == rows.pixels().tobytes()


def test_what_was_not_used_for_longest_goes_first(rows, tmp_path) -> None:
    for hours, side in ((3, 4), (1, 6), (2, 5)):
        gathered(rows, tmp_path, side=side)
        folder = tmp_path / pixel_cache.folder_name(side, 3)
        when = folder.stat().st_mtime - 3600 * hours
        os.utime(folder, (when, when))
    gathered(rows, tmp_path, np.arange(16), side=5)  # now it is the newest
    size = {side: sum(p.stat().st_size for p in segments(tmp_path) if _of(p, side)) for side in (4, 5, 6)}
    needed = 7 * 4096 + 100 * (7 * 7 * 3 + 32)
    gathered(rows, tmp_path, side=7, limit=sum(size.values()) + needed - size[4] - 1)
    left = {side: sum(p.stat().st_size for p in segments(tmp_path) if _of(p, side)) for side in (4, 5, 6)}
    assert left[4] == 0
    assert not (tmp_path / pixel_cache.folder_name(4, 3)).exists()
    assert 0 < left[6] < size[6]
    assert left[5] == size[5]


def _of(path: Path, side: int) -> bool:
    return path.parent.name == pixel_cache.folder_name(side, 3)


def test_others_of_this_size_go_before_those_in_use(rows, tmp_path) -> None:
    gathered(rows, tmp_path, np.arange(50, 100))
    unused = set(segments(tmp_path))
    gathered(rows, tmp_path, np.arange(0, 48))
    held = {path: path.stat().st_size for path in segments(tmp_path)}
    for path in held:
        os.utime(path, (2**33, 2**33) if path in unused else None)
    pixels = gathered(rows, tmp_path, np.arange(0, 48), limit=sum(held.values()) - 1)
    assert pixels.beyond is None
    assert len(segments(tmp_path)) == len(held) - 1
    assert len(unused & set(segments(tmp_path))) == len(unused) - 1


def test_what_is_in_use_does_not_make_room_for_more(rows, tmp_path) -> None:
    gathered(rows, tmp_path, np.arange(48))
    held = segments(tmp_path)
    pixels = gathered(rows, tmp_path, limit=sum(path.stat().st_size for path in held))
    assert segments(tmp_path) == held
    assert whole(pixels).tobytes() == rows.pixels().tobytes()


def test_by_default_half_of_the_free_disk_is_left(rows, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pixel_room.shutil, "disk_usage", lambda _: SimpleNamespace(free=20_000))
    gathered(rows, tmp_path)
    assert 0 < sum(path.stat().st_size for path in segments(tmp_path)) <= 10_000


def test_a_full_disk_is_said_and_does_not_stop(rows, tmp_path, monkeypatch) -> None:
    def full(point: str) -> None:
        if point == "write" and len(segments(tmp_path)) >= 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(blobs, "fault", full)
    said = []
    pixels = gathered(rows, tmp_path, report=said.append, threads=1)
    assert whole(pixels).tobytes() == rows.pixels().tobytes()
    assert len(segments(tmp_path)) == 2
    assert any("No space left" in update.note for update in said)


def test_a_cache_that_cannot_be_written_is_an_error(rows, tmp_path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises((StoreFull, pixel_cache.StoreError)):
        gathered(rows, tmp_path / "cache")


def test_an_image_that_cannot_be_decoded_is_named_by_its_key(rows, tmp_path) -> None:
    broken = Rows([*rows.contents[:20], b"P6 nothing"])
    key = hashlib.sha256(b"P6 nothing").hexdigest()[:12]
    with pytest.raises(DataError, match=rf"Row {key} of the snapshot cannot be decoded"):
        gathered(broken, tmp_path)


def test_folders_differ_by_all_that_the_bits_depend_on(monkeypatch) -> None:
    names = {pixel_cache.folder_name(side, channels) for side in (8, 9) for channels in (1, 3)}
    monkeypatch.setattr(decoded, "versions", lambda: {"simplejpeg": "0"})
    names.add(pixel_cache.folder_name(8, 3))
    monkeypatch.setattr(decoded, "REVISION", 99)
    names.add(pixel_cache.folder_name(8, 3))
    assert len(names) == 6
