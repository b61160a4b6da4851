"""Recipes: what was asked, read strictly; what was decided, written out and read back."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given
from hypothesis import strategies as st

from lithify import canon, recipe
from lithify.data import params
from lithify.errors import NotFound, RecipeError, Unsupported
from lithify.learners.registry import learner, names
from lithify.recipe import Recipe, Subject, load, parse, reread, resolve, to_toml

LABELS = ("ham", "spam")


def of(kind: str, labels: tuple[str, ...] = LABELS) -> Subject:
    return Subject(kind, "classification", labels, 100)


MAIL = of("mail")


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ({"sede": 1}, "seed"),
        ({"learnr": "linear"}, "learner"),
        ({"hamloss": 0.1}, "ham_loss"),
        ({"linaer": {}}, "linear"),
        ({"feature": {}}, "features"),
        ({"linear": {"step": 3}}, "steps"),
        ({"linear": {"c": 3}}, ""),
        ({"features": {"body_bit": 9}}, "body_bits"),
        ({"zzzzz": 1}, ""),
    ],
)
def test_an_unknown_key_fails_with_the_nearest_name(key, near) -> None:
    with pytest.raises(RecipeError, match=r"has no key '\w+'\. Expected: ") as refused:
        resolve(parse(key), MAIL)
    assert (f"Did you mean {near!r}?" in str(refused.value)) == bool(near)


@pytest.mark.parametrize(
    "document",
    [
        {"seed": -1},
        {"seed": 1.5},
        {"seed": "1"},
        {"seed": True},
        {"seed": 2**60},
        {"grains": 0},
        {"grains": 2048},
        {"grains": 12},
        {"folds": 21},
        {"ham_loss": 0},
        {"ham_loss": 0.6},
        {"ham_loss": "0.1"},
        {"quality": "superb"},
        {"quality": 3},
        {"budget": -1.0},
        {"budget": float("nan")},
        {"budget": float("inf")},
        {"learner": 5},
        {"learner": ["linear"]},
        {"learner": "no-such"},
        {"linear": 3},
        {"features": []},
        {"linear": {"steps": 0}},
        {"linear": {"steps": 10.0}},
        {"linear": {"C": -1}},
        {"linear": {"C": "5"}},
        {"linear": {"C": float("inf")}},
        {"linear": {"min_rows": 10**30}},
        {"features": {"body_bits": 25}},
        {"features": {"body_bits": None}},
        {"spam": "egg"},
    ],
)
def test_a_value_that_does_not_fit_fails(document) -> None:
    with pytest.raises(RecipeError) as refused:
        resolve(parse(document), MAIL)
    assert refused.value.exit_status == 2
    assert len(str(refused.value)) < 300


def test_what_is_expected_is_said() -> None:
    with pytest.raises(RecipeError, match=r"'seed' in the recipe.*Expected: a whole number >= 0 and <= .*Found: -1"):
        parse({"seed": -1})
    with pytest.raises(RecipeError, match=r"Expected: 'fast' or 'good' or 'best'"):
        parse({"quality": "x"})


def test_assignments_win() -> None:
    asked = parse({"seed": 1, "linear": {"steps": 5}}, ["seed=2", "linear.steps = 9", "quality=fast", "spam=junk"])
    assert (asked.seed, asked.params["steps"], asked.quality, asked.spam) == (2, 9, "fast", "junk")
    for wrong in ("seed", "=3", "seed.x=1", "linear=3"):
        with pytest.raises(RecipeError):
            parse({}, [wrong]) if wrong != "seed.x=1" else parse({"seed": 1}, [wrong])


def test_a_quality_is_a_set_of_defaults() -> None:
    steps = {
        quality: resolve(parse({"quality": quality}), MAIL)["params"]["steps"] for quality in ("fast", "good", "best")
    }
    assert steps["fast"] < steps["good"] < steps["best"]
    assert resolve(parse({"quality": "fast", "linear": {"steps": 33}}), MAIL)["params"]["steps"] == 33


@pytest.mark.parametrize(
    ("labels", "spam"),
    [
        (("ham", "spam"), "spam"),
        (("0", "1"), "1"),
        (("a", "b"), ""),
        (("ham", "junk", "spam"), ""),
        (("junk", "ok"), "junk"),
    ],
)
def test_the_spam_label_is_found(labels, spam) -> None:
    assert resolve(parse({}), of("mail", labels))["spam"] == spam
    assert "spam" not in resolve(parse({}), of("text", labels))


@pytest.mark.parametrize("kind", ["mail", "text"])
@pytest.mark.parametrize(
    "document",
    [
        {},
        {"quality": "best", "seed": 2**53 - 1, "linear": {"C": 1e-300, "tolerance": 1e-7}},
        {"ham_loss": 0.1 + 0.2, "folds": 0, "grains": 1},
        {"linear": {"C": 5, "steps": 7}, "features": {"body_bits": 9}},
    ],
)
def test_the_printed_recipe_is_the_same_recipe(kind, document) -> None:
    resolved = resolve(parse(document), of(kind))
    again = resolve(parse(tomllib.loads(to_toml(resolved))), of(kind))
    assert canon.dumps(again) == canon.dumps(resolved)
    assert reread(canon.loads(canon.dumps(resolved)), of(kind)) == resolved


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_label_comes_back_from_toml(label) -> None:
    resolved = {"learner": "linear", "spam": label, "params": {}, "features": {}}
    assert tomllib.loads(to_toml(resolved))["spam"] == label


@pytest.mark.parametrize(
    "change",
    [
        {"learner": 5},
        {"learner": "os"},
        {"grains": 10**9},
        {"folds": -1},
        {"seed": "x"},
        {"params": {}},
        {"params": None},
        {"features": {"body_bits": 30}},
        {"quality": "fast "},
        {"more": 1},
        {"spam": "egg"},
    ],
)
def test_a_resolved_recipe_from_a_file_is_read_as_strictly(change) -> None:
    resolved = resolve(parse({}), MAIL)
    with pytest.raises(RecipeError):
        reread({**resolved, **change}, MAIL)


def test_files(tmp_path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("seed = 3\n[linear]\nsteps = 4\n")
    assert parse(load(path)).params == {"steps": 4}
    path.write_text("seed = ")
    with pytest.raises(RecipeError, match="is not TOML"):
        load(path)
    path.write_bytes(b"\xff")
    with pytest.raises(RecipeError, match="is not TOML"):
        load(path)
    for missing in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(NotFound):
            load(missing)


def test_difference() -> None:
    old = {"seed": 0, "params": {"a": 1, "b": 2}}
    assert recipe.difference(old, {"seed": 0, "params": {"a": 1, "c": 3}}) == [
        "params.b: 2 -> absent",
        "params.c: absent -> 3",
    ]
    assert recipe.difference(old, old) == []


@dataclass(frozen=True)
class Everything:
    flag: bool = False
    count: Annotated[int, Ge(0), Lt(10)] = 1
    share: Annotated[float, Gt(0), Le(1)] = 0.5
    way: Literal["a", "b"] = "a"
    sizes: tuple[Annotated[int, Ge(1)], ...] = (1, 2)
    maybe: Annotated[int, Ge(0)] | None = None


def test_parameters_of_every_kind() -> None:
    values: dict[str, Any] = {"flag": True, "count": 9, "share": 1, "way": "b", "sizes": [3, 4], "maybe": 7}
    read = params.read(Everything, values)
    assert read == Everything(True, 9, 1.0, "b", (3, 4), 7)
    assert type(read.share) is float
    assert params.read(Everything, params.plain(read)) == read
    assert params.read(Everything, {"maybe": None}) == Everything()


@pytest.mark.parametrize(
    "wrong",
    [
        {"flag": 1}, {"flag": None}, {"count": 10}, {"count": -1}, {"count": 1.0}, {"count": True}, {"count": 2**53},
        {"share": 0}, {"share": 1.01}, {"share": float("nan")}, {"share": "1"}, {"share": True}, {"way": "c"},
        {"way": ["a"]}, {"sizes": 3}, {"sizes": [0]}, {"sizes": "12"}, {"maybe": -1}, {"maybe": "x"}, {"other": 1},
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit(wrong) -> None:
    with pytest.raises(params.Misfit):
        params.read(Everything, wrong)


def test_recipes_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Recipe().seed = 5


plain_values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), plain_values, max_size=5))
def test_nested_parameters_are_written_as_toml_reads_them(params) -> None:
    text = to_toml({"learner": "tree", "params": params})
    assert tomllib.loads(text).get("tree", {}) == params


def test_what_is_not_set_is_left_out_of_toml() -> None:
    text = to_toml({"learner": "ensemble", "params": {"a": None, "members": [{"learner": "tree", "alpha": None}]}})
    assert tomllib.loads(text)["ensemble"] == {"members": [{"learner": "tree"}]}


@pytest.mark.parametrize("quality", ["good", "best"])
@pytest.mark.parametrize("learner", ["tree", "linear", "boosting", "ensemble"])
def test_a_resolved_recipe_of_a_table_is_read_back(learner, quality) -> None:
    about = Subject("table", "regression", (), 5000, (('"c"', "category"), ("a b", "number")))
    resolved = resolve(parse({"learner": learner, "quality": quality}), about)
    assert resolve(parse(tomllib.loads(to_toml(resolved))), about) == resolved


class Painter:
    """What :func:`resolve` asks of a learner of images."""

    Params = Everything
    reads = ("pixels", "hashed")
    tasks = ("classification",)
    held_out = None

    @classmethod
    def settle(cls, params, rows, columns, classes, side=0, channels=0):
        return params if params.maybe else replace(params, maybe=rows, sizes=(1 + columns, classes, side, channels))


@pytest.fixture
def _painter(monkeypatch) -> None:
    registry = {"network": Painter}
    monkeypatch.setattr(recipe, "learner", lambda name: registry[name] if name in registry else learner(name))
    monkeypatch.setattr(recipe, "names", lambda: sorted({*names(), "network"}))


IMAGES = Subject("image", "classification", ("cat", "dog", "owl"), 100, (), 375, 3)


@pytest.mark.usefixtures("_painter")
def test_images_are_learned_at_a_size_that_is_settled() -> None:
    resolved = resolve(parse({}), IMAGES)
    assert resolved["learner"] == "network"
    assert resolved["features"] == {"side": 224, "channels": 3}
    assert resolved["params"]["sizes"] == [1, 3, 224, 3]
    assert (resolved["folds"], resolved["coverage"]) == (0, 0.9)
    grey = resolve(parse({}), replace(IMAGES, side=28, channels=1))
    assert grey["features"] == {"side": 28, "channels": 1}
    asked = resolve(parse({"features": {"side": 50, "channels": 1}, "folds": 3, "coverage": 0.8}), IMAGES)
    assert asked["features"] == {"side": 50, "channels": 1}
    assert asked["params"]["sizes"] == [1, 3, 50, 1]
    assert (asked["folds"], asked["coverage"]) == (0, 0.8)


@pytest.mark.usefixtures("_painter")
@pytest.mark.parametrize("document", [{}, {"features": {"side": 50}}, {"quality": "best", "coverage": 0.8, "seed": 3}])
def test_a_resolved_recipe_of_images_is_read_back(document) -> None:
    resolved = resolve(parse(document), IMAGES)
    assert resolve(parse(tomllib.loads(to_toml(resolved))), IMAGES) == resolved
    assert reread(canon.loads(canon.dumps(resolved)), IMAGES) == resolved


@pytest.mark.usefixtures("_painter")
@pytest.mark.parametrize(
    "wrong", [{"side": 7}, {"side": -1}, {"side": 4000}, {"channels": 2}, {"size": 3}, {"fields": []}]
)
def test_a_size_of_images_that_does_not_fit_fails(wrong) -> None:
    with pytest.raises(RecipeError):
        resolve(parse({"features": wrong}), IMAGES)
    resolved = resolve(parse({}), IMAGES)
    with pytest.raises(RecipeError):
        reread({**resolved, "features": {**resolved["features"], **wrong}}, IMAGES)
    with pytest.raises(RecipeError, match="not complete"):
        reread({**resolved, "features": {"side": 224}}, IMAGES)


def test_a_recipe_for_images_is_checked_before_any_is_read() -> None:
    recipe.check(parse({"features": {"side": 64, "channels": 1}}))
    with pytest.raises(RecipeError, match="Did you mean 'side'"):
        recipe.check(parse({"features": {"sid": 64}}))


def test_learners_that_cannot_see_say_so() -> None:
    with pytest.raises(Unsupported, match="no features of rows of kind 'image'"):
        resolve(parse({"learner": "linear"}), IMAGES)
