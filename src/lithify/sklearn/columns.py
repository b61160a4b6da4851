"""Arrays and frames, checked as scikit-learn does it, as fields and contents of rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from lithify.data.cells import Reader
from lithify.data.fields import Asked, infer
from lithify.data.frames import Frame
from lithify.data.schema import Field, FieldKind
from lithify.errors import DataError, UsageError

LEAST_ROWS: Final = 2


@contextlib.contextmanager
def as_value_errors() -> Iterator[None]:
    """Errors of calls and of data as the ``ValueError`` that scikit-learn's users catch."""
    try:
        yield
    except (UsageError, DataError) as error:
        raise ValueError(str(error)) from error


def checked(estimator: Any, X: Any, *, fitting: bool) -> Any:
    """``X`` as a float64 array where all of its columns are numbers; else as an array of objects, or the frame it is.

    Sets or checks ``n_features_in_`` and ``feature_names_in_``.

    Raises
    ------
    ValueError, TypeError
        scikit-learn's own, for sparse and complex matrices, infinite numbers, other columns than in fitting.
    """
    least = LEAST_ROWS if fitting else 1
    if _is_mixed_frame(X):
        validate_data(estimator, X, skip_check_array=True, reset=fitting)
        if X.shape[0] < least:
            raise ValueError(f"Found array with {X.shape[0]} sample(s) while a minimum of {least} is required.")
        return X
    array = validate_data(
        estimator, X, dtype=None, ensure_all_finite="allow-nan", ensure_min_samples=least, reset=fitting
    )
    if array.dtype.kind == "O":
        with contextlib.suppress(TypeError, ValueError):
            array = array.astype(np.float64)
    return array.astype(np.float64) if array.dtype.kind in "biuf" else array


def names_of(estimator: Any) -> tuple[str, ...]:
    """The columns by name; where they have none, as the columns of an array are called elsewhere: c0, c1, ..."""
    given = getattr(estimator, "feature_names_in_", None)
    return tuple(f"c{i}" for i in range(estimator.n_features_in_)) if given is None else tuple(map(str, given))


def fields_of(X: Any, names: Sequence[str], asked: Mapping[Any, FieldKind]) -> tuple[Field, ...]:
    """The fields of checked columns, sorted by name.

    A column's type says what it is; one of texts is looked at, and is left out where its cells name the rows.

    Parameters
    ----------
    asked : mapping of str or int to str
        Kinds of columns by name or by place.
    """
    batches = list(batches_of(X, names))
    kinds = {_named(names, key): kind for key, kind in asked.items()}
    known = [
        Field(name, kind, "input", "the type of the column")
        for name, kind in ((one.name, _kind(one.type)) for one in batches[0].schema)
        if kind is not None and name not in kinds
    ]
    settled = {field.name for field in known}
    rest = [name for name in names if name not in settled]
    found = sorted([*known, *_inferred(batches, rest, kinds)], key=lambda field: field.name)
    if not any(field.role == "input" for field in found):
        why = "; ".join(f"{field.name}: {field.why}" for field in found)
        raise ValueError(f"There is no column to learn from ({why[:300]}). Name kinds of columns with fields=.")
    return tuple(found)


def contents_of(X: Any, names: Sequence[str], fields: Sequence[Field]) -> list[bytes]:
    """The canonical contents of checked rows."""
    reader = Reader(tuple(fields))
    return [content for batch in batches_of(X, names) for content in reader.read(batch).contents]


def batches_of(X: Any, names: Sequence[str]) -> Iterator[Any]:
    """Arrow record batches of plain types, the columns named by their places in ``names``.

    Raises ``ValueError`` for infinite numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    with as_value_errors():
        frame = Frame(X)
    for piece in frame.pieces():
        columns = piece.batch.columns
        if any(pa.types.is_floating(column.type) and pc.any(pc.is_inf(column)).as_py() for column in columns):
            raise ValueError("Input X contains infinity or a value too large for dtype('float64').")
        yield pa.RecordBatch.from_arrays(columns, names=list(names))


def _named(names: Sequence[str], key: Any) -> str:
    """A column by its name or its place."""
    if not isinstance(key, (int, np.integer)):
        return str(key)
    if not 0 <= key < len(names):
        raise ValueError(f"There is no column {key} whose kind could be set; X has {len(names)} columns.")
    return names[int(key)]


def _inferred(batches: Sequence[Any], names: Sequence[str], kinds: Mapping[str, FieldKind]) -> list[Field]:
    """Fields of columns whose type does not say what they are."""
    if not names and not kinds:
        return []
    import pyarrow as pa

    label = max(("", *names), key=len) + "'"  # inference wants a column of labels; this one tells nothing
    parts = (batch.select(list(names)).append_column(label, pa.array(np.zeros(batch.num_rows))) for batch in batches)
    with as_value_errors():
        found = infer([*names, label], parts, Asked(label=label, kinds=kinds, task="classification"))
    return [field for field in found.fields if field.role != "label"]


def _kind(of: Any) -> FieldKind | None:
    """The kind of a column by its plain type; None for texts."""
    import pyarrow as pa

    if pa.types.is_dictionary(of):
        return "category"
    if pa.types.is_boolean(of):
        return "boolean"
    if pa.types.is_timestamp(of):
        return "time"
    return "number" if pa.types.is_integer(of) or pa.types.is_floating(of) else None


def _is_mixed_frame(X: Any) -> bool:
    """Whether it is a frame or an Arrow table with a column that is not of numbers."""
    if isinstance(X, np.ndarray) or len(getattr(X, "shape", ())) != 2:
        return False
    if not hasattr(X, "columns") or not hasattr(X, "dtypes"):
        return hasattr(X, "__arrow_c_stream__")
    return not all(_is_number(dtype) for dtype in X.dtypes)


def _is_number(dtype: Any) -> bool:
    kind = getattr(dtype, "kind", None)  # of pandas and NumPy
    return bool(kind in "biuf" if kind is not None else dtype.is_numeric())


def group_codes(groups: NDArray[Any]) -> list[bytes]:
    """What the groups of rows are told apart by."""
    return [str(group).encode("utf-8", "replace") for group in groups.tolist()]
