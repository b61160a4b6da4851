"""Decoded pixels of the rows of a snapshot, kept in the cache by the digest of each image's bytes.

An image is decoded once for each size, whatever snapshots hold it. Pixels lie in segments: sealed containers of some
thousand images with their keys, each named by the digest of its keys, written whole or not at all, mapped into memory
and verified when they are opened. A damaged segment is removed and its images are decoded again; several processes may
fill one cache at a time, for what they write under one name is the same. The cache is never truth: what does not fit
into its limit is decoded whenever it is asked for, to the same bits.
"""

from __future__ import annotations

import contextlib
import json
import struct
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.data import decoded, pixel_room
from lithify.data.batches import Pixels
from lithify.data.snapshot import Snapshot
from lithify.errors import IntegrityError, MalformedContainer, NotFound, StoreError, as_store_error
from lithify.progress import Reporter, Update, silent
from lithify.store import blobs, container

SEGMENT_ROWS = 4096
SEGMENT_BYTES = 32 << 20
"""The most images, and bytes of them, in one segment."""
_WRITERS = 4
"""Segments that are made at a time; each takes three times its size of memory meanwhile."""
_HEADER = 1 << 16
"""Bytes at the beginning of a segment in which its header ends."""


@dataclass(frozen=True)
class _Job:
    """The images that are wanted, all of one size."""

    snapshot: Snapshot
    side: int
    channels: int
    folder: Path
    threads: int
    reading: threading.Lock = field(default_factory=threading.Lock)
    decoding: threading.Lock = field(default_factory=threading.Lock)

    def decode(self, rows: NDArray[np.int64], threads: int) -> NDArray[np.uint8]:
        """The pixels of some rows, from their contents; may be called from several threads."""
        with self.reading:  # a snapshot maps its shards in turn
            contents = self.snapshot.content(rows)

        def name(number: int) -> str:
            return f"Row {self.snapshot.table.key[rows[number]].tobytes().hex()[:12]} of the snapshot"

        return decoded.decoded(contents, self.side, self.channels, threads, name)


@dataclass(frozen=True)
class _Segment:
    """An opened segment."""

    path: Path
    keys: NDArray[np.uint8]
    images: NDArray[np.uint8]


def gather(
    snapshot: Snapshot,
    rows: NDArray[np.int64],
    side: int,
    channels: int,
    cache: Path,
    report: Reporter = silent,
    interrupt: Callable[[], None] = lambda: None,
    *,
    limit: int | None = None,
    threads: int | None = None,
) -> Pixels:
    """The pixels of some rows of a snapshot of images, in the order given; what is not in the cache yet is decoded.

    Parameters
    ----------
    snapshot : Snapshot
    rows : (n,) int64
    side, channels : int
        See :func:`lithify.media.pixels.decode`.
    cache : Path
        Folder of all caches.
    interrupt : callable
        Called when a segment was made and is safe; whatever it raises ends the work, finished segments stay. Not called
        for segments that were found, so that however often the work is ended it comes to its end.
    limit : int, optional
        Bytes that all decoded pixels may take there; by default 10 GiB or half of the free disk. Rows that do not fit
        are decoded when they are taken. 0 keeps none.
    threads : int, optional
        By default as many as there are cores.

    Raises
    ------
    DataError
        An image cannot be decoded.
    """
    distinct, back = np.unique(rows, return_inverse=True)  # snapshots are sorted by key, so this is their order
    job = _Job(snapshot, side, channels, cache / folder_name(side, channels), threads or decoded.cores())
    segments = _found(job, snapshot.table.key[distinct])
    missing = distinct[_place(snapshot.table.key[distinct], [segment.keys for segment in segments]) < 0]
    pieces = [missing[at : at + _rows_of(job)] for at in range(0, len(missing), _rows_of(job))]
    more = sum(_bytes_of(job, len(piece)) for piece in pieces)
    room, gone = pixel_room.make_room(cache, job.folder, {segment.path for segment in segments}, more, limit)
    segments = [segment for segment in segments if segment.path not in gone]
    fitting = np.cumsum([_bytes_of(job, len(piece)) for piece in pieces]) <= room
    pieces = [piece for piece, fits in zip(pieces, fitting, strict=True) if fits]
    done = len(distinct) - len(missing)
    with contextlib.closing(_made(job, pieces, report)) as made:
        for segment in made:
            segments.append(segment)
            done += len(segment.keys)
            report(Update("extracting", done, len(distinct)))
            interrupt()
    place = _place(snapshot.table.key[distinct], [segment.keys for segment in segments])
    size, images = (side, side, channels), tuple(segment.images for segment in segments)
    if (place >= 0).all():
        return Pixels(images, place[back], size)
    return Pixels(images, place[back], size, lambda at: job.decode(np.asarray(rows)[at], 1))


def folder_name(side: int, channels: int) -> str:
    """The folder of all pixels of that size that the decoders of this installation make."""
    made_by = {"revision": decoded.REVISION, **decoded.versions()}
    return "pixels-" + canon.digest_of({"side": side, "channels": channels, "decoders": made_by})[7:31]


def _rows_of(job: _Job) -> int:
    """Images in a full segment."""
    return max(1, min(SEGMENT_ROWS, SEGMENT_BYTES // (job.side * job.side * job.channels)))


def _bytes_of(job: _Job, count: int) -> int:
    """Bytes of a segment of so many images, or a few more."""
    return count * (32 + job.side * job.side * job.channels) + 4096


def _place(keys: NDArray[np.uint8], held: Sequence[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Where those keys lie in lists of keys put end to end; -1 where they are not.

    Digests are told apart by their first 8 bytes. Of two that begin alike one may be missed, which costs time only.
    """
    every = np.concatenate([np.zeros((0, 32), np.uint8), *held])
    if not len(every):
        return np.full(len(keys), -1, dtype=np.int64)
    word, known = (np.ascontiguousarray(each[:, :8]).view("<u8")[:, 0] for each in (keys, every))
    order = np.argsort(known, kind="stable")
    place = order[np.minimum(np.searchsorted(known[order], word), len(every) - 1)]
    place[(every[place] != keys).any(axis=1)] = -1
    return place


def _found(job: _Job, keys: NDArray[np.uint8]) -> list[_Segment]:
    """The segments that hold any of the wanted images, verified; what is damaged is removed."""
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        blobs.sweep(job.folder)
        paths = sorted(job.folder.glob(pixel_room.SEGMENTS))
    except OSError as error:
        raise as_store_error(error, "making a folder in the cache") from error
    held = [(path, _peek(path)) for path in paths]
    where = _place(keys, [each for _, each in held])
    ends = np.cumsum([len(each) for _, each in held])
    wanted = set(np.searchsorted(ends, where[where >= 0], side="right").tolist())
    wanted |= {number for number, (_, each) in enumerate(held) if not len(each)}  # damaged; opening it tells
    with ThreadPoolExecutor(job.threads) as pool:
        opened = [each for each in pool.map(lambda number: _kept(job, paths[number]), sorted(wanted)) if each]
    pixel_room.touch(job.folder, *(segment.path for segment in opened))
    return opened


def _peek(path: Path) -> NDArray[np.uint8]:
    """The keys of a segment, not verified, so that those that hold nothing of use need not be read; none if damaged."""
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, _HEADER)))
            first, end = header["keys"]["data_offsets"]
            file.seek(8 + length + first)
            return np.frombuffer(file.read(max(0, end - first)), np.uint8).reshape(-1, 32)
    except (OSError, ValueError, LookupError, TypeError, OverflowError, struct.error):
        return np.zeros((0, 32), np.uint8)


def _kept(job: _Job, path: Path) -> _Segment | None:
    """A segment that was found; None where it is damaged, and then it is removed."""
    try:
        return _open(job, path)
    except (IntegrityError, NotFound):
        with contextlib.suppress(OSError):
            path.unlink()
        return None


def _open(job: _Job, path: Path) -> _Segment:
    """A segment, mapped without holding its file open (many may be in use), and verified."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            mapped: Any = file.read_buffer()
    except (OSError, pa.ArrowInvalid) as error:
        raise NotFound(f"The file {path.name} cannot be read.", found=str(error)) from None
    tensors = container.unpack(mapped, "pixels", what=path.name).tensors
    keys, images = (tensors.get(name, np.zeros(0)) for name in ("keys", "pixels"))
    forms = {(keys.shape, keys.dtype.str), (images.shape, images.dtype.str)}
    size = (len(keys), job.side, job.side, job.channels)
    if forms != {((len(keys), 32), "|u1"), (size, "|u1")}:
        raise MalformedContainer(f"{path.name} holds no images of the size that it lies under.")
    return _Segment(path, keys, images)


def _made(job: _Job, pieces: list[NDArray[np.int64]], report: Reporter) -> Generator[_Segment]:
    """A segment of each piece, made side by side; what the disk has no room for is left out."""
    pool = ThreadPoolExecutor(min(job.threads, _WRITERS))
    try:
        futures = [pool.submit(_make, job, piece) for piece in pieces]
        yield from _results(futures, report)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _results(futures: list[Future[_Segment]], report: Reporter) -> Iterator[_Segment]:
    for future in futures:
        try:
            yield future.result()
        except StoreError as error:
            report(Update("extracting", note=f"{error.message} Images are decoded each time they are needed."))
            return


def _make(job: _Job, rows: NDArray[np.int64]) -> _Segment:
    keys = np.ascontiguousarray(job.snapshot.table.key[rows])
    path = job.folder / (canon.digest(keys.tobytes())[7:31] + ".pixels")
    with job.decoding:  # one segment after the other, while those before it are written
        tensors = {"keys": keys, "pixels": job.decode(rows, job.threads)}
    job.folder.mkdir(exist_ok=True)  # who made room for another size may have removed it
    blobs.write_atomic(path, container.pieces("pixels", {}, tensors))
    return _open(job, path)
