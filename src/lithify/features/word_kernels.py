"""Kernels that read the structural facts of many messages. Loading this module loads nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

m = peer("lithify.features.message")
f = peer("lithify.features.facts")


@kernel
def fact_rows(data: Any, offsets: Any) -> Any:
    """The facts of messages that stand one after the other: (n, FACTS) uint64, ``ABSENT`` where there is none.

    ``offsets`` (n + 1,) int64 says where in ``data`` (bytes,) uint8 each begins.
    """
    found = np.empty((len(offsets) - 1, f.FACTS), dtype=np.uint64)
    start = np.empty(m.FIELDS, dtype=np.int64)
    stop = np.zeros(m.FIELDS, dtype=np.int64)
    route = np.zeros(5, dtype=np.int64)
    for row in range(len(found)):
        route[:] = 0
        stop[:] = 0
        m.read_header(data, offsets[row], offsets[row + 1], start, stop, route)
        f.collect(data, start, stop, route, found[row])
    return found
