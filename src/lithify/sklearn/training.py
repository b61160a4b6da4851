"""Fitting in memory: features, blocks, steps, and a draft with its card; nothing is stored on the way."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import calibration, canon, conformal
from lithify import recipe as recipes
from lithify.data import split
from lithify.data.batches import Blocks, TrainingData, take
from lithify.data.profile import profile, profile_values
from lithify.data.schema import Field, Task
from lithify.data.state import State
from lithify.features.base import Features
from lithify.features.blocks import PIECE_ROWS
from lithify.features.registry import chosen, features
from lithify.learners.base import Learner
from lithify.learners.folds import fold_of
from lithify.learners.registry import learner
from lithify.model.draft import Draft
from lithify.training.executor import Threads
from lithify.training.prepare import some
from lithify.training.request import engine_of

Scores = tuple[NDArray[np.float64], NDArray[Any]]
"""Raw scores (s, outputs) of rows by what has not seen them, and the codes or values (s,) of the rows."""


@dataclass(frozen=True)
class Rows:
    """What is learned from.

    Attributes
    ----------
    contents : list of n bytes
    fields : tuple of Field
        Those of the role ``input`` are in the contents.
    task : "classification" or "regression"
    labels : tuple of str
        Sorted; empty in regression.
    target : (n,) int32 or float64
        Codes of the labels, or values.
    weight : (n,) float64
    groups : list of n bytes, or None
        Equal for rows that stay together in folds; None where equal rows do.
    """

    contents: list[bytes]
    fields: tuple[Field, ...]
    task: Task
    labels: tuple[str, ...]
    target: NDArray[Any]
    weight: NDArray[np.float64]
    groups: list[bytes] | None = None

    @property
    def inputs(self) -> tuple[Field, ...]:
        """The fields that are in the contents, sorted by name."""
        return tuple(field for field in self.fields if field.role == "input")


@dataclass(frozen=True)
class Fitted:
    """A draft, and what is sealed beside it."""

    draft: Draft
    card: Mapping[str, Any]
    reference: Mapping[str, Any]


def resolve(rows: Rows, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with every default written out; ``RecipeError`` for what cannot be."""
    about = recipes.Subject(
        "table", rows.task, rows.labels, len(rows.contents), tuple((field.name, field.kind) for field in rows.inputs)
    )
    return recipes.resolve(recipes.strict(recipes.Recipe, asked, "recipe"), about)


def fit(rows: Rows, recipe: Mapping[str, Any], threads: int, *, calibrate: bool) -> Fitted:
    """Trains on all rows; the bits do not depend on ``threads``. Ctrl-C ends it after the grains under way."""
    learns = learner(recipe["learner"])
    reads = features(chosen("table", learns.reads))
    eyes = reads(recipes.params_of(reads.Params, recipe["features"], "features"))
    fitted = eyes.fit([rows.contents])
    keys = [hashlib.sha256(content).digest() for content in rows.contents]
    data = _data(rows, some(_blocks(eyes, fitted, rows.contents)), keys, recipe)
    student = learns(recipes.params_of(learns.Params, recipe["params"], recipe["learner"]))
    scores: Scores = (np.zeros((0, data.outputs)), data.target[:0])
    with _interruptible() as stop, Threads(threads, stop) as pool:
        state = _train(student, data, pool)
        if calibrate:
            scores = _held_out(student, state, data, pool)
    draft = Draft(
        kind="table",
        task=rows.task,
        labels=rows.labels,
        spam="",
        learner_name=recipe["learner"],
        features_params=recipe["features"],
        learner_params=recipe["params"],
        features_state=fitted,
        learner_state=state,
        calibration=calibration.identity(len(rows.labels)),
        cutoffs=None,
        conformal=None,
    )
    draft = _calibrated(draft, scores, recipe["coverage"]) if len(scores[1]) else draft
    return Fitted(draft, _card(rows, keys, recipe, len(scores[1])), _reference(draft, scores[0]))


def _data(rows: Rows, blocks: Blocks, keys: Sequence[bytes], recipe: Mapping[str, Any]) -> TrainingData:
    hashed = keys if rows.groups is None else [hashlib.sha256(group).digest() for group in rows.groups]
    group = np.frombuffer(b"".join(key[:8] for key in hashed), dtype="<u8") >> np.uint64(1)
    return TrainingData(
        blocks=blocks,
        target=rows.target,
        weight=rows.weight,
        train=np.arange(len(rows.contents)),
        stop=np.zeros(0, dtype=np.int64),
        classes=len(rows.labels),
        group=group.astype(np.int64),
        seed=recipe["seed"],
        grains=recipe["grains"],
    )


def _blocks(eyes: Features, fitted: State, contents: Sequence[bytes]) -> Blocks:
    """The blocks of all rows, made piece by piece."""
    pieces: list[Mapping[str, Any]] = [
        eyes.transform(fitted, contents[at : at + PIECE_ROWS]) for at in range(0, len(contents), PIECE_ROWS)
    ]
    return {
        name: replace(first, values=np.concatenate([piece[name].values for piece in pieces]))
        for name, first in pieces[0].items()
    }


def _train(student: Learner, data: TrainingData, pool: Threads) -> State:
    state = student.start(data)
    for step in range(student.steps(data)):
        if student.done(state):
            break
        state = pool.step(student, state, data, step)
    return student.finish(state, data)


def _held_out(student: Learner, state: State, data: TrainingData, pool: Threads) -> Scores:
    """By parts of the learner that have not seen a row; where it has none, by trainings without a fold."""
    found = student.held_out(state, data)
    if found is not None:
        return found, data.target[data.train]
    folds = recipes.Recipe().folds
    fold = fold_of(data.group[data.train], folds, data.seed)
    raw, truth = [np.zeros((0, data.outputs))], [data.target[:0]]
    for number in range(folds):
        learn, score = data.train[fold != number], data.train[fold == number]
        if len(score) and len(np.unique(data.target[learn])) >= max(1, data.classes):
            part = _train(student, data.only(learn), pool)
            raw.append(student.predict(part, take(data.blocks, score)))
            truth.append(data.target[score])
    return np.concatenate(raw), np.concatenate(truth)


def _calibrated(draft: Draft, scores: Scores, coverage: float) -> Draft:
    """Probabilities, and sets of labels or intervals, from rows held out."""
    raw, truth = scores
    if draft.task == "regression":
        return replace(draft, conformal=conformal.fit_intervals(draft.values(raw), truth, coverage))
    if len(np.unique(truth)) > 1:
        draft = replace(draft, calibration=calibration.fit_temperature(raw, truth))
    return replace(draft, conformal=conformal.fit_sets(draft.probabilities(raw), truth, coverage))


def _reference(draft: Draft, raw: NDArray[np.float64]) -> dict[str, Any]:
    return profile_values(draft.values(raw)) if draft.task == "regression" else profile(draft.probabilities(raw))


def _card(rows: Rows, keys: Sequence[bytes], recipe: Mapping[str, Any], held_out: int) -> dict[str, Any]:
    """What is known of rows that no snapshot holds; its ``snapshot`` is the digest of the rows in their order."""
    count = len(rows.contents)
    side = np.full(count, split.TRAIN, dtype=np.uint8)
    label = rows.target if rows.labels else np.zeros(count, dtype=np.int32)
    return {
        "data": {
            "snapshot": canon.digest(b"".join(keys) + rows.target.tobytes() + rows.weight.tobytes()),
            "kind": "table",
            "task": rows.task,
            "fields": [
                {"name": field.name, "kind": field.kind, "role": field.role, "form": field.form}
                for field in rows.fields
            ],
            "labels": list(rows.labels),
            "rows": count,
            "split": {
                "rule": "nothing",
                "reason": "rows in memory, and every one was learned from",
                "counts": split.counts(side, label, rows.labels),
            },
            "groups": {"near_duplicate_groups": 0, "rows_in_them": 0},
            "generations": [count],
            "period": None,
            "quarantine": {},
            "copies": 0,
            "truncated": 0,
        },
        "recipe": dict(recipe),
        "engine": engine_of("table", recipe["learner"], recipe["params"]),
        "calibration": {"validation_rows": 0, "held_out_training_rows": held_out},
        "test": {"rows": 0, "generations": [0], "metrics": {}},
        "limits": [
            "The parameters never change; what the world does after the newest training row is unknown to the model.",
            "It was fitted to rows in memory that no snapshot keeps: it cannot be trained again from its card.",
            "Every row was learned from, so how good it is was not measured.",
        ],
    }


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets before it raises ``KeyboardInterrupt`` as ever, so that no grain begins any more."""
    stop = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield stop
        return

    def handler(number: int, frame: FrameType | None) -> None:
        try:
            before(number, frame)
        except BaseException:
            stop.set()
            raise

    signal.signal(signal.SIGINT, handler)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
