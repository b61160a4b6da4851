"""Tables in files of Arrow's making: Parquet, Arrow IPC (Feather) and Arrow streams."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from lithify.data.streams import damaged, shown
from lithify.data.tabular_parts import BATCH_ROWS, Part, Piece, column_names
from lithify.data.tabular_types import plain_batch, plain_schema
from lithify.errors import UnknownSource

Form = Literal["parquet", "arrow", "stream"]

WORDS: Final[dict[Form, str]] = {
    "parquet": "a Parquet file",
    "arrow": "an Arrow file",
    "stream": "a file of an Arrow stream",
}
STREAMS: Final = (".arrows", ".ipc", ".arrow", ".feather")
"""Endings under which a stream is looked for; its first bytes alone are too plain to tell it by."""


def form_of(head: bytes, name: str = "") -> Form | None:
    r"""What kind of file it is from its first bytes, None when it is none of these.

    >>> form_of(b"PAR1\x15\x04"), form_of(b"ARROW1\0\0"), form_of(b"label,text")
    ('parquet', 'arrow', None)
    """
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow"
    if head.startswith(b"\xff\xff\xff\xff") and name.lower().endswith(STREAMS):
        return "stream"
    return None


class ArrowTable(Part):
    """One file."""

    def __init__(self, path: Path, form: Form) -> None:
        self._path = path
        self._form = form
        found = schema_of(path, form)
        names, self._notes = column_names(found.names, shown(path.name))
        self._found = plain_schema([found])
        self.schema = renamed(self._found, names)
        self.words = WORDS[form]

    def notes(self) -> list[str]:
        """What a person should know about the way it was read."""
        return self._notes

    def signature(self) -> str:
        """Changes when the file does."""
        return files_signature([self._path])

    def pieces(self) -> Iterator[Piece]:
        """Every row in its order, numbered from 1."""
        number = 1
        with reading(self._path):
            for batch in _batches(self._path, self._form):
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    found = plain_batch(batch.slice(start, BATCH_ROWS), self._found)
                    rows = range(number, number + found.num_rows)
                    number = rows.stop
                    yield Piece(found.rename_columns(self.schema.names), shown(str(self._path)), rows)


def renamed(schema: Any, names: Sequence[str]) -> Any:
    """A ``pyarrow.Schema`` with other names."""
    import pyarrow as pa

    return pa.schema([(name, field.type) for name, field in zip(names, schema, strict=True)])


def files_signature(paths: Sequence[Path]) -> str:
    """Digest of paths, sizes and modification times."""
    hasher = hashlib.sha256()
    for path in paths:
        found = path.stat()
        hasher.update(b"%s\0%d\0%d\0" % (os.fsencode(path.resolve()), found.st_size, found.st_mtime_ns))
    return hasher.hexdigest()


def schema_of(path: Path, form: Form) -> Any:
    """The ``pyarrow.Schema`` of a file."""
    with reading(path):
        if form == "parquet":
            from pyarrow import parquet

            with parquet.ParquetFile(path) as file:
                return file.schema_arrow
        import pyarrow as pa

        with pa.memory_map(str(path)) as source:
            return (pa.ipc.open_file(source) if form == "arrow" else pa.ipc.open_stream(source)).schema


def _batches(path: Path, form: Form) -> Iterator[Any]:
    import pyarrow as pa

    if form == "parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=BATCH_ROWS)
        return
    with pa.memory_map(str(path)) as source:
        if form == "stream":
            for batch in pa.ipc.open_stream(source):
                yield _valid(batch)
            return
        reader = pa.ipc.open_file(source)
        for i in range(reader.num_record_batches):
            yield _valid(reader.get_batch(i))


def _valid(batch: Any) -> Any:
    """A batch none of whose offsets leads outside of it: Arrow believes what an IPC file says."""
    batch.validate(full=True)
    return batch


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """What Arrow says of broken bytes, as errors of ours."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowNotImplementedError as error:
        raise UnknownSource(
            f"{shown(str(path))} is written in a way that cannot be read.",
            expected="columns of numbers, texts, times and truth values",
            found=str(error).splitlines()[0][:200],
            hint="Save it again with such columns, or as CSV.",
        ) from error
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        raise damaged(path) from error
