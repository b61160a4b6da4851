"""What the predictions of two models on the same rows show: arrays in, figures and a verdict out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lithify import metrics
from lithify.evaluation.comparison.flips import Flips, flips
from lithify.evaluation.comparison.gates import Gates
from lithify.evaluation.comparison.paired import Difference, differences
from lithify.evaluation.comparison.slices import Slice, slices
from lithify.evaluation.comparison.verdict import Judgement, judge
from lithify.evaluation.parts import Parts
from lithify.metrics import Metric, Sample, Values


@dataclass(frozen=True, eq=False)
class Findings:
    """What both models' predictions show.

    Attributes
    ----------
    deciding : str
        The metric that decides.
    differences : dict of str to Difference
    flips : Flips or None
        None in regression.
    slices : tuple of Slice
        All that were looked at, the most suspicious first.
    judgement : Judgement
    """

    deciding: str
    differences: dict[str, Difference]
    flips: Flips | None
    slices: tuple[Slice, ...]
    judgement: Judgement


def find(
    champion: Sample | Values,
    challenger: Sample | Values,
    parts: Sequence[tuple[str, Parts]] = (),
    gates: Gates | None = None,
    *,
    deciding: str | None = None,
    measured: tuple[Metric, ...] = metrics.METRICS,
    labels: tuple[str, ...] = (),
    more: Mapping[str, Difference] | None = None,
    times: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Findings:
    """Compares two models by what they predict for the same rows.

    Parameters
    ----------
    champion, challenger : Sample or Values
        The same n rows in the same order.
    parts : sequence of (name, Parts)
        How fields, labels and periods part these rows.
    gates : Gates, optional
    deciding : str, optional
        The metric that decides where the gates name none: accuracy, or in regression the root mean squared error.
    measured : tuple of Metric
    labels : tuple of str
        For titles; of two the positive one last.
    more : mapping, optional
        Figures that are not of the most probable label, such as of sealed cut-offs.
    times : mapping, optional
        ``latency`` and ``size`` of the challenger, as multiples of the champion's.
    seed : int
        Of the resamples.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.arange(600) % 2
    >>> wrong = np.arange(600) % 5 == 0
    >>> found = find(Sample.of(y, np.where(wrong, 1 - y, y)), Sample.of(y, y))
    >>> found.judgement.verdict, found.differences["accuracy"].difference.__round__(9)
    ('better', 0.2)
    """
    gates = gates or Gates()
    two = isinstance(champion, Sample) and isinstance(challenger, Sample)
    by = gates.metric or deciding or ("accuracy" if two else "rmse")
    found = differences(champion, challenger, measured, labels, seed) | dict(more or {})
    flipped = flips(champion, challenger) if two else None  # type: ignore[arg-type]
    parted = slices(champion, challenger, parts, gates.alpha)
    verdict = judge(gates, by, found, flipped, parted, len(champion.y), times)
    return Findings(by, found, flipped, parted, verdict)
