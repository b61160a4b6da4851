"""Predictions into a file: what predict does with --out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lithify import canon, freezing, writing
from lithify.cli import rows
from lithify.cli.inputs import Inputs, Reading, predictions, problem
from lithify.cli.kernels import tell_compiling
from lithify.cli.output import Terminal, count, plain
from lithify.cli.progress import Progress
from lithify.deployment import batch, forms
from lithify.errors import LithifyError, UsageError
from lithify.progress import Reporter, Update

if TYPE_CHECKING:
    from lithify.data.schema import Problem
    from lithify.data.source import Source
    from lithify.model.model import Model

_MAILBOXES = (".mbox", ".mbx")
_MOMENT = 0.1
"""Seconds between two words on how far it is."""


def predict_to(
    terminal: Terminal,
    model: Model,
    inputs: Sequence[str],
    out: Path,
    reading: Reading,
    *,
    threads: int | None = None,
    new: bool = False,
) -> batch.Written:
    """Writes the predictions of all inputs to a file, or goes on with that, and says so."""
    path = writing.check_out(out)
    convert = forms.form_of(path, model)
    _check_apart(inputs, path)
    known, total = _survey(model, inputs, reading)
    request = {"form": "1", "model": model.digest, "inputs": known, "options": json.dumps(list(reading))}
    chunks = _rows if model.kind == "table" else _items
    with Progress(quiet=terminal.quiet, width=terminal.width) as tell:
        written = batch.write(
            path,
            request,
            lambda skip: chunks(terminal, model, inputs, reading, threads or rows.cores(), skip),
            convert,
            new=new,
            tell=_reported(tell, total),
        )
    _say(terminal, model, path, written)
    return written


def _say(terminal: Terminal, model: Model, path: Path, written: batch.Written) -> None:
    terminal.document(
        {"out": str(path), "rows": written.rows, "problems": written.problems, "resumed": written.before}
        | {"model": model.digest}
    )
    if written.before == written.rows:
        terminal.say(f"{plain(path.name)} was whole already: {count(written.rows, 'row')}.")
        return
    resumed = f", the first {written.before:,} of them by an earlier session" if written.before else ""
    terminal.say(f"Wrote {plain(path.name)}: {count(written.rows, 'row')}{resumed}.")


def _check_apart(inputs: Sequence[str], out: Path) -> None:
    """An output among the inputs would be read; and standard input cannot be read again."""
    for item in inputs:
        if item == "-":
            raise UsageError(
                "What comes on stdin cannot be read again, should the work be broken off.",
                hint="Save it to a file, or leave out --out and redirect the output.",
            )
        place = Path(item).expanduser().resolve()
        if out.resolve().is_relative_to(place):
            raise UsageError(f"{out.name} would be one of the inputs.", found=item, hint="Choose another folder.")


def _survey(model: Model, inputs: Sequence[str], reading: Reading) -> tuple[str, int | None]:
    """A digest that changes when an input does, and how many rows there are where that is known."""
    known, total = [], []
    for item in inputs:
        try:
            known.append([item, _opened(model, item, reading).signature()])
            total.append(_count(model, Path(item).expanduser()))
        except UsageError:
            raise
        except LithifyError as error:
            if len(inputs) == 1:
                raise
            known.append([item, f"unreadable: {error}"])
            total.append(1)
    return canon.digest(json.dumps(known).encode()), None if None in total else sum(filter(None, total))


def _opened(model: Model, item: str, reading: Reading) -> Source:
    from lithify.data.open import open_source
    from lithify.data.tabular_scoring import open_to_score

    if model.kind == "table":
        return open_to_score(item, freezing.read_as(model)["like"], query=reading.query, sheet=reading.sheet)
    return open_source(item, kind=model.kind, text=reading.text, labelled=False)


def _count(model: Model, path: Path) -> int | None:
    """How many rows there are, as far as names and sizes tell; None where they do not."""
    from lithify.data.files import Folder, Member

    if path.suffix == ".parquet" and path.is_file():
        from pyarrow import parquet

        return int(parquet.read_metadata(path).num_rows)
    if model.kind == "table" or not path.is_dir():
        return None
    names = [found.name for found in Folder(path) if isinstance(found, Member)]
    return None if any(name.lower().endswith(_MAILBOXES) for name in names) else len(names)


def _items(
    terminal: Terminal,
    model: Model,
    inputs: Sequence[str],
    reading: Reading,
    threads: int,
    skip: int,
) -> Iterator[batch.Chunk]:
    """Mail, texts and images; images are judged on all cores as it is."""
    from lithify.data.schema import Problem

    given = Inputs(model, inputs, reading.text, terminal.note)
    images = model.kind == "image"
    before_many = (lambda: None) if images else partial(tell_compiling, terminal)
    for found in predictions(model, islice(given, skip, None), before_many, 1 if images else threads):
        if isinstance(found, Problem):
            yield _problem(found)
        else:
            yield batch.Chunk(json.dumps(found.to_json()) + "\n", 1, 0)
    if given.cut:
        terminal.note(f"{count(given.cut, 'input')} read only up to the limit of 512 KiB.")


def _rows(
    terminal: Terminal,
    model: Model,
    inputs: Sequence[str],
    reading: Reading,
    threads: int,
    skip: int,
) -> Iterator[batch.Chunk]:
    """Rows of tables, many at a time."""
    tables = rows.Tables(model, inputs, reading.query, reading.sheet, terminal.note)
    for found in rows.scored(model, rows.behind(tables, skip), threads):
        if isinstance(found, rows.Scored):
            yield batch.Chunk(rows.documents(model, found), len(found.origins), 0)
        else:
            yield _problem(found)


def _problem(found: Problem) -> batch.Chunk:
    return batch.Chunk(json.dumps(problem(found)) + "\n", 1, 1)


def _reported(tell: Reporter, total: int | None) -> Callable[[batch.State, batch.State], None]:
    """Rows so far and of how many; speed and time left by this session alone."""
    began = last = time.monotonic()

    def report(before: batch.State, now: batch.State) -> None:
        nonlocal last
        moment = time.monotonic()
        if moment - last < _MOMENT:
            return
        last = moment
        speed = (now.rows - before.rows) / (moment - began)
        of = total if total is not None and now.rows <= total else None
        facts = {"speed": speed} | ({"left": (of - now.rows) / speed} if of is not None and speed else {})
        tell(Update("predicting", now.rows, of, facts))

    return report
