"""Hostile containers: every one is refused with the right error and without allocating on its word."""

import hashlib
import json
import struct
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from lithify.errors import LithifyError, MalformedContainer, NewerFormat
from lithify.store.container import pack, unpack

HUGE = 2**63


def sealed(header: str | bytes, body: bytes = b"", pad: bool = True, length: int | None = None) -> bytes:
    """A file with that header and, where the header has a place for one, a right seal."""
    raw = header.encode("utf-8", "surrogatepass") if isinstance(header, str) else header
    if pad:
        raw += b" " * (-(8 + len(raw)) % 64)
    data = struct.pack("<Q", len(raw) if length is None else length) + raw + body
    zeros = b"0" * 64
    if data.count(zeros) == 1:
        data = data.replace(zeros, hashlib.sha256(data).hexdigest().encode())
    return data


def document(**changes: object) -> dict:
    return {"format": 1, "kind": "demo", "meta": {}, "seal": "0" * 64} | changes


def dump(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def header(tensors: dict, inner: str | None = None) -> str:
    return dump({"__metadata__": {"lithify": dump(document()) if inner is None else inner}} | tensors)


def tensor(dtype: object = "U8", shape: object = (64,), offsets: object = (0, 64)) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


PAGE = bytes(64)
TENSOR_ATTACKS = {
    "huge extent": tensor(shape=[HUGE]),
    "huge product": tensor(shape=[2**40, 2**40, 2**40]),
    "huge product with zero": tensor(shape=[2**40, 2**40, 0], offsets=[0, 0]),
    "number beyond 64 bits": tensor(shape=[10**300]),
    "negative extent": tensor(shape=[-64]),
    "two negative extents": tensor(shape=[-8, -8]),
    "float extent": tensor(shape=[64.0]),
    "float extent that is not whole": tensor(shape=[6.4]),
    "boolean extent": tensor(shape=[64, True]),
    "text extent": tensor(shape=["64"]),
    "null extent": tensor(shape=[None]),
    "shape is a number": tensor(shape=64),
    "shape is an object": tensor(shape={"0": 64}),
    "too many dimensions": tensor(shape=[64] + [1] * 8),
    "unknown dtype": tensor(dtype="F8_E4M3"),
    "dtype of objects": tensor(dtype="O"),
    "dtype is a list": tensor(dtype=["U8"]),
    "dtype is an object": tensor(dtype={}),
    "dtype is null": tensor(dtype=None),
    "huge offset": tensor(offsets=[HUGE, HUGE + 64]),
    "negative offset": tensor(offsets=[-64, 0]),
    "offsets turned round": tensor(offsets=[64, 0]),
    "float offsets": tensor(offsets=[0.0, 64.0]),
    "boolean offset": tensor(offsets=[False, 64]),
    "one offset": tensor(offsets=[0]),
    "three offsets": tensor(offsets=[0, 64, 64]),
    "offsets too short for the shape": tensor(offsets=[0, 63]),
    "gap before": tensor(shape=[0], offsets=[64, 64]),
    "missing shape": {"dtype": "U8", "data_offsets": [0, 64]},
    "another field": tensor() | {"device": "cpu"},
    "a list for a tensor": ["U8", [64], [0, 64]],
    "null for a tensor": None,
}  # fmt: skip


@pytest.mark.parametrize("entry", TENSOR_ATTACKS.values(), ids=TENSOR_ATTACKS)
def test_hostile_tensor(entry: object) -> None:
    refused(sealed(header({"x": entry}), PAGE))


def test_the_maker_of_attacks_makes_a_good_file_when_nothing_is_wrong() -> None:
    data = sealed(header({"x": tensor()}), PAGE)
    assert data == pack("demo", {}, {"x": np.zeros(64, dtype=np.uint8)})
    assert unpack(data).tensors["x"].shape == (64,)


LAYOUT_ATTACKS: dict[str, tuple[dict, bytes]] = {
    "overlapping": ({"x": tensor(), "y": tensor()}, PAGE),
    "partly overlapping": ({"x": tensor(), "y": tensor(offsets=[32, 96])}, PAGE * 2),
    "unsorted": ({"x": tensor(offsets=[64, 128]), "y": tensor()}, PAGE * 2),
    "gap between": ({"x": tensor(), "y": tensor(offsets=[128, 192])}, PAGE * 3),
    "bytes nobody describes": ({"x": tensor()}, PAGE * 2),
    "no padding": ({"x": tensor(shape=[3], offsets=[0, 3])}, b"abc"),
    "undescribed padding": ({"x": tensor(shape=[3], offsets=[0, 3])}, PAGE),
    "padding with a wrong name": (
        {"x": tensor(shape=[3], offsets=[0, 3]), "~pad/1": tensor(shape=[61], offsets=[3, 64])}, PAGE),
    "padding that is not needed": ({"x": tensor(), "~pad/0": tensor(offsets=[64, 128])}, PAGE * 2),
    "padding of another dtype": (
        {"x": tensor(shape=[4], offsets=[0, 4]), "~pad/0": tensor("F32", [15], [4, 64])}, PAGE),
    "padding that is not zero": (
        {"x": tensor(shape=[3], offsets=[0, 3]), "~pad/0": tensor(shape=[61], offsets=[3, 64])}, bytes(63) + b"\1"),
    "boolean of two": (
        {"x": tensor("BOOL", [3], [0, 3]), "~pad/0": tensor(shape=[61], offsets=[3, 64])}, b"\2" + bytes(63)),
    "name with a NUL": ({"x\0": tensor()}, PAGE),
    "name that climbs": ({"../x": tensor()}, PAGE),
    "absolute name": ({"/etc/passwd": tensor()}, PAGE),
    "hidden climb": ({"a/../x": tensor()}, PAGE),
    "name that is empty": ({"": tensor()}, PAGE),
    "name with a lone surrogate": ({"\ud800": tensor()}, PAGE),
    "name beyond ASCII": ({"é": tensor()}, PAGE),
    "long name": ({"x" * 201: tensor()}, PAGE),
}  # fmt: skip


@pytest.mark.parametrize("attack", LAYOUT_ATTACKS.values(), ids=LAYOUT_ATTACKS)
def test_hostile_layout(attack: tuple[dict, bytes]) -> None:
    refused(sealed(header(attack[0]), attack[1]))


GOOD = header({"x": tensor()})
INNER = dump(document())
TEXT_ATTACKS: dict[str, str | bytes] = {
    "tensor twice": GOOD[:-1] + ',"x":' + dump(tensor()) + "}",
    "field twice": GOOD.replace('"dtype":"U8"', '"dtype":"U8","dtype":"U8"'),
    "key twice in the document": header({}, INNER.replace('"kind"', '"kind":"demo","kind"')),
    "key twice in meta": header({}, INNER.replace("{}", '{"a":1,"a":1}')),
    "white space": GOOD.replace(",", ", ", 1),
    "white space in the document": header({"x": tensor()}, INNER.replace(",", ", ", 1)),
    "trailing line feed": GOOD + "\n",
    "leading space": " " + GOOD,
    "tab for padding": GOOD + "\t",
    "keys in another order": GOOD.replace('"dtype":"U8","shape":[64]', '"shape":[64],"dtype":"U8"'),
    "escapes that are not needed": GOOD.replace('"x"', '"\\u0078"'),
    "escapes in upper case": header({}, INNER.replace("{}", '{"a":"\\u001F"}')),
    "escaped slash": header({}, INNER.replace("{}", '{"a":"\\/"}')),
    "escapes beyond ASCII": header({}, INNER.replace("{}", '{"a":"\\u00e9"}')),
    "lone surrogate": header({}, INNER.replace("{}", '{"a":"\\ud800"}')),
    "number with an exponent": GOOD.replace("[64]", "[6.4e1]"),
    "minus zero": GOOD.replace("[0,64]", "[-0,64]"),
    "not a number": header({}, INNER.replace("{}", '{"a":NaN}')),
    "infinity": header({}, INNER.replace("{}", '{"a":-Infinity}')),
    "overflowing number": header({}, INNER.replace("{}", '{"a":1e999}')),
    "number too exact": header({}, INNER.replace("{}", '{"a":9007199254740993}')),
    "number with thousands of digits": header({}, INNER.replace("{}", '{"a":' + "9" * 5000 + "}")),
    "not UTF-8": GOOD.encode().replace(b'"x"', b'"\xff"'),
    "UTF-16": GOOD.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "deep list": "[" * 100_000 + "]" * 100_000,
    "deep list that does not end": "[" * 1_000_000,
    "deep object": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "deep meta": header({}, INNER.replace("{}", '{"a":' + "[" * 900 + "]" * 900 + "}")),
    "deep in the middle": header({"x": tensor(shape=json.loads("[" * 400 + "]" * 400))}),
    "list for a header": "[]",
    "number for a header": "12",
    "text for a header": '"' + "x" * 20 + '"',
    "nothing": "",
    "another key in metadata": dump({"__metadata__": {"lithify": INNER, "other": "x"}}),
    "no metadata": dump({"x": tensor()}),
    "metadata is a list": dump({"__metadata__": ["lithify"]}),
    "document is no text": dump({"__metadata__": {"lithify": document()}}),
    "document is empty": header({}, ""),
    "document is a list": header({}, "[]"),
    "document lacks a field": header({}, dump({"format": 1, "kind": "demo", "seal": "0" * 64})),
    "document has another field": header({}, dump(document(code="import os"))),
    "format is text": header({}, dump(document(format="1"))),
    "format is true": header({}, dump(document(format=True))),
    "format is a float": header({}, INNER.replace('"format":1', '"format":1.0')),
    "format is zero": header({}, dump(document(format=0))),
    "format is negative": header({}, dump(document(format=-1))),
    "kind is a number": header({}, dump(document(kind=1))),
    "kind is odd": header({}, dump(document(kind="../demo"))),
    "meta is a list": header({}, dump(document(meta=[]))),
    "seal is short": header({}, dump(document(seal="0"))),
    "seal is in upper case": header({}, dump(document(seal="A" * 64))),
    "seal is null": header({}, dump(document(seal=None))),
}  # fmt: skip


@pytest.mark.parametrize("text", TEXT_ATTACKS.values(), ids=TEXT_ATTACKS)
def test_hostile_header(text: str | bytes) -> None:
    refused(sealed(text, PAGE if b'"x"' in (text if isinstance(text, bytes) else text.encode()) else b""))


@pytest.mark.parametrize("length", [0, 1, 2, 55, 57, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
def test_header_length_that_lies(length: int) -> None:
    refused(sealed(GOOD, PAGE, length=length))


def test_header_that_is_not_padded() -> None:
    refused(sealed(GOOD, PAGE, pad=False))


def test_header_padded_too_far() -> None:
    refused(sealed(GOOD + " " * 64, PAGE))


def test_header_with_a_million_entries() -> None:
    entries = ",".join(f'"{index:07d}":0' for index in range(1_000_000))
    with pytest.raises(MalformedContainer, match="too many"):
        unpack(sealed("{" + entries + "," + header({})[1:]))


def test_header_with_more_entries_than_allowed() -> None:
    entries = ",".join(f'"{index:07d}":0' for index in range(100_000))
    refused(sealed("{" + entries + "," + header({})[1:]), bound=40.0)


def test_a_later_format_says_so() -> None:
    with pytest.raises(NewerFormat, match="format 2"):
        unpack(sealed(header({}, dump(document(format=2, colour="red")))))


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", bytes(7), bytes(8), bytes(64), b"\xff" * 64, b"PK\3\4" + bytes(60), b"\x80\4\x95" + bytes(61)],
    ids=["empty", "byte", "seven", "eight", "zeros", "ones", "zip", "pickle"],
)
def test_what_is_no_container(data: bytes) -> None:
    refused(data)


def refused(data: bytes, bound: float = 12.0, opener: Callable[[bytes], object] = unpack) -> None:
    """Refused as malformed, with memory bounded by the size of the file, and a message of bounded length."""
    tracemalloc.start()
    try:
        with pytest.raises(MalformedContainer) as caught:
            opener(data)
        assert tracemalloc.get_traced_memory()[1] < bound * len(data) + 500_000
    finally:
        tracemalloc.stop()
    assert isinstance(caught.value, LithifyError)
    assert len(str(caught.value)) < 1000
