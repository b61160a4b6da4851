"""Which member of an ensemble is trained when, and on what.

A job is a candidate, ``c3``, or one bag of a member, ``m0.2``: all of its parts, each of which leaves a fold out. Bags
of a member differ in how the rows are parted into folds, and in all else that is drawn.

``live`` are the numbers of the candidates that are left; once their contest is over they are the last members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lithify import rng
from lithify.data.batches import TrainingData
from lithify.data.params import read
from lithify.data.state import State
from lithify.learners.base import Learner
from lithify.learners.ensemble.abreast import Abreast
from lithify.learners.ensemble.rules import EnsembleParams, competing
from lithify.learners.ensemble.state import member_of
from lithify.learners.registry import learner

_CHUNK = {"network": 32}
"""Steps that a part takes in a step of the ensemble, where its own are small."""


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


def bags(kind: type[Learner]) -> bool:
    """Whether a learner leaves folds out by itself."""
    return kind.held_out is not Learner.held_out


def trains(params: EnsembleParams, key: str, live: Sequence[int]) -> Learner | Abreast:
    """What trains a job."""
    of = spec(params, key, live)
    if bags(learner(of["learner"])):
        return made(of)
    return Abreast(lambda: made(of), params.folds, _CHUNK.get(of["learner"], 1))


def done(member: Learner | Abreast, state: State, data: TrainingData) -> bool:
    """Whether a job is."""
    return member.done(state, data) if isinstance(member, Abreast) else member.done(state)


def finished(member: Learner | Abreast, state: State, data: TrainingData) -> list[State]:
    """What a job has come to, part by part; a learner that leaves folds out by itself has one part."""
    return member.finish(state, data) if isinstance(member, Abreast) else [member.finish(state, data)]


def members(params: EnsembleParams, live: Sequence[int]) -> list[list[str]]:
    """The bags of each member."""
    return [[f"m{number}.{bag}" for bag in range(params.repeats)] for number in range(len(params.members) + len(live))]


def queue(params: EnsembleParams, facts: Mapping[str, Any]) -> list[str]:
    """The jobs of the phase that a training is in."""
    if facts["phase"] < len(params.rungs):
        return [f"c{number}" for number in facts["live"]]
    return [key for keys in members(params, facts["live"]) for key in keys]


def data_of(key: str, data: TrainingData) -> TrainingData:
    """The rows of a job."""
    return data if key.startswith("c") else parted_anew(data, int(key.partition(".")[2]))


def parted_anew(data: TrainingData, bag: int) -> TrainingData:
    """The same rows with other folds, and other draws; those of the first bag are the data's own."""
    return replace(data, seed=rng.key(data.seed, "bag", bag) >> 33) if bag else data
