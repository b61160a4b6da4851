"""Tables to be scored by a model: read with its fields, whatever else they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lithify.data.open import open_source
from lithify.data.schema import Field, Problem
from lithify.data.tabular import TableSource
from lithify.errors import UsageError


class ToScore(NamedTuple):
    """Some rows to be scored: where they were found and their contents.

    ``notes`` is what a person should know about the whole; only the last has any, and no rows.
    """

    origins: list[str]
    contents: list[bytes]
    notes: list[str]


def open_to_score(
    thing: object, fields: tuple[Field, ...], *, query: str | None = None, sheet: str | None = None
) -> TableSource:
    """The source for a path or an object with columns, read with the fields of a model.

    Its ``rows()`` gives rows without labels, and problems where they stand; its ``notes()`` what to say afterwards.
    Columns are matched by name: what is missing is missing in every row, what is too many is left out, a cell of
    another kind is missing, and all of it is said. Raises as :func:`lithify.data.open.open_source`.
    """
    source = open_source(thing, kind="table", like=fields, labelled=False, query=query, sheet=sheet)
    if not isinstance(source, TableSource):
        raise UsageError("There is no table to score.", found=source.describe())
    return source


def tables_to_score(thing: object, fields: tuple[Field, ...]) -> Iterator[ToScore]:
    """The rows of a table batch by batch; records that cannot be read are left out, and said at the end.

    Parameters
    ----------
    thing : path, frame, table, array or dict of columns
    fields : tuple of Field
        Those of the model; only inputs are read.

    Examples
    --------
    >>> fields = (Field("age", "number", "input"), Field("job", "category", "input"))
    >>> first, last = tables_to_score({"age": [39, None], "name": ["a", "b"]}, fields)
    >>> first.origins, last.notes
    (['row:0', 'row:1'], ["Not there, and missing in every row: 'job'.", "Left out, since unknown: 'name'."])
    """
    source = open_to_score(thing, fields)
    bad = 0
    for found in source.contents():
        if isinstance(found, Problem):
            bad += 1
        else:
            yield ToScore(*found, [])
    left = [f"{bad:,} {'record' if bad == 1 else 'records'} could not be read."] if bad else []
    yield ToScore([], [], source.notes() + left)
