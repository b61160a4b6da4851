"""One prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """What a model says of one input.

    Attributes
    ----------
    input : str
        The input's name or path as it was given; empty for bytes.
    label : str
        The most probable label.
    probabilities : dict of str to float
        Calibrated, by label.
    verdict : str or None
        ``ham``, ``unsure`` or ``spam`` by the sealed cut-offs; None where the model has none.
    model : str
        Digest of the model.
    """

    input: str
    label: str
    probabilities: dict[str, float]
    verdict: str | None
    model: str

    def to_json(self) -> dict[str, Any]:
        """As one line of ``lithify predict --json``; ``verdict`` is left out where there is none."""
        document = dict(vars(self))
        if self.verdict is None:
            del document["verdict"]
        return document
