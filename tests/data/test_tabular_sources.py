"""Tables of fields in files with types, databases, workbooks and memory."""

from __future__ import annotations

import datetime
import sqlite3
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from lithify.data import cells, tabular_files, tabular_parts
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.tabular import TableSource
from lithify.errors import DamagedSource, MissingExtra, TooFewRows, UnknownSource, UnsafeSource, UsageError

DAY = datetime.datetime(2003, 11, 3)
COLUMNS = {
    "n": [1, 2, None, 4],
    "f": [0.5, -0.25, 1e300, None],
    "s": ["a", "b", None, "a"],
    "b": [True, False, None, True],
    "t": [DAY, DAY + datetime.timedelta(1), None, DAY],
    "target": ["x", "y", "x", "y"],
}
SECONDS = 1067817600.0
EXPECTED = [
    {"n": 1.0, "f": 0.5, "s": "a", "b": 1.0, "t": SECONDS},
    {"n": 2.0, "f": -0.25, "s": "b", "b": 0.0, "t": SECONDS + 86400},
    {"n": None, "f": 1e300, "s": None, "b": None, "t": None},
    {"n": 4.0, "f": None, "s": "a", "b": 1.0, "t": SECONDS},
]


def opened(thing: Any, **options: Any) -> TableSource:
    source = open_source(thing, **options)
    assert isinstance(source, TableSource)
    return source


def inputs(source: TableSource) -> list[dict[str, Any]]:
    found = [row.content for row in source.rows() if isinstance(row, Row)]
    at, held = cells.layout(source.fields), cells.decode(source.fields, found)
    columns: dict[str, list[Any]] = {}
    for i, field in enumerate(at.numbers):
        columns[field.name] = [None if v != v else v for v in held.numbers[:, i].tolist()]
    for i, field in enumerate(at.strings):
        columns[field.name] = list(held.strings[i])
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def labels(source: TableSource) -> list[str | None]:
    return [row.label for row in source.rows() if isinstance(row, Row)]


# --- Parquet and Arrow ----------------------------------------------------------------------------------------------


def save(path: Path, table: pa.Table) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    elif path.suffix == ".feather":
        feather.write_feather(table, str(path))
    else:
        make = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
        with make(path, table.schema) as writer:
            writer.write_table(table)
    return path


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("parquet", "a Parquet file"),
        ("feather", "an Arrow file"),
        ("arrow", "an Arrow file"),
        ("arrows", "a file of an Arrow stream"),
    ],
)
def test_files_with_types(ending: str, words: str, tmp_path: Path) -> None:
    source = opened(save(tmp_path / f"a.{ending}", pa.table(COLUMNS)))
    assert inputs(source) == EXPECTED
    assert labels(source) == ["x", "y", "x", "y"]
    assert source.describe() == f"{words} with 5 input fields, labels in 'target'"
    assert [row.origin.rpartition(":")[2] for row in source.rows()] == ["1", "2", "3", "4"]


def test_types_of_all_sorts(tmp_path: Path) -> None:
    values = {
        "i8": (pa.int8(), [1, 2], [1.0, 2.0]),
        "u64": (pa.uint64(), [2**63, 5], [2.0**63, 5.0]),
        "f16": (pa.float16(), [np.float16(0.5), np.float16(2)], [0.5, 2.0]),
        "dec": (pa.decimal128(9, 2), [1, 2], [1.0, 2.0]),
        "day": (pa.date32(), [DAY.date()] * 2, [SECONDS] * 2),
        "zone": (pa.timestamp("ns", "Europe/Paris"), [DAY] * 2, [SECONDS] * 2),
        "long": (pa.duration("ms"), [datetime.timedelta(seconds=1.5)] * 2, [1.5] * 2),
        "dict": (pa.dictionary(pa.int8(), pa.string()), ["p", "q"], ["p", "q"]),
        "large": (pa.large_string(), ["p", "q"], ["p", "q"]),
        "view": (pa.string_view(), ["p", "q"], ["p", "q"]),
        "bytes": (pa.binary(), [b"p", b"\xff"], ["p", None]),
        "list": (pa.list_(pa.int8()), [[1], [2, 3]], ["[1]", "[2, 3]"]),
    }
    arrays: dict[str, Any] = {name: pa.array(held, type=kind) for name, (kind, held, _) in values.items()}
    kinds = {name: "category" for name, (_, _, found) in values.items() if isinstance(found[0], str)}
    numbers = {"day": "time", "zone": "time"} | dict.fromkeys(("i8", "u64", "f16", "dec", "long"), "number")
    source = opened(pa.table(arrays | {"target": ["x", "y"]}), fields=kinds | numbers)
    held = {name: v for name, (_, _, v) in values.items()}
    found = inputs(source)
    for name, expected in held.items():
        if any(field.name == name and field.role == "input" for field in source.fields):
            assert [row[name] for row in found] == expected, name
        else:
            assert name in ("day", "zone", "long"), name  # all cells equal


def test_batches_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular_files, "BATCH_ROWS", 100)
    table = pa.table({"n": np.arange(1000.0) % 7, "target": ["x", "y"] * 500})
    for ending in ("parquet", "arrow"):
        source = opened(save(tmp_path / f"a.{ending}", table))
        pieces = [piece for piece in source._part.pieces() if not isinstance(piece, Problem)]
        assert {len(piece.numbers) for piece in pieces} == {100}
        assert len(inputs(source)) == 1000


def test_damaged_files(tmp_path: Path) -> None:
    for ending in ("parquet", "arrow"):
        path = save(tmp_path / f"a.{ending}", pa.table(COLUMNS))
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(DamagedSource):
            open_source(path)
    path = save(tmp_path / "b.arrow", pa.table({"s": ["abc"] * 500, "target": ["x", "y"] * 250}))
    raw = bytearray(path.read_bytes())
    at = raw.index(np.arange(0, 1500, 3, dtype="<i4").tobytes())
    raw[at + 40 : at + 44] = b"\xff\xff\xff\x7f"  # an offset that leads far outside
    path.write_bytes(raw)
    with pytest.raises(DamagedSource):
        open_source(path)


def test_packed_parquet_says_what_to_do(tmp_path: Path) -> None:
    import gzip

    path = save(tmp_path / "a.parquet", pa.table(COLUMNS))
    packed = tmp_path / "a.parquet.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(UnknownSource, match="Unpack it first"):
        open_source(packed)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "a.parquet")
    with pytest.raises(UnknownSource, match=r"inside of a zip archive.*Unpack it"):
        open_source(tmp_path / "a.zip")
    with pytest.raises(UsageError, match="is a table, and not one of mail"):
        open_source(path, kind="mail")


def test_a_folder_of_files_with_other_types(tmp_path: Path) -> None:
    save(tmp_path / "b.parquet", pa.table({"target": ["x"], "n": pa.array([2.5]), "m": pa.array(["1"])}))
    save(tmp_path / "a.parquet", pa.table({"n": [1], "m": [7], "target": ["y"]}))
    source = opened(tmp_path)
    assert inputs(source) == [{"m": 7.0, "n": 1.0}, {"m": 1.0, "n": 2.5}]
    assert "a Parquet file and 1 more" in source.describe()
    save(tmp_path / "c.parquet", pa.table({"n": [1], "target": ["y"]}))
    with pytest.raises(UsageError, match=r"c\.parquet has other columns.*lacks 'm'"):
        open_source(tmp_path)


# --- SQLite ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as made:
        made.execute("create table people (age integer, job text, photo blob, target text)")
        rows = [(i % 9, "clerk" if i % 2 else None, b"\xff", "xy"[i % 2]) for i in range(5000)]
        made.executemany("insert into people values (?, ?, ?, ?)", rows)
    made.close()
    return path


def test_the_only_table_of_a_database(base: Path) -> None:
    source = opened(base)
    found = inputs(source)
    assert (len(found), found[1], found[2]["job"]) == (5000, {"age": 1.0, "job": "clerk"}, None)
    assert source.describe().startswith("the table 'people' of an SQLite database with 2 input fields")
    assert sorted(path.name for path in base.parent.iterdir()) == ["a.db"]


def test_a_query(base: Path) -> None:
    source = opened(base, query="select age * 2 as twice, target from people where age > 6 limit 10", kind="table")
    assert [row["twice"] for row in inputs(source)] == [14.0, 16.0] * 5
    assert source.signature() != opened(base, query="select age, target from people").signature()


@pytest.mark.parametrize(
    "query",
    [
        "delete from people",
        "drop table people",
        "select 1; select 2",
        "attach database 'other.db' as other",
        "pragma journal_mode = delete",
        "select load_extension('x')",
        "select * from nothing",
        "not sql",
    ],
)
def test_a_query_only_reads_this_database(query: str, base: Path) -> None:
    before = base.read_bytes()
    with pytest.raises(UsageError, match="SQLite does not take the query"):
        open_source(base, query=query)
    assert base.read_bytes() == before


def test_which_table(base: Path, tmp_path: Path) -> None:
    with sqlite3.connect(base) as made:
        made.execute('create table "other ""one" (n real, label text)')
        made.execute('insert into "other ""one" values (1.5, 1), (2.5, 0)')
    made.close()
    with pytest.raises(UsageError, match=r"several tables.*'other \"one', 'people'.*--sheet"):
        open_source(base)
    assert [row["n"] for row in inputs(opened(base, sheet='other "one'))] == [1.5, 2.5]
    with pytest.raises(UsageError, match="no table 'people2'"):
        open_source(base, sheet="people2")
    with pytest.raises(UsageError, match="not both"):
        open_source(base, sheet="people", query="select 1")
    sqlite3.connect(tmp_path / "b.db").execute("vacuum").connection.close()
    if (tmp_path / "b.db").stat().st_size:
        with pytest.raises(TooFewRows, match="holds no table"):
            open_source(tmp_path / "b.db")


def test_a_database_with_a_log_is_left_as_it_is(base: Path) -> None:
    made = sqlite3.connect(base)
    made.execute("pragma journal_mode = wal")
    made.close()
    assert [path.name for path in base.parent.iterdir()] == ["a.db"]
    before = base.read_bytes()
    assert len(inputs(opened(base))) == 5000
    assert [path.name for path in base.parent.iterdir()] == ["a.db"]
    assert base.read_bytes() == before
    writer = sqlite3.connect(base)
    writer.execute("insert into people values (1, 'new', null, 'x')")
    writer.commit()
    assert len(inputs(opened(base))) == 5001  # what only the log holds is read too
    writer.close()


def test_a_damaged_database(base: Path) -> None:
    raw = base.read_bytes()
    base.write_bytes(raw[:3000] + b"\xff" * (len(raw) - 3000))
    with pytest.raises(DamagedSource):
        list(open_source(base).rows())


# --- Excel ----------------------------------------------------------------------------------------------------------


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_workbook(tmp_path: Path) -> None:
    rows: list[list[Any]] = [[None], ["n", "s", "t", "b", "target"]]
    rows += [
        [1, "a", DAY, True, "x"],
        [],
        [2.5, None, DAY + datetime.timedelta(1), False, "y"],
        ["#N/A", "b", None, None, "x"],
    ]
    path = workbook(tmp_path / "a.xlsx", data=rows, more=[["n", "class"], [1, "p"], [2, "q"]])
    source = opened(path)
    assert inputs(source) == [
        {"n": 1.0, "s": "a", "t": SECONDS, "b": 1.0},
        {"n": 2.5, "s": None, "t": SECONDS + 86400, "b": 0.0},
        {"n": None, "s": "b", "t": None, "b": None},
    ]
    assert [row.origin.rpartition(":")[2] for row in source.rows()] == ["3", "5", "6"]
    assert source.notes()[0] == "Only the sheet 'data' is read, not 'more'."
    assert labels(opened(path, sheet="more")) == ["p", "q"]
    with pytest.raises(UsageError, match=r"no sheet 'x'.*'data', 'more'"):
        open_source(path, sheet="x")


def test_workbooks_that_are_not_tables(tmp_path: Path) -> None:
    wide = workbook(tmp_path / "a.xlsx", data=[["n", "target"], [1, "x", "more"], [2, "y"], [3, "y"]])
    found = [row for row in opened(wide).rows() if isinstance(row, Problem)]
    assert [row.detail for row in found] == ["3 cells where the first row has 2"]
    with pytest.raises(TooFewRows, match="is empty"):
        open_source(workbook(tmp_path / "b.xlsx", data=[[]]))
    with pytest.raises(UsageError, match="same name"):
        open_source(workbook(tmp_path / "c.xlsx", data=[["a", "a", "target"], [1, 2, 3]]))
    with zipfile.ZipFile(tmp_path / "d.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook")
    with pytest.raises(DamagedSource):
        open_source(tmp_path / "d.xlsx")


def test_a_workbook_that_is_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lithify.data import tabular_excel

    monkeypatch.setattr(tabular_excel, "MIN_BOMB", 1 << 20)
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", " " * (4 << 20))
    with pytest.raises(UnsafeSource):
        open_source(path)


def test_excel_needs_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "a.xlsx", data=[["n", "target"], [1, "x"]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtra, match=r"pip install 'lithify\[excel\]'"):
        open_source(path)


# --- memory ---------------------------------------------------------------------------------------------------------


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(COLUMNS)
    frame["b"] = frame["b"].astype("boolean")
    source = opened(frame)
    assert inputs(source) == EXPECTED
    assert source.describe() == "a pandas frame with 5 input fields, labels in 'target'"
    assert [row.origin for row in source.rows()] == ["row:0", "row:1", "row:2", "row:3"]
    frame["c"] = pd.Categorical([3, 3, 1, 1])
    frame["mixed"] = [1, "a", None, {"k": 2}]
    frame.index.name = "who"
    source = opened(frame.set_index([[5, 6, 7, 8]]).rename_axis("who"), fields={"mixed": "category"})
    assert [(row["c"], row["mixed"]) for row in inputs(source)] == [
        ("3", "1"), ("3", "a"), ("1", None), ("1", '{"k": 2}'),
    ]  # fmt: skip
    assert source.notes()[0].startswith("The index 'who' is left out")
    with pytest.raises(UsageError, match=r"same name.*'n'"):
        open_source(pd.concat([frame, frame[["n"]]], axis=1))


def test_polars() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(COLUMNS)
    assert inputs(opened(frame)) == EXPECTED
    assert inputs(opened(frame.with_columns(pl.col("s").cast(pl.Categorical)))) == EXPECTED
    with pytest.raises(UsageError, match="collect"):
        open_source(frame.lazy())
    assert inputs(opened((frame.drop("target"), frame["target"]))) == EXPECTED


def test_arrow_and_dicts() -> None:
    table = pa.table(COLUMNS)
    assert inputs(opened(table)) == EXPECTED
    assert inputs(opened(table.to_batches()[0])) == EXPECTED
    assert inputs(opened(COLUMNS)) == EXPECTED
    with pytest.raises(UsageError, match="only once"):
        open_source(table.to_reader())
    with pytest.raises(UsageError, match="different lengths"):
        open_source({"a": [1, 2], "target": ["x"]})
    with pytest.raises(UnknownSource, match="pandas or Polars frame"):
        open_source(object())


def test_arrays() -> None:
    x, y = np.array([[1.0, np.nan], [np.inf, 4.0], [5.0, 6.0]]), np.array(["p", "q", "p"])
    source = opened((x, y))
    assert inputs(source) == [{"c0": 1.0, "c1": None}, {"c0": None, "c1": 4.0}, {"c0": 5.0, "c1": 6.0}]
    assert labels(source) == ["p", "q", "p"]
    assert opened((x, np.array([0.5, 1.5, 2.5]))).task == "regression"
    assert opened((x, y), label="price").describe().endswith("labels in 'price'")
    assert inputs(opened(x, label="c1")) == [{"c0": None}, {"c0": 5.0}]  # the first row has no label
    made = np.array([(1, "a", 0), (2, "b", 1)], dtype=[("n", "i4"), ("s", "U3"), ("target", "i8")])
    assert inputs(opened(made)) == [{"n": 1.0, "s": "a"}, {"n": 2.0, "s": "b"}]
    with pytest.raises(UsageError, match="two dimensions"):
        open_source(y)
    with pytest.raises(UsageError, match="'target' of its own"):
        open_source((made, [0, 1]))


def test_a_frame_is_told_by_its_cells() -> None:
    one, two = ({"n": [1, value], "target": ["x", "y"]} for value in (2, 3))
    assert opened(one).signature() == opened(dict(one)).signature() != opened(two).signature()


def test_the_same_table_from_everywhere_has_the_same_rows(tmp_path: Path) -> None:
    table = pa.table({"n": [1.5, 2.0, None], "s": ["a", "b", "a"], "target": ["x", "y", "x"]})
    text = "n,s,target\n1.5,a,x\n2.0,b,y\n,a,x\n"
    (tmp_path / "a.csv").write_text(text)
    save(tmp_path / "a.parquet", table)
    things: list[Any] = [table, tmp_path / "a.csv", tmp_path / "a.parquet", table.to_pydict()]
    found = [[row.key for row in opened(thing).rows() if isinstance(row, Row)] for thing in things]
    assert all(keys == found[0] for keys in found)


def test_cells_as_text_are_read_back() -> None:
    for value in (0.1, 1e-300, -5, 2**70, True, DAY):
        text = tabular_parts.cell_text(value)
        assert text is not None
        if not isinstance(value, (bool, datetime.datetime)):
            assert float(text) == value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tabular_parts.cell_text(np.datetime64("NaT")) is None
    assert tabular_parts.cell_text(np.float32(0.5)) == "0.5"
