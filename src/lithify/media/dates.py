"""Dates of mail: RFC 5322 with the leniency of ``email.utils.parsedate_tz``, fast for the common form."""

from __future__ import annotations

import re
from datetime import date

from lithify.media.headers import first, split
from lithify.media.words import to_text

EARLIEST = 631_152_000
"""1 January 1990 UTC."""

LATEST = 4_102_444_800
"""1 January 2100 UTC."""

MAX_DATE = 200
"""Bytes of a date that are read."""

_MONTHS = {name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_COMMON = re.compile(
    rb"\s*(?:[A-Za-z]{3},\s*)?([0-9]{1,2})\s+([A-Za-z]{3})\s+([0-9]{4})\s+"
    rb"([0-9]{1,2}):([0-9]{2}):([0-9]{2})\s+([+-])([0-9]{2})([0-9]{2})(?:\s|\Z)"
)
_EPOCH = date(1970, 1, 1).toordinal()


def parse_date(value: bytes) -> int | None:
    """Seconds since 1970 UTC of a date as mail writes it.

    A date without a zone is taken as UTC.

    Parameters
    ----------
    value : bytes
        Value of a ``Date`` field, or what follows the last semicolon of a ``Received`` field.

    Returns
    -------
    int or None
        None when it is no date.

    Examples
    --------
    >>> parse_date(b"Thu, 22 Aug 2002 18:26:25 +0700 (EST)"), parse_date(b"22 Aug 02 11:26 GMT"), parse_date(b"soon")
    (1030015585, 1030015560, None)
    """
    value = value[:MAX_DATE]
    match = _COMMON.match(value)
    month = _MONTHS.get(match[2].lower()) if match else None
    if match is None or month is None:
        return _odd(to_text(value, ""))
    day, year, hour, minute, second, zone_hours, zone_minutes = map(int, match.group(1, 3, 4, 5, 6, 8, 9))
    zone = 3600 * zone_hours + 60 * zone_minutes
    clock = 3600 * hour + 60 * minute + second
    return _seconds(year, month, day, clock - (zone if match[7] == b"+" else -zone))


def _odd(text: str) -> int | None:
    from email.utils import parsedate_tz

    try:
        parsed = parsedate_tz(text)
    except (ValueError, IndexError, TypeError):  # some versions of Python raise on malformed dates
        return None
    if parsed is None:
        return None
    year, month, day, hour, minute, second = parsed[:6]
    return _seconds(year, month, day, 3600 * hour + 60 * minute + second - (parsed[9] or 0))


def _seconds(year: int, month: int, day: int, clock: int) -> int | None:
    # As `calendar.timegm`: days and hours out of range roll over.
    if year < 100:
        year += 1900 if year > 68 else 2000
    if not (1 <= year <= 9999 and 1 <= month <= 12):
        return None
    return (date(year, month, 1).toordinal() + day - 1 - _EPOCH) * 86_400 + clock


def received_time(content: bytes) -> int | None:
    r"""When a message arrived: the date of its top ``Received`` field, else its ``Date``.

    The receiving side wrote the top ``Received``, while ``Date`` is whatever the sender liked.

    Parameters
    ----------
    content : bytes
        A canonical message.

    Returns
    -------
    int or None
        Seconds since 1970 UTC; None when there is no date, or none between 1990 and 2100.

    Examples
    --------
    >>> received_time(b"Received: by mx; Thu, 22 Aug 2002 18:26:25 +0700\nDate: 1 Jan 2030 00:00:00 GMT\n\n")
    1030015585
    """
    header, _ = split(content)
    for name in (b"received", b"date"):
        value = first(header, name)
        if value is None:
            continue
        seconds = parse_date(value.rpartition(b";")[2] if name == b"received" else value)
        if seconds is not None and EARLIEST <= seconds < LATEST:
            return seconds
    return None
