"""The row table and its keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.data.table import (
    COLUMNS,
    RowTable,
    concatenate,
    empty,
    from_arrow,
    ipc_buffer,
    key_order,
    locate,
    read_ipc,
    to_arrow,
)
from lithify.errors import MalformedContainer

keys = st.lists(st.binary(min_size=32, max_size=32) | st.sampled_from([b"\0" * 32, b"\xff" * 32]), unique=True)


def as_array(some: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(some), dtype=np.uint8).reshape(len(some), 32)


def make_table(n: int) -> RowTable:
    draw = np.random.default_rng(n)
    return RowTable(
        **{name: draw.integers(0, 100, size=(n, *shape)).astype(dtype) for name, (dtype, shape) in COLUMNS.items()}
    )


@given(keys)
def test_the_order_of_keys_is_that_of_their_bytes(some):
    assert [some[i] for i in key_order(as_array(some))] == sorted(some)


@given(keys, keys)
def test_locate(some, among):
    at = {key: row for row, key in enumerate(among)}
    assert locate(as_array(some), as_array(among)).tolist() == [at.get(key, -1) for key in some]


def test_arrow_and_back(tmp_path):
    for n in (0, 1, 7):
        (tmp_path / f"{n}").write_bytes(ipc_buffer(to_arrow(make_table(n))).to_pybytes())
        again = from_arrow(read_ipc(tmp_path / f"{n}"))
        assert again.digest() == make_table(n).digest()
        for name in COLUMNS:
            assert np.array_equal(getattr(again, name), getattr(make_table(n), name))
    both = concatenate(make_table(3), empty())
    assert both.digest() == make_table(3).digest()


def test_the_digest_covers_what_rows_are_and_not_where_they_lie():
    table = make_table(5)
    for name in COLUMNS:
        changed = getattr(table, name).copy()
        changed[2] += 1
        same = replace(table, **{name: changed}).digest() == table.digest()
        assert same == (name in ("shard", "position", "copy", "field_group", "signature")), name


def test_regrouped_names_a_group_by_its_first_row():
    table = replace(make_table(4), group=np.array([0, 1, 0, 1]))
    assert table.take(np.array([1, 2, 3])).regrouped().group.tolist() == [0, 1, 0]


def test_offsets_that_lead_outside_are_refused(tmp_path):
    """Arrow reads wherever the offsets of a column point, so they are checked before anything is taken."""
    offsets = np.array([0, 1 << 40, 4], dtype=np.int64)
    content = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), 2, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"abcd")]
    )
    (tmp_path / "shard").write_bytes(memoryview(ipc_buffer(pa.table({"content": content}))))
    with pytest.raises(MalformedContainer):
        read_ipc(tmp_path / "shard")
