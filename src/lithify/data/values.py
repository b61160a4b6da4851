"""One value of a dict as a cell, by the rules of :mod:`lithify.data.grammar`: the slow twin of a column."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from lithify.data import grammar

_MISSING_TYPES: Final = ("NoneType", "NAType", "NaTType")
_EPOCH: Final = date(1970, 1, 1).toordinal()
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


def number(value: Any, kind: str, form: str = "") -> float | None:
    """A value of a number, time or boolean field; NaN where missing, None where it cannot be read.

    >>> number(True, "number"), number(2, "boolean"), number(" 1970-01-02 ", "time")
    (1.0, None, 86400.0)
    """
    if isinstance(value, str):
        return _read(value.strip(grammar.STRIPPED), kind, form)
    if isinstance(value, (bool, int, float)):
        return _fitted(_float(value), kind)
    if type(value).__name__ in _MISSING_TYPES:
        return math.nan
    if isinstance(value, date):
        return _seconds(value) if kind == "time" else None
    if isinstance(value, Decimal):
        return _fitted(float(value) if value.is_finite() else math.nan, kind)
    plain = _of_numpy(value)
    return None if plain is None else number(plain, kind, form)


def text(value: Any) -> str | None:
    """A value of a category or text field, stripped; empty where missing, None where it cannot be read.

    >>> text(" clerk "), text(3.0), text(True), text(float("nan")), text([1])
    ('clerk', '3', 'true', '', None)
    """
    if isinstance(value, str):
        return value.strip(grammar.STRIPPED)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 64 else grammar.shortest(_float(value))
    if isinstance(value, (float, Decimal)):
        return grammar.shortest(float(value)) if math.isfinite(value) else ""
    if type(value).__name__ in _MISSING_TYPES:
        return ""
    if isinstance(value, date):
        found = _seconds(value)
        return None if found is None else grammar.date_text(found)
    plain = _of_numpy(value)
    return None if plain is None else text(plain)


def _read(cell: str, kind: str, form: str) -> float | None:
    if not cell:
        return math.nan
    if kind == "number":
        found = grammar.number(cell, form)
    else:
        found = grammar.time(cell, form) if kind == "time" else grammar.boolean(cell)
    return None if found is None else found + 0.0


def _fitted(value: float, kind: str) -> float | None:
    """A number as a cell of that kind."""
    if not math.isfinite(value):
        return math.nan
    if kind == "boolean":
        return value + 0.0 if value in (0.0, 1.0) else None
    found = grammar.seconds_of_epoch(value) if kind == "time" else value
    return None if found is None else found + 0.0


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _seconds(value: date) -> float | None:
    """Of a date or a time, to the microsecond; UTC where it has no zone."""
    if not isinstance(value, datetime):
        return (value.toordinal() - _EPOCH) * 86400.0
    since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _START
    micros = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    found = micros / 1e6
    return found if grammar.EARLIEST <= found <= grammar.LATEST else None


def _of_numpy(value: Any) -> Any:
    """What a NumPy scalar holds, NaN for one that holds nothing; None for anything else."""
    kind = type(value)
    if kind.__module__ != "numpy" or getattr(value, "ndim", 1) != 0:
        return None
    if kind.__name__ == "datetime64":
        value = value.astype("datetime64[us]")
    plain = value.item()
    return math.nan if plain is None else plain if type(plain).__module__ != "numpy" else None
