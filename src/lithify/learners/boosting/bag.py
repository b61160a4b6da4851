"""The members of a bag: their trees while they grow, cut back to the best round, and put together as one forest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.learners.forest.audit import audit
from lithify.learners.forest.forest import CATEGORICAL, DTYPES, Forest, average, concatenate, from_arrays, take

_MOST_COLUMNS = 2**20


def prefix(member: int) -> str:
    """What the names of a member's arrays begin with."""
    return f"m{member:03d}/"


def grown(arrays: Mapping[str, NDArray[Any]], member: int) -> Forest:
    """The trees of a member so far."""
    return from_arrays(arrays, prefix(member))


def appended(arrays: Mapping[str, NDArray[Any]], total: Mapping[str, NDArray[Any]], member: int) -> dict[str, Any]:
    """A member's arrays with those of a new chunk: trees and rounds behind the old ones, scores in their place."""
    name = prefix(member)
    trees = concatenate([grown(arrays, member), grown(total, member)])
    rounds = np.append(arrays[name + "rounds"], len(total[name + "losses"]))
    return trees.arrays(name) | {name + "raw": total[name + "raw"], name + "rounds": rounds}


def best(arrays: Mapping[str, NDArray[Any]], member: int, chunk: int, round_: int) -> Forest:
    """A member's trees up to a round; in a chunk that ended early there are fewer than rounds."""
    rounds = arrays[prefix(member) + "rounds"]
    within = np.minimum(rounds, np.maximum(0, round_ - chunk * np.arange(len(rounds))))
    trees = grown(arrays, member)
    return take(trees, int(within.sum()) * trees.outputs)


def bag(members: Sequence[Forest], shift: float, scale: float, classes: int, columns: int) -> State:
    """What is sealed: all trees as one forest, where each member begins, and what it begins with.

    ``scale`` is a power of two, as is the number of members: no bit of a leaf value is lost.
    """
    whole = average(members)
    whole = replace(whole, scale=whole.scale * scale, bias=shift + scale * whole.bias)
    starts = {
        "member_start": np.cumsum([0, *map(len, members)], dtype=np.int64),
        "member_bias": np.array([shift + scale * forest.bias for forest in members]),
    }
    return State({**whole.narrow(), **starts}, {"classes": classes, "columns": columns})


def member_of(state: State, whole: Forest, member: int) -> Forest:
    """One member of a bag, whose scores are its own."""
    first, last = state.arrays["member_start"][member : member + 2].tolist()
    members = len(state.arrays["member_bias"])
    alone = between(whole, first, last)
    return replace(alone, scale=whole.scale * members, bias=state.arrays["member_bias"][member])


def between(forest: Forest, first: int, last: int) -> Forest:
    """The trees ``first`` to ``last`` of a forest, the latter not included."""
    rest = take(forest, last)
    leaves = int(rest.start[first])
    nodes = leaves - first
    sets = int(np.count_nonzero(rest.flags[:nodes] & CATEGORICAL))
    words = int(rest.set_start[sets])
    begins = {"start": first, "output": first, "value": leaves, "cover": leaves, "set_start": sets, "set_bits": words}
    begins |= {"scale": 0, "bias": 0}
    arrays = {name: array[begins.get(name, nodes) :].copy() for name, array in rest.arrays().items()}
    arrays["start"] -= leaves
    arrays["set_start"] -= words
    return Forest(**arrays)


def audit_bag(state: State, classes: int) -> Forest:
    """Raises ``MalformedContainer`` unless a finished state is a sound bag; returns its forest."""
    outputs, columns = (classes if classes > 2 else 1), state.facts.get("columns")
    if state.facts.keys() != {"classes", "columns"} or state.facts["classes"] != classes:
        raise MalformedContainer("The forest is of other labels.", expected=str(classes))
    if type(columns) is not int or not 0 < columns <= _MOST_COLUMNS:
        raise MalformedContainer("The forest does not say how many columns it reads.")
    made = {name for name in state.arrays if name.startswith(("pairs_", "statistics_"))}
    if state.arrays.keys() - made != {*DTYPES, "member_start", "member_bias"}:
        raise MalformedContainer("The arrays are not those of a bag.", found=", ".join(sorted(state.arrays))[:200])
    forest = from_arrays(state.arrays)
    audit(forest, columns, outputs)
    start, bias = state.arrays["member_start"], state.arrays["member_bias"]
    members = len(start) - 1 if start.ndim == 1 else 0
    sound = members > 0 and start.dtype == np.int64 and bias.dtype == np.float64 and bias.shape == (members, outputs)
    if not (sound and start[0] == 0 and start[-1] == len(forest) and (np.diff(start) >= 0).all()):
        raise MalformedContainer("The members of the bag do not fit its trees.")
    if not np.isfinite(bias).all():
        raise MalformedContainer("The bag is not finite.")
    return forest


def audit_member(arrays: Mapping[str, NDArray[Any]], member: int, columns: int, outputs: int, chunks: int) -> None:
    """Raises ``MalformedContainer`` unless a member's trees from a checkpoint are sound and as many as it says."""
    trees, rounds = grown(arrays, member), arrays[prefix(member) + "rounds"]
    audit(trees, columns, outputs)
    counted = rounds.dtype == np.int64 and rounds.shape == (chunks,) and bool((rounds >= 0).all())
    in_turn = np.array_equal(trees.output, np.arange(len(trees)) % outputs)
    plain = (trees.scale == 1.0).all() and not trees.bias.any()
    if not (counted and in_turn and plain and int(rounds.sum()) * outputs == len(trees)):
        raise MalformedContainer("The trees in the checkpoint are not as many as its rounds.")
