"""Numbers as a person reads them: with as many digits as mean something, never without their unit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def percent(share: float) -> str:
    """A share as a percentage, with more digits close to 0 and 100.

    >>> percent(0.0036), percent(0.905), percent(0.9962), percent(0.00004), percent(1 - 1e-9), percent(1.0)
    ('0.36 %', '90.5 %', '99.62 %', '0.0040 %', '> 99.9999 %', '100 %')
    """
    if 0.0 < share < 5e-7 or 1.0 - 5e-7 < share < 1.0:
        return "< 0.0001 %" if share < 0.5 else "> 99.9999 %"
    return f"{_percent(share, _digits(share))} %"


def number(value: float) -> str:
    """A plain number with three or four digits that matter.

    >>> number(0.0), number(0.04567), number(1.5)
    ('0', '0.0457', '1.500')
    """
    if value == 0.0:
        return "0"
    return f"{value:.3f}" if abs(value) >= 0.0995 else f"{value:.3g}"


def value(found: float) -> str:
    """A value in the unit of what is predicted, which may be of any size: four digits that matter.

    >>> value(0.04567), value(12.3456), value(68254.4), value(-0.0), value(1.5e12)
    ('0.04567', '12.35', '68,254', '0', '1.5e+12')
    """
    if 1e3 <= abs(found) < 1e9:
        return f"{found:,.0f}"
    return f"{found + 0.0:.4g}"


def figure(found: float, unit: str) -> str:
    """A metric's value in its unit.

    >>> figure(0.5, "share"), figure(0.5, "percent"), figure(0.5, "number"), figure(0.5, "value")
    ('50.0 %', '0.50 %', '0.500', '0.5')
    """
    if unit == "value":
        return value(found)
    return number(found) if unit == "number" else percent(found if unit == "share" else found / 100.0)


def interval(low: float, high: float, unit: str) -> str:
    """An interval, both ends with as many digits, the unit said once.

    >>> interval(0.001, 0.0106, "share"), interval(0.0, 0.0044, "share"), interval(0.98129, 0.99941, "share")
    ('0.10 to 1.06 %', '0 to 0.44 %', '98.13 to 99.94 %')
    """
    if unit == "value":
        return f"{value(low)} to {value(high)}"
    if unit == "number":
        return f"{number(low)} to {number(high)}"
    scale = 1.0 if unit == "share" else 0.01
    digits = min(_digits(low * scale), _digits(high * scale))
    return f"{_percent(low * scale, digits)} to {_percent(high * scale, digits)} %"


def of(count: int, total: int, what: str) -> str:
    """A count out of a total.

    >>> of(3, 1830, "ham")
    '3 of 1,830 ham'
    """
    return f"{count:,} of {total:,} {what}"


def times(count: int) -> str:
    """How often.

    >>> times(1), times(2), times(7)
    ('once', 'twice', '7 times')
    """
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def day(seconds: int) -> str:
    """A moment as a date, UTC.

    >>> day(0)
    '1970-01-01'
    """
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def short(digest: str) -> str:
    """The digits of a digest that a person compares.

    >>> short("sha256:3f9a1c2b7d10aa55")
    '3f9a1c2b7d10'
    """
    return digest.rpartition(":")[2][:12]


def flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Nested facts as lines of (dotted name, text), for people; long lists are cut, and that is said.

    >>> flat({"recipe": {"seed": 0, "grams": [3, 4]}, "limits": []})
    [('recipe.seed', '0'), ('recipe.grams', '3, 4'), ('limits', 'none')]
    >>> flat({"limits": ["It is small.", "It is old."]})
    [('limits', 'It is small.'), ('', 'It is old.')]
    >>> flat({"accuracy": {"value": 0.9, "low": 0.8, "high": 0.95}})
    [('accuracy', '0.9 (0.8 to 0.95)')]
    """
    if isinstance(value, Mapping) and set(value) == {"value", "low", "high"}:
        return [(path, f"{_scalar(value['value'])} ({_scalar(value['low'])} to {_scalar(value['high'])})")]
    if isinstance(value, Mapping):
        return [line for name, inner in value.items() for line in flat(inner, f"{path}.{name}" if path else str(name))]
    if isinstance(value, list | tuple):
        if value and all(isinstance(item, str) and item.endswith(".") for item in value):
            return [("" if i else path, item) for i, item in enumerate(value)]
        if any(isinstance(item, Mapping | list | tuple) for item in value):
            return [line for i, item in enumerate(value[:20]) for line in flat(item, f"{path}.{i + 1}")]
        shown = ", ".join(_scalar(item) for item in value[:20])
        rest = f" and {len(value) - 20:,} more" if len(value) > 20 else ""
        return [(path, f"{shown}{rest}" or "none")]
    return [(path, _scalar(value))]


def _digits(share: float) -> int:
    """Digits after the point that a percentage deserves: more close to 0 and 100, any number at 0 and 100."""
    edge = 100.0 * min(share, 1.0 - share)
    if edge <= 0.0:
        return 4
    return 1 if edge >= 5.0 else 2 if edge >= 0.095 else 3 if edge >= 0.0095 else 4


def _percent(share: float, digits: int) -> str:
    return f"{100.0 * share:.{digits if 0.0 < share < 1.0 else 0}f}"


def _scalar(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
