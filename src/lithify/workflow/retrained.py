"""What came of a retraining."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lithify.data.growth import Growth
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.comparison.comparison import Comparison
    from lithify.model.model import Model
    from lithify.training.run import Outcome
    from lithify.workflow.same_recipe import Changes

PASSING = ("better", "not worse")
"""Verdicts with which a model may take the alias."""


@dataclass(frozen=True, eq=False)
class Retrained:
    """What came of a retraining; nothing was promoted.

    Attributes
    ----------
    champion : Model
        The model that was to be trained anew.
    alias : str or None
        The alias in full that it was found by or that serves it; None when none does.
    parent : str
        Digest of the snapshot that the new rows joined, or that is replaced.
    snapshot : Snapshot
        What was trained on; the parent itself where there was nothing new.
    growth : Growth or None
        What the data brought; None where it replaces a snapshot that is not in this home.
    replaced : bool
        Whether the data stands alone in the place of the parent.
    changes : Changes
        How the recipe differs from the champion's.
    outcome : Outcome or None
        The finished run; None where there was nothing to train.
    generation : int or None
        The generation whose test rows were compared.
    comparison : Comparison or None
        On those; None where they are none, or where the two models cannot be compared.
    older : mapping of int to Comparison
        Those on the test rows of the generations before, the newest of these first; they decide nothing.
    verdict : str
        ``better``, ``not worse``, ``undecided`` or ``worse``; ``none`` where nothing was trained.
    reasons : tuple of str
        Why, in sentences.
    """

    champion: Model
    alias: str | None
    parent: str
    snapshot: Snapshot
    growth: Growth | None
    replaced: bool
    changes: Changes = field(default_factory=dict)
    outcome: Outcome | None = None
    generation: int | None = None
    comparison: Comparison | None = None
    older: Mapping[int, Comparison] = field(default_factory=dict)
    verdict: str = "none"
    reasons: tuple[str, ...] = ()

    @property
    def model(self) -> Model | None:
        """The new model; None where nothing was trained."""
        return None if self.outcome is None else self.outcome.model

    @property
    def notes(self) -> tuple[str, ...]:
        """What may have been meant otherwise, in sentences."""
        growth = self.growth
        if growth is None or self.replaced or self.snapshot.kind != "table" or not (growth.known and growth.removed):
            return ()
        return (
            f"{growth.known:,} rows of the data say what rows of the parent say, and were taken for these. If they are "
            "others that only say the same, give the old rows too, in one table or a folder: each counts then.",
        )

    @property
    def next(self) -> tuple[str, ...]:
        """The words of the command that promotes the new model; none unless the verdict lets it."""
        return self.promotion if self.verdict in PASSING else ()

    @property
    def promotion(self) -> tuple[str, ...]:
        """The words of the command that promotes the new model, whatever the verdict; none where there is no model."""
        if self.model is None:
            return ()
        words = ("promote", self.model.digest[7:19], (self.alias or "ALIAS").removesuffix("@production"))
        return (*words, "--expect", self.champion.digest[7:19]) if self.alias else words

    def to_json(self) -> dict[str, Any]:
        """As ``lithify retrain --json`` prints it."""
        from shlex import join

        return {
            "model": None if self.model is None else self.model.digest,
            "champion": self.champion.digest,
            "alias": self.alias,
            "parent": self.parent,
            "snapshot": self.snapshot.digest,
            "replaced": self.replaced,
            "generation": self.generation,
            "difference": None if self.growth is None else self.growth.to_json(),
            "recipe_changes": self.changes,
            "run": None if self.outcome is None else self.outcome.run,
            "sessions": 0 if self.outcome is None else self.outcome.sessions,
            "resumed": self.outcome is not None and self.outcome.resumed,
            "comparison": None if self.comparison is None else self.comparison.to_json(),
            "older": [{"generation": number} | _brief(made) for number, made in self.older.items()],
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "next": join(("lithify", *self.next)) if self.next else None,
        }


def _brief(made: Comparison) -> dict[str, Any]:
    """What one line says of a comparison."""
    document = made.to_json()
    return {name: document[name] for name in ("rows", "verdict", "deciding", "metrics")}
