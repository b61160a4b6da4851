"""The container: canonical, aligned, mapped without copying, and read by others."""

import itertools
import json
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lithify import canon
from lithify.errors import IntegrityError, MalformedContainer, NewerFormat, NotFound
from lithify.store.container import open_file, pack, unpack
from lithify.store.layout import ALIGNMENT, DTYPES

TENSORS = {
    "z": np.arange(7, dtype=np.int16),
    "a/b": np.linspace(0, 1, 12).reshape(3, 4),
    "flags": np.array([True, False, True]),
    "scalar": np.array(3.5, dtype=np.float32),
    "none": np.zeros((0, 5), dtype=np.uint8),
}
META = {"é": "ü\u2028\U0001f4e7", "n": [1, 2.5, None, True], "deep": {"seal": "not this one"}}


def _save(folder: Path, data: bytes) -> Path:
    path = folder / "file.lith"
    path.write_bytes(data)
    return path


def test_round_trip() -> None:
    found = unpack(pack("demo", META, TENSORS), "demo")
    assert found.meta == META
    assert list(found.tensors) == sorted(TENSORS)
    for name, array in TENSORS.items():
        assert found.tensors[name].dtype == array.dtype
        assert found.tensors[name].shape == array.shape
        np.testing.assert_array_equal(found.tensors[name], array)


def test_equal_content_gives_equal_bytes() -> None:
    other = {name: np.array(TENSORS[name], order="F") for name in reversed(TENSORS)}
    other["a/b"] = other["a/b"].astype(">f8")
    assert pack("demo", dict(reversed(META.items())), other) == pack("demo", META, TENSORS)


CANONICAL = """
import sys
from lithify.store.container import pack
import numpy as np
names = {f"t{i}" for i in range(30)}
tensors = {name: np.full(int(name[1:]), int(name[1:]), dtype=np.float32) for name in names}
data = pack("demo", {name: {each: 1 for each in names} for name in names}, tensors)
from lithify import canon
sys.stdout.write(next(iter(names)) + " " + canon.digest(data))
"""


def test_canonical_in_a_hundred_processes() -> None:
    """Sets are iterated in another order in each process; the bytes must not be."""
    orders, digests = set(), set()
    seeds = iter(range(100))
    for batch in iter(lambda: list(itertools.islice(seeds, os.cpu_count() or 2)), []):
        started = [
            subprocess.Popen(
                [sys.executable, "-c", CANONICAL],
                env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for seed in batch
        ]
        for process in started:
            order, digest = process.communicate()[0].split()
            orders.add(order)
            digests.add(digest)
    assert len(orders) > 10
    assert len(digests) == 1


def test_stock_reader_agrees(tmp_path: Path) -> None:
    path = _save(tmp_path, pack("demo", META, TENSORS))
    with safetensors.safe_open(path, framework="numpy") as stock:
        assert list(stock.metadata()) == ["lithify"]
        assert json.loads(stock.metadata()["lithify"])["meta"] == META
        names = [name for name in stock.keys() if not name.startswith("~pad/")]  # noqa: SIM118
        assert sorted(names) == sorted(TENSORS)
        for name in names:
            np.testing.assert_array_equal(stock.get_tensor(name), TENSORS[name])


def test_tensors_are_aligned_read_only_views_of_the_map(tmp_path: Path) -> None:
    found = open_file(_save(tmp_path, pack("demo", META, TENSORS)))
    whole = np.frombuffer(found.data, dtype=np.uint8)
    for array in found.tensors.values():
        assert array.ctypes.data % ALIGNMENT == 0
        assert not array.flags.writeable
        assert array.size == 0 or np.shares_memory(array, whole)
        with pytest.raises(ValueError, match=r"read-only|WRITEABLE"):
            array.flags.writeable = True


def test_opening_copies_no_tensor(tmp_path: Path) -> None:
    path = _save(tmp_path, pack("demo", {}, {"big": np.zeros(1 << 20)}))
    tracemalloc.start()
    try:
        open_file(path)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_seal_and_digest_are_what_the_format_says() -> None:
    data = pack("demo", META, TENSORS)
    seal = json.loads(unpack(data).data[8:].tobytes().split(b"\0")[0][: int.from_bytes(data[:8], "little")])
    seal = json.loads(seal["__metadata__"]["lithify"])["seal"]
    at = data.rindex(seal.encode())
    assert canon.digest(data[:at] + b"0" * 64 + data[at + 64 :]) == "sha256:" + seal
    assert unpack(data).digest == canon.digest(data)


def test_every_flipped_bit_is_refused() -> None:
    data = pack("demo", {"a": [1, "seal"]}, {"x": np.arange(5, dtype=np.float32), "y": np.arange(3) > 0})
    for at in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            with pytest.raises((IntegrityError, NewerFormat)):
                unpack(bytes(damaged))


def test_truncated_or_longer_at_every_length_is_refused() -> None:
    data = pack("demo", {}, {"x": np.arange(20, dtype=np.float64)})
    for length in range(len(data)):
        with pytest.raises(MalformedContainer):
            unpack(data[:length])
    for extra in (b"\0", b" ", bytes(64)):
        with pytest.raises(MalformedContainer):
            unpack(data + extra)


def test_another_kind_is_refused() -> None:
    with pytest.raises(MalformedContainer, match=r"Expected: model\. Found: demo"):
        unpack(pack("demo", {}, {}), "model")


@pytest.mark.parametrize("make", [lambda path: path, lambda path: path / "gone", lambda path: path / "a\0b"])
def test_what_is_no_file_is_not_found(tmp_path: Path, make) -> None:
    with pytest.raises(NotFound):
        open_file(make(tmp_path))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFound):
        open_file(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("kind", "meta", "tensors"),
    [
        ("demo", {"x": float("nan")}, {}),
        ("demo", {"x": 2**53}, {}),
        ("demo", {"x": "\ud800"}, {}),
        ("demo", {"x": object()}, {}),
        ("Demo\n", {}, {}),
        ("demo", {}, {"a b": np.zeros(1)}),
        ("demo", {}, {"../x": np.zeros(1)}),
        ("demo", {}, {"x\0": np.zeros(1)}),
        ("demo", {}, {"x" * 201: np.zeros(1)}),
        ("demo", {}, {"x\n": np.zeros(1)}),
        ("demo", {}, {"__metadata__": np.zeros(1)}),
        ("demo", {}, {"~pad/0": np.zeros(1)}),
        ("demo", {}, {"x": np.array(["text"])}),
        ("demo", {}, {"x": np.array([object()])}),
        ("demo", {}, {"x": np.zeros(1, dtype=np.complex64)}),
        ("demo", {}, {"x": np.zeros((1,) * 9)}),
    ],
)
def test_the_writer_refuses_what_the_reader_would(kind: str, meta: dict, tensors: dict) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        pack(kind, meta, tensors)


def test_nesting_is_bounded_alike_in_writer_and_reader() -> None:
    def nested(depth: int) -> list:
        return [nested(depth - 1)] if depth else []

    deepest = {"x": nested(canon.MAX_DEPTH - 4)}
    assert unpack(pack("demo", deepest, {})).meta == deepest
    with pytest.raises(ValueError, match="deep"):
        pack("demo", {"x": nested(canon.MAX_DEPTH - 1)}, {})


NAMES = st.from_regex(re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}(/[a-z]{1,5})?", re.ASCII), fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
ARRAYS = st.sampled_from(list(DTYPES.values())).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.text(max_size=8), JSON, max_size=4),
    st.dictionaries(NAMES.filter(lambda name: name != "__metadata__"), ARRAYS, max_size=5),
)
def test_round_trip_of_anything(meta: dict, tensors: dict) -> None:
    data = pack("demo", meta, tensors)
    found = unpack(data)
    assert canon.dumps(found.meta) == canon.dumps(meta)
    assert found.tensors.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found.tensors[name].dtype == array.dtype
        assert found.tensors[name].shape == array.shape
        assert found.tensors[name].tobytes() == array.tobytes()
    assert pack("demo", found.meta, found.tensors) == data
    assert safetensors.numpy.load(data).keys() >= tensors.keys()


def test_the_worked_example_of_the_specification() -> None:
    """docs/format.md shows one file byte by byte; it must be what the code writes."""
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text("utf-8")
    block = text.split("<!-- worked example -->")[1].split("```")[1].removeprefix("text\n")
    dump = b"".join(bytes.fromhex(line[10:59].replace(" ", "")) for line in block.strip().splitlines())
    data = pack("demo", {"n": 1}, {"a": np.array([1, 2], dtype=np.float32)})
    assert dump == data
    assert canon.digest(data) in text
