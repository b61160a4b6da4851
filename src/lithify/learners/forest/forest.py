"""The one tree format: a forest as flat arrays, which can be sealed, audited, scored and explained.

A tree with n internal nodes has n + 1 leaves; both are numbered within the tree, and node 0 is the root. A child >= 0
is an internal node with a higher number than its parent, a child < 0 is the leaf ``~child``. The trees lie one behind
the other, so where their leaves begin tells where their nodes begin: at ``start[t] - t``.

A row goes left where its value is <= the threshold, or, at a categorical node, where its code is in the node's set. A
missing value (NaN) goes where the node says; so does zero at a node that counts it as missing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from lithify.errors import MalformedContainer

CATEGORICAL, DEFAULT_LEFT, ZERO_IS_MISSING = 1, 2, 4
"""Bits of ``Forest.flags``."""

Derived = TypeVar("Derived")


@dataclass(frozen=True, eq=False)
class Forest:
    """T trees with N internal nodes and L = N + T leaves in all, for K outputs. Never changed in place.

    The raw score of output k is ``bias[k] + scale[k] * s``, with s the sum of the leaf values of its trees in their
    order, in float64.

    Attributes
    ----------
    start : (T + 1,) int64
        Tree t has the leaves ``start[t]`` to ``start[t + 1]``.
    output : (T,) int32
        What each tree adds to.
    feature : (N,) int32
        The column each node looks at.
    threshold : (N,) float64
        May be infinite: only a missing value is to the other side then. Zero at categorical nodes.
    left, right : (N,) int32
        Children, numbered within the tree.
    flags : (N,) uint8
        Sums of ``CATEGORICAL``, which stands alone, ``DEFAULT_LEFT`` and ``ZERO_IS_MISSING``.
    gain : (N,) float64
        How much each split lowered the loss in training.
    value : (L,) float64
        Leaf values.
    cover : (L,) float64
        Training rows in each leaf, or their weight.
    set_start : (C + 1,) int64
        The c-th categorical node goes left for the codes in the words ``set_start[c]`` to ``set_start[c + 1]``.
    set_bits : (B,) uint32
        Code v is in a set where bit v % 32 of its word v // 32 is set.
    scale, bias : (K,) float64
        See above.
    """

    start: NDArray[np.int64]
    output: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    flags: NDArray[np.uint8]
    gain: NDArray[np.float64]
    value: NDArray[np.float64]
    cover: NDArray[np.float64]
    set_start: NDArray[np.int64]
    set_bits: NDArray[np.uint32]
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]
    _derived: dict[str, Any] = field(default_factory=dict, repr=False, init=False)
    _deriving: Any = field(default_factory=threading.RLock, repr=False, init=False)

    def __len__(self) -> int:
        return len(self.output)

    @property
    def outputs(self) -> int:
        """How many raw scores a row gets."""
        return len(self.scale)

    @property
    def width(self) -> int:
        """How many columns a row must have at least."""
        return self.derive("width", lambda forest: int(forest.feature.max(initial=-1)) + 1)

    def arrays(self, prefix: str = "") -> dict[str, NDArray[Any]]:
        """Its arrays, by name."""
        return {prefix + name: getattr(self, name) for name in DTYPES}

    def narrow(self, prefix: str = "") -> dict[str, NDArray[Any]]:
        """What to seal, by name: arrays in smaller types where those hold them.

        Gains, of which only shares are ever shown, are rounded to float32; everything else keeps its values.
        """
        arrays = self.arrays(prefix)
        for name, dtype in NARROW.items():
            wide = arrays[prefix + name]
            with np.errstate(over="ignore", under="ignore"):
                small = wide.astype(dtype)
            if np.isfinite(small).all() if name == "gain" else np.array_equal(small, wide):
                arrays[prefix + name] = small
        return arrays

    def derive(self, name: str, make: Callable[[Forest], Derived]) -> Derived:
        """What ``make`` gives for this forest, made once; never sealed."""
        with self._deriving:
            if name not in self._derived:
                self._derived[name] = make(self)
        return cast(Derived, self._derived[name])


DTYPES = {
    each.name: np.dtype(cast(str, each.type).removeprefix("NDArray[np.").removesuffix("]"))
    for each in fields(Forest)
    if each.init
}
"""The arrays of a forest and what they are made of; all have one dimension."""
NARROW = {name: np.dtype(to) for name, to in {
    "feature": "uint16", "left": "int16", "right": "int16", "gain": "float32", "cover": "float32",
}.items()}  # fmt: skip
"""What some of them may be sealed as."""


def from_arrays(arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Forest:
    """The forest that ``Forest.arrays`` or ``Forest.narrow`` took apart; not yet to be trusted, see :func:`audit`.

    Raises
    ------
    MalformedContainer
        An array is missing, or has the wrong type or number of dimensions.
    """
    found = {name: arrays.get(prefix + name) for name in DTYPES}
    for name, array in found.items():
        if array is None or array.dtype not in (DTYPES[name], NARROW.get(name)) or array.ndim != 1:
            raise MalformedContainer(
                "The arrays are not those of a forest.",
                expected=f"{prefix}{name} of {DTYPES[name]} with one dimension",
                found="none" if array is None else f"{array.dtype} of shape {array.shape}",
            )
    return Forest(**{name: np.ascontiguousarray(array, dtype=DTYPES[name]) for name, array in found.items()})


def empty(outputs: int) -> Forest:
    """No trees: scores are zero."""
    arrays = {name: np.zeros(0, dtype=dtype) for name, dtype in DTYPES.items()}
    first = {name: np.zeros(1, dtype=np.int64) for name in ("start", "set_start")}
    return Forest(**{**arrays, **first, "scale": np.ones(outputs), "bias": np.zeros(outputs)})


def concatenate(forests: Sequence[Forest]) -> Forest:
    """The trees of all forests one after the other, with scale and bias of the first; as many outputs in each.

    What rounds of training add up to: the scale must be the same in all, the biases of the others are dropped.
    """
    if not forests:
        raise ValueError("there is nothing to concatenate")
    first = forests[0]
    if any(not np.array_equal(forest.scale, first.scale) for forest in forests):
        raise ValueError("forests of different scale or number of outputs cannot be concatenated")
    arrays = {name: np.concatenate([getattr(forest, name) for forest in forests]) for name in DTYPES}
    for name in ("start", "set_start"):
        lengths = [np.diff(getattr(forest, name)) for forest in forests]
        arrays[name] = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    return Forest(**{**arrays, "scale": first.scale, "bias": first.bias})


def average(forests: Sequence[Forest]) -> Forest:
    """The members of a bag as one forest, whose scores are the mean of theirs up to rounding."""
    whole, members = concatenate(forests), len(forests)
    bias = np.zeros(whole.outputs)
    for forest in forests:
        bias = bias + forest.bias
    return replace(whole, scale=whole.scale / members, bias=bias / members)


def take(forest: Forest, trees: int) -> Forest:
    """The first trees of a forest; of one with K outputs K trees are a round."""
    if not 0 <= trees <= len(forest):
        raise ValueError(f"cannot take {trees} of {len(forest)} trees")
    leaves = int(forest.start[trees])
    nodes = leaves - trees
    sets = int(np.count_nonzero(forest.flags[:nodes] & CATEGORICAL))
    ends = {"start": trees + 1, "output": trees, "value": leaves, "cover": leaves, "set_start": sets + 1}
    ends |= {"set_bits": int(forest.set_start[sets]), "scale": forest.outputs, "bias": forest.outputs}
    return Forest(**{name: array[: ends.get(name, nodes)].copy() for name, array in forest.arrays().items()})


def importances(forest: Forest, columns: int) -> NDArray[np.float64]:
    """The share of each column in the gain of all splits, (columns,); all zero where no split gained anything."""
    found = np.zeros(columns)
    np.add.at(found, forest.feature, np.maximum(forest.gain, 0.0))
    total = float(found.sum())
    return found / total if total > 0 else found
