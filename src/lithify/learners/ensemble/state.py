"""How the states of many members lie in one: while they are trained, and once they are finished."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from lithify.data.params import Misfit, read
from lithify.data.state import State
from lithify.errors import LithifyError, MalformedContainer
from lithify.learners.base import Learner
from lithify.learners.registry import learner

_PROGRESS = {"phase": int, "at": int, "live": list, "steps": dict, "jobs": dict}
_MEMBER: dict[str, Any] = {"learner": str, "params": dict, "weight": (int, float), "parts": list}
_JOB = re.compile(r"c\d{1,6}|m\d{1,6}\.\d{1,6}")
Part = tuple[Learner, State]
"""A finished state, and a learner of its own, which keeps what it derives from it."""
Member = tuple[list[Part], float]
"""Parts, weight."""

MOST_MEMBERS = 1000
MEMBERS = ("boosting", "linear", "network", "tree")
"""Learners that can be in an ensemble."""


def job(state: State, key: str) -> State:
    """The state of one job."""
    cut = len(key) + 1
    arrays = {name[cut:]: array for name, array in state.arrays.items() if name.startswith(key + "/")}
    return State(arrays, state.facts["jobs"][key])


def put(state: State, key: str, of: State, steps: int) -> State:
    """The same with another state of one job, so many steps after its start."""
    arrays = {name: array for name, array in state.arrays.items() if not name.startswith(key + "/")}
    arrays |= {f"{key}/{name}": array for name, array in of.arrays.items()}
    facts = dict(state.facts)
    facts["jobs"] = {**facts["jobs"], key: of.facts}
    facts["steps"] = {**facts["steps"], key: steps}
    return State(arrays, facts)


def without(state: State, keys: Sequence[str]) -> State:
    """The same without some jobs."""
    arrays = {name: array for name, array in state.arrays.items() if name.partition("/")[0] not in keys}
    facts = dict(state.facts)
    for part in ("jobs", "steps"):
        facts[part] = {key: value for key, value in facts[part].items() if key not in keys}
    return State(arrays, facts)


def member_of(key: str) -> int:
    """The member that a job is a part of.

    >>> member_of("m12.3")
    12
    """
    return int(key[1:].partition(".")[0])


def surviving(candidates: int, keep: int, rungs: int) -> list[int]:
    """How many candidates take part in each rung, and how many are left after the last: a constant share goes on.

    >>> surviving(16, 2, 3)
    [16, 8, 4, 2]
    """
    if not candidates:
        return [0] * (rungs + 1)
    share = (keep / candidates) ** (1.0 / max(1, rungs))
    return [max(keep, min(candidates, round(candidates * share**rung))) for rung in range(rungs)] + [keep]


def sealed(
    finished: Sequence[tuple[Mapping[str, Any], Sequence[State]]], weights: Sequence[float], classes: int
) -> State:
    """What is sealed: members with a weight, each with its parts."""
    arrays: dict[str, NDArray[Any]] = {}
    facts: list[dict[str, Any]] = []
    for (spec, parts), weight in zip(finished, weights, strict=True):
        if not weight:
            continue
        for at, part in enumerate(parts):
            arrays |= {f"{len(facts)}.{at}/{name}": array for name, array in part.arrays.items()}
        params = {name: value for name, value in spec.items() if name != "learner"}
        listed = [part.facts for part in parts]
        facts.append({"learner": spec["learner"], "params": params, "weight": weight, "parts": listed})
    return State(arrays, {"classes": classes, "members": facts})


def members(state: State) -> Iterator[Member]:
    """The members of a sealed state."""
    for number, facts in enumerate(state.facts["members"]):
        learns = learner(facts["learner"])
        params: Any = read(learns.Params, facts["params"])
        parts = []
        for at, its in enumerate(facts["parts"]):
            head = f"{number}.{at}/"
            arrays = {name[len(head) :]: array for name, array in state.arrays.items() if name.startswith(head)}
            parts.append((learns(params), State(arrays, its)))
        yield parts, float(facts["weight"])


def check(state: State, classes: int, folds: int) -> None:
    """Raises ``MalformedContainer`` unless a sealed state lists members that there can be."""
    facts = state.facts
    listed = facts.get("members")
    if facts.keys() != {"classes", "members"} or facts["classes"] != classes or type(listed) is not list:
        raise MalformedContainer("The ensemble has the wrong fields.")
    if not 1 <= len(listed) <= MOST_MEMBERS or not all(_is_member(member, folds) for member in listed):
        raise MalformedContainer("The ensemble lists what is no member.")
    if not abs(math.fsum(member["weight"] for member in listed) - 1.0) < 1e-9:
        raise MalformedContainer("The weights of an ensemble must add up to one.")
    heads = {f"{number}.{at}" for number, member in enumerate(listed) for at in range(len(member["parts"]))}
    if not {name.partition("/")[0] for name in state.arrays} <= heads:
        raise MalformedContainer("The ensemble holds arrays of no member.")
    try:
        for member in listed:
            read(learner(member["learner"]).Params, member["params"])
    except Misfit as error:
        raise MalformedContainer("A parameter of a member does not fit.", found=error.key) from None
    except LithifyError as error:
        raise MalformedContainer("The ensemble names a learner that is not there.", found=str(error)[:200]) from None


def _is_member(member: Any, folds: int) -> bool:
    if type(member) is not dict or member.keys() != _MEMBER.keys() or member.get("learner") not in MEMBERS:
        return False
    if not all(isinstance(member[name], kinds) for name, kinds in _MEMBER.items()):
        return False
    parts = member["parts"]
    return 0 < member["weight"] <= 1 and 1 <= len(parts) <= folds and all(type(part) is dict for part in parts)


def check_progress(state: State, candidates: int, rungs: int, keep: int) -> None:
    """Raises ``MalformedContainer`` unless the facts of an unfinished state are possible."""
    facts = state.facts
    wrong = facts.keys() != _PROGRESS.keys() or any(type(facts[name]) is not kind for name, kind in _PROGRESS.items())
    if not wrong:
        live = facts["live"]
        counts = [candidates, *surviving(candidates, keep, rungs)[1:], keep if candidates else 0]
        wrong = not 0 <= facts["phase"] <= rungs + 1 or facts["at"] < 0 or len(live) != counts[facts["phase"]]
        wrong = wrong or live != sorted(set(live)) or not all(type(c) is int and 0 <= c < candidates for c in live)
        wrong = wrong or not all(_JOB.fullmatch(key) for key in facts["jobs"])
        wrong = wrong or not all(type(of) is dict for of in facts["jobs"].values())
        wrong = wrong or not all(type(count) is int for count in facts["steps"].values())
        wrong = wrong or not {name.partition("/")[0] for name in state.arrays} <= facts["jobs"].keys()
    if wrong:
        raise MalformedContainer("The state in the checkpoint is not one of an ensemble.")
