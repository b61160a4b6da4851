"""The parameters of boosting, and the rules that settle what is left to the size of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

Members = Literal[0, 1, 2, 4, 8, 16, 32]
MOST_ROUNDS = 100_000
_TINY, _SMALL = 2_000, 10_000
_MOST_ROUNDS_A_STEP = 25
_WORK_A_STEP = 6e9
"""Cells that the trees of one step look at: about ten seconds on two cores."""


@dataclass(frozen=True)
class BoostingParams:
    """Parameters of boosting. Zero leaves a parameter to the size of the data, where the text says so.

    Attributes
    ----------
    members : int
        Members of the bag; each learns from the rows outside of its fold and is judged by those inside. 1 learns from
        all rows and stops early by the validation rows, if there are any; 0 leaves it to the data.
    rounds : int
        Rounds of boosting at most.
    chunk : int
        Rounds in a step; 0 for as many as take some seconds. Other chunks, other bits.
    learning_rate : float
        Share of each tree that counts; 0 to leave it to the data.
    leaves : int
        Leaves of a tree at most; 0 to leave it to the data.
    min_rows_leaf : int
        Rows in a leaf at least; 0 to leave it to the data.
    column_share, row_share : float
        Share of the columns, and of the rows, that each tree is grown from.
    l2 : float
        Penalty of the leaf values.
    extra : bool
        Whether only one random threshold of each column is tried (extremely randomised trees).
    max_bins : int
        Bins of a number; more find finer thresholds and take longer. 0 to leave it to the data.
    category_l2, category_smooth : float
        Penalty of a split by sets of categories, and smoothing of a category's rows.
    category_threshold : int
        Categories on the smaller side of a split at most.
    category_single : int
        A column of so many categories or fewer is split one category against the rest.
    category_rows : int
        Rows that a set of categories is grown by at least.
    pairs : int
        Number columns at most whose sums and differences, pair by pair, are columns as well, if a short contest finds
        that they lower the loss on held-out rows; 0 for none.
    statistics : int
        Category columns, and number columns of few values, at most, whose means of the label, of each column and of
        every two, are columns as well; 0 for none. With two labels and the squared error only, and in bags.
    patience : int
        Rounds without a smaller loss on held-out rows after which training stops; 0 to leave it to the data.
    objective : str
        What regression minimises: ``squared``, ``absolute`` or ``quantile``; ``auto`` is ``squared``. Labels are always
        learned by the logistic loss.
    quantile : float
        The level of the objective ``quantile``.
    class_weight : str
        ``balanced`` gives every label the same weight in all.
    """

    members: Members = 0
    rounds: Annotated[int, Ge(1), Le(MOST_ROUNDS)] = 1000
    chunk: Annotated[int, Ge(0), Le(10_000)] = 0
    learning_rate: Annotated[float, Ge(0), Le(1)] = 0.0
    leaves: Annotated[int, Ge(0), Le(10_000)] = 0
    min_rows_leaf: Annotated[int, Ge(0)] = 0
    column_share: Annotated[float, Gt(0), Le(1)] = 0.5
    row_share: Annotated[float, Gt(0), Le(1)] = 0.8
    l2: Annotated[float, Ge(0), Le(1e9)] = 1.0
    extra: bool = False
    max_bins: Annotated[int, Ge(0), Le(65_535)] = 0
    category_l2: Annotated[float, Ge(0), Le(1e9)] = 10.0
    category_smooth: Annotated[float, Ge(0), Le(1e9)] = 10.0
    category_threshold: Annotated[int, Ge(1), Le(100_000)] = 32
    category_single: Annotated[int, Ge(1), Le(100_000)] = 4
    category_rows: Annotated[int, Ge(1)] = 100
    pairs: Annotated[int, Ge(0), Le(16)] = 4
    statistics: Annotated[int, Ge(0), Le(32)] = 0
    patience: Annotated[int, Ge(0)] = 0
    objective: Literal["auto", "squared", "absolute", "quantile"] = "auto"
    quantile: Annotated[float, Gt(0), Lt(1)] = 0.5
    class_weight: Literal["none", "balanced"] = "none"

    QUALITIES: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {"members": 4, "rounds": 400, "patience": 25},
        "best": {"rounds": 4000, "patience": 100},
    }


def settle(params: BoostingParams, rows: int, columns: int, classes: int) -> BoostingParams:
    """The parameters with every zero replaced by what suits data of that size; settled ones stay as they are.

    Parameters
    ----------
    params : BoostingParams
    rows, columns : int
        Training rows, and columns of the table.
    classes : int
        0 in regression.

    Examples
    --------
    >>> settle(BoostingParams(), rows=40_000, columns=14, classes=2).chunk
    25
    >>> settle(BoostingParams(), rows=40, columns=4, classes=2).min_rows_leaf
    2
    """
    members = params.members or _members(rows, classes)
    return replace(
        params,
        members=members,
        chunk=params.chunk or _chunk(params, members * rows * max(1, columns), classes),
        learning_rate=params.learning_rate or _learning_rate(rows, classes),
        leaves=max(2, params.leaves or _leaves(rows, classes)),
        max_bins=max(2, params.max_bins or (127 if classes > 2 else 255)),
        statistics=params.statistics if _has_means(params, members, classes) else 0,
        patience=params.patience or (25 if classes > 2 else 50),
        min_rows_leaf=params.min_rows_leaf or _min_rows_leaf(rows, classes),
    )


def _has_means(params: BoostingParams, members: int, classes: int) -> bool:
    """Whether what is learned is a mean, by members that can each see means of other rows."""
    return members > 1 and (classes == 2 if classes else params.objective in ("auto", "squared"))


def _members(rows: int, classes: int) -> Members:
    """Every member keeps its scores of every row, and the more rows there are the less a bag gains."""
    scores = rows * (classes if classes > 2 else 1)
    return 2 if scores >= 2_000_000 else 4 if scores >= 500_000 or classes > 2 else 8


def _chunk(params: BoostingParams, cells: int, classes: int) -> int:
    """As many rounds as a kill may cost; ``cells`` are those that the members look at in a round."""
    most = _WORK_A_STEP / max(1, cells * (classes if classes > 2 else 1))
    return max(1, min(_MOST_ROUNDS_A_STEP, params.rounds, int(most)))


def _learning_rate(rows: int, classes: int) -> float:
    """Small tables gain from small steps; the trees of several labels share the way between them."""
    if classes > 2:
        return 0.16
    if rows < _SMALL:
        return 0.03
    return 0.05 if classes else 0.08


def _leaves(rows: int, classes: int) -> int:
    return 8 if rows < _TINY else 48 if classes > 2 else 31


def _min_rows_leaf(rows: int, classes: int) -> int:
    return max(2, min(5 if classes > 2 else 10, rows // 50))
