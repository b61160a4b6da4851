"""How fast a forest scores rows on one core, by each of our kernels and by LightGBM that grew it."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.machine import describe, load
from benchmarks.options import Options, tell
from benchmarks.table import Table

TREES, LEAVES, COLUMNS, CATEGORIES = 500, 31, 30, (5, 6)
ROWS, SINGLES = 20_000, 2_000


def run(options: Options) -> Table:
    """Trees of 31 leaves without and with columns of categories, then larger ones."""
    repeats = 1 if options.quick else 5
    table = Table(
        f"Scoring with {TREES} trees on {COLUMNS} columns, one thread",
        ("forest", "by", ">rows/s", ">µs one row", ">ms shares of one row"),
    )
    for leaves, categories in ((LEAVES, ()), (LEAVES, CATEGORIES), (63, ()), (127, ())):
        tell(f"growing {TREES} trees of {leaves} leaves")
        name = f"{leaves} leaves{', categories' if categories else ''}"
        for by, figures in _measure(leaves, categories, repeats):
            table.add(name, by, *figures)
    table.notes += [
        f"Processor time of one thread, the best of {repeats}; {ROWS:,} rows at a time, or one row by one call.",
        "All raw scores are the same bits. The shares are TreeSHAP values of 100 rows at a time.",
        *describe(),
        f"LightGBM {version('lightgbm')}; {load()}.",
    ]
    return table


def _measure(leaves: int, categories: tuple[int, ...], repeats: int) -> list[tuple[str, tuple[str, ...]]]:
    from lithify.kernels import compiled
    from lithify.learners.forest.lightgbm import from_lightgbm
    from lithify.learners.forest.nodes import KERNELS, nodes
    from lithify.learners.forest.scoring import score
    from lithify.learners.forest.shap import contributions

    booster = _grow(leaves, categories)
    forest, rows = from_lightgbm(booster), _rows(1, ROWS)
    walked = forest.derive("nodes", nodes)

    def walk(some: np.ndarray) -> np.ndarray:
        totals = np.zeros((len(some), 1))
        compiled(KERNELS).add_trees(some, *walked, totals)
        return totals

    def theirs(some: np.ndarray, **kinds: Any) -> np.ndarray:
        return np.asarray(booster.predict(some, num_threads=1, **(kinds or {"raw_score": True})))

    expected = theirs(rows)
    if not (np.array_equal(score(forest, rows)[:, 0], expected) and np.array_equal(walk(rows)[:, 0], expected)):
        raise AssertionError("scores differ")
    shares = lambda some: contributions(forest, some)  # noqa: E731
    return [
        ("Lithify", _figures(lambda some: score(forest, some), shares, rows, repeats)),
        ("Lithify, node by node", _figures(walk, None, rows, repeats)),
        ("LightGBM", _figures(theirs, lambda some: theirs(some, pred_contrib=True), rows, repeats)),
    ]


def _figures(
    scores: Callable[[np.ndarray], object],
    shares: Callable[[np.ndarray], object] | None,
    rows: np.ndarray,
    repeats: int,
) -> tuple[str, str, str]:
    singles = [rows[at : at + 1].copy() for at in range(SINGLES)]
    batch = len(rows) / _best(lambda: scores(rows), repeats)
    single = _best(lambda: [scores(row) for row in singles], repeats) / SINGLES * 1e6
    shared = "" if shares is None else f"{_best(lambda: shares(rows[:100]), repeats) * 10:.2f}"
    return f"{batch:,.0f}", f"{single:.1f}", shared


def _best(work: Callable[[], object], repeats: int) -> float:
    """Seconds of processor time of the quickest, after one that does not count."""
    taken = []
    for _ in range(repeats + 1):
        began = time.thread_time()
        work()
        taken.append(time.thread_time() - began)
    return min(taken[1:])


def _rows(seed: int, rows: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(rows, COLUMNS)).round(2)
    found[:, CATEGORIES] = rng.integers(0, (80, 5), (rows, 2))
    found[:, :4][rng.random((rows, 4)) < 0.1] = np.nan
    return found


def _grow(leaves: int, categories: tuple[int, ...]) -> Any:
    import lightgbm

    x = _rows(0, 20_000)
    y = np.nan_to_num(x[:, 0]) * x[:, 9] + x[:, 5] % 7 + x[:, 6] % 2 + x[:, 7]
    y += np.random.default_rng(2).normal(size=len(y))
    params = {"objective": "regression", "num_leaves": leaves, "verbose": -1, "num_threads": 1, "seed": 0}
    return lightgbm.train(params, lightgbm.Dataset(x, y, categorical_feature=list(categories)), TREES)
