"""Weakest links, whole trees against every way to prune them, and how folds choose."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lithify.learners.tree.pruning import alphas, between, choose, cuts, ends


@st.composite
def trees(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Left children and gains of a tree that grew leaf by leaf."""
    left = [0]
    for _ in range(draw(st.integers(0, 5))):
        leaf = draw(st.sampled_from([node for node, child in enumerate(left) if not child]))
        left[leaf] = len(left)
        left += [0, 0]
    gain = [draw(st.integers(1, 64)) / 64 if child else 0.0 for child in left]
    return np.array(left, dtype=np.int32), np.array(gain)


def pruned(left: np.ndarray) -> list[frozenset[int]]:
    """Inner nodes of every tree that pruning can leave."""
    inner = np.flatnonzero(left > 0).tolist()
    parent = {int(left[node]) + side: node for node in inner for side in (0, 1)}
    subsets = itertools.chain.from_iterable(itertools.combinations(inner, n) for n in range(len(inner) + 1))
    return [frozenset(kept) for kept in subsets if all(node == 0 or parent[node] in kept for node in kept)]


@given(trees(), st.integers(0, 80))
def test_pruned_tree_is_the_smallest_of_least_cost(tree: tuple[np.ndarray, np.ndarray], at: int) -> None:
    left, gain = tree
    alpha = at / 64 + 1 / 1000
    cut = cuts(left, gain)
    kept = frozenset(np.flatnonzero((left > 0) & (cut > alpha)).tolist())
    cost = {some: alpha * len(some) - sum(gain[list(some)]) for some in pruned(left)}
    assert kept in cost
    assert cost[kept] <= min(cost.values()) + 1e-12
    last = ends(left, cut, alpha)
    assert last.sum() == len(kept) + 1


@given(trees())
def test_what_is_cut_takes_everything_below_with_it(tree: tuple[np.ndarray, np.ndarray]) -> None:
    left, gain = tree
    cut = cuts(left, gain)
    for node in np.flatnonzero(left > 0):
        assert cut[left[node]] <= cut[node]
        assert cut[left[node] + 1] <= cut[node]
    assert alphas(cut)[0] == 0.0
    assert len(between(alphas(cut))) == len(alphas(cut))


def test_choice_is_the_least_loss_and_of_equal_ones_the_smallest() -> None:
    alpha = np.array([0.0, 1.0, 4.0, 9.0])
    loss = np.array([[5.0, 2.0, 2.0, 3.0], [5.0, 4.0, 4.0, 5.0], [0.0, 0.0, 0.0, 0.0]])
    weight = np.array([2.0, 2.0, 0.0])
    assert choose(alpha, loss, weight, False).alpha == 4.0
    assert choose(alpha, loss, weight, False).inside == 6.0
    assert choose(alpha, loss, weight, False).loss == 1.5
    assert choose(alpha, loss, weight, True).alpha == 9.0
