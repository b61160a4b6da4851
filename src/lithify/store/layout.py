"""Where everything lies in a container: the one place that writer and reader both ask.

Names, dtypes, limits and offsets follow docs/format.md. The header is a pure function of the document and of the
tensors' names, dtypes and shapes, so that the reader can write it again and compare.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon

FORMAT = 1
"""Version of the container format. Readers for older versions are kept."""

METADATA_KEY = "lithify"
ALIGNMENT = 64
MAX_HEADER = 16 << 20
"""Bytes, without the eight of its length."""
MAX_TENSORS = 100_000
"""Entries of the header, padding and metadata included."""
MAX_DIMENSIONS = 8
MAX_EXTENT = 1 << 48
"""Also the bytes that the extents other than zero of an empty tensor may multiply to."""
UNSEALED = "0" * 64

DTYPES = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
_NAMES = {np.dtype(code).newbyteorder("="): name for name, code in DTYPES.items()}
PAD = "~pad/"
_NAME = re.compile(r"(?=.{1,200}\Z)[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_KIND = re.compile(r"[a-z][a-z0-9-]{0,39}")
SEAL = b'\\"seal\\":\\"'
"""How the key stands in the header, where the JSON document is itself a JSON string. It is the document's last key and
tensor names hold no quotes, so its last occurrence is the seal."""

Shapes = dict[str, tuple[str, tuple[int, ...]]]
"""Name → (dtype name, shape), sorted by name, without padding."""


def shape_of(name: str, array: NDArray[Any]) -> tuple[str, tuple[int, ...]]:
    """The dtype's name in the format and the shape; ``ValueError`` for what the format cannot hold."""
    dtype = _NAMES.get(array.dtype.newbyteorder("="))
    if dtype is None:
        raise ValueError(f"tensor {name!r} has dtype {array.dtype}, which the format does not know")
    if array.ndim > MAX_DIMENSIONS:
        raise ValueError(f"tensor {name!r} has {array.ndim} dimensions; the format knows {MAX_DIMENSIONS}")
    return dtype, tuple(int(extent) for extent in array.shape)


def place(shapes: Shapes) -> dict[str, tuple[str, tuple[int, ...], int]]:
    """Every tensor, padding included, with its offset."""
    placed: dict[str, tuple[str, tuple[int, ...], int]] = {}
    offset = pads = 0
    for name, (dtype, shape) in shapes.items():
        placed[name] = (dtype, shape, offset)
        offset += length_of(dtype, shape)
        gap = -offset % ALIGNMENT
        if gap:
            placed[f"{PAD}{pads}"] = ("U8", (gap,), offset)
            pads, offset = pads + 1, offset + gap
    return placed


def length_of(dtype: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor."""
    return math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize


def header_of(document: dict[str, Any], shapes: Shapes) -> tuple[bytes, int, int]:
    """The header with its length in front, where the tensors start, and how long they are.

    Raises ``ValueError`` for what the format cannot hold.
    """
    if not _KIND.fullmatch(document["kind"]):
        raise ValueError(f"{document['kind'][:80]!r} cannot be a kind")
    for name in shapes:
        if not _NAME.fullmatch(name) or name == "__metadata__":
            raise ValueError(f"{name[:80]!r} cannot be the name of a tensor")
    entries: dict[str, Any] = {"__metadata__": {METADATA_KEY: canon.dumps(document).decode()}}
    end = 0
    for name, (dtype, shape, offset) in place(shapes).items():
        end = offset + length_of(dtype, shape)
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
    text = canon.dumps(entries)
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    if len(entries) > MAX_TENSORS or len(text) > MAX_HEADER:
        raise ValueError(f"{len(entries)} tensors with a header of {len(text)} bytes are more than the format holds")
    return struct.pack("<Q", len(text)) + text, 8 + len(text), end
