"""The recipe of a model, for another snapshot: kept value by value but for what a person changes or data cannot bear.

What a run resolved is the recipe of its model: the learner, the seed, the numbers of steps and all that a budget or the
size of the data once decided. A retraining keeps every value of it. Two models made by it then differ in their data
alone, and what a comparison finds is due to the data. So more rows do not get more steps by themselves: say so with an
assignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lithify import recipe as recipes
from lithify.errors import RecipeError
from lithify.parsing import make_recipe
from lithify.recipe import Recipe, Subject

Changes = dict[str, dict[str, Any]]
"""By dotted key what a value was (``from``) and what it is (``to``); a side where there is none is left out."""


def again(resolved: Mapping[str, Any], about: Subject, assignments: Iterable[str] = ()) -> Recipe:
    """The recipe of a model as one that is asked for, for rows that a subject describes.

    Parameters
    ----------
    resolved : mapping
        The recipe on the card of a model.
    about : Subject
        The new rows.
    assignments : iterable of "key=value"
        Win over the values of the model. Another learner comes with its own parameters and features, another quality
        with other parameters and features; seed, grains and what is asked of the result (``ham_loss``, ``coverage``)
        stay.

    Raises
    ------
    RecipeError
        A key or a value that there cannot be.

    Examples
    --------
    >>> card = {"learner": "linear", "seed": 7, "quality": "good", "params": {"steps": 40}, "features": {"read": 2000}}
    >>> rows = Subject("mail", "classification", ("ham", "spam"), 100)
    >>> again(card, rows, ["seed=8"]).params, again(card, rows, ["seed=8"]).seed
    ({'steps': 40}, 8)
    >>> again(card, rows, ["learner=network"]).params
    {}
    """
    wanted = list(assignments)
    try:
        recipe = recipes.parse(_document(resolved, about, wanted), wanted)
        recipes.resolve(recipe, about)  # what it cannot hold is found out here
        return recipe
    except RecipeError as error:
        if not wanted:
            error.hint = error.hint or "Change the recipe on purpose by --set KEY=VALUE or --recipe FILE."
        raise


def asked(
    resolved: Mapping[str, Any],
    about: Subject,
    recipe: Recipe | Mapping[str, Any] | Path | str | None,
    assignments: Iterable[str] = (),
) -> Recipe:
    """What is asked for: the recipe given in the place of the model's, else that of the model; with assignments."""
    if recipe is None:
        return again(resolved, about, assignments)
    return make_recipe(recipe, assignments=assignments)


def changes(old: Mapping[str, Any], new: Mapping[str, Any], at: str = "") -> Changes:
    """What differs between two resolved recipes, key by key.

    >>> changes({"seed": 0, "params": {"steps": 3}}, {"seed": 0, "params": {"steps": 5, "C": 1.0}})
    {'params.C': {'to': 1.0}, 'params.steps': {'from': 3, 'to': 5}}
    """
    found: Changes = {}
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found |= changes(before, after, f"{at}{key}.")
        elif before != after or (key in old) != (key in new):
            sides = (("from", key in old, before), ("to", key in new, after))
            found[at + key] = {side: value for side, there, value in sides if there}
    return found


def _document(resolved: Mapping[str, Any], about: Subject, assignments: list[str]) -> dict[str, Any]:
    """The model's recipe as a document that assignments are made in, without what they or the rows make void."""
    name = str(resolved["learner"])
    document = {key: value for key, value in resolved.items() if key != "params"} | {name: resolved["params"]}
    alone = recipes.parse({}, assignments)
    named = {assignment.partition("=")[0].strip() for assignment in assignments}
    other = alone.learner not in ("auto", name) or ("learner" in named and alone.learner == "auto")
    if other or ("quality" in named and alone.quality != resolved["quality"]):
        del document[name], document["features"]
    if other:
        del document["learner"]
    return _fitting(document, about)


def _fitting(document: dict[str, Any], about: Subject) -> dict[str, Any]:
    """Without what other rows than the model's decide anew: the fields of a table, which of two labels means spam."""
    features = dict(document.get("features", {}))
    if features.get("fields") != [list(field) for field in about.fields]:
        features.pop("fields", None)
    spam = document.get("spam")
    if spam and not (len(about.labels) == 2 and spam in about.labels):
        document = {key: value for key, value in document.items() if key != "spam"}
    return document | ({"features": features} if "features" in document else {})
