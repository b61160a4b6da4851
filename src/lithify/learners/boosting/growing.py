"""Growing trees: the problem as LightGBM takes it, and one chunk of rounds of one member.

A chunk is a fresh booster with a seed of its own that goes on from the raw scores where the last one ended, because a
booster's random state cannot be stored. Rows that a member must not learn from have a cost of zero: they pass through
the trees, which gives their scores for nothing, and leave no trace in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import rng
from lithify.data.batches import TrainingData
from lithify.kernels import compiled
from lithify.learners.boosting.data import binned, engine, fits, matrix
from lithify.learners.boosting.losses import KERNELS, Loss, loss_of
from lithify.learners.boosting.statistics import Statistics
from lithify.learners.boosting.statistics_fit import Labelled
from lithify.learners.folds import fold_of
from lithify.learners.forest.forest import Forest, concatenate, empty
from lithify.learners.forest.lightgbm import from_lightgbm
from lithify.learners.forest.nodes import KERNELS as FOREST_KERNELS
from lithify.learners.forest.nodes import nodes

NOBODY = -1
"""Fold of rows that no member is judged by."""
_PIECE_ROWS = 16384
_FEWEST_ROWS = 10


@dataclass(frozen=True)
class Problem:
    """What is learned from; derived from the data alone, so never part of the state.

    Attributes
    ----------
    rows : (r,) int64
        Training rows and, where there is one member, the rows to stop by.
    binned : tuple of lightgbm.Dataset
        Of the training rows: one for all members, or one for each.
    judged : lightgbm.Dataset or None
        Of the rows to stop by.
    target, cost : (r,)
        Values are shifted and divided by a power of two; costs are weights with a mean of one.
    fold : (r,) int8
        Which member is judged by a row; every other member learns from it, but for the rows to stop by.
    shift, scale : float
        A value is ``shift + scale * target``.
    matrix : (r, columns) float64 or None
        The rows, where leaves are looked up again and again and they are not too large to keep.
    statistics : Statistics or None
        The means of labels that are columns as well.
    """

    data: TrainingData
    rows: NDArray[np.int64]
    binned: tuple[Any, ...]
    judged: Any
    target: NDArray[Any]
    cost: NDArray[np.float64]
    fold: NDArray[np.int8]
    loss: Loss
    shift: float
    scale: float
    matrix: NDArray[np.float64] | None
    statistics: Statistics | None

    def learned(self, member: int) -> NDArray[np.float64]:
        """(m,) costs of the training rows for one member; one whose fold holds them all learns from them all."""
        trained = len(self.data.train)
        cost = np.where(self.fold[:trained] == member, 0.0, self.cost[:trained])
        return cost if cost.any() else self.cost[:trained]

    def start(self, member: int) -> NDArray[np.float64]:
        """(outputs,) the score a member begins with."""
        return self.loss.start(self.target[: len(self.data.train)], self.learned(member))


@dataclass(frozen=True)
class Grown:
    """A chunk: its trees, the raw scores (r, outputs) after it, and the loss on the member's fold after each round."""

    forest: Forest
    raw: NDArray[np.float64]
    losses: NDArray[np.float64]


def pose(data: TrainingData, params: Any) -> Problem:
    """The problem of these data."""
    rows = data.train if params.members > 1 else np.concatenate([data.train, data.stop])
    fold = np.full(len(rows), NOBODY, dtype=np.int8)
    if params.members > 1:
        fold = fold_of(data.group[rows], params.members, data.seed).astype(np.int8)
    fold[len(data.train) :] = 0
    target, shift, scale = _standard(data, rows)
    cost = _costs(data, rows, params.class_weight == "balanced")
    loss = loss_of(params, data.classes)
    kept = matrix(data.blocks, rows) if loss.renews and fits(data.blocks, len(rows)) else None
    labelled = Labelled(data, target, cost)
    means = labelled.fit(params.statistics) if params.statistics else None
    settings = data_settings(params)
    if means is None:
        sets = (binned(data.blocks, data.train, settings),)
    else:
        made = (labelled.training(means, _others(fold, m), m) for m in range(params.members))
        sets = tuple(binned({**data.blocks, **block}, data.train, settings) for block in made)
    judged = binned(data.blocks, rows[len(data.train) :], settings, sets[0]) if len(rows) > len(data.train) else None
    return Problem(data, rows, sets, judged, target, cost, fold, loss, shift, scale, kept, means)


def judged_by(means: Statistics, data: TrainingData, params: Any, member: int) -> Statistics:
    """The means of labels of the rows that a member has learned from, for those that it has not."""
    target, _, _ = _standard(data, data.train)
    cost = _costs(data, data.train, params.class_weight == "balanced")
    fold = fold_of(data.group[data.train], params.members, data.seed)
    return Labelled(data, target, cost).judging(means, _others(fold, member))


def _others(fold: NDArray[Any], member: int) -> NDArray[np.bool_]:
    """(m,) the rows outside of a member's fold; all of them where it holds them all."""
    others: NDArray[np.bool_] = fold != member
    return others if others.any() else ~others


def grow(problem: Problem, params: Any, member: int, chunk: int, raw: NDArray[np.float64]) -> Grown:
    """One chunk of one member, from the raw scores (r, outputs) where its last one ended."""
    booster = engine().Booster(
        _tree_settings(problem, params, member, chunk), problem.binned[member % len(problem.binned)]
    )
    if problem.judged is not None:
        booster.add_valid(problem.judged, "stop")
    rounds = min(params.chunk, params.rounds - chunk * params.chunk)
    return (_renewing if problem.loss.renews else _stepping)(problem, params, member, booster, rounds, raw)


def data_settings(params: Any) -> dict[str, Any]:
    """LightGBM's parameters of a binned data set."""
    return {
        "max_bin": params.max_bins,
        "bin_construct_sample_cnt": 200_000,
        "data_random_seed": 1,  # which rows the bins are made from depends on how many there are, and on nothing else
        "feature_pre_filter": False,
        "force_col_wise": True,
        "deterministic": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def _tree_settings(problem: Problem, params: Any, member: int, chunk: int) -> dict[str, Any]:
    loss = problem.loss
    share = max(params.row_share, min(1.0, _FEWEST_ROWS / len(problem.data.train)))  # LightGBM fails on no rows
    return {
        **data_settings(params),
        "objective": "none",
        "metric": "none",
        "num_class": loss.outputs,
        "seed": rng.key(problem.data.seed, "boosting", member, chunk) >> 33,
        "learning_rate": params.learning_rate,
        "num_leaves": params.leaves,
        "min_data_in_leaf": params.min_rows_leaf,
        "feature_fraction": params.column_share,
        "bagging_fraction": share,
        "bagging_freq": 1 if share < 1.0 else 0,
        "lambda_l2": params.l2,
        "extra_trees": params.extra,
        "cat_l2": params.category_l2,
        "cat_smooth": params.category_smooth,
        "max_cat_threshold": params.category_threshold,
        "max_cat_to_onehot": params.category_single,
        "min_data_per_group": params.category_rows,
    }


def _stepping(problem: Problem, params: Any, member: int, booster: Any, rounds: int, raw: NDArray[np.float64]) -> Grown:
    """Leaves take a step along the slope, as LightGBM has it; it keeps the chunk's share of the scores."""
    trained, learned, held = len(problem.data.train), problem.learned(member), np.flatnonzero(problem.fold == member)
    before, losses = raw, []
    for _ in range(rounds):
        slopes = problem.loss.slopes(raw[:trained], problem.target[:trained], learned)
        if booster.update(fobj=lambda *_, slopes=slopes: slopes):
            break
        raw = np.ascontiguousarray(before + _gained(problem, booster))
        losses.append(problem.loss.total(raw, problem.target, problem.cost, held))
    return Grown(from_lightgbm(booster, rounds=len(losses)), raw, np.array(losses))


def _gained(problem: Problem, booster: Any) -> NDArray[np.float64]:
    """(r, outputs) what the booster's trees add to the raw scores."""
    found: list[NDArray[np.float64]] = []

    def keep(scores: NDArray[np.float64], _: Any) -> tuple[str, float, bool]:
        found.append(scores.reshape(len(scores), -1))
        return "", 0.0, False

    booster.eval_train(keep)
    if problem.judged is not None:
        booster.eval_valid(keep)
    return found[0] if len(found) == 1 else np.concatenate(found)


def _renewing(problem: Problem, params: Any, member: int, booster: Any, rounds: int, raw: NDArray[np.float64]) -> Grown:
    """LightGBM finds the leaves by the slopes; each then takes the quantile of what is left in it."""
    trained, learned, held = len(problem.data.train), problem.learned(member), np.flatnonzero(problem.fold == member)
    trees, losses = [empty(1)], []
    chosen = np.flatnonzero(learned > 0.0)
    for number in range(rounds):
        slopes = problem.loss.slopes(raw[:trained], problem.target[:trained], learned)
        if booster.update(fobj=lambda *_, slopes=slopes: slopes):
            break
        tree = from_lightgbm(booster.model_to_string(start_iteration=number, num_iteration=1))
        leaf = _leaves(problem, tree)
        off = problem.target[chosen] - raw[chosen, 0]
        values = problem.loss.quantiles(leaf[chosen], off, learned[chosen], np.zeros(len(tree.value)))
        trees.append(replace(tree, value=params.learning_rate * values))
        raw = raw + trees[-1].value[leaf][:, None]
        losses.append(problem.loss.total(raw, problem.target, problem.cost, held))
    return Grown(concatenate(trees), raw, np.array(losses))


def _leaves(problem: Problem, tree: Forest) -> NDArray[np.int64]:
    """(r,) the leaf of one tree in which each row ends."""
    numbered = replace(tree, value=np.arange(len(tree.value), dtype=np.float64))
    found, tables = np.zeros((len(problem.rows), 1)), nodes(numbered)
    for at in range(0, len(found), _PIECE_ROWS):
        some = slice(at, at + _PIECE_ROWS)
        whole = problem.matrix
        piece = matrix(problem.data.blocks, problem.rows[some]) if whole is None else whole[some]
        compiled(FOREST_KERNELS).add_trees(piece, *tables, found[some])
    return found[:, 0].astype(np.int64)


def _standard(data: TrainingData, rows: NDArray[np.int64]) -> tuple[NDArray[Any], float, float]:
    """Targets of some rows; values with a mean of zero and a spread near one, as LightGBM's smallest gains suit."""
    target = data.target[rows]
    if data.classes:
        return target, 0.0, 1.0
    mean, variance = compiled(KERNELS).moments(data.target[data.train], np.ones(len(data.train)))
    scale = float(2.0 ** np.frexp(np.sqrt(variance))[1]) if 0.0 < variance < np.inf else 1.0
    return (target - mean) / scale, float(mean), scale


def _costs(data: TrainingData, rows: NDArray[np.int64], balanced: bool) -> NDArray[np.float64]:
    """Weights of some rows, those of the training rows with a mean of one."""
    cost = data.weight[rows].astype(np.float64)
    if balanced and data.classes:
        shares = compiled(KERNELS).class_costs(data.target[data.train], data.weight[data.train], data.classes)
        cost = cost / np.where(shares > 0.0, shares, 1.0)[data.target[rows]]
    whole = compiled(KERNELS).total(cost[: len(data.train)])
    return cost * (len(data.train) / whole) if whole > 0.0 else np.ones(len(rows))
