"""The plain types of columns, and cells as text."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Sequence
from typing import Any


def plain_type(kind: Any) -> Any:
    """The plain type of a ``pyarrow.DataType``: bool, int64, float64, timestamp (µs, UTC), string or dictionary of it.

    Integers that may not fit, times of day and nested values are read as text; durations as seconds. A dictionary,
    which is what categorical columns of frames are, is one of texts whatever its values.

    >>> import pyarrow as pa
    >>> [str(plain_type(t)) for t in (pa.int8(), pa.decimal128(5, 2), pa.date32(), pa.list_(pa.int8()))]
    ['int64', 'double', 'timestamp[us]', 'string']
    """
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), pa.string())
    if types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if types.is_boolean(kind):
        return pa.bool_()
    if types.is_integer(kind) and not types.is_uint64(kind):
        return pa.int64()
    if types.is_floating(kind) or types.is_decimal(kind) or types.is_duration(kind):
        return pa.float64()
    if types.is_date(kind) or types.is_timestamp(kind):
        return pa.timestamp("us")
    return pa.string()


def plain_schema(schemas: Sequence[Any]) -> Any:
    """Names of the first schema with the plain types that hold the columns of all."""
    import pyarrow as pa

    first, *_ = schemas
    return pa.schema([(name, _common({plain_type(s.field(name).type) for s in schemas})) for name in first.names])


def _common(types: set[Any]) -> Any:
    import pyarrow as pa

    if len(types) == 1:
        return next(iter(types))
    return pa.float64() if types == {pa.int64(), pa.float64()} else pa.string()


def plain_batch(batch: Any, schema: Any) -> Any:
    """The columns of ``schema`` out of a record batch, in its types."""
    import pyarrow as pa

    columns = [_plain_array(batch.column(batch.schema.get_field_index(f.name)), f.type) for f in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _plain_array(array: Any, target: Any) -> Any:
    import pyarrow as pa

    types = pa.types
    kind = array.type
    if kind == target:
        return array
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_array(array.storage, target)
    if types.is_dictionary(target):
        return _plain_array(array, pa.string()).dictionary_encode().cast(target)
    if types.is_dictionary(kind):
        return _plain_array(array.dictionary_decode(), target)
    if types.is_run_end_encoded(kind):
        return _plain_array(pa.compute.run_end_decode(array), target)
    if types.is_duration(kind):
        steps = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        return _plain_array(pa.compute.divide(array.cast(pa.int64()).cast(pa.float64(), safe=False), steps), target)
    if (
        types.is_nested(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
    ):
        return text_array(array.to_pylist())
    try:
        return array.cast(target, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return text_array(array.to_pylist()).cast(target, safe=False)


def text_array(values: Sequence[object]) -> Any:
    """A ``pyarrow`` array of strings from cells of any kind; surrogates without a partner become ``?``."""
    import pyarrow as pa

    texts = [value if isinstance(value, str) else cell_text(value) for value in values]
    try:
        return pa.array(texts, type=pa.string())
    except UnicodeEncodeError:
        return pa.array([t and t.encode("utf-8", "replace").decode() for t in texts], type=pa.string())


def cell_text(value: object) -> str | None:
    """A cell as text, None where there is nothing in it.

    Numbers are written so that they are read back as they were, times as ISO 8601, objects and lists as JSON, bytes as
    the UTF-8 they are; bytes that are none have no text.

    >>> [cell_text(v) for v in (True, 2, 0.1, None, float("nan"), [1, "a"], b"x")]
    ['true', '2', '0.1', None, None, '[1, "a"]', 'x']
    """
    if value is None or value != value:  # NaN, NaT
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return repr(value.total_seconds())
    if isinstance(value, (bytes, bytearray, memoryview)):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return None
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    if isinstance(value, (int, float, decimal.Decimal)):
        return str(value)
    item = getattr(value, "item", None)  # a NumPy scalar
    return cell_text(item()) if callable(item) else str(value)
