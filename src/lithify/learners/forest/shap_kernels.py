"""Kernels that share a score out over columns: Shapley values of trees, with the covers of the paths.

Lundberg et al. 2018 (arXiv:1802.03888, "path-dependent" TreeSHAP) define the values: a column that is not known sends a
row both ways, each with its share of the cover. To a leaf with value v lead columns j with such a share z_j each, and
o_j is 1 where the row itself would go that way, else 0. The value of column i there is

    v (o_i - z_i) int_0^1 prod_{j != i} ((1 - t) z_j + t o_j) dt,

the integral of a polynomial, which Gauss's quadrature gives exactly from half as many points as columns. The product is
carried down a tree and the sums over leaves are carried up, so a tree with L leaves of depth D costs L * D (as in Yu et
al. 2022, arXiv:2209.08192, "Linear TreeShap"). All terms are positive but for the two outer factors: nothing cancels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

turn = peer("lithify.learners.forest.kernels").turn


@kernel
def spread(start: Any, child: Any, feature: Any, cover: Any, before: Any, share: Any, depth: Any) -> None:
    """What the ways down to each node and leaf have in common for all rows.

    The spots of tree t are its nodes and then its leaves, from ``2 * start[t] - t`` on in ``cover``, ``before`` and
    ``share``; ``child`` (N, 2) are spots within a tree. ``cover`` has the covers of the leaves to begin with and gets
    those of the nodes, ``before`` the last spot above that was reached by the same column, -1 without one, ``share``
    the share of the cover which that column has sent on all the way down, ``depth`` (T,) the most columns on one way.
    """
    for tree in range(len(start) - 1):
        first, spot = start[tree] - tree, 2 * start[tree] - tree
        size = start[tree + 1] - start[tree] - 1
        parent = np.zeros(2 * size + 1, dtype=np.int64)
        columns = np.zeros(2 * size + 1, dtype=np.int64)
        for at in range(size - 1, -1, -1):
            cover[spot + at] = cover[spot + child[first + at, 0]] + cover[spot + child[first + at, 1]]
        for at in range(size):
            above = at
            while above and feature[first + parent[above]] != feature[first + at]:
                above = parent[above]
            for side in range(2):
                down = child[first + at, side]
                parent[down] = at
                before[spot + down] = above if above else -1
                columns[down] = columns[at] + (0 if above else 1)
                share[spot + down] = cover[spot + down] / cover[spot + at] * (share[spot + above] if above else 1.0)
        for at in range(2 * size + 1):
            depth[tree] = max(depth[tree], columns[at])


@kernel
def add_shares(
    rows: Any,
    start: Any,
    output: Any,
    child: Any,
    node: Any,
    number: Any,
    set_start: Any,
    set_bits: Any,
    before: Any,
    share: Any,
    depth: Any,
    points: Any,
    weights: Any,
    shares: Any,
) -> None:
    """Adds what each column of ``rows`` (n, d) adds to each score to ``shares`` (n, d, K).

    ``node`` and ``number`` are as in :mod:`lithify.learners.forest.kernels`, the other tables as :func:`spread` makes
    them. ``points`` and ``weights`` (q, q) have Gauss's quadrature on 0 to 1 with m points in row m - 1.
    """
    inner = (len(node) - len(output)) // 2
    spots = 1
    for tree in range(len(output)):
        spots = max(spots, 2 * (start[tree + 1] - start[tree]) - 1)
    most = points.shape[1]
    product = np.ones((spots, most), dtype=np.float64)  # at a spot with nodes below later on the sum over its leaves
    inverse = np.ones((spots, most), dtype=np.float64)  # of the factor of the last column on the way
    way = np.zeros(spots, dtype=np.float64)  # o - z of that column
    for row in range(len(rows)):
        x = rows[row]
        for tree in range(len(output)):
            first, spot = start[tree] - tree, 2 * start[tree] - tree
            size = start[tree + 1] - start[tree] - 1
            many = min(most, max(1, (depth[tree] + 1) // 2))
            place = points[many - 1]
            for k in range(many):
                product[0, k] = 1.0
            for at in range(size):
                i = first + at
                side = turn(node[i, 3], number[i], x[node[i, 0]], set_start, set_bits)
                above = before[spot + child[i, 0]]
                lost = above >= 0 and way[above] < 0.0
                for other in range(2):
                    down = child[i, other]
                    z = share[spot + down]
                    o = 0.0 if lost or other != side else 1.0
                    way[down] = o - z
                    for k in range(many):
                        factor = z + (o - z) * place[k]
                        inverse[down, k] = 1.0 / factor
                        product[down, k] = product[at, k] * factor
                    if above >= 0:
                        for k in range(many):
                            product[down, k] *= inverse[above, k]
            for at in range(size + 1):
                value = number[inner + start[tree] + at]
                for k in range(many):
                    product[size + at, k] *= value * weights[many - 1, k]
            for at in range(size - 1, -1, -1):
                i = first + at
                above = before[spot + child[i, 0]]
                total = 0.0
                for other in range(2):
                    down = child[i, other]
                    for k in range(many):
                        total += product[down, k] * inverse[down, k] * way[down]
                left, right = child[i, 0], child[i, 1]
                for k in range(many):
                    product[at, k] = product[left, k] + product[right, k]
                if above >= 0:
                    for k in range(many):
                        total -= product[at, k] * inverse[above, k] * way[above]
                shares[row, node[i, 0], output[tree]] += total
