"""docs/model.md says what enters the network of a model of columns or of buckets: made here from the page alone.

The graph itself is left to the library; that its operators mean what those of ONNX mean is tested with them.
"""

from __future__ import annotations

import itertools
import math
import struct
from typing import Any

import numpy as np
import pytest
from tests.model.test_specification import MAILS, TEXTS, mail_buckets, text_buckets
from tests.model.test_specification_tables import CELLS, below, columns, encoded
from tests.training import tables

from lithify.data.inputs import read_input
from lithify.data.snapshot import open_snapshot
from lithify.learners.network.scoring import Network
from lithify.model.model import Model, open_model
from lithify.recipe import parse
from lithify.store.home import open_home
from lithify.training.run import Settings, train

Tensors = dict[str, Any]


def single(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def of_columns(t: Tensors, numbers: list[float], codes: list[int], words: list[int]) -> list[float]:
    x = []
    for column, low, inverse in zip(t["x/column"].tolist(), t["x/low"].tolist(), t["x/inverse"].tolist(), strict=True):
        v = numbers[column]
        x.append(0.0 if math.isnan(v) else min(1.0, max(0.0, (v - low) * inverse)))
    for v, centre, spread in zip(numbers, t["x/centre"].tolist(), t["x/spread"].tolist(), strict=True):
        x.append(0.0 if math.isnan(v) or spread == 0.0 else min(4.0, max(-4.0, (v - centre) * spread)))
    x += [float(math.isnan(numbers[column])) for column in t["x/gap"].tolist()]
    x += map(float, words)
    for j, code in enumerate(codes):
        x += t[f"f/codes.{j}"][code].tolist()
    return [single(value) for value in x]


def of_buckets(t: Tensors, buckets: set[int], size: int) -> list[float]:
    table, scale = t["f/table"], t["f/scale"].tolist()
    k = len(table).bit_length() - 1
    lengths = [1 << bit for bit in reversed(range(size.bit_length())) if size >> bit & 1]
    x = []
    for first, end in itertools.pairwise([0, *itertools.accumulate(lengths)]):
        own = [table[b * 2_654_435_761 % 2**32 >> 32 - k].tolist() for b in buckets if first <= b < end]
        root = math.sqrt(max(1, len(own)))
        x += [sum(row[i] for row in own) / root for i in range(len(scale))]
    return [single(value * scale[i % len(scale)]) for i, value in enumerate(x)]


def through_the_graph(model: Model, x: list[list[float]]) -> list[list[float]]:
    network = Network(model.draft.learner_state)
    return network.scores(network.outputs({"x": np.array(x, dtype=np.float32)})["raw"]).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("task", tables.TASKS)
def test_columns_enter_a_network_as_the_page_says(task: str, tmp_path) -> None:
    home = open_home(tables.make(tmp_path / "home"))
    made = train(
        home, open_snapshot(home, task), parse(tables.recipe("network")), source=task, settings=Settings(threads=2)
    )
    model = open_model(bytes(made.model.data))
    meta, tensors = model._sealed.file.meta, dict(model._sealed.file.tensors)
    params = meta["features"]["params"]
    contents = [*(encoded(cells, params["fields"]) for cells in CELLS), *model.draft.golden_inputs()]
    t = below(tensors, "learner/")
    x = [of_columns(t, *columns(content, params, below(tensors, "features/"))) for content in contents]
    assert {len(row) for row in x} == {meta["learner"]["facts"]["inputs"]["width"]}
    assert through_the_graph(model, x) == model.raw(contents).tolist()


@pytest.mark.parametrize("kind", ["mail", "text"])
def test_buckets_enter_a_network_as_the_page_says(kind: str, home) -> None:
    asked = {"learner": "network", "network": {"width": 0.05, "depth": 1, "epochs": 2.0, "breadth": 3}}
    made = train(home, open_snapshot(home, kind), parse(asked), source=kind, settings=Settings(threads=2))
    model = open_model(bytes(made.model.data))
    meta, tensors = model._sealed.file.meta, dict(model._sealed.file.tensors)
    params, t = meta["features"]["params"], below(tensors, "learner/")
    size = meta["learner"]["facts"]["inputs"]["buckets"]
    contents, x = [], []
    for raw in MAILS.values() if kind == "mail" else map(str.encode, TEXTS):
        contents.append(read_input(raw if kind == "mail" else raw.decode(), kind))
        read = raw.replace(b"\r\n", b"\n")[:524_288].decode("utf-8", "ignore").encode()[: params["read"]]
        x.append(of_buckets(t, mail_buckets(raw, params) if kind == "mail" else text_buckets(read, params), size))
    assert through_the_graph(model, x) == model.raw(contents).tolist()
