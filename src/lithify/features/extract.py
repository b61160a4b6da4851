"""Kernels from contents to buckets, many rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

m = peer("lithify.features.message")
f = peer("lithify.features.facts")
g = peer("lithify.features.grams")

MAX_SUBJECT = 200


def scratch(sizes: Any, buckets: int) -> tuple[Any, ...]:
    """Buffers that a thread gives to the kernels again and again: text, bucket, where, and seen (all zero)."""
    room = 2 * int(sizes[0]) + f.FACTS + 1
    return (
        np.empty(int(sizes[0]) + 1, dtype=np.uint8),
        np.empty(room, dtype=np.uint32),
        np.empty(room, dtype=np.int64),
        np.zeros(buckets, dtype=np.uint8),
    )


@kernel
def mail_rows(data: Any, offsets: Any, sizes: Any, text: Any, bucket: Any, where: Any, seen: Any) -> Any:
    """Buckets of messages.

    Parameters
    ----------
    data : (bytes,) uint8
        All messages one after the other.
    offsets : (n + 1,) int64
        Where each begins.
    sizes : (5,) int64
        Decoded bytes read of each; bits of the body, shape and fact tables; size of a shape gram.
    text, bucket, where, seen
        See :func:`scratch`.

    Returns
    -------
    start : (n + 1,) int64
    index : (nnz,) uint32
    """
    n = len(offsets) - 1
    start = np.zeros(n + 1, dtype=np.int64)
    index = np.empty(2048 * n + len(bucket) + 1, dtype=np.uint32)
    for row in range(n):
        count = mail_row(data, offsets[row], offsets[row + 1], sizes, text, bucket, where)
        if start[row] + count >= len(index):
            index = np.concatenate((index, np.empty(len(index) + count, dtype=np.uint32)))
        start[row + 1] = g.unique(bucket, count, seen, index, start[row])
    return start, index[: start[n]]


@kernel
def mail_row(data: Any, at: int, end: int, sizes: Any, text: Any, bucket: Any, where: Any) -> Any:
    """Buckets of one message, repeated ones included; returns how many."""
    start = np.empty(m.FIELDS, dtype=np.int64)
    stop = np.zeros(m.FIELDS, dtype=np.int64)
    route = np.zeros(5, dtype=np.int64)
    bounds = np.zeros(2 * m.MAX_BOUNDARIES + 1, dtype=np.int64)
    value = np.empty(f.FACTS, dtype=np.uint64)
    body = m.read_header(data, at, end, start, stop, route)
    f.collect(data, start, stop, route, value)
    length = copy_subject(data, start[m.SUBJECT], stop[m.SUBJECT], text, sizes[0])
    length = m.read_body(data, body, end, start, stop, bounds, text, length, sizes[0])
    count = text_row(text, length, sizes, bucket, where)
    return g.fact_buckets(value, f.ABSENT, sizes[3], (1 << sizes[1]) + (1 << sizes[2]), bucket, count)


@kernel
def copy_subject(data: Any, at: int, end: int, text: Any, limit: int) -> int:
    """Writes the subject without ``Re:``, ``Fw:`` and one ``[tag]``, and a line feed; returns how many bytes."""
    if at < 0:
        return 0
    at, _ = f.skip_prefixes(data, at, end)
    length = min(end - at, MAX_SUBJECT, limit - 1)
    text[:length] = data[at : at + length]
    text[length] = 10
    return length + 1


@kernel
def text_row(text: Any, length: int, sizes: Any, bucket: Any, where: Any) -> Any:
    """Buckets of a text: its letters and its shape."""
    count = g.text_grams(text, length, sizes[1], bucket, where, 0)
    return g.shape_grams(text, length, sizes[4], sizes[2], 1 << sizes[1], bucket, where, count)


@kernel
def text_rows(data: Any, offsets: Any, sizes: Any, text: Any, bucket: Any, where: Any, seen: Any) -> Any:
    """Buckets of plain texts; arguments and result as :func:`mail_rows`, without the table of facts."""
    n = len(offsets) - 1
    start = np.zeros(n + 1, dtype=np.int64)
    index = np.empty(2048 * n + len(bucket) + 1, dtype=np.uint32)
    for row in range(n):
        length = min(offsets[row + 1] - offsets[row], sizes[0])
        count = text_row(data[offsets[row] :], length, sizes, bucket, where)
        if start[row] + count >= len(index):
            index = np.concatenate((index, np.empty(len(index) + count, dtype=np.uint32)))
        start[row + 1] = g.unique(bucket, count, seen, index, start[row])
    return start, index[: start[n]]
