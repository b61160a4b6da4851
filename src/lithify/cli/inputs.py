"""Inputs of predict and explain as a stream of canonical contents, in input order, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from lithify.errors import UsageError

if TYPE_CHECKING:
    from lithify.data.schema import Problem, Row
    from lithify.model.model import Model
    from lithify.model.prediction import Prediction

ROWS, BYTES = 512, 16 << 20
"""How many rows, or bytes, are scored together."""
MANY = 32
"""From so many rows on, scoring them together is worth loading compiled code."""


def rows(model: Model, inputs: Iterable[str], text: str | None = None) -> Iterator[Row | Problem]:
    """Every row of every input; ``-`` is one message on standard input."""
    from lithify.data.open import open_source

    for item in inputs:
        yield from open_source(item, kind=model.kind, text=text, labelled=False).rows()


def predictions(
    model: Model, found: Iterable[Row | Problem], before_many: Callable[[], None]
) -> Iterator[Prediction | Problem]:
    """A prediction for each row and a problem as it is, in the order in which they come.

    ``before_many`` is called once, before the first batch that is large enough for the compiled kernels.
    """
    from lithify.data.schema import Problem

    batch: list[Row | Problem] = []
    size, told = 0, False
    for row in found:
        batch.append(row)
        size += 0 if isinstance(row, Problem) else len(row.content)
        if len(batch) == MANY and not told:
            told = True
            before_many()
        if len(batch) >= ROWS or size >= BYTES:
            yield from _score(model, batch)
            batch, size = [], 0
    yield from _score(model, batch)


def single(model: Model, item: str, text: str | None = None) -> tuple[str, bytes]:
    """Name and content of the only row of an input; ``UsageError`` when there are several, or none that can be read."""
    from lithify.data.schema import Problem

    found = rows(model, [item], text)
    row = next(found, None)
    if row is None or isinstance(row, Problem):
        raise UsageError(f"There is nothing to explain in {item}.", found=row.reason if row else "no message")
    if next(found, None) is not None:
        raise UsageError(f"{item} holds more than one row.", expected="one message or text", hint="Name one of them.")
    return row.origin, row.content


def _score(model: Model, batch: list[Row | Problem]) -> Iterator[Prediction | Problem]:
    from lithify.data.schema import Row

    good = [row for row in batch if isinstance(row, Row)]
    scored = model.predictions([row.origin for row in good], [row.content for row in good])
    for row in batch:
        yield next(scored) if isinstance(row, Row) else row
