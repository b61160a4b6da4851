"""Small stand-ins with the faces of a model of a table and of its snapshot."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from lithify import conformal
from lithify.data.cells import decode, encode_row
from lithify.data.schema import Field

from .conftest import StandInSnapshot

FIELDS = (
    Field("age", "number", "input"),
    Field("citizen", "boolean", "input"),
    Field("hours <per week>", "number", "input"),
    Field("joined", "time", "input"),
    Field("notes", "text", "input"),
    Field("work", "category", "input"),
)
WORKS = ("clerk", "cook", "driver", "farmer & son", "<b>judge</b>", "nurse", "tutor")


@dataclass
class StandInTableModel:
    """Knows the rule that values were made by, but for one kind of work and for noise."""

    task: str
    labels: tuple[str, ...]
    conformal: dict[str, Any] | None = None
    asked: int = 0
    spam: str = ""
    cutoffs: None = None
    fields: tuple[Field, ...] = FIELDS
    digest: str = "sha256:3f9a1c2b7d10" + "ef" * 26
    card: dict[str, Any] = field(
        default_factory=lambda: {
            "data": {"snapshot": "sha256:" + "5a" * 32, "rows": 4000, "kind": "table"},
            "recipe": {"learner": "boosting", "seed": 0, "bags": 8},
            "limits": ["Made of nothing but chance."],
        }
    )

    @property
    def draft(self):
        return self

    def judge(self, contents):
        return self.raw(contents), None

    def history(self):
        return None

    def raw(self, contents):
        self.asked += len(contents)
        cells = decode(self.fields, contents)
        value = rule(cells.numbers, cells.strings[1])
        return scores(value, len(self.labels)) if self.labels else value[:, None]

    def probabilities(self, raw):
        e = np.exp(raw - raw.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def values(self, raw):
        return raw[:, 0]

    def importances(self):
        shares = {
            "work": 0.4,
            "age": 0.3,
            "notes: night": 0.1,
            "joined": 0.1,
            "hours <per week>": 0.06,
            "citizen": 0.04,
        }
        return list(shares.items())

    def columns(self):
        return []

    def tree(self):
        return None

    def explain_content(self, content):
        item = SimpleNamespace
        return item(label=None, items=[item(channel="field", text="age = 39", weight=0.7)])


def rule(numbers, works):
    """The value that a row has but for noise: age, citizen, hours, joined by their columns."""
    age, citizen = np.nan_to_num(numbers[:, 0], nan=40.0), numbers[:, 1]
    place = np.array([WORKS.index(work) if work in WORKS else 3 for work in works])
    return 20.0 + 0.02 * (age - 45.0) ** 2 + 3.0 * citizen + 4.0 * (place % 3) + 2e-8 * (numbers[:, 3] - 1.2e9)


def scores(value, classes):
    """Raw scores: the classes are slices of the value."""
    middles = np.linspace(22.0, 36.0, classes)
    return -((value[:, None] - middles) ** 2) / 16.0


def rows_of(n, seed):
    """Contents, and the numbers and works in them."""
    g = np.random.default_rng(seed)
    age = g.integers(18, 80, n).astype(float)
    age[g.random(n) < 0.05] = np.nan
    citizen = (g.random(n) < 0.7).astype(float)
    hours = np.round(g.gamma(30.0, 1.3, n), 1)
    joined = 1.2e9 + g.random(n) * 4e8
    works = g.choice(WORKS, n, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.09, 0.01]).tolist()
    contents = []
    for i in range(n):
        cells = {"age": age[i], "citizen": citizen[i], "hours <per week>": hours[i], "joined": joined[i]}
        cells |= {"work": works[i], "notes": f"row number {i}"}
        contents.append(encode_row(FIELDS, {name: None if v != v else v for name, v in cells.items()})[0])
    return contents, np.stack([age, citizen, hours, joined], axis=1), works


def make_table(n=3000, task="classification", labels=("no", "yes"), seed=0, coverage=0.9):
    """Snapshot and model: rows of judges are noisier than others, and the model does not know."""
    g = np.random.default_rng(seed + 1)
    contents, numbers, works = rows_of(n, seed)
    judge = np.array([work == "<b>judge</b>" for work in works])
    value = rule(numbers, works) + g.normal(size=n) * np.where(judge, 9.0, 3.0)
    labels = labels if task == "classification" else ()
    code = scores(value, len(labels)).argmax(axis=1) if labels else np.zeros(n, dtype=np.int64)
    side = np.where(g.random(n) < 0.5, 3, g.integers(0, 3, n)).astype(np.uint8)
    table = SimpleNamespace(
        key=np.stack([np.frombuffer(hashlib.sha256(content).digest(), dtype=np.uint8) for content in contents]),
        label=code.astype(np.int32),
        value=value if not labels else np.zeros(n),
        time=np.full(n, np.iinfo(np.int64).min),
        weight=np.ones(n),
        group=np.arange(n),
        side=side,
        generation=np.zeros(n, dtype=np.uint16),
    )
    snapshot = StandInSnapshot(tuple(labels), table, contents, "table", task)
    model = StandInTableModel(task, tuple(labels))
    fit = np.flatnonzero(side == 2)
    raw = model.raw(snapshot.content(fit))
    if labels:
        model.conformal = conformal.fit_sets(model.probabilities(raw), code[fit], coverage)
    else:
        model.conformal = conformal.fit_intervals(model.values(raw), value[fit], coverage)
    return model, snapshot
