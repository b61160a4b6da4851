"""CSV, TSV and JSON lines with texts or mail in them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lithify.data import records
from lithify.data.columns import seconds
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.errors import TooFewRows, UnknownSource, UsageError

MAIL = "From: a@example.org\nTo: b@example.org\nDate: Mon, 3 Nov 2003 10:00:00 +0000\n\nhello"


def put(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, **options: str | bool | None) -> list[tuple[bytes, str | None]]:
    found = list(open_source(path, **options).rows())  # type: ignore[arg-type]
    assert all(isinstance(row, Row) for row in found), found
    return [(row.content, row.label) for row in found if isinstance(row, Row)]


EXPECTED = [(b"hello", "ham"), (b"buy, now", "spam")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'label,text\nham,hello\nspam,"buy, now"\n'),
        ("a.csv", 'Message;Class\nhello;ham\n"buy, now";spam'),
        ("a.csv", "\n\nlabel|body\r\nham|hello\r\nspam|buy, now\r\n"),
        ("a.tsv", "label\ttext\nham\thello\nspam\tbuy, now\n"),
        ("data", 'category,content\nham,hello\nspam,"buy, now"\n'),
        ("a.jsonl", '{"text": "hello", "label": "ham"}\n\n{"label": "spam", "text": "buy, now"}'),
        ("a.json", '{"text": "hello", "label": "ham"}\n{"label": "spam", "text": "buy, now"}\n'),
        ("data", '{"sms": "hello", "target": "ham"}\n{"target": "spam", "sms": "buy, now"}\n'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("packed", [False, True])
def test_tables(name: str, content: str, encoding: str, packed: bool, tmp_path: Path) -> None:
    raw = content.encode(encoding)
    path = put(tmp_path / (f"{name}.gz" if packed else name), gzip.compress(raw) if packed else raw)
    assert read(path) == EXPECTED
    assert open_source(path).kind == "text"


def test_other_encodings_are_said(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "label,text\nham,caf\u00e9 \u20ac5\nspam,x\n".encode("cp1252"))
    assert read(path)[0] == ("caf\u00e9 \u20ac5".encode(), "ham")
    assert open_source(path).describe() == (
        "a CSV file in Windows-1252 where it is not UTF-8 with text in 'text', labels in 'label'"
    )
    path = put(tmp_path / "b.csv", "label,text\nham,x\n".encode("utf-16"))
    assert "in UTF-16" in open_source(path).describe()


def test_mail_in_tables_is_noticed(tmp_path: Path) -> None:
    with open(tmp_path / "a.csv", "w", newline="") as file:
        csv.writer(file).writerows([("email", "spam"), (MAIL, 1), (MAIL.replace("\n", "\r\n") + "2", 0)])
    source = open_source(tmp_path / "a.csv")
    assert source.kind == "mail"
    found = [row for row in source.rows() if isinstance(row, Row)]
    assert [(row.content, row.label, row.time) for row in found] == [
        (MAIL.encode(), "1", 1067853600),
        (MAIL.encode() + b"2", "0", 1067853600),
    ]
    assert open_source(tmp_path / "a.csv", kind="text").kind == "text"


def test_the_text_column_can_be_what_is_left(tmp_path: Path) -> None:
    assert read(put(tmp_path / "a.csv", "label,v2\nham,hello\n"), kind="text") == [(b"hello", "ham")]
    assert read(put(tmp_path / "b.csv", "v1,v2\nham,hello\n"), label="v1", kind="text") == [(b"hello", "ham")]


def test_columns_that_cannot_be_told(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "v1,v2,v3\nham,hello,x\n")
    with pytest.raises(UsageError, match=r"which column of a\.csv is the label.*'v1', 'v2', 'v3'.*--label and --text"):
        open_source(path, kind="text")
    with pytest.raises(UsageError, match="is the text"):
        open_source(path, label="v1", kind="text")
    with pytest.raises(UsageError, match="has no column 'v4'"):
        open_source(path, label="v1", text="v4")
    assert read(path, label="v1", text="v2") == [(b"hello", "ham")]


def test_prediction_needs_no_labels(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "id,text\n1,hello\n")
    with pytest.raises(UsageError):
        open_source(path)
    assert read(path, labelled=False) == [(b"hello", None)]
    assert read(put(tmp_path / "b.csv", "label,text\n,hello\n"), labelled=False) == [(b"hello", None)]


def test_bad_records_are_problems(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "label,text,x\nham,hello,1\nspam,a\nspam,a,b,c\n,text,1\nham,,1\nham,last,1\n")
    found = list(open_source(path, text="text").rows())
    assert [(row.reason, row.origin.rsplit(":", 1)[1]) for row in found if isinstance(row, Problem)] == [
        ("bad record", "3"),
        ("bad record", "4"),
        ("no label", "5"),
        ("empty", "6"),
    ]
    assert [row.content for row in found if isinstance(row, Row)] == [b"hello", b"last"]


def test_bad_json_records_are_problems(tmp_path: Path) -> None:
    lines = ['{"text": "a", "label": "x"}', "{", "[1]", '{"text": 3, "label": "x"}', '{"text": "b"}', "[" * 100_000]
    lines += ['{"text": "\\ud800", "label": true}', '{"text": null, "label": 1}', '{"text": "z", "label": 1}']
    found = list(open_source(put(tmp_path / "a.jsonl", "\n".join(lines))).rows())
    assert [row.reason for row in found if isinstance(row, Problem)] == [
        "bad record", "bad record", "bad record", "no label", "bad record", "empty",
    ]  # fmt: skip
    assert [(row.content, row.label) for row in found if isinstance(row, Row)] == [
        (b"a", "x"),
        (b"?", "true"),
        (b"z", "1"),
    ]


def test_problems_hold_no_content(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "label,text,time\nsecret,secret\nsecret,secret,secret\n,secret,1\n")
    found = [row for row in open_source(path, time="time").rows() if isinstance(row, Problem)]
    assert [row.reason for row in found] == ["bad record", "bad time", "no label"]
    assert "secret" not in "".join(row.detail for row in found)


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", 'label,text\nham,hello\nspam,"buy\nham,x\nham,y\n')
    first, second = open_source(path).rows()
    assert isinstance(first, Row)
    assert (second.origin[-2:], second.detail) == (":3", "a quote that is never closed")  # type: ignore[union-attr]


def test_fields_and_lines_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "FIELD_LIMIT", 200_000)
    before = csv.field_size_limit(200_000)
    try:
        path = put(tmp_path / "a.csv", "label,text\nham," + "x" * 500_000 + "\nspam,ok\n")
        found = list(open_source(path).rows())
        assert {row.reason for row in found if isinstance(row, Problem)} == {"bad record"}
        assert [row.content for row in found if isinstance(row, Row)] == [b"ok"]
    finally:
        csv.field_size_limit(before)
    lines = ['{"text": "a", "label": 1}', '{"text": "' + "x" * 500_000 + '", "label": 1}', '{"text": "b", "label": 1}']
    found = list(open_source(put(tmp_path / "a.jsonl", "\n".join(lines))).rows())
    assert [isinstance(row, Row) for row in found] == [True, False, True]


def test_tab_separated_quotes_are_text_unless_cells_are_quoted(tmp_path: Path) -> None:
    assert read(put(tmp_path / "a.tsv", 'label\ttext\nham\t"hi" he said\nham\t"open\nham\tend\n')) == [
        (b'"hi" he said', "ham"),
        (b'"open', "ham"),
        (b"end", "ham"),
    ]
    assert read(put(tmp_path / "b.tsv", '"label"\t"text"\n"ham"\t"a\tb"\n')) == [(b"a\tb", "ham")]


def test_time_and_group(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "label,text,date,who\nham,a,2003-11-03T10:00:00Z,x\nham,b,soon,\nham,c,,y\n")
    found = list(open_source(path, group="who").rows())
    assert [(row.time, row.group) for row in found if isinstance(row, Row)] == [
        (1067853600, "x"),
        (None, None),
        (None, "y"),
    ]
    with pytest.raises(UsageError, match="no column 'split'"):
        open_source(path, side="split")
    assert [row.side for row in open_source(path, side="who").rows() if isinstance(row, Row)] == ["x", None, "y"]
    asked = list(open_source(path, time="date", text="text").rows())
    assert [row.reason for row in asked if isinstance(row, Problem)] == ["bad time"]
    assert [row.group for row in asked if isinstance(row, Row)] == [None, None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1067853600", 1067853600),
        (1067853600.9, 1067853600),
        ("1067853600000", 1067853600),
        ("2003-11-03", 1067817600),
        ("2003-11-03 10:00:00+02:00", 1067846400),
        ("Mon, 3 Nov 2003 10:00:00 +0000", 1067853600),
        ("1e300", None),
        ("nan", None),
        ("inf", None),
        (True, None),
        (None, None),
        ([1], None),
    ],
)
def test_times(value: object, expected: int | None) -> None:
    assert seconds(value) == expected


@given(st.one_of(st.text(max_size=30), st.integers(), st.floats()))
def test_times_never_raise(value: object) -> None:
    assert isinstance(seconds(value), int | None)


def test_json_that_is_not_lines(tmp_path: Path) -> None:
    for content in (json.dumps([{"text": "a"}]), json.dumps({"a": {"b": 1}}, indent=2)):
        with pytest.raises(UnknownSource, match="not JSON lines"):
            open_source(put(tmp_path / "a.json", content))


def test_a_table_with_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(TooFewRows):
        open_source(put(tmp_path / "a.csv", "\n\n"))
    assert read(put(tmp_path / "b.csv", "label,text\n")) == []


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=20).filter(
    lambda s: s.strip()
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(pairs=st.lists(st.tuples(cells, cells), min_size=1, max_size=8))
def test_what_csv_writes_is_read_back(pairs: list[tuple[str, str]], tmp_path: Path) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([("label", "text"), *pairs])
    found = read(put(tmp_path / "a.csv", stream.getvalue()), kind="text")
    assert found == [(text.encode(), label.strip()) for label, text in pairs]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(junk=st.binary(max_size=200), name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl"]))
def test_any_bytes_give_rows_or_problems(junk: bytes, name: str, tmp_path: Path) -> None:
    head = (
        b'{"text": "a", "label": "b"}\n'
        if name == "a.jsonl"
        else b"label\ttext\n"
        if name == "a.tsv"
        else b"label,text\n"
    )
    for row in open_source(put(tmp_path / name, head + junk)).rows():
        assert isinstance(row, Row | Problem)
