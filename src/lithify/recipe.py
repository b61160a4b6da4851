"""Everything a person may choose about a training, and the same with every default written out.

A recipe is a TOML document. What is asked for may leave anything out; :func:`resolve` writes out every default and
every decision, and the digest of that is part of the run key. Unknown keys fail, with the nearest valid name.

    learner = "linear"
    seed = 7

    [linear]
    steps = 40
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from lithify.data import params as parameters
from lithify.data import split
from lithify.data.snapshot import Snapshot
from lithify.errors import NotFound, RecipeError
from lithify.features.registry import NAMES, chosen, features
from lithify.learners.base import Learner
from lithify.learners.registry import learner, names

Quality = Literal["fast", "good", "best"]


@dataclass(frozen=True)
class Subject:
    """What a recipe is resolved for.

    Attributes
    ----------
    kind, task : str
        Of the rows.
    labels : tuple of str
        Empty in regression.
    rows : int
        How many may be learned from.
    fields : tuple of (name, kind)
        Input fields of a table, sorted by name.
    side, channels : int
        Of images: pixels of the short side in the middle of all images, and 1 (grey) or 3; 0 for other rows.
    """

    kind: str
    task: str
    labels: tuple[str, ...]
    rows: int
    fields: tuple[tuple[str, str], ...] = ()
    side: int = 0
    channels: int = 0


def subject(snapshot: Snapshot) -> Subject:
    """What a recipe for this snapshot is resolved for."""
    return Subject(
        snapshot.kind,
        snapshot.task,
        snapshot.labels,
        int(np.isin(snapshot.table.side, (split.TRAIN, split.STOP)).sum()),
        tuple((field.name, field.kind) for field in snapshot.inputs),
        snapshot.side,
        snapshot.channels,
    )


@dataclass(frozen=True)
class Recipe:
    """What was asked.

    Attributes
    ----------
    learner : str
        Name of a learner; ``auto`` takes the default of the kind of rows.
    quality : str
        ``fast``, ``good`` or ``best``.
    seed : int
        Of all randomness.
    grains : int
        Shares of a step; a power of two. More grains, more threads that can help; other grains, other bits.
    folds : int
        Parts of the training rows whose scores, from models that have not seen them, help to set the cut-off;
        0 for none.
    ham_loss : float
        The share of ham that may be taken for spam (mail only).
    coverage : float
        Of tables and images: the share of rows whose set of labels or interval shall hold the truth.
    spam : str
        The label that means spam; ``auto`` finds it among the labels.
    budget : float
        Seconds of training to aim for; 0 for as long as it takes. Turned into a number of steps once, from a short
        timing, and remembered.
    features, params : mapping
        Parameters of the features and of the learner, by name.
    """

    learner: str = "auto"
    quality: Quality = "good"
    seed: Annotated[int, Ge(0), Le(2**53 - 1)] = 0
    grains: Annotated[int, Ge(1), Le(1024)] = 16
    folds: Annotated[int, Ge(0), Le(20)] = 3
    ham_loss: Annotated[float, Gt(0), Le(0.5)] = 0.001
    coverage: Annotated[float, Ge(0.5), Lt(1)] = 0.9
    spam: str = "auto"
    budget: Annotated[float, Ge(0)] = 0.0
    features: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


TOP = tuple(f.name for f in dataclasses.fields(Recipe) if f.name not in ("features", "params"))
DEFAULT_LEARNER = {"mail": "linear", "text": "linear", "table": "boosting", "image": "network"}
_FEW_ROWS = 10_000
"""Rows of a table below which one learner alone is not the best that little time can buy."""


def load(path: Path) -> dict[str, Any]:
    """The document of a TOML file; ``NotFound`` or ``RecipeError``."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"There is no recipe file {path}.") from None
    except OSError as error:
        raise NotFound(f"The recipe file {path} cannot be read.", found=error.strerror) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not TOML.", found=str(error)) from None


def parse(document: Mapping[str, Any], assignments: Iterable[str] = ()) -> Recipe:
    """A recipe from a TOML document and ``key=value`` assignments that win over it.

    Parameters of a learner choose that learner. Raises ``RecipeError`` for unknown keys, offering the nearest valid
    name, and for values out of range.

    >>> recipe = parse({"seed": 3}, ["linear.steps=20"])
    >>> recipe.learner, recipe.params
    ('linear', {'steps': 20})
    """
    merged: dict[str, Any] = {key: dict(v) if isinstance(v, Mapping) else v for key, v in document.items()}
    for assignment in assignments:
        _assign(merged, assignment)
    name = merged.get("learner", "auto")
    if not isinstance(name, str):
        raise RecipeError(
            "The value of 'learner' in the recipe does not fit.", expected="a text", found=repr(name)[:80]
        )
    tables = {"features"} | ({name} if name != "auto" else set(names()))
    for key in merged:
        if key not in TOP and key not in tables:
            raise _unknown(key, [*TOP, *sorted(tables)], "recipe")
    for key in tables & merged.keys():
        if not isinstance(merged[key], dict):
            raise RecipeError(f"{key!r} is a table of the recipe.", expected=f"[{key}] and its keys below it")
    given = sorted((tables - {"features"}) & merged.keys())
    if len(given) > 1:
        raise RecipeError("A recipe has one learner.", found=f"parameters of {' and '.join(given)}")
    params = merged.pop(given[0]) if given else {}
    recipe: Recipe = strict(Recipe, {**merged, "learner": given[0] if given else name, "params": params}, "recipe")
    if recipe.grains & (recipe.grains - 1):
        raise RecipeError("grains must be a power of two.", found=str(recipe.grains))
    return recipe


def resolve(recipe: Recipe, about: Subject) -> dict[str, Any]:
    """The recipe with every default written out, as the JSON document whose digest enters the run key.

    Raises ``RecipeError`` when the learner cannot learn this.
    """
    name = _default(recipe, about) if recipe.learner == "auto" else recipe.learner
    learns = learner(name)
    if about.task not in learns.tasks:
        raise RecipeError(
            f"The learner {name!r} cannot learn this.", expected=" or ".join(learns.tasks), found=about.task
        )
    params = params_of(learns.Params, recipe.params, name, recipe.quality)
    eyes = _features(recipe, chosen(about.kind, learns.reads), about)
    size = {key: eyes.get(key, 0) for key in ("side", "channels")} if about.kind == "image" else {}
    params = learns.settle(params, about.rows, len(about.fields), len(about.labels), **size)
    resolved = {key: getattr(recipe, key) for key in ("quality", "seed", "grains", "folds")}
    resolved["learner"] = name
    resolved["params"] = parameters.plain(params)
    resolved["features"] = eyes
    if about.kind in ("table", "image"):
        resolved["coverage"] = recipe.coverage
    if about.kind == "image" or (about.kind == "table" and learns.held_out is not Learner.held_out):
        resolved["folds"] = 0  # validation calibrates, or parts of the model give scores of rows they have not seen
    if about.kind == "mail":
        resolved["spam"] = _spam(recipe.spam, about.labels)  # empty where the labels are not spam and ham
        resolved["ham_loss"] = recipe.ham_loss
    return resolved


def _default(recipe: Recipe, about: Subject) -> str:
    """The learner for the kind of rows; more time, and few rows of a table, are for an ensemble."""
    several = recipe.quality == "best" or (recipe.quality == "good" and about.rows < _FEW_ROWS)
    return "ensemble" if about.kind == "table" and several else DEFAULT_LEARNER[about.kind]


def _features(recipe: Recipe, name: str, about: Subject) -> dict[str, Any]:
    given = dict(recipe.features)
    if about.kind == "table":
        fields = [list(field) for field in about.fields]
        if given.get("fields", fields) != fields:
            raise RecipeError("The recipe is for a table with other fields.")
        given["fields"] = fields
    reads = features(name)
    params = params_of(reads.Params, given, "features", recipe.quality)
    return parameters.plain(reads.settle(params, about.side, about.channels))


def params_of(schema: type, given: Mapping[str, Any], what: str, quality: str = "good") -> Any:
    """Parameters of one component: what was given, over the defaults of that quality."""
    presets: Mapping[str, Mapping[str, Any]] = getattr(schema, "QUALITIES", {})
    return strict(schema, {**presets.get(quality, {}), **given}, what)


def check(recipe: Recipe) -> None:
    """Raises ``RecipeError`` for what no data can make right, before any is read: learner and parameters."""
    if recipe.learner != "auto":
        params_of(learner(recipe.learner).Params, recipe.params, recipe.learner, recipe.quality)
    if not recipe.features:
        return
    refused: list[RecipeError] = []
    for name in NAMES:
        try:
            params_of(features(name).Params, recipe.features, "features", recipe.quality)
            return
        except RecipeError as error:
            refused.append(error)
    raise next((error for error in refused if error.hint), refused[-1])  # right for no kind of rows


def to_toml(resolved: Mapping[str, Any]) -> str:
    """A resolved recipe as TOML that :func:`parse` reads back.

    >>> print(to_toml({"learner": "linear", "seed": 0, "params": {"steps": 3}, "features": {}}))
    learner = "linear"
    seed = 0
    <BLANKLINE>
    [linear]
    steps = 3
    """
    lines = [f"{key} = {_toml(value)}" for key, value in _set(resolved) if not isinstance(value, Mapping)]
    for table, name in (("features", "features"), ("params", resolved["learner"])):
        if resolved.get(table):
            lines += ["", f"[{name}]", *(f"{_key(key)} = {_entry(v)}" for key, v in _set(resolved[table]))]
    return "\n".join(lines)


def strict(schema: type, values: Mapping[str, Any], what: str) -> Any:
    """Builds a frozen dataclass from plain values; ``RecipeError`` for unknown keys, other types and broken bounds."""
    try:
        return parameters.read(schema, values)
    except parameters.Misfit as error:
        if not error.expected:
            raise _unknown(error.key, [f.name for f in dataclasses.fields(schema)], what) from None
        raise RecipeError(
            f"The value of {error.key!r} in {_place(what)} does not fit.", expected=error.expected, found=error.found
        ) from None


def reread(resolved: Mapping[str, Any], about: Subject) -> dict[str, Any]:
    """A resolved recipe that came from a file, read as strictly as one that was typed.

    Raises ``RecipeError`` unless it is, to the last key, what :func:`resolve` writes.
    """
    if not isinstance(resolved.get("learner"), str):
        raise RecipeError("The resolved recipe names no learner.")
    document = {key: value for key, value in resolved.items() if key != "params"}
    again = resolve(parse({**document, resolved["learner"]: resolved.get("params")}), about)
    if again != resolved:
        raise RecipeError("The resolved recipe is not complete.", found="; ".join(difference(resolved, again))[:300])
    return again


def difference(old: Mapping[str, Any], new: Mapping[str, Any], at: str = "") -> list[str]:
    """Lines such as ``params.steps: 40 -> 60`` for all that differs between two documents.

    >>> difference({"seed": 0, "params": {"steps": 3}}, {"seed": 1, "params": {"steps": 3}})
    ['seed: 0 -> 1']
    """
    lines = []
    for key in sorted({*old, *new}):
        a, b = old.get(key, "absent"), new.get(key, "absent")
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            lines += difference(a, b, f"{at}{key}.")
        elif a != b:
            lines.append(f"{at}{key}: {a} -> {b}")
    return lines


def _assign(document: dict[str, Any], assignment: str) -> None:
    path, equals, text = assignment.partition("=")
    if not equals or not path.strip():
        raise RecipeError("An assignment has no value.", expected="key=value", found=assignment)
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *tables, key = path.strip().split(".")
    for table in tables:
        document = document.setdefault(table, {})
        if not isinstance(document, dict):
            raise RecipeError(f"{table!r} is not a table of the recipe.", found=assignment)
    document[key] = value


def _spam(asked: str, labels: tuple[str, ...]) -> str:
    """The label that means spam, empty where the labels are not spam and ham."""
    if asked != "auto":
        if asked and asked not in labels:
            raise RecipeError("The spam label is not among the labels.", expected=", ".join(labels), found=asked)
        return asked
    known = [text for text in labels if text.lower() in ("spam", "junk", "1", "true", "yes", "bulk")]
    return known[0] if len(labels) == 2 and len(known) == 1 else ""


def _unknown(key: str, known: list[str], what: str) -> RecipeError:
    folded = {name.casefold(): name for name in known}
    near = [folded[name] for name in difflib.get_close_matches(key.casefold(), folded, n=1)]
    where = _place(what)
    return RecipeError(
        f"{where[:1].upper()}{where[1:]} has no key {key!r}.",
        expected=", ".join(known),
        hint=f"Did you mean {near[0]!r}?" if near else None,
    )


def _place(what: str) -> str:
    return "the recipe" if what == "recipe" else f"[{what}] of the recipe"


def _set(table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What stands in a table, sorted; TOML has no null, and what is left out is read back as one."""
    return sorted((key, value) for key, value in table.items() if value is not None)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in _set(value)) + "}"
    return repr(value)


def _entry(value: Any) -> str:
    """The value of a key; a list of tables or lists takes a line for each."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, (Mapping, list, tuple)) for item in value):
        return "[\n" + "".join(f"    {_toml(item)},\n" for item in value) + "]"
    return _toml(value)


def _key(key: str) -> str:
    """A key as it stands in TOML: bare where that can be."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)
