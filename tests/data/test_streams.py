"""Reading ahead in a thread: the same bytes, the same errors, and no thread left behind."""

from __future__ import annotations

import io
import lzma
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify.data.streams import Ahead, open_decompressed
from lithify.errors import DamagedSource


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=2000), st.lists(st.integers(0, 700), max_size=5))
def test_the_same_bytes_come_out(data, sizes):
    with io.BufferedReader(Ahead(io.BytesIO(data)), 64) as stream:
        pieces = [stream.read(size) for size in sizes]
        assert b"".join([*pieces, stream.read()]) == data
        assert stream.read(1) == b""


def test_damage_is_raised_where_the_good_bytes_end(tmp_path: Path):
    data = bytes(range(256)) * 8000
    packed = lzma.compress(data, preset=0)
    (tmp_path / "a.xz").write_bytes(packed[: len(packed) // 2])
    with io.BufferedReader(Ahead(open_decompressed(tmp_path / "a.xz", "xz"))) as stream:
        for _ in range(2):
            with pytest.raises(DamagedSource):
                stream.read()


def test_whoever_stops_reading_leaves_no_thread():
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b"x" * 1000

    stream = Ahead(Endless())
    assert stream.read(10) == b"x" * 10
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]
    assert stream.closed
