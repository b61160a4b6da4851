"""Bytes between the processes of a run: gloo on the loopback, which copies and never adds.

Source: gloo, through ``torch.distributed``. Its own reductions add in an order of their own and are not used.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lithify.errors import MissingExtra
from lithify.training.partials import Bytes

_FOREVER = timedelta(days=365)
"""How long a process waits for another that lives: a grain may take as long as it wants."""
_HEARTBEAT = 0.05
"""Seconds between looks whether to go on waiting."""

ENVIRONMENT = {"TORCH_CPP_LOG_LEVEL": "FATAL"}
"""For processes that form a group: the ends of connections are theirs to report, not gloo's."""

T = TypeVar("T")


class Lost(Exception):
    """The connection to another process broke."""


def check_available() -> None:
    """Raises ``MissingExtra`` where several processes cannot work together."""
    if importlib.util.find_spec("torch") is None:
        raise MissingExtra(
            "Training over several processes needs PyTorch.",
            hint="Run: pip install 'lithify[networks]', or leave out --processes.",
        )


class Group:
    """The connected processes of one run.

    Parameters
    ----------
    meeting : Path
        A file that does not exist, the same for all, through which they find each other.
    rank, size : int
    unless : callable, optional
        Called a few times a second while this process waits for others; what it raises ends the waiting, and with it
        the use of the group. Without it nothing does but the end of the process or of another.
    """

    def __init__(self, meeting: Path, rank: int, size: int, unless: Callable[[], None] | None = None) -> None:
        self.rank, self.size = rank, size
        self._unless = unless
        self._waiting = ThreadPoolExecutor(1, thread_name_prefix="group")
        self._run(lambda: _connect(meeting, rank, size))

    def close(self) -> None:
        """Gives the group up; what it waits for ends with the other processes."""
        self._waiting.shutdown(wait=False, cancel_futures=True)

    def records(self, record: Sequence[int]) -> NDArray[np.int64]:
        """The records of all processes, (size, k) int64; each gives k whole numbers."""
        import torch.distributed as dist

        mine = np.array(record, dtype=np.int64)
        found = np.zeros((self.size, len(mine)), dtype=np.int64)
        self._run(lambda: dist.all_gather([_tensor(row.view(np.uint8)) for row in found], _tensor(mine.view(np.uint8))))
        return found

    def swap(self, out: Sequence[Bytes], into: Sequence[Bytes]) -> None:
        """Sends ``out[r]`` to process r and receives ``into[r]`` from it, all at the same time.

        Both ends must agree on the lengths; nothing is sent where a length is 0, or to itself.
        """
        import torch.distributed as dist

        others = [rank for rank in range(self.size) if rank != self.rank]

        def work() -> None:
            under_way = [dist.irecv(_tensor(into[rank]), src=rank) for rank in others if len(into[rank])]
            under_way += [dist.isend(_tensor(out[rank]), dst=rank) for rank in others if len(out[rank])]
            for each in under_way:
                each.wait()  # type: ignore[union-attr]

        self._run(work)

    def _run(self, work: Callable[[], T]) -> T:
        """Does it in another thread where this one has to hear signals meanwhile."""
        try:
            if self._unless is None:
                return work()
            future: Future[T] = self._waiting.submit(work)
            while not wait([future], _HEARTBEAT).done:
                self._unless()
            return future.result()
        except RuntimeError as error:
            raise Lost from error


def _connect(meeting: Path, rank: int, size: int) -> None:
    import torch.distributed as dist

    os.environ["GLOO_SOCKET_IFNAME"] = "lo" if sys.platform == "linux" else "lo0"
    store = dist.FileStore(str(meeting), size)  # type: ignore[attr-defined]
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=_FOREVER)
    dist.barrier()
    with contextlib.suppress(OSError):
        meeting.unlink()  # everyone is here


def _tensor(array: NDArray[Any]) -> Any:
    import torch

    return torch.from_numpy(array)
