"""The decision tree: scikit-learn's splits, exact bits, missing cells, categories, weights, damaged states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify.checks.common import digest, frozen_state, spoiled, through_a_file
from lithify.data.batches import Blocks, Codes, Dense, Hashed, TrainingData
from lithify.data.state import State
from lithify.errors import MalformedContainer, Unsupported
from lithify.features.base import Column
from lithify.features.words import TextWords, WordParams
from lithify.learners.forest import forest as forests
from lithify.learners.forest.forest import CATEGORICAL, DEFAULT_LEFT
from lithify.learners.tree import growing as tree_growing
from lithify.learners.tree import pruning as tree_pruning
from lithify.learners.tree import validation as tree_validation
from lithify.learners.tree.kernels import PRESENT
from lithify.learners.tree.tree import FOLDS, TREE, Tree, TreeParams
from lithify.training.executor import Threads, never

WHOLE = TreeParams(folds=0, alpha=0.0)


def problem(
    blocks: Blocks, target: np.ndarray, weight: np.ndarray | None = None, classes: int | None = None, grains: int = 4
) -> TrainingData:
    rows = len(target)
    if classes is None:
        classes = int(target.max()) + 1 if target.dtype == np.int32 else 0
    return TrainingData(
        blocks=blocks,
        target=target,
        weight=np.ones(rows) if weight is None else weight,
        train=np.arange(rows),
        stop=np.zeros(0, dtype=np.int64),
        classes=classes,
        group=np.arange(rows) // 2,
        seed=0,
        grains=grains,
    )


def states(params: TreeParams, data: TrainingData, threads: int = 1) -> list[State]:
    tree = Tree(params)
    found = [tree.start(data)]
    with Threads(threads, never()) as pool:
        while len(found) <= tree.steps(data) and not tree.done(found[-1]):
            found.append(pool.step(tree, found[-1], data, len(found) - 1))
    return found


def trained(params: TreeParams, data: TrainingData, threads: int = 1) -> tuple[Tree, State]:
    tree = Tree(params)
    return tree, tree.finish(states(params, data, threads)[-1], data)


def numbers(rows: int = 500, columns: int = 5, seed: int = 0) -> np.ndarray:
    """Values that single precision holds, as scikit-learn reads them."""
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32).astype(np.float64)


def labels(x: np.ndarray, classes: int = 2) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=len(x))
    return np.digitize(x[:, 0] + x[:, 1] * x[:, 2] + 0.4 * noise, np.linspace(-1, 1, classes + 1)[1:-1]).astype(
        np.int32
    )


def few_values(rows: int, seed: int) -> np.ndarray:
    """At most 200 values a column, so that every split that is possible can be found."""
    return np.random.default_rng(seed).integers(0, 200, size=(rows, 5)).astype(np.float64)


CASES = {
    "two labels": lambda x: labels(x / 60 - 1.5),
    "four labels": lambda x: labels(x / 60 - 1.5, 4),
    "values": lambda x: x[:, 0] + np.sin(x[:, 1] / 30) * x[:, 2] + np.random.default_rng(3).normal(size=len(x)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("criterion", ["gini", "entropy"])
def test_splits_are_those_of_scikit_learn(case: str, criterion: str) -> None:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    x = few_values(700, 5)
    y = CASES[case](x)
    given_ = {"criterion": criterion} if y.dtype == np.int32 else {}
    kind = DecisionTreeClassifier if y.dtype == np.int32 else DecisionTreeRegressor
    peer = kind(max_depth=6, max_leaf_nodes=24, min_samples_leaf=10, random_state=0, **given_).fit(x, y)
    tree, state = trained(replace(WHOLE, criterion=criterion), problem({"numbers": Dense(x)}, y))
    mine = tree.predict(state, {"numbers": Dense(x)})
    _, ours = np.unique(np.round(mine, 9), axis=0, return_inverse=True)
    pairs = len(set(zip(ours.ravel().tolist(), peer.apply(x).tolist(), strict=True)))
    assert pairs == peer.get_n_leaves()
    forest = forests.from_arrays(state.arrays, TREE)
    split = peer.tree_.children_left >= 0
    if case == "values":
        assert np.allclose(mine[:, 0], peer.predict(x), rtol=0, atol=1e-9)
        assert np.array_equal(np.sort(forest.threshold), np.sort(peer.tree_.threshold[split]))


@pytest.mark.parametrize("case", CASES)
def test_pruning_sequence_is_that_of_scikit_learn(case: str) -> None:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    x = few_values(400, 5)
    y = CASES[case](x)
    kind = DecisionTreeClassifier if y.dtype == np.int32 else DecisionTreeRegressor
    peer = kind(max_depth=5, max_leaf_nodes=16, min_samples_leaf=10, random_state=0)
    expected = np.unique(peer.cost_complexity_pruning_path(x, y).ccp_alphas)
    params = replace(WHOLE, max_depth=5, max_leaves=16)
    data = problem({"numbers": Dense(x)}, y)
    tree = Tree(params)
    growing = tree_growing.of(states(params, data)[-1].arrays, 0)
    found = tree_pruning.alphas(tree_validation.cuts(growing, tree._prepare(data)))
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_as_good_as_scikit_learn_on_many_values() -> None:
    from sklearn.tree import DecisionTreeClassifier

    x = numbers(4000)
    y = labels(x)
    train, test = slice(0, 3000), slice(3000, None)
    peer = DecisionTreeClassifier(max_depth=6, max_leaf_nodes=24, min_samples_leaf=10, random_state=0)
    tree, state = trained(TreeParams(), problem({"numbers": Dense(x[train])}, y[train]))
    right = (tree.predict(state, {"numbers": Dense(x[test])}).argmax(axis=1) == y[test]).mean()
    assert right >= peer.fit(x[train], y[train]).score(x[test], y[test]) - 0.02


def mixed(rows: int = 300, classes: int = 2) -> TrainingData:
    """Numbers with missing cells, categories, words, uneven weights."""
    rng = np.random.default_rng(6)
    x, codes = numbers(rows, 3), rng.integers(0, 7, size=(rows, 2)).astype(np.int32)
    score = x[:, 0] + np.isin(codes[:, 0], [0, 3, 5]) + 0.3 * rng.normal(size=rows)
    x[rng.random(x.shape) < 0.2] = np.nan
    words = (rng.random((rows, 2)) < 0.3).astype(np.float32)
    target = score + words[:, 0] if not classes else np.digitize(score, np.linspace(0, 1, classes + 1)[1:-1])
    blocks = {"numbers": Dense(x), "categories": Codes(codes, (7, 7)), "words": Dense(words)}
    kind = np.float64 if not classes else np.int32
    return problem(blocks, target.astype(kind), rng.uniform(0.5, 2.0, rows), classes)


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_same_bits_for_any_threads_and_any_cut(classes: int) -> None:
    data, params = mixed(classes=classes), TreeParams(min_rows_leaf=3, max_leaves=30)
    path = states(params, data)
    assert len(path) > 3
    assert [digest(state) for state in states(params, data, 2)] == [digest(state) for state in path]
    assert [digest(s) for s in states(params, replace(data, grains=1))] == [digest(state) for state in path]
    with Threads(2, never()) as pool:
        for step, state in enumerate(path[:-1]):
            tree, again = Tree(params), replace(data)
            state = frozen_state(through_a_file(state))
            tree.admit(state, again)
            assert digest(pool.step(tree, state, again, step)) == digest(path[step + 1])
    assert digest(Tree(params).finish(through_a_file(path[-1]), data)) == digest(Tree(params).finish(path[-1], data))


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_one_row_alone_has_the_bits_it_has_in_a_batch(classes: int) -> None:
    data = mixed(classes=classes)
    tree, state = trained(TreeParams(), data)
    raw = tree.predict(state, data.blocks)
    assert raw.shape == (300, data.outputs)
    assert np.isfinite(raw).all()
    if classes == 2:
        assert not raw[:, 0].any()
    for row in (0, 7, 299):
        alone = {
            name: replace(block, values=block.values[row : row + 1])
            for name, block in data.blocks.items()
            if isinstance(block, Dense | Codes)
        }
        assert tree.predict(state, alone).tobytes() == raw[row : row + 1].tobytes()


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_row_order_changes_nothing_in_the_tree(classes: int) -> None:
    data = mixed(classes=classes)
    order = np.random.default_rng(8).permutation(len(data.target))
    other = replace(data, train=data.train[order])
    assert digest(trained(WHOLE, data)[1]) == digest(trained(WHOLE, other)[1])


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_contributions_add_up(classes: int) -> None:
    data = mixed(classes=classes)
    tree, state = trained(TreeParams(), data)
    one = {n: replace(b, values=b.values[:1]) for n, b in data.blocks.items() if isinstance(b, Dense | Codes)}
    raw = tree.predict(state, one)[0]
    for column in range(data.outputs):
        shares, base = tree.contributions(state, one, column)
        assert shares.keys() == one.keys()
        score = raw[column] - raw[1 - column] if classes == 2 else raw[column]
        assert base + sum(share.sum() for share in shares.values()) == pytest.approx(score)


def test_rows_held_out_are_scored_by_trees_that_have_not_seen_them() -> None:
    data = mixed()
    data = replace(data, target=np.random.default_rng(1).integers(0, 2, 300).astype(np.int32))
    tree, state = trained(TreeParams(min_rows_leaf=1, max_leaves=200, max_depth=20, alpha=0.0), data)
    seen = (tree.predict(state, data.blocks).argmax(axis=1) == data.target).mean()
    held = tree.held_out(state, data)
    assert held is not None
    assert held.shape == (300, 2)
    assert seen > 0.9
    assert (held.argmax(axis=1) == data.target).mean() < 0.65
    assert Tree(WHOLE).held_out(trained(WHOLE, data)[1], data) is None


def test_missing_numbers_go_to_the_better_side() -> None:
    x = np.repeat([1.0, 2.0, np.nan], 40)[:, None]
    for missing_like, flag in ((0, DEFAULT_LEFT), (1, 0)):
        y = np.repeat([0, 1, missing_like], 40).astype(np.int32)
        _, state = trained(WHOLE, problem({"numbers": Dense(x)}, y))
        forest = forests.from_arrays(state.arrays, TREE)
        assert forest.threshold.tolist() == [1.5]
        assert forest.flags.tolist() == [flag]


def test_missing_may_be_all_that_matters() -> None:
    x = np.where(np.arange(80) % 2 == 0, np.nan, np.arange(80.0))[:, None]
    y = (np.arange(80) % 2).astype(np.int32)
    tree, state = trained(WHOLE, problem({"numbers": Dense(x)}, y))
    assert forests.from_arrays(state.arrays, TREE).threshold.tolist() == [PRESENT]
    assert (tree.predict(state, {"numbers": Dense(x)}).argmax(axis=1) == y).all()
    assert tree.predict(state, {"numbers": Dense(np.array([[1e30]]))})[0, 1] > 0


def best_subset(codes: np.ndarray, y: np.ndarray) -> float:
    """Least squared error or Gini impurity over all ways to part five values, by trying them."""
    best = np.inf
    for subset in range(1, 16):
        left = np.isin(codes, [code for code in range(5) if subset >> code & 1])
        if 0 < left.sum() < len(y):
            best = min(best, sum(((side - side.mean()) ** 2).sum() for side in (y[left], y[~left])))
    return best


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_best_subset_of_a_category_is_found(seed: int, regression: bool) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 5, size=60).astype(np.int32)
    y = rng.normal(size=60) if regression else rng.integers(0, 2, 60).astype(np.int32)
    params = replace(WHOLE, max_leaves=2, min_rows_leaf=1)
    data = problem({"categories": Codes(codes[:, None], (5,))}, y, classes=0 if regression else 2)
    tree, state = trained(params, data)
    leaf = tree.predict(state, data.blocks)[:, -1]
    found = sum(((y[leaf == value] - y[leaf == value].mean()) ** 2).sum() for value in np.unique(leaf))
    assert found == pytest.approx(best_subset(codes, y.astype(float)))


def test_many_codes_share_bins_and_unknown_ones_are_rare() -> None:
    rng = np.random.default_rng(2)
    codes = rng.integers(2, 1000, size=3000).astype(np.int32)
    y = (codes % 2).astype(np.int32)
    tree, state = trained(WHOLE, problem({"categories": Codes(codes[:, None], (1001,))}, y))
    forest = forests.from_arrays(state.arrays, TREE)
    assert (forest.flags == CATEGORICAL).all()
    raw = tree.predict(state, {"categories": Codes(np.array([[1], [1000], [0]], dtype=np.int32), (1001,))})
    assert raw[0].tobytes() == raw[1].tobytes()


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_weight_two_is_the_row_twice(classes: int) -> None:
    data = mixed(classes=classes)
    weight = np.random.default_rng(3).integers(0, 3, 300)
    twice = np.repeat(np.arange(300), weight)
    params = replace(WHOLE, min_rows_leaf=1)
    tree, weighted = trained(params, replace(data, weight=weight.astype(float)))
    _, repeated = trained(params, replace(data, weight=np.ones(300), train=twice))
    assert np.allclose(tree.predict(weighted, data.blocks), tree.predict(repeated, data.blocks), atol=0.7)
    one, other = (forests.from_arrays(state.arrays, TREE) for state in (weighted, repeated))
    assert one.feature.tolist() == other.feature.tolist()
    assert one.threshold.tolist() == other.threshold.tolist()


def test_balanced_classes_weigh_the_same() -> None:
    x = numbers(600, 1)
    y = ((x[:, 0] > 0.8) & (np.arange(600) % 2 == 0)).astype(np.int32)
    data = problem({"numbers": Dense(x)}, y)
    found = [
        Tree(params).predict(trained(params, data)[1], data.blocks).argmax(axis=1).mean()
        for params in (WHOLE, replace(WHOLE, class_weight="balanced"))
    ]
    assert found[0] <= found[1]
    assert found[1] > 0.15


def test_noise_is_pruned_away() -> None:
    y = np.random.default_rng(1).integers(0, 2, 600).astype(np.int32)
    data = problem({"numbers": Dense(numbers(600))}, y)
    sizes = [
        len(trained(params, data)[1].arrays["tree/value"])
        for params in (WHOLE, TreeParams(), TreeParams(one_standard_error=True), TreeParams(alpha=1.0))
    ]
    assert sizes[0] > 15
    assert sizes[1] < 6
    assert sizes[2] <= sizes[1]
    assert sizes[3] == 1


def test_folds_that_leave_no_row_to_learn_from_prune_nothing() -> None:
    x = numbers(200)
    together = replace(problem({"numbers": Dense(x)}, labels(x)), group=np.zeros(200, dtype=np.int64))
    whole, (tree, folded) = trained(WHOLE, together)[1], trained(TreeParams(), together)
    assert len(folded.arrays["tree/value"]) == len(whole.arrays["tree/value"]) > 1
    assert tree.held_out(folded, together) is None


class Made(TextWords):
    """Stands for the features that made some blocks."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__(WordParams())
        self.made = blocks

    def columns(self, state: State) -> list[Column]:
        widths = {name: block.values.shape[1] for name, block in self.made.items() if not isinstance(block, Hashed)}
        return [Column(name, f"{name} {at}", "number") for name, width in widths.items() for at in range(width)]


@pytest.mark.parametrize("rows", [1, 3])
def test_a_few_rows_make_one_leaf(rows: int) -> None:
    data = problem({"numbers": Dense(np.arange(rows * 1.0)[:, None])}, np.arange(rows).astype(np.int32) % 2, classes=2)
    tree, state = trained(TreeParams(), data)
    tree.audit(state, Made(data.blocks), State(), 2)
    assert len(state.arrays["tree/value"]) == 1
    assert np.isfinite(tree.predict(state, data.blocks)).all()


def test_extreme_values_neither_overflow_nor_warn() -> None:
    x = np.array([-1.7e308, -1.0, 1.0, 1.7e308] * 30)[:, None]
    for scale in (1e-100, 1.0, 1e150):
        y = np.where(x[:, 0] > 0, scale, -scale)
        tree, state = trained(WHOLE, problem({"numbers": Dense(x)}, y))
        assert np.allclose(tree.predict(state, {"numbers": Dense(x)})[:, 0], y)


def test_importances_follow_the_columns_of_the_features() -> None:
    class Known(TextWords):
        def columns(self, state: State) -> list[Column]:
            return [Column("words", "w", "word"), Column("numbers", "n", "number")]

    x = np.random.default_rng(1).integers(0, 2, size=(200, 1))
    data = problem({"numbers": Dense(numbers(200, 1)), "words": Dense(x.astype(np.float32))}, x[:, 0].astype(np.int32))
    tree, state = trained(WHOLE, data)
    found = tree.importances(state, Known(WordParams()), State())
    assert found is not None
    assert found.tolist() == [1.0, 0.0]


def test_damaged_states_are_refused() -> None:
    data, params = mixed(), TreeParams(min_rows_leaf=3, max_leaves=20)
    tree, path = Tree(params), states(params, data)
    finished = tree.finish(path[-1], data)
    features = Made(data.blocks)
    tree.audit(through_a_file(finished), features, State(), 2)
    for wrong, _ in spoiled(finished):
        with pytest.raises(MalformedContainer):
            tree.audit(wrong, features, State(), 2)
    for facts in (
        {},
        {**finished.facts, "columns": 1},
        {**finished.facts, "classes": 3},
        {**finished.facts, "alpha": ""},
    ):
        with pytest.raises(MalformedContainer):
            tree.audit(State(finished.arrays, facts), features, State(), 2)
    with pytest.raises(MalformedContainer):
        tree.audit(finished, features, State(), 5)
    with pytest.raises(MalformedContainer, match="damaged"):  # deeper than its parameters let a tree grow
        Tree(replace(params, max_depth=1)).audit(finished, features, State(), 2)
    for wrong, _ in spoiled(path[-1]):
        with pytest.raises(MalformedContainer):
            tree.admit(wrong, data)
    for name, at, value in (("left", 0, 39), ("left", 0, 0), ("column", 0, 7), ("size", 0, 400), ("gain", 0, np.nan)):
        array = path[-1].arrays[f"0/{name}"].copy()
        array[at] = value
        with pytest.raises(MalformedContainer):
            tree.admit(State({**path[-1].arrays, f"0/{name}": array}), data)
    with pytest.raises(MalformedContainer):
        tree.predict(finished, {"numbers": Dense(np.zeros((1, 3)))})
    assert finished.arrays[FOLDS + "output"].tolist() == list(range(5))


def test_hashed_features_are_refused() -> None:
    block = Hashed(np.arange(5), np.zeros(4, dtype=np.uint32), 8)
    with pytest.raises(Unsupported):
        trained(WHOLE, problem({"hashed": block}, np.array([0, 1, 0, 1], dtype=np.int32)))
