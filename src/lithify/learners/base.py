"""The contract of a learner: training is a sequence of pure steps, each a sum of pure grains.

Whoever runs the steps may stop after any of them, write the state down and go on elsewhere, and may compute the grains
of a step in any order on any number of threads: the bits of the result are the same. What makes it so:

* ``grain`` depends on its arguments alone, runs on one thread, and draws randomness only from :mod:`lithify.rng`;
* partials are added in one fixed binary tree over the grain numbers;
* ``done`` looks at the state, never at a clock.

What an author of a learner has to hold to is tested by :mod:`lithify.checks`.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks, TrainingData
from lithify.data.decoded import cores
from lithify.data.state import State
from lithify.errors import MalformedContainer
from lithify.features.base import Features
from lithify.learners.forest.forest import Forest

SCORED, FEWEST = 512, 128
"""Rows scored at a time at most, and how many are worth a thread."""

Partial = dict[str, NDArray[Any]]
"""What one grain contributes. A name that several grains give has one shape and dtype and is summed; other names are
put side by side."""


class Learner(ABC):
    """A way to learn. Subclasses are final and listed in :mod:`lithify.learners.registry`.

    Attributes
    ----------
    Params : type
        Frozen dataclass of the hyper-parameters, read strictly; see :func:`lithify.data.params.read`.
    engine : mapping of str to int
        What the bits depend on besides data and parameters: names of numeric codes and their revisions.
    trains_with : mapping of str to str
        What only the bits of a training depend on: names of libraries and their versions. A model opens without them.
    pins : mapping of str to str
        Environment the numeric libraries need before they load; empty when the bits need none.
    reads : tuple of str
        The forms of features it can learn from, the best first: ``hashed`` and ``columns``.
    tasks : tuple of str
        What it can learn: ``classification``, ``regression``.
    tolerance : float
        How far golden scores may be off on another machine, beside the largest of them or 1; 0 where the bits are
        portable.
    """

    Params: ClassVar[type]
    engine: ClassVar[Mapping[str, int | str]]
    trains_with: ClassVar[Mapping[str, int | str]] = {}
    pins: ClassVar[Mapping[str, str]] = {}
    reads: ClassVar[tuple[str, ...]] = ("hashed",)
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    tolerance: ClassVar[float] = 0.0

    def __init__(self, params: Any) -> None:
        self.params = params

    @classmethod
    def settle(cls, params: Any, rows: int, columns: int, classes: int, side: int = 0, channels: int = 0) -> Any:
        """The parameters with everything decided that is left to the size of the data.

        Called once, when the recipe is resolved: what it returns is written into the recipe.

        Parameters
        ----------
        params : Params
        rows : int
            How many may be learned from.
        columns : int
            Input fields of a table; 0 where the columns are not known yet.
        classes : int
            How many labels there are; 0 in regression.
        side, channels : int
            Of images: pixels of the short side in the middle of all images, and 1 (grey) or 3; 0 for other rows.
        """
        return params

    @classmethod
    def fingerprint(cls, params: Any) -> Mapping[str, int | str]:
        """What the bits of a training with these settled parameters depend on besides them, the data and ``engine``.

        It enters the engine of the run, so a machine on which it differs is refused. It is asked for in processes that
        do not train, so it loads no numeric library. By default ``trains_with``.
        """
        return cls.trains_with

    @classmethod
    def needs(cls, params: Any) -> Mapping[str, str]:
        """Environment that a process must be started with to train with these settled parameters.

        Where this process lacks some of it a worker is started. By default ``pins``.
        """
        return cls.pins

    @classmethod
    def within(cls, params: Any, seconds: float, per_step: float) -> Any:
        """The parameters cut down so that training takes about so many seconds, at so many seconds for a step.

        By default ``params.steps``, the most steps there may be, is lowered.
        """
        most = int(max(1.0, min(float(params.steps), seconds / max(per_step, 1e-9))))
        return dataclasses.replace(params, steps=most)

    def enter_thread(self) -> None:  # noqa: B027  # most learners need nothing
        """Called in a thread before it computes grains, adds partials or applies a step; called often.

        The place for what a thread keeps for itself, such as whether denormal numbers are flushed to zero: the adding
        of partials falls to other threads when there are more of them. By default nothing.
        """

    @abstractmethod
    def steps(self, data: TrainingData) -> int:
        """An upper bound on the number of steps, known before the first."""

    @abstractmethod
    def start(self, data: TrainingData) -> State:
        """The state before step 0."""

    @abstractmethod
    def grain(self, state: State, data: TrainingData, step: int, grain: int) -> Partial:
        """The contribution of one grain to one step; pure, one thread."""

    @abstractmethod
    def apply(self, state: State, data: TrainingData, step: int, total: Partial) -> State:
        """The state after a step, from the sum of its grains."""

    @abstractmethod
    def done(self, state: State) -> bool:
        """Whether the steps that are left would change nothing worth having."""

    @abstractmethod
    def finish(self, state: State, data: TrainingData) -> State:
        """What is sealed and predicted with."""

    @abstractmethod
    def predict(self, state: State, blocks: Blocks) -> NDArray[np.float64]:
        """Raw scores of a finished state, (n, classes) float64, or (n, 1) in regression; the same for one row and many.

        Of two labels the scores are (0, s).
        """

    @abstractmethod
    def contributions(self, state: State, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
        """What each feature of the first row adds to one raw score, and the score of a row without any.

        For a hashed block the shares stand in the order of the row's buckets, for a dense one in that of its columns.
        """

    @abstractmethod
    def audit(self, state: State, features: Features, fitted: State, classes: int) -> None:
        """Raises ``MalformedContainer`` unless a finished state read from a file fits the features and the labels.

        ``fitted`` is the state of the features, which has passed their own audit: what a learner walks without looking
        at bounds must fit the columns that they make of every row.
        """

    def held_out(self, state: State, data: TrainingData) -> NDArray[np.float64] | None:
        """Raw scores (m, outputs) of the training rows, each by parts of a finished state that have not seen it.

        ``data.train`` names the rows and their order. None where the learner has no such parts.
        """
        return None

    def importances(self, state: State, features: Features, fitted: State) -> NDArray[np.float64] | None:
        """How much each of ``features.columns(fitted)`` counts: not negative, summing to one; None if unknown."""
        return None

    def tree(self, state: State) -> Forest | None:
        """The decision tree of a learner that is one, to be drawn; None for all others."""
        return None

    def admit(self, state: State, data: TrainingData) -> None:
        """Raises ``MalformedContainer`` unless a state read from a checkpoint fits the data.

        Kernels do not check bounds, so nothing from a file may reach them unseen. By default the arrays and facts of
        the first state must be there, with their types and shapes, and any other array must be shaped like one of them.
        A whole number is good for a float: a file holds 1.0 as 1.
        """
        first = self.start(data)
        forms = {name: (array.dtype, array.shape) for name, array in first.arrays.items()}
        found = {name: (array.dtype, array.shape) for name, array in state.arrays.items()}
        wrong = [name for name, form in found.items() if form != forms.get(name, form) or form not in forms.values()]
        wrong += forms.keys() - found.keys()
        wrong += [name for name, fact in first.facts.items() if not _alike(fact, state.facts.get(name))]
        if wrong:
            raise MalformedContainer(
                "The state in the checkpoint does not fit the data.", found=", ".join(sorted(wrong))[:200]
            )

    def score(self, state: State, features: Features, fitted: State, contents: Sequence[bytes]) -> NDArray[np.float64]:
        """Raw scores of contents, some at a time on all cores: memory stays flat, blocks stay in the cache."""
        rounds = -(-len(contents) // (SCORED * cores())) or 1
        size = max(FEWEST, -(-len(contents) // (rounds * cores())))
        pieces = [contents[at : at + size] for at in range(0, len(contents), size)]

        def one(piece: Sequence[bytes]) -> NDArray[np.float64]:
            return self.predict(state, features.transform(fitted, piece))

        if len(pieces) == 1:
            return one(pieces[0])
        with ThreadPoolExecutor(min(cores(), len(pieces))) as threads:
            return np.concatenate(list(threads.map(one, pieces)))

    def score_all(
        self, state: State, features: Features, fitted: State, contents: Sequence[bytes]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
        """:meth:`score` and, from the same pass, what stands before the last layer: (n, d); None without layers.

        Rows that the learner takes for alike lie close together there. A model tells by it what is unlike anything it
        was trained on, and which training rows are nearest.
        """
        return self.score(state, features, fitted, contents), None

    def figures(self, state: State) -> dict[str, float]:
        """What to show while training, by name.

        ``loss`` and ``accuracy`` (a share of 1) are shown first; ``rows_per_step`` is not shown but turns the rate into
        rows a second.
        """
        return {}


def _alike(first: Any, fact: Any) -> bool:
    """Whether a fact is of the type it had in the first state."""
    return type(fact) is type(first) or (type(first) is float and type(fact) is int)
