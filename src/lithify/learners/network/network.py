"""Neural networks: on images, on hashed features and on columns, trained in steps of pure grains.

Torch trains; what is sealed is a graph of a closed list of operators with its arrays, and ONNX Runtime computes it. A
grain takes its share of the rows of a step, with one kernel thread, and hands back sums of gradients; ``apply`` moves
the weights by their mean. How rows are shown, what rests, and in which order they come is drawn from counters.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks, TrainingData
from lithify.data.decoded import cores
from lithify.data.state import State
from lithify.errors import EngineMismatch, MalformedContainer, MissingExtra
from lithify.features.base import Features
from lithify.learners.base import SCORED, Learner, Partial
from lithify.learners.network import machine
from lithify.learners.network import params as parameters
from lithify.learners.network.params import NetworkParams

if TYPE_CHECKING:
    from lithify.learners.network.job import Job
    from lithify.learners.network.replica import Replicas
    from lithify.learners.network.scoring import Network as Scoring

_PIECE = 32
"""Images that one thread decodes and scores at a time."""


class Network(Learner):
    """See the module."""

    Params: ClassVar[type] = NetworkParams
    engine: ClassVar[Mapping[str, int | str]] = {"learner.network": 1, "network.graph": 1}
    reads: ClassVar[tuple[str, ...]] = ("pixels", "hashed", "columns")
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")
    tolerance: ClassVar[float] = 1e-3

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._lock = threading.Lock()
        self._training: tuple[Job, Replicas, dict[str, float]] | None = None
        self._opened: tuple[State, Scoring] | None = None
        self._forms: tuple[TrainingData, dict[str, tuple[str, tuple[int, ...]]]] | None = None

    @classmethod
    def settle(cls, params: Any, rows: int, columns: int, classes: int, side: int = 0, channels: int = 0) -> Any:
        """See :func:`lithify.learners.network.params.settle`."""
        return parameters.settle(params, rows, columns, classes, side, channels)

    @classmethod
    def within(cls, params: Any, seconds: float, per_step: float) -> Any:
        """See :func:`lithify.learners.network.params.within`."""
        return parameters.within(params, seconds, per_step)

    @classmethod
    def fingerprint(cls, params: Any) -> Mapping[str, int | str]:
        """Torch, and the class of the CPU or the GPU with its libraries."""
        return machine.fingerprint(machine.device_of(params.device), params.tier)

    @classmethod
    def needs(cls, params: Any) -> Mapping[str, str]:
        """One thread for each kernel, the instruction set of the tier, and an allocator that keeps what it has."""
        return machine.needs(machine.device_of(params.device), params.tier)

    def steps(self, data: TrainingData) -> int:
        """As many as the epochs take, at most as many as the recipe says."""
        return self._prepare(data)[0].steps

    def start(self, data: TrainingData) -> State:
        """First values, drawn by name; images' first filters whiten."""
        from lithify.learners.network import first, steps
        from lithify.learners.network.arithmetic import exactly, probe

        job, _, _ = self._prepare(data)
        with exactly():
            whole = first.module(job)
        return steps.first_state(job, whole, {"probe": probe(*_computed_by(job.params))})

    def grain(self, state: State, data: TrainingData, step: int, grain: int) -> Partial:
        """Sums over the grain's rows of gradients, losses and right answers, and the statistics of its norms."""
        from lithify.learners.network import steps

        job, replicas, _ = self._prepare(data)
        return steps.grain(job, replicas, state, step, grain)

    def apply(self, state: State, data: TrainingData, step: int, total: Partial) -> State:
        """Moves every parameter, folds the statistics in, and averages."""
        from lithify.learners.network import steps

        job, _, momenta = self._prepare(data)
        return steps.apply(job, momenta, state, step, total)

    def done(self, state: State) -> bool:
        """Never before the last step: the rate falls to nothing by then."""
        return False

    def finish(self, state: State, data: TrainingData) -> State:
        """The graph of the averaged network, compared with the module."""
        from lithify.learners.network import finishing

        return finishing.finish(self._prepare(data)[0], state)

    def predict(self, state: State, blocks: Blocks) -> NDArray[np.float64]:
        """Raw scores through ONNX Runtime."""
        return self._scoring(state).both(blocks)[0]

    def contributions(self, state: State, blocks: Blocks, column: int) -> tuple[dict[str, NDArray[np.float64]], float]:
        """Shapley values of the patches, columns or buckets of the first row, by sampling."""
        from lithify.learners.network import explaining

        return explaining.contributions(self._scoring(state), blocks, column)

    def audit(self, state: State, features: Features, fitted: State, classes: int) -> None:
        """Graph, arrays and facts against features and labels; nothing is computed before."""
        from lithify.learners.network.audit import audit

        audit(state, features, fitted, classes)

    def importances(self, state: State, features: Features, fitted: State) -> NDArray[np.float64] | None:
        """How far scores of training rows move where a column is not known; unknown for images and hashed features."""
        return state.arrays.get("shares")

    def admit(self, state: State, data: TrainingData) -> None:
        """Also: all numbers are finite, and this process computes what the one that began computed.

        Raises ``EngineMismatch`` where it does not.
        """
        from lithify.learners.network.arithmetic import probe

        params = self._prepare(data)[0].params
        forms = self._forms
        if forms is None or forms[0] is not data:
            first = self.start(data)
            forms = self._forms = (data, _forms_of(first))
        wrong = {name for name, _ in (forms[1].items() ^ _forms_of(state).items())}
        if wrong or type(state.facts.get("step")) is not int or type(state.facts.get("probe")) is not str:
            raise MalformedContainer(
                "The state in the checkpoint does not fit the data.", found=", ".join(sorted(wrong))[:200]
            )
        if any(array.dtype.kind == "f" and not np.isfinite(array).all() for array in state.arrays.values()):
            raise MalformedContainer("A number in the checkpoint is not finite.")
        here = probe(*_computed_by(params))
        if state.facts["probe"] != here:
            raise EngineMismatch(
                "This process computes other numbers than the one that began the run.",
                expected=str(state.facts["probe"])[:19],
                found=here[:19],
                hint="Go on where the run began, or train anew with --new.",
            )

    def score(self, state: State, features: Features, fitted: State, contents: Sequence[bytes]) -> NDArray[np.float64]:
        """Raw scores of contents; images are decoded and scored piece by piece on all cores."""
        return self.score_all(state, features, fitted, contents)[0]

    def score_all(
        self, state: State, features: Features, fitted: State, contents: Sequence[bytes]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
        """Raw scores and embeddings of contents."""
        from lithify.learners.network.scoring import MANY

        scoring = self._scoring(state)
        images = scoring.inputs.kind == "pixels"
        size = _PIECE if images else SCORED
        pieces = [contents[at : at + size] for at in range(0, len(contents), size)]

        def one(piece: Sequence[bytes]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
            return scoring.both(features.transform(fitted, piece), threads=1, many=len(contents) >= MANY)

        if not images or len(pieces) == 1:
            found = [one(piece) for piece in pieces]
        else:
            with ThreadPoolExecutor(min(cores(), len(pieces))) as threads:
                found = list(threads.map(one, pieces))
        return np.concatenate([raw for raw, _ in found]), np.concatenate([embedding for _, embedding in found])

    def figures(self, state: State) -> dict[str, float]:
        """Loss and accuracy of late, and the rows of a step."""
        from lithify.learners.network.steps import latest

        found = latest(state)
        training = self._training
        return found | ({"rows_per_step": float(training[0].batch)} if training is not None else {})

    def _prepare(self, data: TrainingData) -> tuple[Job, Replicas, dict[str, float]]:
        """What training these data needs; kept for the next step, made again after a resume."""
        with self._lock:
            if self._training is None or self._training[0].data is not data:
                _demand_torch()
                from lithify.learners.network import first
                from lithify.learners.network.job import job_of
                from lithify.learners.network.replica import Replicas

                job = job_of(self.params, data)
                norms = first.norms(job.network())
                momenta = {name: 0.1 if norm.momentum is None else float(norm.momentum) for name, norm in norms.items()}
                self._training = (job, Replicas(job), momenta)
            return self._training

    def _scoring(self, state: State) -> Scoring:
        """The sessions of a finished state, made once."""
        with self._lock:
            if self._opened is None or self._opened[0] is not state:
                from lithify.learners.network.scoring import Network as Scoring

                self._opened = (state, Scoring(state))
            return self._opened[1]


def _computed_by(params: NetworkParams) -> tuple[str, str, str]:
    """What the bits of a step depend on beside machine and libraries."""
    return params.device, params.precision, params.convolutions


def _forms_of(state: State) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Dtype and shape of each array."""
    return {name: (array.dtype.str, array.shape) for name, array in state.arrays.items()}


def _demand_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtra(
            "Networks are trained with PyTorch.", hint="Install it: pip install 'lithify[networks]'."
        ) from None
