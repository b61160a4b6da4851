"""The parameters of an ensemble, and the rules that settle who is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le

from lithify import rng
from lithify.data.params import Misfit, plain, read
from lithify.errors import RecipeError
from lithify.learners.base import Learner
from lithify.learners.boosting.rules import MOST_ROUNDS
from lithify.learners.ensemble.state import MEMBERS, surviving
from lithify.learners.registry import learner

_SPACE: Mapping[str, tuple[Any, ...]] = {
    "leaves": (6, 12, 24, 31, 48, 96),
    "min_rows_leaf": (3, 10, 20, 60),
    "column_share": (0.3, 0.5, 0.7, 0.9),
    "row_share": (0.6, 0.8, 1.0),
    "l2": (0.1, 1.0, 10.0),
    "extra": (False, False, True),
    "pairs": (0, 4, 4),
}
"""What candidates are drawn from; a value that stands twice is drawn twice as often."""
_FEW = 10_000
"""Rows below which members of other kinds are worth their time, and weights are drawn towards equal ones."""
_EQUAL = 1_000.0
"""Rows that equal weights are worth: few rows say little of which member is better."""
_TINY = 2_000
"""Rows below which a linear member is worth its time."""
_TWO = 2
"""Labels up to which a mean of them says it all."""
_EPOCHS = 12.0
"""Of a network; each part looks at that many times its rows."""
_SEARCHED_ROUNDS, _SMALL_ROUNDS, _SMALL_RATE = 25.0, 12.0, 0.03
"""Rounds times learning rate that training usually comes to before it stops early; the second on small tables, which
the small rate is for."""
_NETWORK_STEP = 0.002
"""Seconds that a step of one part of a network takes, on two cores."""
MOST_REPEATS = 4
"""Bags of a member that a budget may buy; more of them say the same again."""
_FILLED = 0.8
"""Share of a budget that more bags may fill: how long members go on is not known before."""
ENGINE: Mapping[str, int | str] = {
    "learner.ensemble": 1,
    **{k: v for name in ("boosting", "linear", "tree") for k, v in learner(name).engine.items()},
}
"""What the bits of every ensemble depend on."""
_TRAINING = {"ensemble.training": 2}
"""Revision of the code that trains; a model opens without it."""


@dataclass(frozen=True)
class EnsembleParams:
    """Parameters of an ensemble.

    Attributes
    ----------
    members : list of tables
        Each names a ``learner`` and its parameters; empty leaves it to the data.
    search : int
        Candidates for more members of boosting, drawn from a fixed space.
    candidates : list of tables
        The same as ``members``, for the candidates; empty draws ``search`` of them.
    rungs : list of int
        Steps that a candidate has taken at the end of each rung, ascending; after a rung the better part goes on.
    keep : int
        Candidates that become members.
    search_folds : int
        Parts of a candidate while it competes.
    folds : int
        Parts of a member; each leaves one fold of the rows out.
    repeats : int
        Bags of a member; every bag parts the rows into folds anew.
    picks : int
        Picks of the greedy selection.
    pace : float
        Share of the usual learning rate that members of boosting take where theirs is left to the data; they have as
        many times more rounds. Candidates compete at twice the usual rate, so that a few rounds show what they can do.
    shrink : float
        How far the weights are drawn towards equal ones, from 0 to 1; less than 0 leaves it to the data.
    """

    members: tuple[Mapping[str, Any], ...] = ()
    search: Annotated[int, Ge(0), Le(1000)] = 0
    candidates: tuple[Mapping[str, Any], ...] = ()
    rungs: tuple[Annotated[int, Ge(1)], ...] = ()
    keep: Annotated[int, Ge(1), Le(100)] = 2
    search_folds: Annotated[int, Ge(2), Le(32)] = 2
    folds: Annotated[int, Ge(2), Le(32)] = 8
    repeats: Annotated[int, Ge(1), Le(100)] = 1
    picks: Annotated[int, Ge(1), Le(1000)] = 50
    pace: Annotated[float, Gt(0), Le(1)] = 1.0
    shrink: Annotated[float, Ge(-1), Le(1)] = -1.0

    QUALITIES: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "best": {"search": 24, "keep": 4, "rungs": (2, 4, 8), "pace": 0.4}
    }


def engine_of(params: EnsembleParams) -> dict[str, int | str]:
    """What the bits of an ensemble depend on: those of a network only where one is in it."""
    return {**ENGINE, **(learner("network").engine if "network" in _kinds(params) else {})}


def tolerance_of(params: EnsembleParams) -> float:
    """How far scores may be off on another machine: no farther than those of a member."""
    return max([learner(name).tolerance for name in _kinds(params)], default=0.0)


def fingerprint(params: EnsembleParams) -> dict[str, int | str]:
    """What its training depends on besides."""
    found = {**engine_of(params), **_TRAINING}
    for learns, its in _read(params):
        found |= learns.fingerprint(its)
    return found


def needs(params: EnsembleParams) -> dict[str, str]:
    """The environment that its members need."""
    return {name: text for learns, its in _read(params) for name, text in learns.needs(its).items()}


def _kinds(params: EnsembleParams) -> list[str]:
    """The learners that are in an ensemble, where they are known ones."""
    asked = [of.get("learner") for of in (*params.members, *params.candidates)]  # whatever a file may hold there
    return [name for name in MEMBERS if name in asked]


def _read(params: EnsembleParams) -> list[tuple[type[Learner], Any]]:
    """Learner and parameters of each member and candidate."""
    listed = (*params.members, *params.candidates)
    kinds = [(learner(of["learner"]), {k: v for k, v in of.items() if k != "learner"}) for of in listed]
    return [(learns, read(learns.Params, given)) for learns, given in kinds]


def settle(params: EnsembleParams, rows: int, columns: int, classes: int) -> EnsembleParams:
    """Members and candidates with all of their parameters; settled ones stay as they are.

    Raises ``RecipeError`` for members that there cannot be.
    """
    members = params.members or named(rows, classes, bool(params.search), _networks())
    candidates = params.candidates or tuple(_drawn(number) for number in range(params.search))
    settled = replace(
        params,
        members=tuple(_settled(member, params.pace, rows, columns, classes) for member in members),
        candidates=tuple(_settled(candidate, params.pace, rows, columns, classes) for candidate in candidates),
        search=len(candidates),
        rungs=params.rungs if candidates else (),
        keep=min(params.keep, len(candidates)) or 1,
        shrink=params.shrink if params.shrink >= 0 else _EQUAL / (_EQUAL + rows) if rows < _FEW else 0.0,
    )
    if any("members" not in candidate for candidate in settled.candidates):
        raise RecipeError("Candidates are bags: their learner has members.", expected="learner = 'boosting'")
    if list(settled.rungs) != sorted(set(settled.rungs)) or bool(settled.rungs) != bool(candidates):
        raise RecipeError("The rungs of an ensemble ascend, and go with candidates.", found=str(list(settled.rungs)))
    return settled


def named(rows: int, classes: int, rich: bool, networks: bool) -> tuple[dict[str, Any], ...]:
    """The members of an ensemble for data of that size where none are named; all kinds where time is no matter.

    ``networks`` says whether there can be networks here; what is settled is written into the recipe.
    """
    trees: dict[str, Any] = {"learner": "boosting"}
    if rows >= _FEW and not rich:
        return (trees,)
    tiny = rows < _TINY
    extra = {**trees, "extra": True, "pairs": 0, "column_share": 0.8, "leaves": 16 if tiny else 48}
    extra |= {} if rich else {"learning_rate": 0.05}
    strict = {**trees, "pairs": 0, "column_share": 0.9, "l2": 10.0, "leaves": 6 if tiny else 24}
    flat = ({"learner": "linear"},) if tiny or rich else ()
    means = ({**trees, "pairs": 0, "statistics": 12, "column_share": 0.3},) if rich and classes <= _TWO else ()
    return (trees, extra, strict, *means, *flat, *((_network(rows),) if rich and networks else ()))


def _network(rows: int) -> dict[str, Any]:
    """A network that is looked at as one of several: small, and trained for few epochs, for nothing stops it early."""
    few = rows < _FEW
    return {
        "learner": "network",
        "device": "cpu",  # so small a network gains nothing from another
        "precision": "fp32",
        "width": 0.5,
        "depth": 1 if few else 2,
        "batch": 64 if few else 256,
        "epochs": _EPOCHS,
        "dropout": 0.5 if few else 0.3,
        "decay": 0.2,
    }


def _networks() -> bool:
    """Whether networks can be trained here, and used."""
    return all(find_spec(name) is not None for name in ("torch", "onnxruntime"))


def within(params: EnsembleParams, seconds: float, per_step: float) -> EnsembleParams:
    """What takes about so many seconds: fewer bags, candidates, members and rounds, in this order; or more bags.

    More bags are for ensembles that have a contest, which says that time is no matter.

    ``per_step`` is what a step of the first candidate takes, or where there are none, of the first member.
    """
    while _seconds(params, per_step) > seconds and params.repeats > 1:
        params = replace(params, repeats=params.repeats - 1)
    while _seconds(params, per_step) > seconds and len(params.candidates) > 2 * params.keep:
        left = params.candidates[: max(2 * params.keep, len(params.candidates) * 3 // 4)]
        params = replace(params, candidates=left, search=len(left))
    while _seconds(params, per_step) > seconds and params.keep > 1:
        params = replace(params, keep=params.keep - 1)
    if _seconds(params, per_step) > seconds and params.candidates:
        params = replace(params, candidates=(), search=0, rungs=(), keep=1)
    while _seconds(params, per_step) > seconds and any(_length(member) > 1 for member in params.members):
        params = replace(params, members=tuple(_shorter(member) for member in params.members))
    while params.candidates and params.repeats < MOST_REPEATS and _fits_more(params, seconds, per_step):
        params = replace(params, repeats=params.repeats + 1)
    return params


def _fits_more(params: EnsembleParams, seconds: float, per_step: float) -> bool:
    """Whether one bag more of every member would still be within the time, with some to spare."""
    return _seconds(replace(params, repeats=params.repeats + 1), per_step) <= _FILLED * seconds


def _drawn(number: int) -> dict[str, Any]:
    """A point of the search space; it depends on its number alone, so the same candidates compete everywhere."""
    drawn: dict[str, Any] = {"learner": "boosting"}
    for name, values in sorted(_SPACE.items()):
        drawn[name] = values[int(rng.below(rng.key(0, "search", name), number, len(values), 1)[0])]
    return drawn


def _settled(member: Mapping[str, Any], pace: float, rows: int, columns: int, classes: int) -> dict[str, Any]:
    """A member with every parameter written out."""
    name = member.get("learner")
    if name not in MEMBERS:
        raise RecipeError("A member of an ensemble names its learner.", expected=" or ".join(MEMBERS), found=str(name))
    learns = learner(name)
    known = {field.name for field in fields(learns.Params)}
    given = {key: value for key, value in member.items() if key != "learner"}
    try:
        params = learns.settle(read(learns.Params, given), rows, columns, classes)
        if "learning_rate" in known and not given.get("learning_rate"):
            rounds, patience = min(MOST_ROUNDS, int(params.rounds / pace)), int(params.patience / pace)
            params = replace(params, learning_rate=pace * params.learning_rate, rounds=rounds, patience=patience)
    except Misfit as error:
        raise RecipeError(
            f"The value of {error.key!r} of a member of the ensemble does not fit.",
            expected=error.expected or ", ".join(sorted(known)),
            found=error.found,
        ) from None
    settled = {"learner": name, **plain(params)}
    if settled.get("members") == 1 or settled.get("folds") in (0, 1):
        raise RecipeError(
            "A member of an ensemble is weighted by rows that a part of it has not seen.",
            expected="members or folds of at least 2",
            found=f"{name} with one part",
        )
    return settled


def competing(candidate: Mapping[str, Any], params: EnsembleParams) -> dict[str, Any]:
    """A candidate as it competes: fewer folds, and larger steps."""
    rate = min(0.3, 2.0 * candidate["learning_rate"] / params.pace)
    return {**candidate, "members": params.search_folds, "learning_rate": rate}


def _seconds(params: EnsembleParams, per_step: float) -> float:
    """About how long training takes, from what one step takes."""
    first = params.candidates[0] if params.candidates else params.members[0]
    competing, before = 0.0, 0
    lives = surviving(len(params.candidates), params.keep, len(params.rungs))
    for live, steps in zip(lives, params.rungs, strict=False):
        competing += live * (steps - before)
        before = steps
    full = [*params.members, *params.candidates[: params.keep if params.candidates else 0]]
    # a part leaves one fold out, so it costs the share of the rows that is left
    unit = per_step / (params.search_folds - 1.0 if params.candidates else _parts(first, params) - 1.0)
    trained = sum(_spent(member, params, unit) for member in full)
    return competing * per_step + params.repeats * trained


def _spent(member: Mapping[str, Any], params: EnsembleParams, unit: float) -> float:
    """Seconds that one bag of a member takes, where a chunk of rounds takes ``unit`` seconds on all rows."""
    if member["learner"] == "network":
        return _parts(member, params) * float(member["steps"]) * _NETWORK_STEP
    if member["learner"] != "boosting":
        return (_parts(member, params) - 1.0) * unit
    rate, small = float(member["learning_rate"]), float(member["learning_rate"]) <= _SMALL_RATE * params.pace
    rounds = min(float(member["rounds"]), (_SMALL_ROUNDS if small else _SEARCHED_ROUNDS) / rate)
    return (_parts(member, params) - 1.0) * unit * rounds / max(1, int(member["chunk"]))


def _parts(member: Mapping[str, Any], params: EnsembleParams) -> int:
    """How many parts a bag of a member has."""
    return max(2, int(member.get("members", params.folds)))


def _length(member: Mapping[str, Any]) -> int:
    """Rounds, or steps of a network; 1 for what cannot be shortened."""
    return int(member["rounds"] if "rounds" in member else member["steps"] if "epochs" in member else 1)


def _shorter(member: Mapping[str, Any]) -> dict[str, Any]:
    if "epochs" in member:
        return {**member, "steps": max(1, int(member["steps"]) * 3 // 4)}
    if "rounds" not in member:
        return dict(member)
    usual = int(_SEARCHED_ROUNDS / max(1e-3, member.get("learning_rate") or 0.05))
    return {**member, "rounds": max(1, min(int(member["rounds"]), usual) * 3 // 4)}
