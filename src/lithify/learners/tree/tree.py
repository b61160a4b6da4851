"""One decision tree that a person can read.

The CART of Breiman, Friedman, Olshen and Stone (1984, "Classification and Regression Trees").

Splits are of one column: a number up to a threshold halfway between two neighbouring values that occur, or a category
in a set of values, found by ordering them by their mean target (exact for two classes and in regression; of several
classes by the share of each class in turn). Missing numbers go to the side where they lower the impurity more, missing
categories are one more value. Leaves are split best first; of equal splits the lowest column and then the lowest
threshold wins, and the earlier leaf. The tree is pruned by cost and complexity, at an ``alpha`` chosen by
cross-validation on training rows; see :mod:`lithify.learners.tree.pruning`.

A step makes up to eight splits in each tree: in one for each fold, grown without it, and in the whole one. Sums are of
whole numbers, so neither threads nor cuts change a bit. Nothing is drawn but the folds.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from lithify.data.batches import BLOCKS, Blocks, TrainingData, take
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.features.base import Features
from lithify.kernels import compiled
from lithify.learners.base import Learner, Partial
from lithify.learners.folds import fold_of, parted
from lithify.learners.forest import audit as forest_audit
from lithify.learners.forest import forest as forests
from lithify.learners.forest import scoring as forest_scoring
from lithify.learners.forest.forest import Forest
from lithify.learners.forest.shap import contributions
from lithify.learners.tree import columns as tree_columns
from lithify.learners.tree import growing as tree_growing
from lithify.learners.tree import sealing as tree_sealing
from lithify.learners.tree import validation as tree_validation
from lithify.learners.tree.growing import Growing, Problem
from lithify.learners.tree.kernels import ENTROPY, GINI, SQUARES
from lithify.learners.tree.pruning import Choice

KERNELS = "lithify.learners.tree.kernels"
TREE, FOLDS = "tree/", "folds/"
"""Prefixes of the arrays of the tree, and of those of the folds."""

_SPLITS = 8
_SCORED = 8192


@dataclass(frozen=True)
class TreeParams:
    """Parameters of the decision tree.

    Attributes
    ----------
    max_leaves : int
        Leaves at most, before pruning.
    max_depth : int
        Questions at most from the first to a leaf.
    min_rows_leaf : int
        Training rows in a leaf at least.
    criterion : str
        Impurity of classes: ``gini`` or ``entropy``; in regression it is always the squared error.
    class_weight : str
        ``balanced`` gives every class the same weight in total.
    folds : int
        Of the cross-validation that chooses ``alpha``; with fewer than two the tree is pruned at ``alpha`` or not at
        all.
    alpha : float, optional
        What a leaf must lower the impurity by to be kept, instead of having it chosen.
    one_standard_error : bool
        Whether the smallest tree whose loss is within one standard error of the least is kept, instead of the one with
        the least loss (log loss or squared error; of equal ones the smaller).
    """

    max_leaves: Annotated[int, Ge(1), Le(1024)] = 24
    max_depth: Annotated[int, Ge(1), Le(64)] = 6
    min_rows_leaf: Annotated[int, Ge(1)] = 10
    criterion: Literal["gini", "entropy"] = "gini"
    class_weight: Literal["none", "balanced"] = "none"
    folds: Annotated[int, Ge(0), Le(20)] = 5
    alpha: Annotated[float, Ge(0)] | None = None
    one_standard_error: bool = False

    QUALITIES: ClassVar[Mapping[str, Mapping[str, Any]]] = {"fast": {"folds": 3}, "best": {"folds": 10}}


class Tree(Learner):
    """See the module."""

    Params: ClassVar[type] = TreeParams
    engine: ClassVar[Mapping[str, int | str]] = {"learner.tree": 1}
    reads: ClassVar[tuple[str, ...]] = ("columns",)
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._problem: Problem | None = None
        self._opened: tuple[State, Forest] | None = None
        self._lock = threading.Lock()

    @classmethod
    def within(cls, params: Any, seconds: float, per_step: float) -> Any:
        """Fewer leaves."""
        splits = _SPLITS * max(1, int(min(1e6, seconds / max(per_step, 1e-9))))
        return replace(params, max_leaves=min(params.max_leaves, 1 + splits))

    def steps(self, data: TrainingData) -> int:
        """Eight splits in each tree at a time."""
        return max(1, -(-int(self.params.max_leaves - 1) // _SPLITS))

    def start(self, data: TrainingData) -> State:
        """Trees without nodes: those of the folds, and the whole one."""
        arrays: dict[str, NDArray[Any]] = {}
        for tree in range(self._folds + 1):
            arrays |= tree_growing.named(tree, tree_growing.seedling(self.params.max_leaves, data.classes))
        return State(arrays)

    def grain(self, state: State, data: TrainingData, step: int, grain: int) -> Partial:
        """Every so many-th tree, some splits further."""
        partial: Partial = {}
        for tree in range(grain, self._folds + 1, data.grains):
            growing = tuple(array.copy() for array in tree_growing.of(state.arrays, tree))
            if not tree_growing.closed(growing):
                self._grow(growing, self._prepare(data), tree)
            partial |= tree_growing.named(tree, growing)
        return partial

    def apply(self, state: State, data: TrainingData, step: int, total: Partial) -> State:
        """The trees side by side."""
        return State({**state.arrays, **total}, state.facts)

    def done(self, state: State) -> bool:
        """Whether no tree has a leaf left that is worth a split."""
        return all(tree_growing.closed(tree_growing.of(state.arrays, tree)) for tree in range(self._folds + 1))

    def finish(self, state: State, data: TrainingData) -> State:
        """The whole tree and those of the folds, all pruned; so sealed, they can still score rows held out."""
        problem = self._prepare(data)
        trees = [tree_growing.of(state.arrays, tree) for tree in range(self._folds + 1)]
        cuts = [tree_validation.cuts(tree, problem) for tree in trees]
        choice = Choice(self.params.alpha or 0.0, self.params.alpha or 0.0, 0.0)
        if parted(problem.fold) and self.params.alpha is None:
            choice = tree_validation.choose(trees, cuts, problem, self.params.one_standard_error)
        arrays = tree_sealing.forest(trees[-1], problem, cuts[-1], choice.alpha).narrow(TREE)
        if self._folds:
            pairs = zip(trees[:-1], cuts[:-1], strict=True)
            folds = [tree_sealing.forest(tree, problem, cut, choice.inside) for tree, cut in pairs]
            arrays |= tree_sealing.abreast(folds).arrays(FOLDS)
        facts = {"alpha": choice.alpha, "loss": choice.loss}
        return State(arrays, {**facts, "classes": data.classes, "columns": len(problem.table.count)})

    def predict(self, state: State, blocks: Blocks) -> NDArray[np.float64]:
        """Logarithms of the leaf's class shares, for two classes (0, log odds); in regression the leaf's mean."""
        rows = forest_scoring.matrix(blocks)
        if rows.shape[1] != state.facts["columns"]:
            raise MalformedContainer(
                "The features do not have the columns of the tree.",
                expected=str(state.facts["columns"]),
                found=str(rows.shape[1]),
            )
        raw = forest_scoring.score(self._open(state), rows)
        return raw if state.facts["classes"] != 2 else np.concatenate([np.zeros_like(raw), raw], axis=1)

    def contributions(self, state: State, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
        """Shapley values of the columns of the first row."""
        binary = state.facts["classes"] == 2
        rows = forest_scoring.matrix(blocks)[:1]
        found = contributions(self._open(state), rows)[0, :, 0 if binary else column]
        found = -found if binary and column == 0 else found
        return tree_columns.parts(blocks, found[:-1]), float(found[-1])

    def audit(self, state: State, features: Features, fitted: State, classes: int) -> None:
        """Also: the trees of the folds are there or are not, and fit as well."""
        _audit_facts(state.facts, classes, len(features.columns(fitted)))
        outputs, width = max(1, classes) if classes != 2 else 1, state.facts["columns"]
        wanted = {prefix: outputs * count for prefix, count in ((TREE, 1), (FOLDS, self._folds)) if count}
        names = {prefix + name for prefix in wanted for name in forests.DTYPES}
        if state.arrays.keys() != names:
            raise MalformedContainer("The arrays are not those of a decision tree of these labels.")
        for prefix, count in wanted.items():
            forest = forests.from_arrays(state.arrays, prefix)
            forest_audit.audit(forest, width, count)
            forest_audit.audit_depth(forest, self.params.max_depth)  # whoever tells it in words goes down by recursion
            if not np.array_equal(forest.output, np.arange(count)):
                raise MalformedContainer("A decision tree has one tree for each raw score.")

    def held_out(self, state: State, data: TrainingData) -> NDArray[np.float64] | None:
        """By the tree that was grown without the row's fold; None without folds, or where one holds all rows."""
        rows = data.train
        fold = fold_of(data.group[rows], max(1, self._folds), data.seed)
        if not parted(fold):
            return None
        forest = forests.from_arrays(state.arrays, FOLDS)
        outputs = forest.outputs // self._folds
        raw = np.zeros((len(rows), outputs))
        for at in range(0, len(rows), _SCORED):
            some = slice(at, at + _SCORED)
            all_folds = forest_scoring.score(forest, forest_scoring.matrix(take(data.blocks, rows[some])))
            own = all_folds.reshape(-1, self._folds, outputs)
            raw[some] = own[np.arange(len(own)), fold[some]]
        return raw if data.classes != 2 else np.concatenate([np.zeros_like(raw), raw], axis=1)

    def tree(self, state: State) -> Forest | None:
        """The whole tree."""
        return self._open(state)

    def importances(self, state: State, features: Features, fitted: State) -> NDArray[np.float64] | None:
        """Shares of the columns in what all splits lower the impurity by."""
        known = features.columns(fitted)
        if not known:
            return None
        found = forests.importances(self._open(state), len(known))
        place = sorted(range(len(known)), key=lambda at: (BLOCKS.index(known[at].block), at))
        ordered = np.zeros(len(known))
        ordered[place] = found
        return ordered

    def admit(self, state: State, data: TrainingData) -> None:
        """Also: every tree is one whose nodes kernels can walk."""
        super().admit(state, data)
        for tree in range(self._folds + 1):
            tree_growing.admit(tree_growing.of(state.arrays, tree), self._prepare(data).table)

    def figures(self, state: State) -> dict[str, float]:
        """Leaves of the whole tree, not yet pruned."""
        return {"leaves": float((tree_growing.size(tree_growing.of(state.arrays, self._folds)) + 1) // 2)}

    @property
    def _folds(self) -> int:
        return int(self.params.folds) if self.params.folds > 1 else 0

    def _grow(self, growing: Growing, problem: Problem, tree: int) -> None:
        p, targets = self.params, problem.targets
        criterion = {"gini": GINI, "entropy": ENTROPY}[p.criterion] if targets.classes else SQUARES
        limits = np.array([p.max_leaves, p.max_depth, p.min_rows_leaf, _SPLITS, criterion], dtype=np.int64)
        rows = problem.rows(tree)
        compiled(KERNELS).grow(growing, problem.table.arrays, targets.target, targets.units, rows, limits)

    def _prepare(self, data: TrainingData) -> Problem:
        """The problem of these data; kept for the next step, made again after a resume."""
        with self._lock:
            if self._problem is None or self._problem.data is not data:
                self._problem = None  # two at a time would take twice the memory
                self._problem = tree_growing.problem(data, self.params.class_weight == "balanced", self._folds)
            return self._problem

    def _open(self, state: State) -> Forest:
        """The forest of a finished state, kept for the next call."""
        with self._lock:
            if self._opened is None or self._opened[0] is not state:
                self._opened = (state, forests.from_arrays(state.arrays, TREE))
            return self._opened[1]


def _audit_facts(facts: Mapping[str, Any], classes: int, columns: int) -> None:
    kinds = {"alpha": (float, int), "loss": (float, int), "classes": (int,), "columns": (int,)}
    sound = facts.keys() == kinds.keys() and all(type(facts[name]) in kind for name, kind in kinds.items())
    if not sound or facts["classes"] != classes or facts["columns"] != columns:
        raise MalformedContainer("The facts of a decision tree are wrong.", expected=", ".join(sorted(kinds)))
