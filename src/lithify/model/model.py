"""The model a person holds: opened, it predicts, explains and verifies, and nothing about it can change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from lithify.data.schema import Field
from lithify.data.state import State
from lithify.data.streams import shown
from lithify.errors import DataError, GoldenMismatch, UsageError
from lithify.model import golden
from lithify.model.draft import Draft
from lithify.model.explain import Explanation, explain
from lithify.model.prediction import Prediction, predictions
from lithify.model.sealed import Sealed, open_sealed

Input = str | bytes | Path | Mapping[str, object]


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
        says = f"labels {', '.join(self.labels)}" if self.labels else "predicts values"
        return f"<Model {self.digest[7:19]}: {self.kind}, {says}>"

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
    def kind(self) -> Literal["mail", "text", "table", "image"]:
        """What a row is."""
        return cast(Literal["mail", "text", "table", "image"], self.draft.kind)

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""
        return self.draft.task

    @property
    def fields(self) -> tuple[Field, ...]:
        """The input fields of a table, sorted by name; empty for all else."""
        return self._sealed.fields

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted; columns of every array of scores are in this order. Empty in regression."""
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
    def conformal(self) -> dict[str, Any] | None:
        """What sets of labels and intervals are made by, or None; see :mod:`lithify.conformal`."""
        return None if self.draft.conformal is None else dict(self.draft.conformal)

    @property
    def novelty(self) -> State | None:
        """What unknown inputs are told by, or None; see :mod:`lithify.novelty`."""
        return self.draft.novelty

    @property
    def card(self) -> dict[str, Any]:
        """The facts sealed into the model: data, recipe, engine, figures at sealing, limits."""
        return self._sealed.card

    @property
    def reference(self) -> dict[str, Any]:
        """The sealed reference for drift tests."""
        return self._sealed.reference

    def raw(self, contents: Sequence[bytes]) -> NDArray[np.float64]:
        """Raw scores (n, labels) float64 of canonical contents (see :class:`lithify.data.schema.Row`).

        In regression (n, 1).
        """
        return self.draft.raw(contents)

    def _read(self, inputs: Any) -> tuple[list[str], list[bytes]]:
        """Names and canonical contents of inputs."""
        from lithify.data.inputs import read_inputs  # what reads files of tables; most callers have contents already

        return read_inputs(inputs, self.kind, self.fields)

    def predict_proba(self, inputs: Any) -> NDArray[np.float64]:
        """Calibrated probabilities (n, labels) float64; inputs as for :meth:`predict`.

        Raises ``UsageError`` for a regression, which has no labels.
        """
        if self.task == "regression":
            raise UsageError("A regression has no probabilities.", hint="Use predict or predict_values.")
        return self.draft.probabilities(self.raw(self._read(inputs)[1]))

    def predict_values(self, inputs: Any) -> NDArray[np.float64]:
        """What a regression predicts, (n,) float64; inputs as for :meth:`predict`."""
        if self.task != "regression":
            raise UsageError("This model predicts labels, not values.", hint="Use predict or predict_proba.")
        return self.draft.values(self.raw(self._read(inputs)[1]))

    def predict(self, inputs: Any) -> list[Prediction]:
        """Predicts labels or values.

        Parameters
        ----------
        inputs : one input or a sequence of them
            For mail: paths of message files, or raw messages as bytes. For text: texts as str or bytes, or Paths of
            text files. For images: paths of image files, or their bytes. For a table: rows as mappings from field to
            cell, a pandas, Polars or Arrow frame, a dict of columns, or the path of a file of rows. Fields that are not
            there count as missing.

        Returns
        -------
        list of Prediction
            In the order of the inputs.
        """
        return list(self.predictions(*self._read(inputs)))

    def predictions(self, names: Sequence[str], contents: Sequence[bytes]) -> Iterator[Prediction]:
        """Predictions of canonical contents, each with the name its input goes by.

        Raises ``DataError`` for an image that cannot be decoded; its message names the first one.
        """
        try:
            judged = self.draft.judge(contents)
        except DataError:
            for at, bad in self.draft.unreadable(contents).items():
                raise DataError(
                    f"{shown(names[at]) or f'Image {at}'} cannot be decoded.", found=str(bad), hint="Leave it out."
                ) from None
            raise
        yield from predictions(self.draft, self.digest, names, *judged)

    def explain(self, item: Input) -> Explanation:
        """Which stretches of one input pushed which way; with the base the weights add up to the raw score.

        Of a table also a file or a frame of one row; ``UsageError`` when it holds any other number of rows.
        """
        names, contents = self._read(item if self.kind == "table" else [item])
        if len(contents) != 1:
            raise UsageError(
                "One row is explained at a time.",
                expected="1 row",
                found=f"{len(contents):,} rows",
                hint="Give the row alone, as a mapping from field to cell.",
            )
        return self.explain_content(contents[0], names[0])

    def explain_content(self, content: bytes, name: str = "") -> Explanation:
        """:meth:`explain` for canonical content."""
        raw, novelty = self.draft.judge([content])
        (prediction,) = predictions(self.draft, self.digest, [name], raw, novelty)
        return explain(self.draft, content, raw[0], prediction)

    def verify(self) -> None:
        """Scores the golden inputs and compares; ``GoldenMismatch`` when the bits are not the sealed ones.

        The seal and the structure were checked when the model was opened.
        """
        expected = self._sealed.golden_raw
        found = self.raw(self.draft.golden_inputs(self._sealed.golden_revision))
        worst = float(np.abs(found - expected).max())
        allowed = golden.allowed(self._sealed.tolerance, expected)
        if not worst <= allowed:
            raise GoldenMismatch(
                f"Model {self.digest[7:19]} does not score its golden inputs as it did when it was sealed.",
                expected=f"a difference of at most {allowed:g}",
                found=f"{worst:g}",
                hint="This machine or this version computes other numbers; use the one it was sealed with.",
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
