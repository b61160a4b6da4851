"""Rows of tables for predict and explain: read in batches, scored on every core, written in the order of the rows.

Nothing here is done row by row but what has to be: a line of output is one template filled with plain values.
"""

from __future__ import annotations

import json
import math
import os
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithify.cli.inputs import side_by_side
from lithify.cli.output import plain
from lithify.errors import LithifyError, UsageError

if TYPE_CHECKING:
    from lithify.data.schema import Problem
    from lithify.data.tabular import TableSource
    from lithify.model.model import Model

ROWS = 4096
"""Rows that are scored together."""
Remark = Callable[[str], None]
Some = tuple[list[str], list[bytes]]
"""Where rows were found, and their contents."""


class Scored(NamedTuple):
    """Some rows: where each was found, and their raw scores (n, outputs)."""

    origins: list[str]
    raw: NDArray[np.float64]


class Tables:
    """Every row of every table; ``-`` is one on standard input.

    Parameters
    ----------
    model : Model
        Its fields say how the tables are read.
    inputs : sequence of str
        One that cannot be read is a ``Problem`` among others, and an error when it is the only one.
    query, sheet : str, optional
    remark : callable, optional
        Told what is wrong with a table: before its rows, and behind them what only they could show.
    """

    def __init__(
        self,
        model: Model,
        inputs: Sequence[str],
        query: str | None = None,
        sheet: str | None = None,
        remark: Remark = lambda text: None,
    ) -> None:
        self._model = model
        self._inputs = inputs
        self._part = {"query": query, "sheet": sheet}
        self._remark = remark

    def __iter__(self) -> Iterator[Some | Problem]:
        from lithify.data.schema import Problem

        for item in self._inputs:
            try:
                yield from self._read(item)
            except UsageError:
                raise
            except LithifyError as error:
                if len(self._inputs) == 1:
                    raise
                yield Problem(item, "unreadable", str(error))

    def _read(self, item: str) -> Iterator[Some | Problem]:
        source = self._open(item)
        said = self._say(item, source.notes(), set())
        for found in _in_order(source.contents()):
            if not isinstance(found, tuple):
                yield found
                continue
            origins, contents = found
            for at in range(0, len(contents), ROWS):
                yield origins[at : at + ROWS], contents[at : at + ROWS]
        self._say(item, source.notes(), said)

    def _open(self, item: str) -> TableSource:
        from lithify.data.tabular_scoring import open_to_score
        from lithify.freezing import read_as
        from lithify.writing import SUFFIX

        if item.endswith(SUFFIX):
            raise UsageError(f"{item} is a model.", expected="rows to predict", hint="The model comes first.")
        return open_to_score(item, read_as(self._model)["like"], **self._part)

    def _say(self, item: str, notes: Sequence[str], said: set[str]) -> set[str]:
        for note in notes:
            if note not in said:
                self._remark(f"{plain(item)}: {plain(note)}" if len(self._inputs) > 1 else plain(note))
        return said | set(notes)


def _in_order(found: Iterable[Some | Problem]) -> Iterator[Some | Problem]:
    """Rows and problems by their numbers: a CSV tells of bad records before the batch that they stand in."""
    waiting: list[Problem] = []
    for some in found:
        if not isinstance(some, tuple):
            waiting.append(some)
            continue
        origins, contents = some
        start = 0
        if waiting and origins:
            file, last = origins[0].rpartition(":")[0], int(_number(origins[-1]))
            numbers = [int(_number(origin)) for origin in origins]
            while waiting and not _behind(waiting[0], file, last):
                stop = bisect_left(numbers, int(_number(waiting[0].origin))) if _is_of(waiting[0], file) else start
                if stop > start:
                    yield origins[start:stop], contents[start:stop]
                start = max(start, stop)
                yield waiting.pop(0)
        yield origins[start:], contents[start:]
    yield from waiting


def _is_of(problem: Problem, file: str) -> bool:
    """Whether it is one of a record of that file, with a number."""
    where, _, number = problem.origin.rpartition(":")
    return where == file and number.isdecimal()


def _behind(problem: Problem, file: str, last: int) -> bool:
    return _is_of(problem, file) and int(_number(problem.origin)) > last


def scored(model: Model, found: Iterable[Some | Problem], threads: int | None = None) -> Iterator[Scored | Problem]:
    """Raw scores of the rows and problems as they are, in the order in which they come.

    What came before an error is given before it is raised.
    """
    return side_by_side(found, lambda some: _score(model, some), threads or cores())


def behind(found: Iterable[Some | Problem], count: int) -> Iterator[Some | Problem]:
    """What comes behind so many rows and problems."""
    for some in found:
        if not isinstance(some, tuple):
            if count == 0:
                yield some
            count = max(0, count - 1)
            continue
        origins, contents = some
        if count < len(origins):
            yield origins[count:], contents[count:]
        count = max(0, count - len(origins))


def _score(model: Model, some: Some | Problem) -> Scored | Problem:
    return Scored(some[0], model.raw(some[1])) if isinstance(some, tuple) else some


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def documents(model: Model, some: Scored) -> str:
    """The rows as ``--json`` prints them, one line each: what ``Prediction.to_json`` says, made many at a time."""
    names = map(json.dumps, some.origins)
    digest = json.dumps(model.digest)
    if not model.labels:
        values = model.draft.values(some.raw)
        lines = [
            f'{{"input": {name}, "model": {digest}, "value": {value!r}'
            for name, value in zip(names, values.tolist(), strict=True)
        ]
        ends = (f', "interval": [{_bound(low)}, {_bound(high)}]}}' for low, high in _intervals(model, values))
        return _joined(lines, ends if model.conformal is not None else ("}" for _ in lines))
    probabilities = model.draft.probabilities(some.raw)
    labels = [json.dumps(label) for label in model.labels]
    starts = [f', "label": {label}, "probabilities": {{' for label in labels]
    shares = ", ".join(f"{label.replace('%', '%%')}: %r" for label in labels) + f'}}, "model": {digest}'
    best = probabilities.argmax(axis=1).tolist()
    lines = [
        f'{{"input": {name}{starts[code]}' + shares % tuple(row)
        for name, code, row in zip(names, best, probabilities.tolist(), strict=True)
    ]
    return _joined(
        lines,
        (
            f', "labels": [{", ".join(labels[c] for c in held)}]}}' if held is not None else "}"
            for held in _sets(model, probabilities)
        ),
    )


def lines(model: Model, some: Scored) -> str:
    """The rows for people, one line each."""
    from lithify.cli.figures import probability
    from lithify.evaluation.words import value as said

    names = list(map(plain, some.origins))
    if not model.labels:
        values = model.draft.values(some.raw)
        told = [f"{said(value):>12}" for value in values.tolist()]
        if model.conformal is not None:
            around = [f"{_end(low, said)} to {_end(high, said)}" for low, high in _intervals(model, values)]
            told = [f"{value}  {each:<22}" for value, each in zip(told, around, strict=True)]
        return "".join(f"{each}  {name}\n" for each, name in zip(told, names, strict=True))
    probabilities = model.draft.probabilities(some.raw)
    labels = [plain(label) for label in model.labels]
    wide = min(max(8, *map(len, labels)), 24)
    best = probabilities.argmax(axis=1).tolist()
    highest = probabilities.max(axis=1).tolist()
    sets = _sets(model, probabilities)
    return "".join(
        f"{labels[code]:<{wide}}  {probability(share)}  {name}{_others(labels, code, held)}\n"
        for name, code, share, held in zip(names, best, highest, sets, strict=True)
    )


def one(model: Model, item: str, row: int | None, query: str | None, sheet: str | None) -> tuple[str, bytes]:
    """Where one row of a table was found and its content; ``UsageError`` where it is not clear which, or not there.

    ``row`` is the number that predict shows behind the name of the file: a line, or the row where there are no lines.
    """
    found: list[tuple[str, bytes]] = []
    first = last = ""
    rows = 0
    for some in Tables(model, [item], query, sheet):
        if not isinstance(some, tuple):
            continue
        origins, contents = some
        first, last, rows = first or origins[0], origins[-1], rows + len(origins)
        wanted = range(len(origins)) if row is None else _at(origins, row)
        found += [(origins[at], contents[at]) for at in wanted[: 2 - len(found)]]
    if len(found) == 1:
        return found[0]
    if not found:
        there = f"rows {_number(first)} to {_number(last)}" if rows else "no row that can be read"
        raise UsageError(f"There is no row {row} in {item}." if row else f"There is nothing in {item}.", found=there)
    if row is not None:
        raise UsageError(f"{item} holds several rows {row}.", hint="Name one of its files.")
    raise UsageError(
        f"{item} holds more than one row.",
        expected="--row N, the number that predict shows behind the name",
        found=f"rows {_number(first)} to {_number(last)}",
    )


def _at(origins: Sequence[str], row: int) -> list[int]:
    return [at for at, origin in enumerate(origins) if _number(origin) == str(row)]


def _number(origin: str) -> str:
    return origin.rpartition(":")[2]


def _joined(lines: Sequence[str], ends: Iterator[str]) -> str:
    return "".join(f"{line}{end}\n" for line, end in zip(lines, ends, strict=True))


def _sets(model: Model, probabilities: NDArray[np.float64]) -> list[list[int] | None]:
    """The codes in the set of each row, in order; None where the model has no sets."""
    from lithify.conformal import apply_sets

    if model.conformal is None:
        return [None] * len(probabilities)
    held = apply_sets(model.conformal, probabilities)
    packed = np.packbits(held, axis=1)
    kinds: dict[bytes, list[int]] = {}
    found = []
    for at, key in enumerate(map(bytes, packed)):
        if key not in kinds:
            kinds[key] = np.flatnonzero(held[at]).tolist()
        found.append(kinds[key])
    return list(found)


def _intervals(model: Model, values: NDArray[np.float64]) -> list[list[float]]:
    from lithify.conformal import apply_intervals

    found: list[list[float]] = [] if model.conformal is None else apply_intervals(model.conformal, values).tolist()
    return found


def _bound(value: float) -> str:
    return repr(value) if math.isfinite(value) else "null"


def _end(value: float, said: Callable[[float], str]) -> str:
    return said(value) if math.isfinite(value) else "?"


def _others(labels: Sequence[str], best: int, held: Sequence[int] | None) -> str:
    """The set, where it holds anything but the label itself."""
    if held is None or held == [best]:
        return ""
    return f"  {{{', '.join(labels[code] for code in held)}}}"
