"""Dates as mail writes them."""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.media import mime
from lithify.media.dates import EARLIEST, LATEST, parse_date

TIME = 1_030_015_585  # 22 Aug 2002 11:26:25 UTC


@pytest.mark.parametrize(
    "date",
    [
        "Thu, 22 Aug 2002 18:26:25 +0700",
        "Thu, 22 Aug 2002 18:26:25 +0700 (ICT)",
        "Thu,22 Aug 2002 11:26:25 -0000",
        "22 Aug 2002 11:26:25 GMT",
        "22 Aug 2002 11:26:25",
        "22 aug 02 07:26:25 EDT",
        "Thursday, 22-Aug-02 11:26:25 GMT",
        "Thu Aug 22 11:26:25 2002",
        "Thu, 22 August 2002 11:26:25 +0000",
        "Thu, 22 Aug 2002 11.26.25 +0000",
        "  Thu,  22  AUG 2002\n\t11:26:25 +0000",
    ],
)
def test_dates(date: str) -> None:
    assert parse_date(date.encode()) == TIME


@pytest.mark.parametrize(
    "date", [b"", b" ", b"soon", b"Thu", b"22 Xyz 2002 11:26:25 GMT", b"0 " * 300, b"\0" * 9, b"\xff"]
)
def test_no_dates(date: bytes) -> None:
    assert parse_date(date) is None


@given(
    st.sampled_from(["", "Mon, ", "Mon,", "mon "]),
    st.integers(0, 40),
    st.sampled_from(["Jan", "feb", "DEC", "Xyz", "March"]),
    st.integers(0, 10_000),
    st.integers(0, 99),
    st.integers(0, 99),
    st.sampled_from([":07", ""]),
    st.sampled_from([" +0000", " -0730", " +9999", " GMT", " PST", "", " x", " +0100 (CET)"]),
)
def test_dates_are_those_of_the_standard_library(
    weekday: str, day: int, month: str, year: int, hour: int, minute: int, second: str, zone: str
) -> None:
    date = f"{weekday}{day} {month} {year:04} {hour}:{minute:02}{second}{zone}"
    parsed = parsedate_tz(date)
    try:
        expected = None if parsed is None else mktime_tz((*parsed[:9], parsed[9] or 0))
    except (ValueError, OverflowError):
        expected = None
    assert parse_date(date.encode()) == expected


def test_received_comes_before_date() -> None:
    received = b"Received: from a;\n by b; Thu, 22 Aug 2002 11:26:25 +0000\nReceived: x; 1 Jan 2001 00:00:00 GMT\n"
    assert mime.received_time(received + b"Date: 1 Jan 2003 00:00:00 +0000\n\n") == TIME
    assert mime.received_time(b"Date: 22 Aug 2002 11:26:25 GMT\nReceived: no date\n\n") == TIME


def test_absurd_and_missing_dates() -> None:
    assert mime.received_time(b"Received: x; 1 Jan 1970 00:00:00 GMT\nDate: 22 Aug 2002 11:26:25 GMT\n\n") == TIME
    assert mime.received_time(b"Date: 31 Dec 1989 23:59:59 GMT\n\n") is None
    assert mime.received_time(b"Date: 1 Jan 1990 00:00:00 GMT\n\n") == EARLIEST
    assert mime.received_time(b"Date: 31 Dec 2099 23:59:59 GMT\n\n") == LATEST - 1
    assert mime.received_time(b"Date: 1 Jan 2100 00:00:00 GMT\n\n") is None
    assert mime.received_time(b"Subject: x\n\nDate: 22 Aug 2002 11:26:25 GMT\n") is None
    assert mime.received_time(b"") is None


@given(st.binary(max_size=60))
def test_received_time_never_raises(value: bytes) -> None:
    time = mime.received_time(b"Date: " + value)
    assert time is None or EARLIEST <= time < LATEST
