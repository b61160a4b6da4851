"""docs/model.md is enough to score a model of a table: a scorer written from the page alone."""

from __future__ import annotations

import datetime
import functools
import itertools
import math
import re
import struct
from collections.abc import Callable
from typing import Any

import pytest
from tests.training import tables

from lithify.data.cells import encode_row
from lithify.data.open import open_source
from lithify.data.snapshot import open_snapshot
from lithify.data.snapshotting import snapshot
from lithify.model.model import Model, open_model
from lithify.recipe import parse
from lithify.store.home import open_home
from lithify.training.run import Settings, train

Tensors = dict[str, Any]
TINY = 1.0000000180025095e-35
EPOCH = datetime.datetime(1970, 1, 1)


# --- from cells to columns ------------------------------------------------------------------------------------------


def encoded(cells: dict[str, Any], fields: list[list[str]]) -> bytes:
    head, lengths, tail = b"", b"", b""
    for name, kind in fields:
        cell = cells.get(name)
        if kind in ("number", "boolean", "time"):
            head += bytes.fromhex("000000000000f87f") if cell is None else struct.pack("<d", cell)
        else:
            data = (cell or "").encode()
            lengths += b"\xff\xff\xff\xff" if cell is None else struct.pack("<I", len(data))
            tail += data
    return head + lengths + tail


def decoded(content: bytes, fields: list[list[str]]) -> dict[str, Any]:
    plain = [name for name, kind in fields if kind in ("number", "boolean", "time")]
    texts = [name for name, kind in fields if kind in ("category", "text")]
    cells: dict[str, Any] = dict(zip(plain, struct.unpack_from(f"<{len(plain)}d", content), strict=True))
    at = 8 * len(plain) + 4 * len(texts)
    for number, name in enumerate(texts):
        (length,) = struct.unpack_from("<I", content, 8 * len(plain) + 4 * number)
        cells[name] = None if length == 0xFFFFFFFF else content[at : at + length]
        at += len(cells[name] or b"")
    assert at == len(content)
    return cells


def lists(tensors: Tensors, name: str) -> list[list[bytes]]:
    data = bytes(tensors.get(name, []))
    ends = [0, *(int(end) for end in tensors.get(f"{name}_ends", []))]
    values = [data[a:b] for a, b in itertools.pairwise(ends)]
    found = []
    for size in tensors.get(f"{name}_sizes", []):
        found.append(values[: int(size)])
        values = values[int(size) :]
    return found


def words_of(cell: bytes, read: int) -> set[bytes]:
    text = (cell[:read].decode("utf-8", "ignore").encode() if len(cell) > read else cell).lower()
    if max(text, default=0) >= 128:
        text = re.sub(rb"\xc2[\x80-\xbf]|\xe2[\x80\x81][\x80-\xbf]|\xe3\x80[\x80-\xbf]", b" ", text)
    return set(re.findall(rb"[a-zA-Z0-9\x80-\xff]+", text))


def time_parts(seconds: float) -> list[float]:
    if math.isnan(seconds):
        return [math.nan] * 4
    try:
        then = EPOCH + datetime.timedelta(seconds=math.floor(seconds))
    except OverflowError:
        return [math.nan] * 4
    return [float(then.year), float(then.month), float(then.weekday()), float(then.hour)]


def columns(content: bytes, params: dict[str, Any], tensors: Tensors) -> tuple[list[float], list[int], list[int]]:
    fields = params["fields"]
    cells, values, known = decoded(content, fields), lists(tensors, "categories"), lists(tensors, "words")
    numbers, codes, words = [], [], []
    for name, kind in fields:
        cell = cells[name]
        if kind in ("number", "boolean", "time"):
            numbers += [cell, *(time_parts(cell) if kind == "time" and params["time_parts"] else [])]
        elif kind == "category":
            listed = values.pop(0)
            codes.append(0 if cell is None else 2 + listed.index(cell) if cell in listed else 1)
        else:
            has = set() if cell is None else words_of(cell, params["read"])
            words += [int(word in has) for word in known.pop(0)]
    return numbers, codes, words


# --- from columns to raw scores -------------------------------------------------------------------------------------


def forest(t: Tensors, row: list[float]) -> list[float]:
    nodes_with_sets = [node for node, flags in enumerate(t["flags"].tolist()) if flags == 1]
    sums = [0.0] * len(t["scale"])
    for tree, output in enumerate(t["output"].tolist()):
        leaves = int(t["start"][tree])
        first, at = leaves - tree, 0
        if int(t["start"][tree + 1]) - leaves == 1:
            at = -1
        while at >= 0:
            node = first + at
            value, flags = row[int(t["feature"][node])], int(t["flags"][node])
            if flags == 1:
                own = nodes_with_sets.index(node)
                words = t["set_bits"][int(t["set_start"][own]) : int(t["set_start"][own + 1])].tolist()
                code = int(value)
                left = code // 32 < len(words) and words[code // 32] >> code % 32 & 1
            elif math.isnan(value) or (flags & 4 and abs(value) <= TINY):
                left = flags & 2
            else:
                left = value <= float(t["threshold"][node])
            at = int((t["left"] if left else t["right"])[node])
        sums[output] += float(t["value"][leaves - 1 - at])
    return [s * scale + bias for s, scale, bias in zip(sums, t["scale"].tolist(), t["bias"].tolist(), strict=True)]


def with_pairs(t: Tensors, numbers: list[float], row: list[float]) -> list[float]:
    if "pairs_columns" not in t:
        return row
    three = zip(t["pairs_columns"].tolist(), t["pairs_mean"].tolist(), t["pairs_inverse"].tolist(), strict=True)
    scaled = [(numbers[column] - mean) * inverse for column, mean, inverse in three]
    factors = ((1.0, 1.0), (1.0, -1.0), (2.0, 1.0), (1.0, 2.0), (2.0, -1.0), (1.0, -2.0))
    return row + [a * z + b * w for z, w in itertools.combinations(scaled, 2) for a, b in factors]


def with_statistics(t: Tensors, numbers: list[float], codes: list[int], row: list[float]) -> list[float]:
    if "statistics_columns" not in t:
        return row
    columns, size, first = (t[f"statistics_{name}"].tolist() for name in ("columns", "size", "first"))
    found = []
    for j, column in enumerate(columns):
        if column >= len(numbers):
            code = codes[column - len(numbers)]
            found.append(code if code < size[j] else 1)
        else:
            x, known = numbers[column], t["statistics_values"].tolist()[first[j] : first[j + 1]]
            found.append(0 if math.isnan(x) else 2 + known.index(x) if x in known else 1)
    table, out, at = t["statistics_table"].tolist(), [], 0
    for j in range(len(columns)):
        out.append(table[at + found[j]])
        at += size[j]
    for i, j in itertools.combinations(range(len(columns)), 2):
        if size[i] * size[j] <= 4096:
            out.append(table[at + found[i] * size[j] + found[j]])
            at += size[i] * size[j]
    assert at == len(table)
    return row + out


def linear(t: Tensors, numbers: list[float], codes: list[int], words: list[int]) -> list[float]:
    weights, first = t["weights"].tolist(), t["first"].tolist()
    out = []
    for c in range(len(weights[0])):
        total = weights[-1][c]
        for j, x in enumerate(numbers):
            if math.isnan(x):
                total += weights[len(numbers) + j][c]
            else:
                total += min(8.0, max(-8.0, (x - float(t["mean"][j])) * float(t["inverse"][j]))) * weights[j][c]
        for j, code in enumerate(codes):
            total += weights[first[j] + code][c]
        for j, there in enumerate(words):
            total += weights[first[-1] + j][c] if there else 0.0
        out.append(total)
    return out


def below(t: Tensors, prefix: str) -> Tensors:
    return {name[len(prefix) :]: tensor for name, tensor in t.items() if name.startswith(prefix)}


def learned(name: str, facts: dict[str, Any], t: Tensors, blocks: Any, labels: int) -> list[float]:
    numbers, codes, words = blocks
    if name == "ensemble":
        total = [0.0] * max(1, labels)
        for m, member in enumerate(facts["members"]):
            for p, its in enumerate(member["parts"]):
                share = member["weight"] / len(member["parts"])
                raw = learned(member["learner"], its, below(t, f"{m}.{p}/"), blocks, labels)
                total = [a + share * b for a, b in zip(total, raw, strict=True)]
        return total
    row = [*numbers, *map(float, codes), *map(float, words)]
    if name == "linear":
        raw = linear(t, numbers, codes, words)
    else:
        made = with_statistics(t, numbers, codes, with_pairs(t, numbers, row))
        raw = forest(below(t, "tree/"), row) if name == "tree" else forest(t, made)
    return [0.0, *raw] if labels == 2 else raw


def score(model: Model, content: bytes) -> list[float]:
    meta, tensors = model._sealed.file.meta, dict(model._sealed.file.tensors)
    blocks = columns(content, meta["features"]["params"], below(tensors, "features/"))
    learner = meta["learner"]
    return learned(learner["name"], learner["facts"], below(tensors, "learner/"), blocks, len(meta["labels"]))


# --- the page against the product -----------------------------------------------------------------------------------

CELLS: list[dict[str, Any]] = [
    {},
    {"age": 40.0, "income": 2500.5, "job": "smith", "town": "town 3", "member": 1.0, "seen": 1.58e9, "note": "meeting"},
    {"age": -0.0 + 0.0, "job": "never seen", "town": "", "note": "", "member": 0.0},
    {"age": 1e300, "income": -1e300, "seen": -1e12, "note": "A MEETING, \u201cgarden\u201d\u00a0holiday\u3002football"},
    {"age": 5e-324, "income": 1e-35, "seen": -0.5, "note": "invoice " * 3000 + "\u00e9" * 3000},
    {"age": 30.0, "seen": 253402300799.5, "note": "\u00e9meeting meeting\u00e9 x-garden-y"},
    {"age": 55.5, "seen": -62135596800.0, "town": "town 0", "job": "clerk"},
]  # fmt: skip
EXACT = [learner for learner in tables.LEARNERS if learner != "network"]
"""What enters a network, and how, has readers of its own in test_specification_networks."""
CASES = [
    *((learner, task) for learner in EXACT for task in tables.TASKS),
    ("boosting", "paired"),
    ("boosting", "means"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Callable[[str, str], Model]:
    home = open_home(tables.make(tmp_path_factory.mktemp("tables") / "home"))
    columns = tables.columns("values", rows=400)
    line = [20.0 if a > 18 + b / 160 else 0.0 for a, b in zip(columns["age"], columns["income"], strict=True) if b]
    slanted = {name: [each for each, b in zip(columns[name], columns["income"], strict=True) if b] for name in columns}
    source = open_source({**slanted, "target": line}, label="target", fields=tables.FIELDS, task="regression")
    snapshot(source, home, name="paired")

    @functools.cache
    def model(learner: str, task: str) -> Model:
        more = {"paired": {"pairs": 2}, "means": {"statistics": 8, "rounds": 12}}
        asked = parse(tables.recipe(learner, **more.get(task, {})))
        name = "two" if task == "means" else task
        made = train(home, open_snapshot(home, name), asked, source=name, settings=Settings(threads=2), new=True)
        return open_model(bytes(made.model.data))

    return model


@pytest.mark.parametrize(("learner", "task"), CASES)
def test_tables_score_as_the_page_says(trained, learner, task) -> None:
    model = trained(learner, task)
    tensors = model._sealed.file.tensors
    assert ("learner/pairs_columns" in tensors) == (task == "paired")
    assert ("learner/statistics_columns" in tensors) == (task == "means")
    assert task == "paired" or {"features/categories", "features/words"} <= tensors.keys()
    fields = model._sealed.file.meta["features"]["params"]["fields"]
    contents = [encoded(cells, fields) for cells in CELLS]
    made = tables.columns("two", rows=30, first=700)
    times = [EPOCH.fromisoformat(each).replace(tzinfo=datetime.UTC).timestamp() for each in made["seen"]]
    for at in range(30):
        cells = {name: made[name][at] for name in tables.FIELDS}
        contents.append(encoded({**cells, "seen": times[at], "member": float(cells["member"])}, fields))
    for content, raw in zip(contents, model.raw(contents).tolist(), strict=True):
        assert score(model, content) == raw
    golden = model._sealed.golden_raw.tolist()
    assert [score(model, content) for content in model.draft.golden_inputs()] == golden


def test_intervals_are_what_the_page_says(trained) -> None:
    model = trained("boosting", "paired")
    claim = model._sealed.file.meta["conformal"]
    assert len(claim["rows"]) > 1
    made = tables.columns("values", rows=30, first=700)
    for found in model.predict([{name: made[name][at] for name in tables.FIELDS} for at in range(30)]):
        margin = claim["margins"][sum(edge <= found.value for edge in claim["edges"])]
        expected = (-math.inf, math.inf) if margin is None else (found.value - margin, found.value + margin)
        assert found.interval == expected


def test_a_content_is_what_the_page_says(trained) -> None:
    """The product encodes cells as the page does; numbers that large are no seconds to it."""
    model = trained("linear", "two")
    fields = model._sealed.file.meta["features"]["params"]["fields"]
    for cells in CELLS:
        known = {name: cell for name, cell in cells.items() if cell != "" and (name != "seen" or abs(cell) < 1e11)}
        assert encode_row(model.fields, known)[0] == encoded(known, fields)


def test_a_set_of_codes_is_walked(trained) -> None:
    """So that what the page says of sets was tried."""
    models = [trained(learner, task) for learner, task in CASES if learner in ("tree", "boosting")]
    flags = [each for model in models for name, each in model._sealed.file.tensors.items() if name.endswith("/flags")]
    assert any(1 in each for each in flags)
