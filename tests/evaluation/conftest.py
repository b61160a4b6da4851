"""Small stand-ins with the faces of a model and a snapshot."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lithify.calibration import choose_cutoffs
from lithify.evaluation.evaluate import Evaluation, evaluate

HOSTILE = '</title><script>alert(1)</script><img src=x onerror="alert(2)">'


@dataclass
class StandInSnapshot:
    """Rows whose content carries the score that the stand-in model gives them."""

    labels: tuple[str, ...]
    table: Any
    contents: list[bytes]
    kind: str = "mail"
    task: str = "classification"
    digest: str = "sha256:" + "5a" * 32
    manifest: dict[str, Any] = field(
        default_factory=lambda: {
            "split": {"rule": "time", "reason": "99.8 % of rows have usable times"},
            "quarantine": {"two labels": 7, "empty": 3},
            "parent": None,
            "copies": 12,
            "truncated": 1,
        }
    )

    def content(self, rows):
        return [self.contents[row] for row in rows]

    def batches(self, rows, size=1024):
        for start in range(0, len(rows), size):
            yield rows[start : start + size], self.content(rows[start : start + size])


@dataclass
class StandInModel:
    labels: tuple[str, ...]
    spam: str
    cutoffs: dict[str, Any] | None
    span: str = HOSTILE
    task: str = "classification"
    fields: tuple[Any, ...] = ()
    conformal: dict[str, Any] | None = None
    digest: str = "sha256:3f9a1c2b7d10" + "ef" * 26
    card: dict[str, Any] = field(
        default_factory=lambda: {
            "data": {"snapshot": "sha256:" + "5a" * 32, "rows": 1200, "kind": "mail"},
            "test": {"rows": 600, "metrics": {"accuracy": {"value": 0.99, "low": 0.98, "high": 0.995}}},
            "recipe": {"learner": "linear", "seed": 0, "epochs": 10, "features": {"body": 18, "headers": 16}},
            "engine": {"linear": 1, "mail": 1, "calibration": 1},
            "limits": ["Trained on English mail of 2002 and 2003.", "830 ham show a loss of 0.36 % at best."],
        }
    )

    @property
    def draft(self):
        return self

    def raw(self, contents):
        lines = [content.split(b"\n")[0].removeprefix(b"X-P: ") for content in contents]
        return np.array([[float(value) for value in line.split()] for line in lines])

    def judge(self, contents):
        return self.raw(contents), None

    def history(self):
        return None

    def probabilities(self, raw):
        return raw

    def tree(self):
        return None

    def explain_content(self, content):
        item = SimpleNamespace
        return item(
            label="spam",
            items=[
                item(channel="body", text=self.span, weight=2.41),
                item(channel="header", text="x-mailer: The\nBat!\x00\u202e", weight=1.2),
                item(channel="body", text="unsubscribe " * 30, weight=0.8),
                item(channel="body", text="wrote:", weight=-1.7),
                item(channel="fact", text="HTML only", weight=0.31),
            ],
        )


def make(n=1200, labels=("ham", "spam"), noise=1.0, cutoffs=True, spam="spam", seed=0, test_share=0.5):
    """Snapshot and model: probabilities of a made-up learner that is right most of the time."""
    g = np.random.default_rng(seed)
    weights = np.arange(len(labels), 0, -1.0) ** 1.5
    y = g.choice(len(labels), size=n, p=weights / weights.sum())
    raw = 6.5 * np.eye(len(labels))[y] + g.standard_t(4, size=(n, len(labels))) * noise
    p = np.exp(raw - raw.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    contents = [
        b"X-P: " + " ".join(f"{v:.12g}" for v in row).encode() + b"\nSubject: number %d\n\n<b>hello</b> %d" % (i, i)
        for i, row in enumerate(p)
    ]
    side = np.where(g.random(n) < test_share, 3, g.integers(0, 3, n)).astype(np.uint8)
    table = SimpleNamespace(
        key=np.stack([np.frombuffer(hashlib.sha256(content).digest(), dtype=np.uint8) for content in contents]),
        label=y.astype(np.int32),
        value=np.zeros(n),
        time=(1_030_000_000 + np.arange(n) * 20_000).astype(np.int64),
        weight=np.ones(n),
        group=np.where(np.arange(n) % 10 == 0, 0, np.arange(n)).astype(np.int64),
        side=side,
        generation=np.zeros(n, dtype=np.uint16),
    )
    snapshot = StandInSnapshot(tuple(labels), table, contents)
    fit = side < 3
    chosen = choose_cutoffs(p[fit & (y == 0), 1], p[fit & (y == 1), 1], 0.01) if cutoffs else None
    return StandInModel(tuple(labels), spam, chosen), snapshot


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """A mail filter with cut-offs, measured."""
    model, snapshot = make()
    return evaluate(model, snapshot, looks=3)


@pytest.fixture(scope="module")
def many() -> Evaluation:
    """Five labels, no cut-offs."""
    model, snapshot = make(900, ("bug", "feature", "question", "security", "other"), 2.0, False, "")
    snapshot.kind = "text"
    return evaluate(model, snapshot)
