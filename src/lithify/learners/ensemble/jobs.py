"""Which member of an ensemble is trained when, and on what.

A job is a candidate, ``c3``, or a part of a member, ``m0.2``.

``live`` are the numbers of the candidates that are left; once their contest is over they are the last members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lithify.data.batches import TrainingData
from lithify.data.params import read
from lithify.learners.base import Learner
from lithify.learners.ensemble.rules import EnsembleParams, competing
from lithify.learners.ensemble.state import member_of
from lithify.learners.folds import fold_of
from lithify.learners.registry import learner


def spec(params: EnsembleParams, key: str, live: Sequence[int]) -> Mapping[str, Any]:
    """Learner and parameters of a job."""
    if key.startswith("c"):
        return competing(params.candidates[int(key[1:])], params)
    named, number = len(params.members), member_of(key)
    return params.members[number] if number < named else params.candidates[live[number - named]]


def made(of: Mapping[str, Any]) -> Learner:
    """The learner that a list of members names, with its parameters."""
    learns = learner(of["learner"])
    return learns(read(learns.Params, {name: value for name, value in of.items() if name != "learner"}))


def learner_of(params: EnsembleParams, key: str, live: Sequence[int]) -> Learner:
    """The learner of a job."""
    return made(spec(params, key, live))


def parts(params: EnsembleParams, live: Sequence[int]) -> list[str]:
    """The parts of all members: one of those that leave folds out by themselves."""
    keys = []
    for number in range(len(params.members) + len(live)):
        whole = _bags(params, f"m{number}.0", live)
        keys += [f"m{number}.{part}" for part in range(1 if whole else params.folds)]
    return keys


def queue(params: EnsembleParams, facts: Mapping[str, Any]) -> list[str]:
    """The jobs of the phase that a training is in."""
    if facts["phase"] < len(params.rungs):
        return [f"c{number}" for number in facts["live"]]
    return parts(params, facts["live"])


def data_of(params: EnsembleParams, key: str, data: TrainingData, live: Sequence[int]) -> TrainingData:
    """All rows for learners that leave folds out by themselves, else all but one fold."""
    if key.startswith("c") or _bags(params, key, live):
        return data
    fold = fold_of(data.group[data.train], params.folds, data.seed)
    part = int(key.partition(".")[2])
    return replace(data, train=data.train[fold != part], stop=data.train[fold == part])


def _bags(params: EnsembleParams, key: str, live: Sequence[int]) -> bool:
    """Whether the learner leaves folds out by itself."""
    return learner(spec(params, key, live)["learner"]).held_out is not Learner.held_out
