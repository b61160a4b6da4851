"""How often `compare` calls a challenger better that is none: A/A studies.

A challenger that is exactly as good as the champion is made of two models, both trained on bootstrap samples of the
same training rows: row by row a fair coin decides which of the two plays the champion and which the challenger. So both
are as good as each other whatever the rows, and yet they differ on as many rows as two trainings do. Those are held to
the promise: at most 5 % called better. Beside them stand the two models themselves, as a retraining on the same rows
gives them: the challenger may then truly be better or worse by a little, which a large sample shows; it says how many
of those called better are better on all rows there are.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np

from lithify import metrics
from lithify.data.schema import Field
from lithify.evaluation.comparison.findings import Findings, find
from lithify.evaluation.comparison.gates import Gates
from lithify.evaluation.comparison.verdict import judge
from lithify.evaluation.fields import FieldCells
from lithify.evaluation.parts import parts_of
from lithify.metrics import Metric, Sample, Values, wilson

VERDICTS = ("better", "not worse", "undecided", "worse")
SIZES = (200, 1_000, 5_000)
POOL = 60_000
"""Rows of which tests are drawn, and which together say which model is truly better."""
FIELDS, TRAINING, MODELS, PAIRS = 8, 1_000, 40, 1_000


def run(options: argparse.Namespace | None = None) -> str:
    """The table of all studies."""
    pairs = 100 if options is not None and getattr(options, "quick", False) else PAIRS
    began = time.monotonic()
    lines = [f"{'study':<52}{'rows':>6}{'pairs':>7} " + "".join(f"{name:>11}" for name in VERDICTS) + "   better, 95 %"]
    for task in ("classification", "regression"):
        world = _World(task)
        for equal in (True, False):
            for rows in SIZES:
                lines += _study(world, task, equal, rows, pairs if equal else pairs * 3 // 10)
    return "\n".join([*lines, f"{time.monotonic() - began:.0f} s"])


def _study(world: _World, task: str, equal: bool, rows: int, pairs: int) -> list[str]:
    """One line for each set of gates."""
    sets = {"": Gates(), ", any flips": Gates(flips=None)} if world.classes else {"": Gates()}
    tally = {name: Counter[str]() for name in sets}
    truly = Counter[str]()
    for found, better in _pairs(world, equal, rows, pairs):
        for name, gates in sets.items():
            verdict = judge(gates, found.deciding, found.differences, found.flips, found.slices, rows).verdict
            tally[name][verdict] += 1
            truly[name] += verdict == "better" and better
    return [_line(task, equal, name, rows, pairs, found, truly[name]) for name, found in tally.items()]


def _line(task: str, equal: bool, gates: str, rows: int, pairs: int, tally: Counter[str], truly: int) -> str:
    low, high = wilson(tally["better"], pairs)
    name = f"{task}, {'as good by construction' if equal else 'trained again'}{gates}"
    shares = "".join(f"{100 * tally[each] / pairs:>9.1f} %" for each in VERDICTS)
    more = "" if equal else f"; {truly} of {tally['better']} truly better"
    return f"{name:<52}{rows:>6,}{pairs:>7,} {shares}   {100 * low:.1f} to {100 * high:.1f} %{more}"


def _pairs(world: _World, equal: bool, rows: int, pairs: int) -> Iterator[tuple[Findings, bool]]:
    """What is found of each challenger, and whether it is truly better."""
    for pair in range(pairs):
        g = np.random.default_rng([pair, rows, equal])
        some = g.choice(POOL, rows, replace=False)
        first, second = g.choice(MODELS, 2, replace=False)
        a, b = world.judged[first][some], world.judged[second][some]
        if equal:
            swap = g.random(rows) < 0.5
            a, b = np.where(swap, b, a), np.where(swap, a, b)
        x, y = world.x[some], world.y[some]
        parts = [(f"x{j}", parts_of(FieldCells(Field(f"x{j}", "number", "input"), x[:, j]))) for j in range(FIELDS)]
        kind = Sample if world.classes else Values
        found = find(kind.of(y, a), kind.of(y, b), parts, measured=world.metrics)
        yield found, world.truth[second] > world.truth[first]


class _World:
    """A pool of rows, and models trained on bootstrap samples of the same thousand others, which have judged it."""

    def __init__(self, task: str) -> None:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor  # a cheap learner that differs

        self.classes = task == "classification"
        self.metrics: tuple[Metric, ...] = (metrics.accuracy,) if self.classes else (metrics.rmse,)
        x, y = self._draw(7, TRAINING)
        self.x, self.y = self._draw(8, POOL)
        made = RandomForestClassifier if self.classes else RandomForestRegressor
        self.judged = []
        for number in range(MODELS):
            rows = np.random.default_rng([7, number]).integers(0, TRAINING, TRAINING)
            model = made(n_estimators=10, min_samples_leaf=10, max_depth=8, random_state=number, n_jobs=1)
            model.fit(x[rows], y[rows])
            self.judged.append(model.predict_proba(self.x)[:, 1] if self.classes else model.predict(self.x))
        self.truth = [self._good(p) for p in self.judged]

    def _draw(self, seed: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows with noise: no model gets much beyond 80 % of the labels right."""
        g = np.random.default_rng(seed)
        x = g.normal(size=(rows, FIELDS))
        signal = 1.5 * x[:, 0] + x[:, 1] * x[:, 2] + np.abs(x[:, 3]) - 0.8
        noise = g.standard_t(4, size=rows)
        return (x, (signal + 0.8 * noise > 0).astype(np.int64)) if self.classes else (x, signal + noise)

    def _good(self, judged: np.ndarray) -> float:
        """The higher the better."""
        if self.classes:
            return float(((judged >= 0.5) == self.y).mean())
        return -float(np.sqrt(((judged - self.y) ** 2).mean()))


if __name__ == "__main__":
    print(run())
