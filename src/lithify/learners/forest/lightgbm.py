"""Turns a LightGBM booster that was just grown into a :class:`~lithify.learners.forest.forest.Forest`.

LightGBM writes thresholds and leaf values with 17 digits, which is exact. Its text is read here only as its own
process wrote it a moment ago; no such text is ever kept or taken from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lithify.errors import Unsupported
from lithify.learners.forest.forest import CATEGORICAL, DEFAULT_LEFT, DTYPES, ZERO_IS_MISSING, Forest
from lithify.learners.forest.kernels import TINY

if TYPE_CHECKING:
    from lightgbm import Booster

_MISSING_ZERO, _MISSING_NAN = 4, 8
_LISTS = {
    "split_feature": np.int32,
    "split_gain": np.float64,
    "threshold": np.float64,
    "decision_type": np.uint8,
    "left_child": np.int32,
    "right_child": np.int32,
    "leaf_value": np.float64,
    "leaf_count": np.float64,
    "cat_boundaries": np.int64,
    "cat_threshold": np.uint32,
}


def from_lightgbm(booster: Booster | str, rounds: int | None = None) -> Forest:
    """The forest that gives the raw scores of a booster, bit for bit.

    Parameters
    ----------
    booster : lightgbm.Booster or str
        Or what ``Booster.model_to_string`` gave.
    rounds : int, optional
        How many rounds to take; all without. A round of K outputs has K trees.

    Raises
    ------
    Unsupported
        The booster averages its trees (random forest) or has linear models in its leaves.
    """
    text = booster if isinstance(booster, str) else booster.model_to_string(num_iteration=-1)
    head, *trees = text.split("\nend of trees")[0].split("\nTree=")
    if "\naverage_output" in head or "\nis_linear=1" in text:
        raise Unsupported("Random forests and linear trees of LightGBM have no place in a forest.")
    outputs = int(_value(head, "num_tree_per_iteration"))
    trees = trees if rounds is None else trees[: rounds * outputs]
    lists = {name: _numbers([_value(tree, name) for tree in trees], dtype) for name, dtype in _LISTS.items()}
    leaves = np.array([int(_value(tree, "num_leaves")) for tree in trees], dtype=np.int64)
    sets = np.array([int(_value(tree, "num_cat")) for tree in trees], dtype=np.int64)
    return _forest(lists, leaves, sets, outputs)


def _forest(lists: dict[str, NDArray[Any]], leaves: NDArray[np.int64], sets: NDArray[np.int64], outputs: int) -> Forest:
    flags, threshold = _decisions(lists["decision_type"], lists["threshold"])
    arrays = {
        "start": np.concatenate([[0], np.cumsum(leaves)]),
        "output": np.arange(len(leaves)) % outputs,
        "feature": lists["split_feature"],
        "threshold": threshold,
        "left": lists["left_child"],
        "right": lists["right_child"],
        "flags": flags,
        "gain": lists["split_gain"],
        "value": lists["leaf_value"],
        "cover": np.maximum(lists["leaf_count"], 1.0),
        "set_start": _set_start(lists["cat_boundaries"], sets),
        "set_bits": lists["cat_threshold"],
        "scale": np.ones(outputs),
        "bias": np.zeros(outputs),
    }
    return Forest(**{name: np.ascontiguousarray(array, dtype=DTYPES[name]) for name, array in arrays.items()})


def _decisions(
    kind: NDArray[np.uint8], threshold: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Flags and thresholds of the nodes.

    Where LightGBM has seen no missing value it takes one for zero: so it goes left where zero does. And it takes a tiny
    number for zero, so that no number equals the threshold just below zero.
    """
    sets = kind & CATEGORICAL > 0
    known = kind & (_MISSING_ZERO | _MISSING_NAN) == 0
    left = np.where(known, threshold >= 0.0, kind & DEFAULT_LEFT > 0)
    flags = DEFAULT_LEFT * left + ZERO_IS_MISSING * (kind & _MISSING_ZERO > 0)
    below = np.where(threshold == -TINY, np.nextafter(-TINY, -1.0), threshold)
    return np.where(sets, CATEGORICAL, flags).astype(np.uint8), np.where(sets, 0.0, below)


def _set_start(boundaries: NDArray[np.int64], sets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the words of each set begin, counted over all trees; the boundaries begin anew in each tree with a set.

    LightGBM numbers the sets of a tree in the order of its nodes, as a forest does.
    """
    lengths = np.diff(boundaries, append=0)
    ends = np.cumsum(sets[sets > 0] + 1) - 1
    return np.concatenate([[0], np.cumsum(np.delete(lengths, ends))])


def _numbers(texts: list[str], dtype: Any) -> NDArray[Any]:
    words = " ".join(text for text in texts if text).split()
    return np.array(words, dtype=np.float64).astype(dtype)


def _value(text: str, name: str) -> str:
    """What stands behind ``name=`` on a line of its own; nothing where there is no such line."""
    begin = text.find(f"\n{name}=") + len(name) + 2
    return text[begin : text.find("\n", begin)] if begin > len(name) + 1 else ""
