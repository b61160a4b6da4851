"""Computes an audited graph with ONNX Runtime, on one thread per call, rows in calls of a fixed size.

A call computes a *grain*: as many rows as the graph was sealed with, the last one filled up. What a row gets does not
depend on how many threads compute grains side by side, nor on the other rows of its grain or its place in it, so a row
alone has the bits that it has among thousands. The bits do depend on the processor and on the version of ONNX Runtime.

That the place does not matter holds in grains of one row, whatever the graph is, and was found to hold in all others
for convolutions, pooling, products of matrices, normalisation of batches and layers, softmax and the usual activations.
It does not hold for sums and means along the last axis whose length is not a multiple of 16, for normalisation of
instances, and for ``Elu`` and ``Softplus`` of fewer than 16 numbers. :func:`steady` tells of a graph whether it holds.

Rows that come by the hundred and are sealed one to a call may go several to a call, which costs about a sixth less.
That is done only after this very machine was seen to give them the bits that they have alone (:meth:`Session.many`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lithify import rng
from lithify.errors import MissingExtra, Unsupported, UsageError
from lithify.learners.network.graph.audit import Arrays, form_of
from lithify.learners.network.graph.graph import Graph
from lithify.learners.network.graph.onnx import encode

_ERROR = 3
_ALIGNMENT = 64
_PIECE = 64
"""Rows that are fetched at a time, and that a thread takes on at a time."""
_TOGETHER, _TOGETHER_BYTES = 16, 48 << 10
"""Rows in a call beyond which nothing more is gained, and bytes of their inputs."""
_FUSED = ("QuickGeluFusion",)
"""Left out: it takes an activation out of the blocked layout that the convolutions around it use."""


class Taken(Protocol):
    """Rows that are fetched when they are needed, such as :class:`lithify.data.batches.Pixels`."""

    def __len__(self) -> int: ...

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Some of the rows."""


class Session:
    """A graph ready to be computed; many threads may call it at once.

    Parameters
    ----------
    graph : Graph
    arrays : mapping of str to ndarray

    Raises
    ------
    MalformedContainer
        The graph does not pass the audit.
    MissingExtra
        ONNX Runtime is not installed.
    """

    def __init__(self, graph: Graph, arrays: Arrays) -> None:
        self.graph = graph
        self._forms, outputs = form_of(graph)
        self._outputs = list(outputs)
        self._session = runtime_session(encode(graph, arrays))
        self._arrays = arrays
        self._lock = threading.Lock()
        self._together: list[Any] = []

    @property
    def rows(self) -> int:
        """Rows of one call."""
        return self.graph.rows

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """One call: arrays by the names of the graph's inputs to arrays by those of its outputs.

        ``UsageError`` for an array of another dtype or shape.
        """
        self._check(inputs)
        given = {name: aligned(array) for name, array in inputs.items()}
        return dict(zip(self._outputs, self._session.run(self._outputs, given), strict=True))

    def many(self) -> tuple[int, Any] | None:
        """How many rows go into a call where there are many, and the session that takes them.

        Returns
        -------
        (int, InferenceSession) or None
            None where a call has more than one row anyway, where its rows are large, and where they have other bits
            together than alone. The first call finds out: it computes as many made-up rows both ways.
        """
        with self._lock:
            if not self._together:
                self._together.append(self._found_together())
            found: tuple[int, Any] | None = self._together[0]
            return found

    def _found_together(self) -> tuple[int, Any] | None:
        size = sum(np.dtype(dtype).itemsize * int(np.prod(shape)) for dtype, shape in self._forms.values())
        count = min(_TOGETHER, _TOGETHER_BYTES // size)
        if self.rows > 1 or count < 2 or any(dtype != "uint8" for dtype, _ in self._forms.values()):
            return None
        try:
            session = runtime_session(encode(self.graph, self._arrays, batch="rows"))
        except Unsupported:
            return None
        rows = {name: _noise(name, count, shape[1:]) for name, (_, shape) in self._forms.items()}
        together = session.run(self._outputs, rows)
        for at in range(count):
            alone = self.run({name: array[at : at + 1] for name, array in rows.items()})
            if any(not np.array_equal(alone[n][0], t[at]) for n, t in zip(self._outputs, together, strict=True)):
                return None
        return count, session

    def run_many(self, session: Any, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """One call of the session that :meth:`many` gave, with as many rows as it said."""
        given = {name: aligned(array) for name, array in inputs.items()}
        return dict(zip(self._outputs, session.run(self._outputs, given), strict=True))

    def _check(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        if inputs.keys() != self._forms.keys():
            raise UsageError(
                "The network takes other inputs.", expected=str(list(self._forms)), found=str(list(inputs))
            )
        for name, (dtype, shape) in self._forms.items():
            if inputs[name].dtype.name != dtype or inputs[name].shape != shape:
                raise UsageError(
                    f"The network takes another {name}.",
                    expected=f"{dtype} {shape}",
                    found=f"{inputs[name].dtype} {inputs[name].shape}",
                )


def _noise(name: str, rows: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    drawn = rng.below(rng.key(0, "together", name), 0, 256, rows * int(np.prod(shape)))
    return drawn.astype(np.uint8).reshape(rows, *shape)


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """An array whose bytes begin at a multiple of 64, copied only if they do not.

    Some kernels handle what stands before such an address apart, and sum in another order then.
    """
    plain = np.ascontiguousarray(array)
    if plain.ctypes.data % _ALIGNMENT == 0:
        return plain
    room = np.empty(plain.nbytes + _ALIGNMENT, dtype=np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    moved = room[start : start + plain.nbytes].view(plain.dtype).reshape(plain.shape)
    moved[...] = plain
    return moved


def in_grains(
    session: Session, inputs: Mapping[str, NDArray[Any] | Taken], threads: int = 1, many: bool = False
) -> dict[str, NDArray[Any]]:
    """Computes any number of rows, in grains of ``session.rows``.

    Parameters
    ----------
    session : Session
        Of a graph all of whose inputs and outputs have the rows as their first axis.
    inputs : mapping of str to (n, ...) array, or to something that gives rows by ``take``
    threads : int
        Grains computed side by side. The result has the same bits for any number.
    many : bool
        Whether there are so many rows, in this call or in others, that :meth:`Session.many` pays.

    Returns
    -------
    dict of str to (n, ...) array
    """
    lengths = {len(rows) for rows in inputs.values()}
    if len(lengths) != 1:
        raise UsageError("The inputs of a network have different numbers of rows.", found=str(sorted(lengths)))
    (n,) = lengths
    results = {value.name: np.empty((n, *value.shape[1:]), dtype=value.dtype) for value in session.graph.outputs}

    size = -(-min(_PIECE, -(-n // max(1, threads)) or 1) // session.rows) * session.rows

    count, together = (session.many() if many else None) or (0, None)

    def piece(start: int) -> None:
        end = min(start + size, n)
        given = {name: _some(rows, start, end, session.rows) for name, rows in inputs.items()}
        first = start + (end - start) // count * count if count else start
        for at in range(start, first, count or 1):
            some = {name: rows[at - start : at - start + count] for name, rows in given.items()}
            for name, values in session.run_many(together, some).items():
                results[name][at : at + count] = values
        for at in range(first, end, session.rows):
            grain = slice(at - start, at - start + session.rows)
            for name, values in session.run({name: rows[grain] for name, rows in given.items()}).items():
                results[name][at : min(at + session.rows, end)] = values[: end - at]

    starts = range(0, n, size)
    if threads <= 1 or len(starts) <= 1:
        for start in starts:
            piece(start)
        return results
    with ThreadPoolExecutor(min(threads, len(starts))) as pool:
        for _ in pool.map(piece, starts):
            pass
    return results


def steady(session: Session, inputs: Mapping[str, NDArray[Any]]) -> bool:
    """Whether rows get the same bits at other places of a grain: one grain is computed again, turned and reversed.

    Parameters
    ----------
    session : Session
    inputs : mapping of str to (rows, ...) array
        A full grain of rows that differ.
    """
    straight, places = session.run(inputs), np.arange(session.rows)
    orders = [np.roll(places, 1 << turn) for turn in range((session.rows - 1).bit_length())]
    for order in [places[::-1], *orders]:
        moved = session.run({name: rows[order] for name, rows in inputs.items()})
        if any(not np.array_equal(rows[order], moved[name], equal_nan=True) for name, rows in straight.items()):
            return False
    return True


def _some(rows: NDArray[Any] | Taken, start: int, end: int, grain: int) -> NDArray[Any]:
    """Rows in whole grains, zeros after the last."""
    some = rows[start:end] if isinstance(rows, np.ndarray) else rows.take(np.arange(start, end))
    missing = -(end - start) % grain
    return np.concatenate([some, np.zeros((missing, *some.shape[1:]), dtype=some.dtype)]) if missing else some


def runtime_session(model: bytes) -> Any:
    """An inference session that computes on the calling thread alone and says nothing."""
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _ERROR
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "0")
    try:
        return runtime.InferenceSession(
            model, sess_options=options, providers=["CPUExecutionProvider"], disabled_optimizers=list(_FUSED)
        )
    except Exception as error:
        raise Unsupported(
            "ONNX Runtime does not take the network.",
            found=str(error)[:300],
            hint="Install the onnxruntime that the model's card names.",
        ) from None


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra(
            "Networks predict with ONNX Runtime.", hint="Install it: pip install 'lithify[images]'."
        ) from None
    onnxruntime.disable_telemetry_events()
    return onnxruntime
