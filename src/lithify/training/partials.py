"""Partials and states as bytes: what processes of a run send each other.

A message is a JSON header with the form of every array (name, dtype, shape, order in memory) and the raw bytes of all
arrays behind one another, each at a multiple of 64 bytes. Arrays come out as they went in, to the order in memory:
what a learner computes from them may depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithify.errors import MalformedContainer

ALIGNMENT = 64

Bytes = NDArray[np.uint8]


class Form(NamedTuple):
    """What an array is, without its values: ``order`` is C or F, ``at`` its first byte in the message."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    order: str
    at: int

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return int(np.dtype(self.dtype).itemsize * np.prod(self.shape, dtype=np.int64))


def forms(arrays: Mapping[str, NDArray[Any]], at: int = 0) -> tuple[list[Form], int]:
    """The forms of some arrays laid behind one another from a place on, and the place after the last.

    >>> forms({"a": np.zeros(3), "b": np.zeros((2, 2), dtype=np.float32)})[1]
    128
    """
    found = []
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"{name!r} holds objects, which do not travel")
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        found.append(Form(name, array.dtype.str, array.shape, order, at))
        at += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    return found, at


def write(arrays: Mapping[str, NDArray[Any]], layout: Sequence[Form], out: Bytes) -> None:
    """Copies arrays to their places in a message."""
    for form in layout:
        into = out[form.at : form.at + form.size].view(form.dtype)
        into[...] = (arrays[form.name].T if form.order == "F" else arrays[form.name]).reshape(-1)


def read(layout: Sequence[Form], message: Bytes) -> dict[str, NDArray[Any]]:
    """The arrays of a message, as views into it."""
    arrays: dict[str, NDArray[Any]] = {}
    for form in layout:
        flat = message[form.at : form.at + form.size].view(form.dtype)
        arrays[form.name] = flat.reshape(form.shape[::-1]).T if form.order == "F" else flat.reshape(form.shape)
    return arrays


def header(layouts: Sequence[Sequence[Form]], facts: Any = None) -> bytes:
    """The forms of several mappings of arrays, and a JSON document, as text."""
    return json.dumps([layouts, facts], default=lambda number: number.item()).encode()


def parse(text: bytes, length: int) -> tuple[list[list[Form]], Any]:
    """The inverse of :func:`header`, for a message of so many bytes; ``MalformedContainer`` where they do not fit."""
    layouts, facts = json.loads(text)
    found = [[Form(name, dtype, tuple(shape), order, at) for name, dtype, shape, order, at in each] for each in layouts]
    if any(form.at + form.size > length or form.at < 0 for layout in found for form in layout):
        raise MalformedContainer("A process of this run sent arrays that do not fit their message.")
    return found, facts
