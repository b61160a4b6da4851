"""The sum over the grains of a step: one binary tree, whoever adds.

Partials are added neighbours first, then neighbours of neighbours. Who computes a whole aligned subtree therefore
decides nothing but when: the bits of the sum are those of the tree.
"""

from __future__ import annotations

from collections.abc import Callable

from lithify.learners.base import Partial


def subtree(grain: Callable[[int], Partial], first: int, width: int) -> Partial:
    """The sum over ``grain(first) ... grain(first + width - 1)``; ``width`` is a power of two."""
    if width == 1:
        return grain(first)
    half = width // 2
    return add(subtree(grain, first, half), subtree(grain, first + half, half))


def add(left: Partial, right: Partial) -> Partial:
    """Adds ``right`` into ``left``, name by name, and returns it; both belong to the caller.

    >>> import numpy as np
    >>> add({"a": np.array([1, 2])}, {"a": np.array([1, 1]), "b": np.array([5])})
    {'a': array([2, 3]), 'b': array([5])}
    """
    for name, values in right.items():
        if name in left:
            left[name] += values
        else:
            left[name] = values
    return left
