"""The tree format: what is attacked is found out or scores without harm; all ways to score give the same bits."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify.data.batches import Codes, Dense, Hashed
from lithify.errors import MalformedContainer, Unsupported
from lithify.kernels import compiled
from lithify.learners.forest import kernels as forest_kernels
from lithify.learners.forest import quick_kernels
from lithify.learners.forest.audit import audit
from lithify.learners.forest.forest import (
    CATEGORICAL,
    DEFAULT_LEFT,
    DTYPES,
    ZERO_IS_MISSING,
    Forest,
    average,
    concatenate,
    empty,
    from_arrays,
    importances,
    take,
)
from lithify.learners.forest.nodes import nodes
from lithify.learners.forest.quick import quick
from lithify.learners.forest.scoring import add_trees, matrix, score
from lithify.learners.forest.shap import contributions

COLUMNS = 6


def grow(seed: int, leaves: list[int], outputs: int = 1, wide: int = 0) -> Forest:
    """A forest of random trees with thresholds on whole numbers; one node in five has a set.

    Sets know up to 96 codes, those of the first ``wide`` columns up to 384.
    """
    rng = np.random.default_rng(seed)
    left, right, nodes = [], [], sum(leaves) - len(leaves)
    for size in leaves:
        children, free = [[0, 0] for _ in range(size - 1)], []
        for node in range(size - 1):
            if node:
                at, side = free.pop(rng.integers(len(free)))
                children[at][side] = node
            free += [(node, 0), (node, 1)]
        for leaf, (at, side) in enumerate(free):
            children[at][side] = ~leaf
        left += [pair[0] for pair in children]
        right += [pair[1] for pair in children]
    flags = rng.choice([0, DEFAULT_LEFT, ZERO_IS_MISSING, DEFAULT_LEFT | ZERO_IS_MISSING, CATEGORICAL], nodes)
    words = rng.integers(1, 4, np.count_nonzero(flags == CATEGORICAL))
    feature = rng.integers(0, COLUMNS, nodes)
    words[feature[flags == CATEGORICAL] < wide] *= 4
    arrays = {
        "start": np.cumsum([0, *leaves]),
        "output": np.arange(len(leaves)) % outputs,
        "feature": feature,
        "threshold": np.where(flags == CATEGORICAL, 0.0, rng.integers(-3, 4, nodes)),
        "left": left,
        "right": right,
        "flags": flags,
        "gain": rng.random(nodes),
        "value": rng.normal(size=sum(leaves)),
        "cover": rng.integers(1, 50, sum(leaves)),
        "set_start": np.cumsum([0, *words]),
        "set_bits": rng.integers(0, 2**32, words.sum(), dtype=np.uint32),
        "scale": np.ones(outputs),
        "bias": np.zeros(outputs),
    }
    return Forest(**{name: np.array(array, dtype=DTYPES[name]) for name, array in arrays.items()})


def sample(seed: int, rows: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.integers(-4, 100, (rows, COLUMNS)) / rng.choice([1.0, 16.0], (rows, COLUMNS))
    odd = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, -0.5, 1e10, 2.0**31], found.shape)
    return np.where(rng.random(found.shape) < 0.2, odd, found)


def goes_left(forest: Forest, node: int, row: np.ndarray) -> bool:
    value, flags = row[forest.feature[node]], forest.flags[node]
    if flags == CATEGORICAL:
        number = np.count_nonzero(forest.flags[:node] == CATEGORICAL)
        words = forest.set_bits[forest.set_start[number] : forest.set_start[number + 1]]
        inside = [32 * word + bit for word in range(len(words)) for bit in range(32) if int(words[word]) >> bit & 1]
        return bool(np.isfinite(value)) and value > -1 and int(value) in inside
    if np.isnan(value) or (flags & ZERO_IS_MISSING and abs(value) < 1e-35):
        return bool(flags & DEFAULT_LEFT)
    return bool(value <= forest.threshold[node])


def walk(forest: Forest, tree: int, row: np.ndarray) -> float:
    """The leaf value of a tree, as the format is told in words."""
    first, at = forest.start[tree] - tree, 0 if forest.start[tree + 1] - forest.start[tree] > 1 else -1
    while at >= 0:
        at = int((forest.left if goes_left(forest, first + at, row) else forest.right)[first + at])
    return float(forest.value[forest.start[tree] + ~at])


def expected(forest: Forest, tree: int, at: int, row: np.ndarray, known: frozenset[int]) -> tuple[float, float]:
    """The mean leaf value below a node when only some columns are known, and the cover."""
    if at < 0:
        leaf = forest.start[tree] + ~at
        return float(forest.value[leaf]), float(forest.cover[leaf])
    node = forest.start[tree] - tree + at
    sides = [expected(forest, tree, int(child[node]), row, known) for child in (forest.left, forest.right)]
    cover = sides[0][1] + sides[1][1]
    if forest.feature[node] in known:
        return sides[0 if goes_left(forest, node, row) else 1][0], cover
    return sum(value * weight for value, weight in sides) / cover, cover


@pytest.mark.parametrize("leaves", [[1], [2, 1, 31, 32], [33, 7, 64, 1, 5], [65, 3, 200], [1024], [1025]])
def test_every_way_to_score_is_the_words_of_the_format(leaves: list[int]) -> None:
    forest, rows = grow(1, leaves, outputs=2), sample(2, 300)
    audit(forest, COLUMNS, 2)
    expected = np.zeros((len(rows), 2))
    for number, row in enumerate(rows):
        for tree in range(len(leaves)):
            expected[number, tree % 2] += walk(forest, tree, row)
    assert np.array_equal(score(forest, rows), expected)
    for kernels in (forest_kernels, compiled(forest_kernels.__name__)):
        totals = np.zeros((40, 2))
        kernels.add_trees(rows[:40], *nodes(forest), totals)
        assert np.array_equal(totals, expected[:40])
    for few in (1, 2, 31, 33):
        assert np.array_equal(score(forest, rows[:few]), expected[:few])
    assert (quick(forest) is None) == (max(leaves) > 1024)


def test_many_codes_and_many_blocks_of_rows() -> None:
    """Columns of few codes are looked at as bits, of many by tables; rows of several blocks, the last one not full."""
    forest, rng = grow(12, [31, 100, 8, 300] * 5, outputs=3, wide=2), np.random.default_rng(13)
    rows = np.where(rng.random((1100, COLUMNS)) < 0.4, rng.integers(-2, 400, (1100, COLUMNS)), sample(14, 1100))
    totals, both = np.zeros((1100, 3)), quick(forest)
    compiled(forest_kernels.__name__).add_trees(rows, *nodes(forest), totals)
    assert both is not None
    assert len(both[6]) == COLUMNS - 2
    assert len(both[11]) >= 1
    assert np.array_equal(score(forest, rows), totals)


def test_the_kernels_of_blocks_are_plain_python_too() -> None:
    forest, rows = grow(15, [9, 2, 1, 17], outputs=2, wide=1), sample(16, 40)
    plain, fast = np.zeros((2, 40, 2))
    quick_kernels.add_trees(rows, *quick(forest), plain)
    compiled(quick_kernels.__name__).add_trees(rows, *quick(forest), fast)
    assert np.array_equal(plain, fast)
    assert np.array_equal(fast, score(forest, rows))


def test_shares_add_up_to_the_score() -> None:
    forest, rows = (
        replace(grow(3, [40, 1, 9, 20, 2, 70], outputs=3), bias=np.ones(3), scale=np.full(3, 0.5)),
        sample(4, 50),
    )
    shares = contributions(forest, rows)
    assert shares.shape == (50, COLUMNS + 1, 3)
    assert np.allclose(shares.sum(axis=1), score(forest, rows), rtol=0, atol=1e-12)
    assert np.array_equal(contributions(forest, rows[7:8])[0], shares[7])


def test_shares_are_shapley_values() -> None:
    """By the definition: the mean over all orders of columns of what a column changes when it becomes known."""
    forest, row = grow(5, [9, 4]), sample(6, 1)[0]
    means = {
        known: sum(expected(forest, tree, 0, row, known)[0] for tree in range(2))
        for size in range(COLUMNS + 1)
        for known in map(frozenset, combinations(range(COLUMNS), size))
    }
    shares = np.zeros(COLUMNS)
    for order in permutations(range(COLUMNS)):
        for place, column in enumerate(order):
            shares[column] += means[frozenset(order[: place + 1])] - means[frozenset(order[:place])]
    found = contributions(forest, row[None])[0, :, 0]
    assert np.allclose(found[:-1], shares / 720, rtol=0, atol=1e-12)
    assert abs(found[-1] - means[frozenset()]) < 1e-12


def test_more_thresholds_than_a_lane_has_bins() -> None:
    rng = np.random.default_rng(0)
    forest = grow(7, [31] * 100)
    forest = replace(forest, threshold=np.where(forest.flags == CATEGORICAL, 0.0, rng.normal(size=len(forest.feature))))
    rows = np.where(rng.random((500, COLUMNS)) < 0.3, rng.choice(forest.threshold, (500, COLUMNS)), sample(8, 500))
    totals = np.zeros((500, 1))
    compiled(forest_kernels.__name__).add_trees(rows, *nodes(forest), totals)
    assert quick(forest) is not None
    assert np.array_equal(score(forest, rows), totals)


def test_trees_in_several_goes_are_all_at_once() -> None:
    forest, rows = grow(9, [5, 31, 1, 12, 8, 8], outputs=2), sample(10, 100)
    parts = [take(forest, 2), grow(11, [3, 4], outputs=2)]
    totals = np.zeros((100, 2))
    for part in parts:
        add_trees(part, rows, totals)
    whole = concatenate(parts)
    audit(whole, COLUMNS, 2)
    assert np.array_equal(score(whole, rows), totals)
    assert all(
        np.array_equal(a, b) for a, b in zip(take(whole, 2).arrays().values(), parts[0].arrays().values(), strict=True)
    )


def test_a_bag_is_the_mean_of_its_members() -> None:
    members, rows = [replace(grow(seed, [6, 9]), bias=np.array([float(seed)])) for seed in range(4)], sample(12, 50)
    bag = average(members)
    audit(bag, COLUMNS, 1)
    assert np.allclose(score(bag, rows), sum(score(member, rows) for member in members) / 4, rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match="scale"):
        average([members[0], bag])
    with pytest.raises(ValueError, match="nothing"):
        concatenate([])


def test_a_forest_without_trees() -> None:
    audit(empty(3), 0, 3)
    assert np.array_equal(score(empty(3), np.zeros((50, 0))), np.zeros((50, 3)))
    assert not contributions(empty(1), np.zeros((2, 4))).any()
    assert not importances(empty(1), 4).any()
    with pytest.raises(ValueError, match="cannot take"):
        take(empty(1), 1)


def test_importances_are_shares_of_the_gain() -> None:
    forest = grow(13, [10, 20])
    found = importances(forest, COLUMNS + 2)
    assert found.shape == (COLUMNS + 2,)
    assert abs(found.sum() - 1) < 1e-12
    assert found[1] == pytest.approx(forest.gain[forest.feature == 1].sum() / forest.gain.sum())


def test_blocks_side_by_side() -> None:
    blocks = {
        "words": Dense(np.ones((2, 1), dtype=np.float32)),
        "numbers": Dense(np.array([[0.5, np.nan], [1.5, 2.5]])),
        "categories": Codes(np.array([[3], [0]], dtype=np.int32), (4,)),
    }
    found = matrix(blocks)
    assert found.dtype == np.float64
    assert found.flags.c_contiguous
    assert np.array_equal(found, [[0.5, np.nan, 3, 1], [1.5, 2.5, 0, 1]], equal_nan=True)
    hashed = Hashed(np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.uint32), 8)
    for wrong in ({"body": hashed}, {**blocks, "other": blocks["words"]}, {"numbers": hashed}):
        with pytest.raises(Unsupported):
            matrix(wrong)


def test_rows_that_kernels_could_not_read_are_refused() -> None:
    forest = grow(14, [30])
    for rows in (np.zeros((2, 1)), np.zeros((2, COLUMNS), dtype=np.float32), np.zeros((COLUMNS, 2)).T):
        with pytest.raises(ValueError, match="float64"):
            score(forest, rows)
    with pytest.raises(ValueError, match="float64"):
        add_trees(forest, np.zeros((3, COLUMNS)), np.zeros((2, 1)))
    with pytest.raises(ValueError, match="float64"):
        contributions(forest, np.zeros((2, 1)))


def test_what_is_sealed_is_narrow_and_scores_the_same() -> None:
    forest = grow(15, [4, 1, 31])
    narrow = forest.narrow()
    assert [narrow[name].dtype.name for name in ("feature", "left", "gain", "threshold", "value")] == [
        "uint16", "int16", "float32", "float64", "float64",
    ]  # fmt: skip
    again = from_arrays(narrow)
    audit(again, COLUMNS, 1)
    assert score(again, sample(16, 64)).tobytes() == score(forest, sample(16, 64)).tobytes()
    assert np.array_equal(again.cover, forest.cover)


def test_what_does_not_fit_stays_wide() -> None:
    forest = grow(15, [4, 1, 31])
    large = replace(forest, gain=forest.gain + 1e300, cover=forest.cover + 0.1, feature=forest.feature + 70_000)
    narrow = large.narrow()
    assert [narrow[name].dtype.name for name in ("gain", "cover", "feature")] == ["float64", "float64", "int32"]


def test_arrays_and_back() -> None:
    forest = grow(15, [4, 1, 31])
    arrays = forest.arrays("a/")
    assert {name.removeprefix("a/") for name in arrays} == {*DTYPES}
    again = from_arrays({name: np.frombuffer(array.tobytes(), array.dtype) for name, array in arrays.items()}, "a/")
    audit(again, COLUMNS, 1)
    assert np.array_equal(score(again, sample(16, 64)), score(forest, sample(16, 64)))
    for name, array in arrays.items():
        for wrong in (None, array.astype(object), array[:, None]):
            changed = {**arrays, name: wrong} if wrong is not None else {k: v for k, v in arrays.items() if k != name}
            with pytest.raises(MalformedContainer):
                from_arrays(changed, "a/")


NUMBERS = [0, 1, -1, 2, -2, 7, 30, 31, 2**31 - 1, -(2**31), 2**62, -(2**62), np.nan, np.inf, -np.inf, 1e-300, 0.5]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_an_attack_is_found_out_or_does_no_harm(data: st.DataObject) -> None:
    arrays = grow(17, [4, 1, 31, 6], outputs=2).arrays()
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(arrays)))
        arrays[name] = _mutated(arrays[name].copy(), data)
    try:
        forest = from_arrays(arrays)
        audit(forest, COLUMNS, 2)
    except MalformedContainer:
        return
    with np.errstate(all="ignore"):
        many = score(forest, sample(18, 40))
        one = np.concatenate([score(forest, row[None]) for row in sample(18, 40)])
        assert np.array_equal(many, one, equal_nan=True)
        assert contributions(forest, sample(18, 2)).shape == (2, COLUMNS + 1, 2)


def _mutated(array: np.ndarray, data: st.DataObject) -> np.ndarray:
    how = data.draw(st.sampled_from(["set", "set", "swap", "cut", "grow", "reverse", "move"]))
    at, other = (data.draw(st.integers(0, max(0, len(array) - 1))) for _ in range(2))
    if how == "set" and len(array):
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            array[at] = np.array(data.draw(st.sampled_from(NUMBERS))).astype(array.dtype)
    elif how == "swap" and len(array):
        array[[at, other]] = array[[other, at]]
    elif how == "cut":
        array = array[:at]
    elif how == "grow":
        array = np.concatenate([array, array[:at]])
    elif how == "move" and len(array):
        array[at] = array[other]
    return array[::-1].copy() if how == "reverse" else array


@pytest.mark.parametrize(
    "change",
    [
        {"left": {0: 0}},
        {"left": {0: 4}},
        {"left": {5: 2}},
        {"right": {3: ~40}},
        {"right": {3: ~0}},
        {"feature": {0: COLUMNS}},
        {"feature": {0: -1}},
        {"flags": {0: 8}},
        {"flags": {0: 3}},
        {"output": {0: 1}},
        {"start": {1: 100}},
        {"value": {0: np.nan}},
        {"cover": {0: 0.0}},
        {"threshold": {0: np.nan}},
        {"scale": {0: np.inf}},
        {"set_start": {1: 0}},
        {"set_start": {0: -1}},
    ],
    ids=str,
)
def test_each_kind_of_damage_is_found(change: dict[str, dict[int, float]]) -> None:
    arrays = {name: array.copy() for name, array in grow(19, [31, 31]).arrays().items()}
    audit(from_arrays(arrays), COLUMNS, 1)
    for name, places in change.items():
        for at, value in places.items():
            arrays[name][at] = value
    with pytest.raises(MalformedContainer):
        audit(from_arrays(arrays), COLUMNS, 1)
