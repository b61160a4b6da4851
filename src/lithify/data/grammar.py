"""How one cell of a table is read: the words for missing, numbers, yes and no, dates and times.

The rules look at one cell and at its field's form alone, so that a cell means the same in a file of a million rows, in
a frame and in a dict. Arrow does the common cases of whole columns (:mod:`lithify.data.columnar`); what it cannot read
comes here.
"""

from __future__ import annotations

import math
import re
from typing import Final

STRIPPED: Final = " \t\r\n\f\v\u00a0\ufeff"
"""What is taken off both ends of a cell, in Python and in Arrow."""

MISSING: Final = frozenset({
    "NA", "na", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "null", "Null", "NULL", "None", "none", "NONE", "NaT",
    "<NA>", "?", "-",
})  # fmt: skip
"""Words for a missing cell where cells are numbers, times, or yes and no; elsewhere they are words like others."""

PAIRS: Final = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))
TRUE: Final = frozenset({"1", *(yes for yes, _ in PAIRS)})
FALSE: Final = frozenset({"0", *(no for _, no in PAIRS)})
EARLIEST, LATEST = -62_135_596_800.0, 253_402_300_799.999999
"""The years 1 to 9999, in seconds since 1970."""

NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
GROUPED: Final = r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?"
COMMA: Final = r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+)(?:,[0-9]+)?"
INFINITE: Final = r"(?i:[+-]?inf(?:inity)?)"
_CLOCK = (
    r"(?:[T ] ?([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,12}))?)?"
    r"(?: ?([AaPp])\.?[Mm]\.?)?(?: ?(Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
ISO: Final = r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})" + _CLOCK
DAY: Final = r"([0-9]{1,2})([/.-])([0-9]{1,2})[/.-]([0-9]{4}|[0-9]{2})" + _CLOCK

_number, _grouped, _comma = (re.compile(pattern).fullmatch for pattern in (NUMBER, GROUPED, COMMA))
_infinite = re.compile(INFINITE).fullmatch
_iso, _day = re.compile(ISO).fullmatch, re.compile(DAY).fullmatch


def number(text: str, form: str = "") -> float | None:
    """A stripped cell as a number; NaN for a word for missing and for infinities, None when it is no number.

    >>> number("1e3"), number("1,234,567.5"), number("12,34"), number("12,34", "1.234,5"), number("?")
    (1000.0, 1234567.5, None, 12.34, nan)
    """
    if form == "1.234,5" and _comma(text):
        found = float(text.replace(".", "").replace(",", "."))
    elif _number(text):
        found = float(text)
    elif form == "" and _grouped(text):
        found = float(text.replace(",", ""))
    else:
        return math.nan if text in MISSING or _infinite(text) else None
    return found if math.isfinite(found) else math.nan


def boolean(text: str) -> float | None:
    """A stripped cell as 1.0 or 0.0; NaN for a word for missing, None for anything else.

    >>> boolean("Yes"), boolean("0"), boolean("n/a"), boolean("maybe")
    (1.0, 0.0, nan, None)
    """
    word = text.lower()
    if word in TRUE or word in FALSE:
        return float(word in TRUE)
    if text in MISSING:
        return math.nan
    found = number(text)
    return found if found in (0.0, 1.0) else None


def time(text: str, form: str = "") -> float | None:
    """A stripped cell as seconds since 1970 UTC; NaN for a word for missing, None when it is no time.

    ISO 8601, day-month-year (month first in the form ``m/d/y``; never with dots) and epochs. A time without a zone is
    UTC, and digits beyond microseconds are cut.

    >>> time("1970-01-02"), time("2/1/1970"), time("2/1/1970", "m/d/y"), time("1970-01-01T00:00:01.5+00:00")
    (86400.0, 86400.0, 2678400.0, 1.5)
    """
    if found := _iso(text):
        return _seconds(found[1], found[2], found[3], found.groups()[3:])
    if found := _day(text):
        first, dots, second, year = found.group(1, 2, 3, 4)
        if len(year) == 2:
            year = ("19" if year > "68" else "20") + year
        swap = form == "m/d/y" and dots != "."
        return _seconds(year, *((first, second) if swap else (second, first)), found.groups()[4:])
    epoch = number(text)
    return epoch if epoch is None or math.isnan(epoch) else seconds_of_epoch(epoch)


def seconds_of_epoch(value: float) -> float | None:
    """Seconds of an epoch; from 10**11 on it counts milliseconds. None beyond the year 9999."""
    value = value / 1000 if abs(value) >= 1e11 else value
    return value if EARLIEST <= value <= LATEST else None


def days_of(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").

    >>> days_of(2000, 3, 1)
    11017
    """
    year -= month <= 2
    of_era = year % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year // 400 * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def _seconds(year: str, month: str, day: str, clock: tuple[str | None, ...]) -> float | None:
    y, m, d = int(year), int(month), int(day)
    longest = 31 - (m in (4, 6, 9, 11)) if m != 2 else 28 + (y % 4 == 0 and (y % 100 != 0 or y % 400 == 0))
    if not (y >= 1 and 1 <= m <= 12 and 1 <= d <= longest):
        return None
    micros = _clock(*clock)
    if micros is None:
        return None
    found = (days_of(y, m, d) * 86_400_000_000 + micros) / 1e6
    return found if EARLIEST <= found <= LATEST else None


def _clock(
    hour: str | None, minute: str | None, second: str | None, fraction: str | None, half: str | None, zone: str | None
) -> int | None:
    """Microseconds since midnight UTC."""
    if hour is None:
        return 0
    h, m, s = int(hour), int(minute or 0), int(second or 0)
    if half is not None:
        if not 1 <= h <= 12:
            return None
        h = h % 12 + (12 if half in "pP" else 0)
    if h > 23 or m > 59 or s > 59:
        return None
    away = 0
    if zone is not None and zone[0] in "+-":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        away = (60 * int(digits[:2]) + int(digits[2:])) * (1 if zone[0] == "+" else -1)
    return ((60 * (60 * h + m - away)) + s) * 1_000_000 + int((fraction or "0").ljust(6, "0")[:6])


def shortest(value: float) -> str:
    """The shortest decimal of a finite number.

    >>> shortest(3.0), shortest(2.5), shortest(-0.0), shortest(1e22)
    ('3', '2.5', '0', '1e+22')
    """
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else repr(value)


def date_text(seconds: float) -> str:
    """A time as ISO 8601: the date alone at midnight.

    >>> date_text(86400.0), date_text(1.5)
    ('1970-01-02', '1970-01-01T00:00:01.500000')
    """
    from datetime import datetime, timedelta

    if not EARLIEST <= seconds <= LATEST:
        return shortest(seconds)
    found = datetime(1970, 1, 1) + timedelta(microseconds=round(seconds * 1e6))
    return found.date().isoformat() if seconds % 86400 == 0 else found.isoformat()
