"""Kernels on stretches of bytes: compare, find, hash, decode."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.kernels import kernel

LOWER = np.arange(256, dtype=np.uint8)
LOWER[65:91] += 32

_FNV_OFFSET = np.uint64(14695981039346656037)
_FNV_PRIME = np.uint64(1099511628211)
_DIGITS = np.full(256, 255, dtype=np.uint8)
for _value, _byte in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):
    _DIGITS[_byte] = _value
_HEX = np.full(256, 255, dtype=np.uint8)
for _value, _byte in enumerate(b"0123456789abcdef"):
    _HEX[_byte] = _value
for _value, _byte in enumerate(b"ABCDEF"):
    _HEX[_byte] = 10 + _value


def pattern(text: str) -> NDArray[np.uint8]:
    """A lower-case text as an array for :func:`begins` and :func:`find`."""
    return np.frombuffer(text.encode(), dtype=np.uint8).copy()


def hash_of(text: str) -> int:
    """What :func:`fold_hash` gives for a lower-case text."""
    value = int(_FNV_OFFSET)
    for byte in text.encode():
        value = ((value ^ byte) * int(_FNV_PRIME)) & 0xFFFFFFFFFFFFFFFF
    return value


@kernel
def begins(data: Any, start: int, end: int, text: Any) -> bool:
    """Whether ``data[start:end]`` begins with a lower-case text, case folded."""
    if start + len(text) > end:
        return False
    for k in range(len(text)):  # noqa: SIM110 - numba compiles no generators
        if LOWER[data[start + k]] != text[k]:
            return False
    return True


@kernel
def find(data: Any, start: int, end: int, text: Any) -> int:
    """Where a lower-case text first stands in ``data[start:end]``, case folded; -1 where it does not."""
    for i in range(start, end - len(text) + 1):
        if LOWER[data[i]] == text[0] and begins(data, i, end, text):
            return i
    return -1


@kernel
def same(data: Any, a: int, a_end: int, b: int, b_end: int) -> bool:
    """Whether two stretches are equal, case folded."""
    if a_end - a != b_end - b:
        return False
    for k in range(a_end - a):  # noqa: SIM110
        if LOWER[data[a + k]] != LOWER[data[b + k]]:
            return False
    return True


@kernel
def fold_hash(data: Any, start: int, end: int) -> Any:
    """FNV-1a of a stretch, case folded (draft-eastlake-fnv, 64 bits)."""
    value = _FNV_OFFSET
    for i in range(start, end):
        value = (value ^ np.uint64(LOWER[data[i]])) * _FNV_PRIME
    return value


@kernel
def shape_hash(data: Any, start: int, end: int, limit: int) -> Any:
    """Hash of the runs a stretch is made of: which of a-z, A-Z and 0-9 each one mixes, other bytes as they are."""
    value = _FNV_OFFSET
    count, i = 0, start
    while i < end and count < limit:
        kinds = 0
        while i < end:
            byte = data[i]
            if 97 <= byte <= 122:
                kinds |= 1
            elif 65 <= byte <= 90:
                kinds |= 2
            elif 48 <= byte <= 57:
                kinds |= 4
            else:
                break
            i += 1
        if kinds == 0:
            value = (value ^ np.uint64(data[i])) * _FNV_PRIME
            i += 1
        else:
            value = (value ^ np.uint64(256 + kinds)) * _FNV_PRIME
        count += 1
    return value


@kernel
def end_of_line(data: Any, start: int, end: int) -> int:
    """Position after the next line feed."""
    while start < end and data[start] != 10:
        start += 1
    return min(start + 1, end)


@kernel
def decode_base64(data: Any, start: int, end: int, out: Any, limit: int) -> int:
    """Decodes base64 into ``out`` until ``limit`` bytes are made; foreign bytes are skipped. Returns how many."""
    n, bits, have = 0, 0, 0
    while start < end and n < limit:
        byte = data[start]
        start += 1
        digit = int(_DIGITS[byte])
        if digit == 255:
            if byte == 61:
                break
            continue
        bits = (bits << 6) | digit
        have += 6
        if have >= 8:
            have -= 8
            out[n] = (bits >> have) & 255
            bits &= (1 << have) - 1
            n += 1
    return n


@kernel
def decode_quoted(data: Any, start: int, end: int, out: Any, limit: int) -> int:
    """Decodes quoted-printable into ``out`` until ``limit`` bytes are made; bad escapes stay. Returns how many."""
    n = 0
    while start < end and n < limit:
        byte = data[start]
        if byte == 61:
            if start + 2 < end and _HEX[data[start + 1]] < 16 and _HEX[data[start + 2]] < 16:
                out[n] = int(_HEX[data[start + 1]]) * 16 + int(_HEX[data[start + 2]])
                n += 1
                start += 3
                continue
            after = start + 1
            while after < end and (data[after] == 32 or data[after] == 9 or data[after] == 13):
                after += 1
            if after < end and data[after] == 10:
                start = after + 1
                continue
        out[n] = byte
        n += 1
        start += 1
    return n
