"""Features of tables: every promise of features, and what the blocks hold."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify import canon, rng
from lithify.checks import feature_checks
from lithify.checks.common import HOSTILE, block_digest, through_a_file
from lithify.data import params as parameters
from lithify.data.cells import encode_row
from lithify.data.schema import Field
from lithify.data.state import State
from lithify.errors import DataError, MalformedContainer
from lithify.features import lists
from lithify.features.lists import Counts
from lithify.features.table import Table, TableParams
from lithify.features.times import parts, parts_of
from lithify.training.stages import take

ALL = (("age", "number"), ("job", "category"), ("married", "boolean"), ("note", "text"), ("seen", "time"))
JOBS = ["clerk", "smith", "baker", "né", ""]
NOTES = ["Paid late, twice.", "paid “in” time", "", "never paid; never seen", "café"]


def made(fields, **params) -> Table:
    return Table(TableParams(fields=tuple(sorted(fields)), **params))


def rows_of(fields, records) -> list[bytes]:
    schema = tuple(Field(name, kind, "input") for name, kind in fields)
    return [encode_row(schema, record)[0] for record in records]


def record(i: int) -> dict[str, object]:
    return {
        "age": None if i % 7 == 0 else 20.5 + i * i % 50,
        "job": JOBS[i % 5] if i else "only once",
        "married": i % 3 == 0,
        "note": NOTES[i % 5],
        "seen": None if i % 6 == 0 else 86400.0 * 400 * i + 3600 * (i % 24),
    }


ROWS = rows_of(ALL, [record(i) for i in range(40)])
ODD = rows_of(ALL, [{}, {"age": 1e30, "seen": "9999-12-31", "job": "new"}, {"age": -1e30, "seen": "0001-01-01"}])
ONE = (("c", "category"),)
CASES = {
    "everything": (made(ALL, min_category_rows=4, words=5), ROWS, ODD),
    "as it comes": (made(ALL), ROWS, ODD),
    "without parts of times": (made(ALL, time_parts=False, words=0), ROWS, ODD),
    "numbers": (made([("a", "number")]), rows_of([("a", "number")], [{"a": i} for i in range(9)]), []),
    "categories": (made(ONE, min_category_rows=2), rows_of(ONE, [{"c": i % 3} for i in range(9)]), []),
}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{on}-{name}")
        for on, (features, rows, odd) in CASES.items()
        for name, check in feature_checks(features, rows, odd)
    ],
)
def test_contract(check) -> None:
    check()


def test_what_the_blocks_hold():
    table = made(ALL, min_category_rows=2, words=3)
    state = table.fit([ROWS])
    one = rows_of(
        ALL, [{"age": 39, "job": "smith", "married": "no", "note": "PAID paid", "seen": "2001-09-09 01:46:40"}]
    )
    blocks = table.transform(state, one)
    assert blocks["numbers"].values.tolist() == [[39.0, 0.0, 1e9, 2001.0, 9.0, 6.0, 1.0]]
    names = [(column.block, column.name, column.kind, column.field) for column in table.columns(state)]
    assert names[:7] == [
        ("numbers", "age", "number", "age"),
        ("numbers", "married", "boolean", "married"),
        ("numbers", "seen", "time", "seen"),
        *[("numbers", f"seen {part}", "number", "seen") for part in ("year", "month", "weekday", "hour")],
    ]
    column = table.columns(state)[7]
    assert (column.block, column.name, column.values) == ("categories", "job", ("baker", "clerk", "né", "smith"))
    assert blocks["categories"].sizes == (6,)
    assert blocks["categories"].values.tolist() == [[2 + column.values.index("smith")]]
    assert [name for _, name, *_ in names[8:]] == ["note: café", "note: in", "note: paid"]
    assert blocks["words"].values.tolist() == [[0.0, 0.0, 1.0]]
    assert [span.text for span in table.spans(state, one[0])] == [
        "age = 39", "job = smith", "married = false", "note = PAID paid", "seen = 2001-09-09T01:46:40",
    ]  # fmt: skip


def test_missing_rare_and_unseen_values_have_codes_of_their_own():
    table = made(ALL, min_category_rows=2)
    state = table.fit([ROWS])
    jobs = [{"job": None}, {"job": "only once"}, {"job": "never"}, {"job": "baker"}]
    assert table.transform(state, rows_of(ALL, jobs))["categories"].values.tolist() == [[0], [1], [1], [2]]


def test_columns_looked_up_at_once_or_one_by_one_are_the_same(monkeypatch):
    fields = (("job", "category"), ("home", "category"), ("note", "text"))
    records = [{"job": JOBS[i % 5], "home": JOBS[i % 3] if i % 4 else None, "note": NOTES[i % 5]} for i in range(60)]
    contents = rows_of(fields, records)
    table = made(fields, min_category_rows=1)
    state = table.fit([contents])
    at_once = table.transform(state, contents)
    monkeypatch.setattr("lithify.features.known._AT_ONCE", 0)
    one_by_one = made(fields, min_category_rows=1).transform(state, contents)
    assert np.array_equal(at_once["categories"].values, one_by_one["categories"].values)
    assert len(np.unique(at_once["categories"].values, axis=0)) > 5


def test_nothing_that_few_rows_have_is_kept():
    """Neither a value, nor a word, nor an extreme."""
    fields = (("job", "category"), ("note", "text"), ("pay", "number"))
    records = [{"job": "common", "note": "some words here", "pay": i % 10} for i in range(400)]
    records += [{"job": "secretagent", "note": "secretword", "pay": 123456.75} for _ in range(3)]
    state = made(fields).fit([rows_of(fields, records)])
    held = b"".join(array.tobytes() for array in state.arrays.values()) + canon.dumps(state.facts)
    assert b"common" in held
    assert b"secret" not in held
    assert struct.pack("<d", 123456.75) not in held


@pytest.mark.parametrize("bad", [*HOSTILE, ROWS[0] + b"x", ROWS[0][:-1]])
def test_what_is_no_row_is_refused(bad):
    table = made(ALL)
    state = table.fit([ROWS])
    for contents in ([bad], [ROWS[0], bad], [*ROWS, bad]):
        with pytest.raises(DataError, match="not of the fields"):
            table.transform(state, contents)


def test_the_commonest_categories_are_kept():
    fields = (("c", "category"),)
    rows = rows_of(fields, [{"c": f"v{i:03d}"} for i in range(50) for _ in range(i)])
    table = made(fields, max_categories=5)
    assert table.columns(table.fit([rows]))[0].values == ("v045", "v046", "v047", "v048", "v049")


@pytest.mark.parametrize("size", [7, 5000])
def test_rows_of_a_group_count_as_one(size: int):
    fields = (("c", "category"), ("t", "text"))
    cells = [{"c": "crowd", "t": "everywhere"} for _ in range(30)]
    cells += [{"c": "private", "t": "secret"} for _ in range(25)]
    cells += [{"c": None, "t": None} for _ in range(50)]
    cells += [{"c": f"odd {i % 2}", "t": "seldom"} for i in range(40)]
    group = np.array([*range(30), *(1000 + i % 9 for i in range(25)), *range(2000, 2050), *(i % 20 for i in range(40))])
    rows = rows_of(fields, cells)
    table = made(fields, min_category_rows=10)
    state = table.fit([rows[at : at + size] for at in range(0, len(rows), size)], group)
    names = {column.name: column.values for column in table.columns(state)}
    assert names["c"] == ("crowd", "odd 0", "odd 1")
    assert {"t: everywhere", "t: seldom"} <= names.keys()
    assert "t: secret" not in names
    alone = {column.name: column.values for column in table.columns(table.fit([rows]))}
    assert "private" in alone["c"]
    assert "t: secret" in alone
    table.audit(through_a_file(state))


def test_what_is_forgotten_is_counted_anew():
    counts = Counts(cap=4, least=3)
    for group in range(2):
        counts.add([(b"often", 5)])
        counts.met.add(b"often", group)
        counts.met.add(b"once", group)
    counts.add([(b"%d" % i, 1) for i in range(9)])
    assert not counts.met.often(b"often")
    counts.met.add(b"often", 2)
    counts.met.add(b"once", 2)
    assert counts.met.often(b"often")
    assert not counts.met.often(b"once")
    assert counts.chosen(most=9, grouped=True) == [(b"often", 10)]


def test_counts_are_exact_up_to_a_limit_and_never_too_high():
    counts = Counts(cap=100)
    truth: dict[bytes, int] = {}
    draws = rng.below(rng.key(1, "values"), 0, 1 << 20, 20_000) % rng.below(
        rng.key(2, "values"), 0, 1 << 20, 20_000
    ).clip(1)
    for start in range(0, len(draws), 50):
        some = [(b"%d" % value, 1) for value in (draws[start : start + 50] % 500 // 3).tolist()]
        some += [(b"common", 1)]
        counts.add(some)
        for value, _ in some:
            truth[value] = truth.get(value, 0) + 1
    assert not counts.exact
    assert len(counts.rows) <= 150
    assert all(count <= truth[value] for value, count in counts.rows.items())
    few = Counts(cap=100)
    few.add([(b"a", 2), (b"b", 1), (b"a", 1)])
    assert few.exact
    assert few.chosen(most=1) == [(b"a", 3)]
    assert few.chosen(most=9, below=2) == [(b"b", 1)]


def test_what_was_forgotten_is_said(monkeypatch):
    monkeypatch.setattr(lists, "CAP", 8)
    monkeypatch.setattr(Counts.__init__, "__defaults__", (8, 1))
    fields = (("c", "category"), ("n", "number"))
    table = made(fields)
    state = table.fit([rows_of(fields, [{"c": str(i), "n": i} for i in range(30)])])
    assert state.facts == {"rows": 30, "inexact": ["c"]}
    table.audit(through_a_file(state))


@given(st.datetimes(allow_imaginary=False))
def test_parts_of_times_are_those_of_the_calendar(moment):
    seconds = float(np.datetime64(moment, "s").astype(np.int64))
    expected = [moment.year, moment.month, moment.weekday(), moment.hour]
    assert parts_of(seconds) == parts(np.array([seconds]))[0].tolist() == expected


def test_times_out_of_the_calendar_have_no_parts():
    assert np.isnan(parts(np.array([np.nan, 1e300, -1e12]))).all()
    assert np.isnan([parts_of(value) for value in (np.nan, 1e300, -1e12)]).all()


def test_any_number_of_rows_gives_the_same():
    table = made(ALL, min_category_rows=2)
    state = table.fit([ROWS])
    whole = table.transform(state, ROWS)
    for count in (0, 1, 2, 8, 9, 40):
        blocks = table.transform(state, ROWS[:count])
        assert {len(block) for block in blocks.values()} == {count}
        assert block_digest(blocks) == block_digest(take(whole, np.arange(count)))


def test_parameters_go_through_json():
    params = TableParams(fields=ALL)
    document = parameters.plain(params)
    assert document["fields"][0] == ["age", "number"]
    assert parameters.read(TableParams, canon.loads(canon.dumps(document))) == params
    for wrong in (
        [["a"]], [["a", "number", "x"]], [["a", "colour"]], [["b", "text"], ["a", "text"]],
        [["a", "text"], ["a", "text"]], ["ab"], "ab", [[1, "text"]],
    ):  # fmt: skip
        with pytest.raises(parameters.Misfit, match="fields"):
            parameters.read(TableParams, {"fields": wrong})


def changed(state: State, name: str, change) -> State:
    array = state.arrays[name].copy()
    change(array)
    return State({**state.arrays, name: array}, state.facts)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("categories", lambda a: a.__setitem__(0, 255)),
        ("categories", lambda a: a.__setitem__(0, ord("z"))),
        ("categories_ends", lambda a: a.__setitem__(0, 0)),
        ("categories_ends", lambda a: a.__setitem__(-1, 1 << 60)),
        ("categories_ends", lambda a: a.__setitem__(0, -5)),
        ("categories_sizes", lambda a: a.__setitem__(0, 1 << 60)),
        ("categories_sizes", lambda a: a.__setitem__(0, -1)),
        ("categories_rows", lambda a: a.__setitem__(0, 3)),
        ("words_sizes", lambda a: a.__setitem__(0, 1)),
        ("words_rows", lambda a: a.__setitem__(0, 0)),
    ],
)
def test_a_state_that_lies_is_refused(name, change):
    table = made(ALL, min_category_rows=4, words=5)
    state = table.fit([ROWS])
    table.audit(state)
    with pytest.raises(MalformedContainer, match="features of a table"):
        table.audit(changed(state, name, change))


@pytest.mark.parametrize(
    "facts",
    [{}, {"rows": 40}, {"rows": -1, "inexact": []}, {"rows": 40, "inexact": ["age"]}, {"rows": 40.0, "inexact": []}],
)
def test_facts_that_lie_are_refused(facts):
    table = made(ALL)
    with pytest.raises(MalformedContainer, match="features of a table"):
        table.audit(State(table.fit([ROWS]).arrays, facts))


def test_a_text_is_cut_between_characters():
    """A sealed list holds no half character."""
    fields = (("t", "text"),)
    rows = rows_of(fields, [{"t": "x" * i + "é" * 40 + " tail"} for i in (0, 1) for _ in range(20)])
    table = made(fields, read=64)
    state = table.fit([rows])
    table.audit(through_a_file(state))
    assert [column.name for column in table.columns(state)] == ["t: " + "x" + "é" * 31, "t: " + "é" * 32]
