"""Canonical JSON and digests."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify import canon
from lithify.errors import MalformedContainer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_canonical_form_is_a_fixed_point(value: object) -> None:
    data = canon.dumps(value)
    assert canon.loads(data) == value
    assert canon.dumps(canon.loads(data)) == data


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # RFC 8785, appendix B and section 3.2
        (0.0, "0"), (-0.0, "0"), (5e-324, "5e-324"), (1e21, "1e+21"), (1e20, "100000000000000000000"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"), (333333333.33333329, "333333333.3333333"), (4.50, "4.5"), (2e-3, "0.002"),
        (9007199254740992.0, "9007199254740992"),
        ("€$\u000f\nA'B\"\\\\\"/", '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
         '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'),
    ],
)  # fmt: skip
def test_examples_of_the_standard(value: object, text: str) -> None:
    assert canon.dumps(value).decode() == text
    assert canon.loads(canon.dumps(value)) == value


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**53, -(2**53), {1: 2}, {"a": {1}}, b"a", "\ud800", {"\udfff": 1}]
)
def test_what_json_cannot_carry(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        canon.dumps(value)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"a":1,"a":2}', b'[{"a":1,"a":1}]', b"NaN", b"[Infinity]", b"1e999", b"-1e999", b"\xff",
     b'"\xed\xa0\x80"',
     b"[" * 100_000, b"9" * 400, b"9" * 100_000, b"{}x", b"'a'", b"\xef\xbb\xbf{}", b"01", b"[1,]"],
)  # fmt: skip
def test_what_is_no_strict_json(data: bytes) -> None:
    with pytest.raises(MalformedContainer, match="thing is not strict") as caught:
        canon.loads(data, "thing")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"", "nothing"), (b'{"a":\n x}', "a mistake at line 2, column 2"), (b"{}x", "line 1, column 3")],
)
def test_where_it_is_no_json_is_said_in_plain_words(data: bytes, found: str) -> None:
    with pytest.raises(MalformedContainer, match=found) as caught:
        canon.loads(data)
    assert "Expecting" not in str(caught.value)


def test_depth() -> None:
    value: object = 1
    for _ in range(canon.MAX_DEPTH):
        value = [value]
    assert canon.loads(canon.dumps(value)) == value
    with pytest.raises(ValueError, match="deep"):
        canon.dumps({"a": value})
    with pytest.raises(MalformedContainer, match="deep"):
        canon.loads(b"[" + canon.dumps(value) + b"]")


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * (3 << 20))
    assert (
        canon.digest_file(tmp_path / "file")
        == canon.digest(b"a" * (3 << 20))
        == canon.digest(bytearray(b"a" * (3 << 20)))
    )
    assert canon.digest_of({"b": 1, "a": 2}) == canon.digest(b'{"a":2,"b":1}')


@pytest.mark.parametrize(
    ("text", "whole"),
    [("sha256:" + "a" * 64, True), ("a" * 64, False), ("sha256:" + "a" * 63, False), ("sha256:" + "A" * 64, False),
     ("sha256:" + "a" * 64 + "\n", False), ("sha256:" + "g" * 64, False), ("", False), ("sha256:" + "١" * 64, False),
     ("a" * 71, False)],
)  # fmt: skip
def test_is_digest(text: str, whole: bool) -> None:
    assert canon.is_digest(text) is whole
