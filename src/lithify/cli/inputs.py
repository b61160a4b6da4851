"""Inputs of predict and explain as a stream of canonical contents, in input order, in constant memory."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from lithify.cli.output import plain
from lithify.errors import DataError, LithifyError, NotFound, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from lithify.data.schema import Problem, Row
    from lithify.data.source import Source
    from lithify.model.model import Model
    from lithify.model.prediction import Prediction

Given = TypeVar("Given")
Made = TypeVar("Made")
ROWS, BYTES = 512, 16 << 20
"""How many rows, or bytes, are scored together."""
MANY = 32
"""From so many rows on, scoring them together is worth loading compiled code."""
SMALL = 1 << 20
"""A file up to this size is opened twice, to see what it would be by itself."""


class Reading(NamedTuple):
    """How inputs are read: the column with the text, which rows of a database, which sheet of a workbook."""

    text: str | None = None
    query: str | None = None
    sheet: str | None = None


class Inputs:
    """Every row of every input; ``-`` is one message on standard input.

    Parameters
    ----------
    model : Model
        What it judges decides how the inputs are read.
    inputs : sequence of str
        An input that cannot be read is a ``Problem`` among others, and an error when it is the only one.
    text : str, optional
        Column with the text.
    remark : callable, optional
        Told what looks like a mistake.

    Attributes
    ----------
    cut : int
        Rows so far that were read only up to the limit.
    """

    def __init__(
        self,
        model: Model,
        inputs: Sequence[str],
        text: str | None = None,
        remark: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._model = model
        self._inputs = inputs
        self._text = text
        self._remark = remark
        self.cut = 0

    def __iter__(self) -> Iterator[Row | Problem]:
        from lithify.data.schema import Problem, Row

        for item in self._inputs:
            try:
                for row in self._open(item).rows():
                    self.cut += isinstance(row, Row) and row.truncated
                    yield row
            except UsageError:
                raise
            except LithifyError as error:
                if len(self._inputs) == 1:
                    raise
                yield Problem(item, "unreadable", str(error))

    def _open(self, item: str) -> Source:
        from lithify.data.open import open_source
        from lithify.writing import SUFFIX

        if item.endswith(SUFFIX):
            raise UsageError(f"{item} is a model.", expected="something to judge", hint="The model comes first.")
        kind = self._model.kind
        source = open_source(item, kind=kind, text=self._text, labelled=False)
        if (found := self._kind(item, source)) not in (None, kind):
            self._remark(
                f"{plain(item)} looks like {found}, and the model judges {kind}: do not trust its figures here."
            )
        return source

    def _kind(self, item: str, source: Source) -> str | None:
        """What a table or a small file would be by itself; None where it costs too much to know."""
        from lithify.data.columns import TextTableSource
        from lithify.data.open import open_source

        if self._model.kind == "image":
            return None  # what is no image says so itself
        path = Path(item).expanduser()
        if item != "-" and path.is_file() and (isinstance(source, TextTableSource) or path.stat().st_size <= SMALL):
            with contextlib.suppress(LithifyError):
                return open_source(item, text=self._text, labelled=False).kind
        return None


def predictions(
    model: Model, found: Iterable[Row | Problem], before_many: Callable[[], None], threads: int = 1
) -> Iterator[Prediction | Problem]:
    """A prediction for each row and a problem as it is, in the order in which they come.

    ``before_many`` is called once, before the first batch that is large enough for the compiled kernels. What came
    before an error is judged before it is raised. ``threads`` judge side by side.
    """
    batches = _batches(found, before_many)
    if threads == 1:
        for batch in batches:
            yield from _score(model, batch)
        return
    for scored in side_by_side(batches, lambda batch: list(_score(model, batch)), threads):
        yield from scored


def side_by_side(found: Iterable[Given], work: Callable[[Given], Made], threads: int) -> Iterator[Made]:
    """What ``work`` makes of each thing, in their order; what came before an error is given before it is raised."""
    from concurrent.futures import ThreadPoolExecutor

    waiting: deque[Future[Made]] = deque()
    coming = iter(found)
    with ThreadPoolExecutor(threads) as pool:
        while True:
            try:
                some = next(coming, None)
            except LithifyError:
                yield from (future.result() for future in waiting)
                raise
            if some is None:
                break
            waiting.append(pool.submit(work, some))
            while len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        yield from (future.result() for future in waiting)


def _batches(found: Iterable[Row | Problem], before_many: Callable[[], None]) -> Iterator[list[Row | Problem]]:
    """Rows and problems by so many, the last before an error too."""
    from lithify.data.schema import Problem

    batch: list[Row | Problem] = []
    size, told = 0, False
    coming = iter(found)
    while True:
        try:
            row = next(coming, None)
        except LithifyError:
            yield batch
            raise
        if row is None:
            break
        batch.append(row)
        size += 0 if isinstance(row, Problem) else len(row.content)
        if len(batch) == MANY and not told:
            told = True
            before_many()
        if len(batch) >= ROWS or size >= BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def problem(found: Problem) -> dict[str, str]:
    """What cannot be judged, as one line of ``lithify predict --json``."""
    said = f"{found.reason}: {found.detail}" if found.detail else found.reason
    return {"input": found.origin, "problem": said}


def single(model: Model, item: str, text: str | None = None) -> tuple[str, bytes]:
    """Name and content of the only row of an input; ``UsageError`` when there are several, or none that can be read."""
    from lithify.data.schema import Problem

    found = iter(Inputs(model, [item], text))
    try:
        row = next(found, None)
    except NotFound as error:
        if model.kind == "text":
            error.hint = "Check the path; a text itself goes in on standard input, as -."
        raise
    if row is None or isinstance(row, Problem):
        called = "standard input" if item == "-" else item
        raise UsageError(f"There is nothing to explain in {called}.", found=row.reason if row else "nothing to read")
    if next(found, None) is not None:
        raise UsageError(
            f"{item} holds more than one row.", expected="one message, text or image", hint="Name one of them."
        )
    return row.origin, row.content


def _score(model: Model, batch: list[Row | Problem]) -> Iterator[Prediction | Problem]:
    from lithify.data.schema import Row

    good = [row for row in batch if isinstance(row, Row)]
    try:
        scored = list(model.predictions([row.origin for row in good], [row.content for row in good]))
    except DataError:
        without = _without_bad(model, batch)
        if without == batch:
            raise
        yield from _score(model, without)
        return
    judged = iter(scored)
    for row in batch:
        yield next(judged) if isinstance(row, Row) else row


def _without_bad(model: Model, batch: list[Row | Problem]) -> list[Row | Problem]:
    """The same rows with a ``Problem`` in place of each image that cannot be decoded."""
    from lithify.data.schema import Problem, Row

    contents = [row.content if isinstance(row, Row) else b"" for row in batch]
    found = {at: bad for at, bad in model.draft.unreadable(contents).items() if contents[at]}
    return [
        Problem(row.origin, found[at].reason, found[at].detail) if at in found else row for at, row in enumerate(batch)
    ]
