"""Where columns of images lie: Parquet, Arrow and Feather files, Arrow tables, Hugging Face data sets."""

from __future__ import annotations

import hashlib
import posixpath
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lithify.data import tabular_files
from lithify.data.columns import Asked
from lithify.data.image_columns import ROWS, ImageColumns, Sheet, class_names, image_column, listed_columns
from lithify.data.layout import side_named
from lithify.data.streams import shown
from lithify.errors import UnknownSource, UsageError


def open_files(paths: Sequence[Path], asked: Asked) -> ImageColumns | None:
    """The source for files of tables, None where the first holds no images; names of files may say sides."""
    sheets = [sheet for path in paths if (sheet := _sheet(path, many=len(paths) > 1)) is not None]
    if not sheets or (column := image_column(sheets[0])) is None:
        return None
    kind = tabular_files.WORDS[_form(paths[0])]
    words = kind if len(paths) == 1 else f"{len(paths)} files like {kind}"
    return ImageColumns(sheets, column, asked, words, tabular_files.files_signature(list(paths)))


def _form(path: Path) -> tabular_files.Form:
    with path.open("rb") as file:
        form = tabular_files.form_of(file.read(16), path.name)
    if form is None:
        raise UnknownSource(f"{shown(str(path))} is not what its name says.", expected="a Parquet or an Arrow file")
    return form


def _sheet(path: Path, *, many: bool) -> Sheet | None:
    form = _form(path)
    schema = tabular_files.schema_of(path, form)
    side = side_named(path.name.partition(".")[0]) if many else None
    return Sheet(shown(str(path)), schema, lambda: _batches(path, form), side, path.parent, class_names(schema))


def _batches(path: Path, form: tabular_files.Form) -> Iterator[Any]:
    """Record batches of a few rows, since each may be large; checked, since Arrow believes what an IPC file says."""
    with tabular_files.reading(path):
        if form == "parquet":
            from pyarrow import parquet

            with parquet.ParquetFile(path) as file:
                yield from file.iter_batches(batch_size=ROWS)
            return
        import pyarrow as pa

        with pa.memory_map(str(path)) as source:
            if form == "stream":
                reader = pa.ipc.open_stream(source)
                found = iter(reader)
            else:
                opened = pa.ipc.open_file(source)
                found = (opened.get_batch(number) for number in range(opened.num_record_batches))
            for batch in found:
                batch.validate(full=True)
                yield batch


def open_object(thing: Any, asked: Asked) -> ImageColumns | None:
    """The source for an Arrow table with a column of images, or a Hugging Face data set; None for anything else."""
    if (found := _data_sets(thing)) is not None:
        return _of_data_sets(found, asked)
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None or not isinstance(thing, pyarrow.Table):
        return None
    schema = thing.schema
    sheet = Sheet("row", schema, lambda: iter(thing.to_batches(max_chunksize=ROWS)), names=class_names(schema))
    if (column := image_column(sheet)) is None:
        return None
    hasher = hashlib.sha256(repr(thing.schema.names).encode())
    for batch in thing.to_batches():
        hasher.update(memoryview(batch.serialize()))
    return ImageColumns([sheet], column, asked, "an Arrow table", hasher.hexdigest())


def _data_sets(thing: Any) -> dict[str | None, Any] | None:
    """Data sets of Hugging Face by the names of their splits."""
    library = sys.modules.get("datasets")
    if library is None:
        return None
    if isinstance(thing, (library.IterableDataset, library.IterableDatasetDict)):
        raise UsageError("A streamed data set can be read only once.", hint="Load it with streaming=False.")
    if isinstance(thing, library.DatasetDict):
        return dict(thing)
    return {None: thing} if isinstance(thing, library.Dataset) else None


def _of_data_sets(found: dict[str | None, Any], asked: Asked) -> ImageColumns:
    sheets = []
    for split, data in found.items():
        bare = data.with_format("arrow")  # the bytes as they are stored: nothing is decoded

        def batches(bare: Any = bare) -> Iterator[Any]:
            for start in range(0, len(bare), ROWS):
                yield from bare[start : start + ROWS].to_batches()

        names = {name: list(of.names) for name, of in data.features.items() if type(of).__name__ == "ClassLabel"}
        sheets.append(Sheet(split or "row", data.features.arrow_schema, batches, side_named(split or ""), None, names))
    column = image_column(sheets[0]) if sheets else None
    if column is None:
        found_names = listed_columns(sheets[0].schema.names) if sheets else "no splits"
        raise UnknownSource("There is no column of images in the data set.", found=found_names)
    signature = " ".join(f"{split}:{data._fingerprint}:{len(data)}" for split, data in found.items())
    return ImageColumns(sheets, column, asked, "a Hugging Face data set", signature)


def has_tables(names: Sequence[str]) -> bool:
    """Whether all files are tables of Arrow's making by their names."""
    endings = (".parquet", ".pq", ".arrow", ".feather", ".arrows")
    return bool(names) and all(posixpath.splitext(name)[1].lower() in endings for name in names)
