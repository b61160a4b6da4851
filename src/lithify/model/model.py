"""The model a person holds: opened, it predicts, explains and verifies, and nothing about it can change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from lithify.data.inputs import read_input
from lithify.errors import GoldenMismatch
from lithify.model import golden
from lithify.model.draft import Draft
from lithify.model.explain import Explanation, explain
from lithify.model.prediction import Prediction
from lithify.model.sealed import Sealed, open_sealed

Input = str | bytes | Path


class Model:
    """A sealed model. Made by :func:`open_model`.

    Attributes
    ----------
    path : Path or None
        Where it was opened from.
    card : dict
        The facts sealed into it.
    """

    def __init__(self, sealed: Sealed, path: Path | None = None) -> None:
        self._sealed = sealed
        self.path = path

    def __repr__(self) -> str:
        return f"<Model {self.digest[7:19]}: {self.kind}, labels {', '.join(self.labels)}>"

    @cached_property
    def digest(self) -> str:
        """Its name: the SHA-256 of the whole file."""
        return self._sealed.file.digest

    @property
    def data(self) -> memoryview:
        """The bytes of the file."""
        return self._sealed.file.data

    @property
    def draft(self) -> Draft:
        """What it predicts with."""
        return self._sealed.draft

    @property
    def kind(self) -> Literal["mail", "text"]:
        """What a row is."""
        return cast(Literal["mail", "text"], self.draft.kind)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted; columns of every array of scores are in this order."""
        return self.draft.labels

    @property
    def spam(self) -> str:
        """The label that means spam; empty where the labels are not spam and ham."""
        return self.draft.spam

    @property
    def cutoffs(self) -> dict[str, Any] | None:
        """The sealed cut-offs, or None; see :func:`lithify.calibration.choose_cutoffs`."""
        return None if self.draft.cutoffs is None else dict(self.draft.cutoffs)

    @property
    def card(self) -> dict[str, Any]:
        """The facts sealed into the model: data, recipe, engine, figures at sealing, limits."""
        return self._sealed.card

    @property
    def reference(self) -> dict[str, Any]:
        """The sealed reference for drift tests."""
        return self._sealed.reference

    def raw(self, contents: Sequence[bytes]) -> NDArray[np.float64]:
        """Raw scores (n, labels) float64 of canonical contents (see :class:`lithify.data.schema.Row`)."""
        return self.draft.raw(contents)

    def predict_proba(self, inputs: Sequence[Input]) -> NDArray[np.float64]:
        """Calibrated probabilities (n, labels) float64; inputs as for :meth:`predict`."""
        return self.draft.probabilities(self.raw([read_input(item, self.kind) for item in inputs]))

    def predict(self, inputs: Sequence[Input] | Input) -> list[Prediction]:
        """Predicts labels.

        Parameters
        ----------
        inputs : sequence of str, Path or bytes
            For mail: paths of message files, or raw messages as bytes. For text: texts as str or bytes, or Paths of
            text files.

        Returns
        -------
        list of Prediction
            In the order of the inputs.
        """
        several = [inputs] if isinstance(inputs, (str, bytes, Path)) else list(inputs)
        contents = [read_input(item, self.kind) for item in several]
        names = [item if isinstance(item, str) else str(item) if isinstance(item, Path) else "" for item in several]
        return list(self.predictions(names, contents))

    def predictions(self, names: Sequence[str], contents: Sequence[bytes]) -> Iterator[Prediction]:
        """Predictions of canonical contents, each with the name its input goes by."""
        probabilities = self.draft.probabilities(self.raw(contents)).tolist()
        for name, row in zip(names, probabilities, strict=True):
            yield self._prediction(name, row)

    def explain(self, item: Input) -> Explanation:
        """Which stretches of one input pushed which way; with the base the weights add up to the raw score."""
        content = read_input(item, self.kind)
        name = item if isinstance(item, str) else str(item) if isinstance(item, Path) else ""
        return self.explain_content(content, name)

    def explain_content(self, content: bytes, name: str = "") -> Explanation:
        """:meth:`explain` for canonical content."""
        raw = self.raw([content])
        prediction = self._prediction(name, self.draft.probabilities(raw)[0].tolist())
        return explain(self.draft, content, raw[0], prediction)

    def verify(self) -> None:
        """Scores the golden inputs and compares; ``GoldenMismatch`` when the bits are not the sealed ones.

        The seal and the structure were checked when the model was opened.
        """
        expected = self._sealed.golden_raw
        found = self.raw(golden.inputs(self.kind, self._sealed.golden_revision))
        worst = float(np.abs(found - expected).max())
        if not worst <= self._sealed.tolerance:
            raise GoldenMismatch(
                f"Model {self.digest[7:19]} does not score its golden inputs as it did when it was sealed.",
                expected=f"a difference of at most {self._sealed.tolerance:g}",
                found=f"{worst:g}",
                hint="This machine or this version computes other numbers; use the one it was sealed with.",
            )

    def _prediction(self, name: str, probabilities: list[float]) -> Prediction:
        labels = self.labels
        return Prediction(
            input=name,
            label=labels[probabilities.index(max(probabilities))],
            probabilities=dict(zip(labels, probabilities, strict=True)),
            verdict=self.draft.verdict(probabilities),
            model=self.digest,
        )


def open_model(source: str | Path | bytes, *, verify: bool = False) -> Model:
    """Opens a sealed model; runs no code from it.

    Parameters
    ----------
    source : str, Path or bytes
        The file, or its bytes.
    verify : bool
        Whether to score the golden inputs too.

    Raises
    ------
    LithifyError
        Whenever anything is wrong with it: ``NotFound``, ``MalformedContainer``, ``IntegrityError``, ``NewerFormat``,
        ``GoldenMismatch``.
    """
    path = None if isinstance(source, bytes) else Path(source)
    model = Model(open_sealed(source if isinstance(source, bytes) else Path(source)), path)
    if verify:
        model.verify()
    return model
