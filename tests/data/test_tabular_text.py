"""Tables of fields in CSV, TSV and JSON lines: what is read, and what becomes of bad input."""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
import random
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lithify.data import cells, tabular, tabular_csv
from lithify.data.columns import Asked, TextTableSource, is_text
from lithify.data.files import Member, SingleFile
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.tabular import TableSource
from lithify.data.tabular_parts import Piece
from lithify.data.tabular_text import TextTable, sniffed
from lithify.errors import TooFewRows, UnknownSource, UsageError

PEOPLE = [("age", "job", "target"), ("39", "clerk", "no"), ("50", "smith, black", "yes"), ("", "clerk", "no")]


def put(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def written(rows: list[tuple[str, ...]], delimiter: str = ",") -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    return stream.getvalue()


def opened(thing: Any, **options: Any) -> TableSource:
    source = open_source(thing, **options)
    assert isinstance(source, TableSource)
    return source


def inputs(source: TableSource) -> list[dict[str, Any]]:
    """The input cells of all rows; None for what is missing."""
    found = [row.content for row in source.rows() if isinstance(row, Row)]
    at, held = cells.layout(source.fields), cells.decode(source.fields, found)
    columns: dict[str, list[Any]] = {}
    for i, field in enumerate(at.numbers):
        columns[field.name] = [None if v != v else v for v in held.numbers[:, i].tolist()]
    for i, field in enumerate(at.strings):
        columns[field.name] = list(held.strings[i])
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def problems(source: TableSource) -> list[tuple[str, str, str]]:
    return [
        (row.origin.rpartition(":")[2], row.reason, row.detail) for row in source.rows() if isinstance(row, Problem)
    ]


EXPECTED = [{"age": 39.0, "job": "clerk"}, {"age": 50.0, "job": "smith, black"}, {"age": None, "job": "clerk"}]


@pytest.mark.parametrize(
    ("name", "mark"), [("a.csv", ","), ("a.tsv", "\t"), ("a.csv", ";"), ("a.csv", "|"), ("a", ",")]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_delimiters_and_encodings(name: str, mark: str, encoding: str, tmp_path: Path) -> None:
    source = opened(put(tmp_path / name, written(PEOPLE, mark).encode(encoding)))
    assert (source.kind, source.task) == ("table", "classification")
    assert inputs(source) == EXPECTED
    rows = [row for row in source.rows() if isinstance(row, Row)]
    assert [row.label for row in rows] == ["no", "yes", "no"]
    assert [row.origin.rpartition(":")[2] for row in rows] == ["2", "3", "4"]


def zstd(raw: bytes) -> bytes:
    return bytes(pa.compress(raw, "zstd", asbytes=True))


@pytest.mark.parametrize(
    ("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstd)]
)
@pytest.mark.parametrize("folder", [False, True])
def test_compressed(ending: str, pack: Any, folder: bool, tmp_path: Path) -> None:
    path = put(tmp_path / f"a.csv.{ending}", pack(written(PEOPLE).encode()))
    assert inputs(opened(tmp_path if folder else path)) == EXPECTED
    lines = "\n".join(json.dumps(dict(zip(PEOPLE[0], row, strict=True))) for row in PEOPLE[1:])
    put(path, b"").unlink()
    path = put(tmp_path / f"a.jsonl.{ending}", pack(lines.encode()))
    assert inputs(opened(tmp_path if folder else path)) == EXPECTED


def test_windows_letters(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "job,target\ncaf\u00e9,a\nbar,b\nbar,b\n".encode("cp1252"))
    assert inputs(opened(path))[0] == {"job": "caf\u00e9"}
    assert "Windows-1252" in opened(path).describe()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (("text", "label"), True),
        (("id", "Message", "date", "category"), True),
        (("", "text", "label"), True),
        (("label", "v2"), False),
        (("text", "age", "label"), False),
        (("age", "label"), False),
    ],
)
def test_the_rule_that_tells_texts_from_fields(columns: tuple[str, ...], expected: bool, tmp_path: Path) -> None:
    assert is_text(columns, Asked()) is expected
    rows = [columns, tuple("ab"[i % 2] for i in range(len(columns))), tuple("ba"[i % 2] for i in range(len(columns)))]
    source = open_source(put(tmp_path / "a.csv", written(rows)))
    assert isinstance(source, TextTableSource if expected else TableSource)


def test_what_is_asked_for_wins_over_names(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text,label\nhello,a\nbye,b\n")
    assert open_source(path).kind == "text"
    assert open_source(path, kind="table").kind == "table"
    assert open_source(path, fields={"text": "category"}).kind == "table"
    other = put(tmp_path / "b.csv", "text,age,label\nhello,1,a\nbye,2,b\n")
    assert open_source(other).kind == "table"
    assert open_source(other, text="text").kind == "text"
    assert open_source(other, kind="text").kind == "text"


def test_only_a_plain_name_is_the_label(tmp_path: Path) -> None:
    for name in ("target", "Label", "CLASS", "y"):
        assert opened(put(tmp_path / "a.csv", f"age,{name}\n1,a\n2,b\n")).describe().endswith(f"labels in {name!r}")
    path = put(tmp_path / "b.csv", "age,income\n1,a\n2,b\n")
    with pytest.raises(UsageError, match=r"which column is the label.*'age', 'income'.*--label"):
        open_source(path)
    assert opened(path, label="income").describe() == "a CSV file with 1 input field, labels in 'income'"
    with pytest.raises(UsageError, match=r"'y', 'label' could each be it"):
        open_source(put(tmp_path / "c.csv", "y,label,a\n1,2,3\n"))
    with pytest.raises(UsageError, match=r"no column 'Age'.*Did you mean 'age'"):
        open_source(path, label="Age")
    with pytest.raises(UsageError, match="'income' cannot be label and group at once"):
        open_source(path, label="income", group="income")


def test_ragged_rows_are_quarantined(tmp_path: Path) -> None:
    source = opened(put(tmp_path / "a.csv", "\n\na,b,target\n1,2,x\n3,y\n\n4,5,6,y\n7,8,\n9,9,y\n"))
    assert problems(source) == [
        ("5", "bad record", "2 cells where the first line has 3"),
        ("6", "bad record", "4 cells where the first line has 3"),  # blank lines between rows do not count
        ("7", "no label", ""),
    ]
    assert [row["a"] for row in inputs(source)] == [1.0, 9.0]


def pieces(path: Path) -> list[Piece | Problem]:
    member = next(iter(SingleFile(path)))
    assert isinstance(member, Member)
    return list(TextTable(SingleFile(path), {member.name: sniffed(member)}).pieces())


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    source = opened(put(tmp_path / "a.csv", 'a,target\n1,x\n2,y\n1,"x\n1,x\n1,x\n'))
    assert problems(source) == [("4", "bad record", "a quote that is never closed")]
    assert [row["a"] for row in inputs(source)] == [1.0, 2.0]
    first, second = pieces(put(tmp_path / "b.csv", 'target\nx\n"y\nx'))
    assert isinstance(first, Piece)
    assert first.batch.to_pydict() == {"target": ["x"]}
    assert isinstance(second, Problem)
    assert second.origin.endswith("b.csv:3")


def test_a_file_of_one_column_keeps_its_last_row(tmp_path: Path) -> None:
    (piece,) = pieces(put(tmp_path / "a.csv", "target\nx\ny"))
    assert isinstance(piece, Piece)
    assert piece.batch.to_pydict() == {"target": ["x", "y"]}


def test_a_record_longer_than_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular_csv, "BLOCK", 64)
    long = "many words " * 50
    rows = ["a,b,target", *["1,2,x"] * 20, "3", f'4,"{long}\n",y', "5", "6,7,y"]
    source = opened(put(tmp_path / "a.csv", "\n".join(rows)), fields={"b": "text"})
    found = inputs(source)
    assert [row["a"] for row in found] == [1.0] * 20 + [4.0, 6.0]
    assert found[20]["b"] == long.strip()
    assert [detail for _, _, detail in problems(source)] == ["1 cells where the first line has 3"] * 2


texts = st.text(st.sampled_from('ab ,;"\n\r\0\u00e9\u20ac'), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=12), block=st.sampled_from([24, 64, 1 << 20]))
def test_what_csv_writes_is_read_back(rows: list[tuple[str, str]], block: int, tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", written([("a", "target"), *rows]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabular_csv, "BLOCK", block)
        found: list[tuple[str, str]] = []
        for piece in pieces(path):
            assert not isinstance(piece, Problem), piece
            found += zip(*(piece.batch.column(i).to_pylist() for i in range(2)), strict=True)
    assert found == rows


@pytest.mark.parametrize("block", range(20, 40))
def test_a_line_end_in_a_cell_across_two_blocks(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular_csv, "BLOCK", block)
    rows = [(";,", ";,"), (";\r\n", ""), ("\r\r\n", "\n\r")]
    found: list[tuple[str, str]] = []
    for piece in pieces(put(tmp_path / "a.csv", written([("a", "target"), *rows]))):
        assert isinstance(piece, Piece)
        found += zip(*(piece.batch.column(i).to_pylist() for i in range(2)), strict=True)
    assert found == rows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(junk=st.binary(max_size=200), name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl"]))
def test_any_bytes_give_rows_problems_or_an_error_of_ours(junk: bytes, name: str, tmp_path: Path) -> None:
    head = {"a.csv": b"a,target\n1,x\n", "a.tsv": b"a\ttarget\n1\tx\n", "a.jsonl": b'{"a": 1, "target": "x"}\n'}[name]
    with contextlib.suppress(UsageError, TooFewRows):
        for row in open_source(put(tmp_path / name, head + junk), kind="table").rows():
            assert isinstance(row, Row | Problem)


def test_nul_characters_stay_in_their_cell(tmp_path: Path) -> None:
    source = opened(put(tmp_path / "a.csv", b"a,target\nx\0y,1\nz,2\nz,2\n"))
    assert inputs(source)[0] == {"a": "x\0y"}


def test_columns_with_one_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.csv bear the same name.*'a', 'b'"):
        open_source(put(tmp_path / "a.csv", "a,b,a,b,target\n1,2,3,4,x\n"))


def test_a_column_without_a_name(tmp_path: Path) -> None:
    source = opened(put(tmp_path / "a.csv", "a,target, \n1,x,2\n2,y,3\n"))
    assert inputs(source) == [{"a": 1.0, "column_3": 2.0}, {"a": 2.0, "column_3": 3.0}]
    assert source.notes()[0] == "The column without a name is called 'column_3'."
    with pytest.raises(UsageError, match=r"same name.*'column_2'"):
        open_source(put(tmp_path / "b.csv", "column_2,,target\n1,2,x\n"))


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", ""), ("a.csv", "\n\n"), ("a.jsonl", "\n"), ("a.csv", "a,target\n")]
)
def test_nothing_to_learn_from(name: str, content: str, tmp_path: Path) -> None:
    with pytest.raises(TooFewRows):
        open_source(put(tmp_path / name, content), kind="table")


def test_later_cells_that_do_not_fit_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular, "INFER_ROWS", 10)
    rows = [("n", "target")] + [(str(i % 7), "ab"[i % 2]) for i in range(20)] + [("soon", "a"), ("never", "b")]
    source = opened(put(tmp_path / "a.csv", written(rows)))
    assert [field.kind for field in source.fields if field.name == "n"] == ["number"]
    assert not source.notes()
    for _ in range(2):  # reading again does not count twice
        assert [row["n"] for row in inputs(source)][-2:] == [None, None]
        assert source.notes() == ["n: 2 cells are no number and count as missing"]


def test_useless_and_mixed_columns(tmp_path: Path) -> None:
    rows = [(str(i % 3) if i != 50 else "inf", "", "same", "ab"[i % 2]) for i in range(200)]
    source = opened(put(tmp_path / "a.csv", written([("n", "none", "one", "target"), *rows])))
    roles = {field.name: field.role for field in source.fields}
    assert roles == {"n": "input", "none": "left out", "one": "left out", "target": "label"}
    assert any(note.startswith("none ") for note in source.notes())
    assert any(note.startswith("one ") for note in source.notes())
    found = inputs(source)
    assert (found[50], found[51]) == ({"n": None}, {"n": 0.0})


def test_dates_in_three_formats(tmp_path: Path) -> None:
    rows = [("when", "target")]
    rows += [(day, "ab"[i % 2]) for i, day in enumerate(["2003-11-03", "03/11/2003", "2003-11-03T00:00:00Z"] * 5)]
    assert {row["when"] for row in inputs(opened(put(tmp_path / "a.csv", written(rows))))} == {1067817600.0}


def test_very_many_categories(tmp_path: Path) -> None:
    rows = [("word", "target")] + [(f"w{i % 100_000}", "ab"[i % 2]) for i in range(100_010)]
    source = opened(put(tmp_path / "a.csv", written(rows)), fields={"word": "category"})
    assert len({row["word"] for row in inputs(source)}) == 100_000


def test_roles(tmp_path: Path) -> None:
    rows = [("n", "target", "when", "who", "part", "w"), ("1", "2.5", "2003-11-03", "x", "train", "2")]
    rows += [
        ("2", "3.5", "", "", "test", "0.5"),
        ("3", "4.5", "2003-11-04", "y", "train", "-1"),
        ("3", "x", "", "", "", "1"),
    ]
    asked = {"time": "when", "group": "who", "side": "part", "weight": "w", "task": "regression"}
    source = opened(put(tmp_path / "a.csv", written(rows)), fields={"target": "number"}, **asked)
    assert source.task == "regression"
    found = [row for row in source.rows() if isinstance(row, Row)]
    assert [(r.value, r.label, r.time, r.group, r.side, r.weight) for r in found] == [
        (2.5, None, 1067817600, "x", "train", 2.0),
        (3.5, None, None, None, "test", 0.5),
    ]
    assert problems(source) == [("4", "bad record", "its weight is no number from 0 to 1e+100"), ("5", "no label", "")]


def test_options_that_cannot_be_meant(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "a,target\n1,x\n2,y\n")
    for options, match in (
        ({"fields": {"a": "colour"}}, "kind 'colour'.*number, category"),
        ({"fields": {"b": "number"}}, "no column 'b'"),
        ({"task": "guessing"}, "Unknown task"),
        ({"weight": "w"}, "no column 'w'"),
        ({"query": "select 1"}, "needs an SQLite database"),
        ({"sheet": "s"}, "needs an Excel workbook"),
        ({"kind": "video"}, "Unknown kind"),
    ):
        with pytest.raises(UsageError, match=match):
            open_source(path, **options)
    with pytest.raises(UsageError, match="weight is for tables"):
        open_source(put(tmp_path / "m.eml", "From: a@b.org\nTo: c@d.org\nSubject: x\n\nhello"), weight="w")


def test_json_lines(tmp_path: Path) -> None:
    lines = ['{"a": 1, "b": true, "target": 1}', '{"b": false, "target": 0, "c": {"z": [1]}}', "{", "[1]"]
    lines += ['{"a": 2.5, "b": null, "target": 1, "c": "\\ud800"}']
    source = opened(put(tmp_path / "a.jsonl", "\n".join(lines)), fields={"c": "category"})
    assert inputs(source) == [
        {"a": 1.0, "b": 1.0, "c": None},
        {"a": None, "b": 0.0, "c": '{"z": [1]}'},
        {"a": 2.5, "b": None, "c": "?"},
    ]
    assert [(line, detail) for line, _, detail in problems(source)] == [("3", "not JSON"), ("4", "not a JSON object")]


def test_a_folder_of_tables(tmp_path: Path) -> None:
    put(tmp_path / "b.csv", "target,a\ny,3\n")
    put(tmp_path / "a.csv", "a,target\n1,x\n2,y\n")
    put(tmp_path / "README", "about")
    source = opened(tmp_path)
    assert [row["a"] for row in inputs(source)] == [1.0, 2.0, 3.0]
    assert source.describe() == (
        "a CSV file and 1 more with the same columns in a folder with 1 input field, labels in 'target'"
    )
    before = source.signature()
    put(tmp_path / "b.csv", "target,a\ny,33\n")
    assert opened(tmp_path).signature() != before
    put(tmp_path / "c.csv", "target,b\nx,1\n")
    with pytest.raises(UsageError, match=r"c\.csv has other columns than a\.csv.*lacks 'a'; it has besides 'b'"):
        open_source(tmp_path)


def test_an_archive_of_tables(tmp_path: Path) -> None:
    for packed in ("t.tar.gz", "t.tar"):
        with tarfile.open(tmp_path / packed, "w:gz" if packed.endswith("gz") else "w") as tar:
            for name, text in (("d/a.csv", "a,target\n1,x\n2,y\n"), ("d/b.csv", "a,target\n3,x\n")):
                info = tarfile.TarInfo(name)
                info.size = len(text)
                tar.addfile(info, io.BytesIO(text.encode()))
        assert [row["a"] for row in inputs(opened(tmp_path / packed))] == [1.0, 2.0, 3.0]


def test_a_folder_without_tables(tmp_path: Path) -> None:
    put(tmp_path / "a.txt", "hello")
    with pytest.raises(UnknownSource, match="holds no table"):
        open_source(tmp_path, kind="table")


def test_batches_are_bounded(tmp_path: Path) -> None:
    found = pieces(put(tmp_path / "a.csv", "target\n" + "x\ny\n" * 100_000))
    sizes = [piece.batch.num_rows for piece in found if isinstance(piece, Piece)]
    assert (sum(sizes), max(sizes) <= 65_536) == (200_000, True)


def test_nothing_that_tells_rows_apart(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "one,target\n" + "same,x\nsame,y\n" * 20)
    with pytest.raises(UsageError, match=r"No column is left.*'one' \(all cells are equal\).*--field"):
        open_source(path)


@pytest.mark.parametrize("name", ["random.csv", "random.tsv", "random.jsonl", "random.csv.gz", "folder/random.csv"])
def test_what_is_not_text_is_no_table(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    content = random.Random(7).randbytes(50_000)
    put(path, gzip.compress(content) if name.endswith(".gz") else content)
    given = path if path.parent == tmp_path else path.parent
    if given.is_dir():
        put(given / "fine.csv", "a,label\n1,x\n")
    with pytest.raises(UnknownSource) as raised:
        open_source(given)
    assert raised.value.found == "binary data"
    assert "random." in str(raised.value)


@given(st.binary(min_size=2_000, max_size=4_000))
def test_any_bytes_are_refused_or_read(content: bytes) -> None:
    with contextlib.suppress(UnknownSource, TooFewRows):
        assert sniffed(Member("a.csv", len(content), lambda: io.BytesIO(content))).columns
