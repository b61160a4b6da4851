"""What a challenger must pass: gates, read from a TOML file.

margin = 0.005            # of accuracy, in the metric's own unit
flips = 0.01              # share of rows that the champion gets right and the challenger wrong
latency = 2.0             # times the champion's

[metrics]                 # others that must not be worse by more than this
log_loss = 0.02
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from lithify.data import params
from lithify.errors import NotFound, UsageError
from lithify.metrics import METRICS

MARGIN = 0.01
"""Of a share, such as accuracy: one row in a hundred."""
RELATIVE = 0.02
"""Of any other metric: a fiftieth of the champion's figure."""
OF_MAIL = ("ham_lost", "spam_caught")
"""Figures of the sealed cut-offs of mail, which can be gates too."""


@dataclass(frozen=True)
class Gates:
    """What a challenger must pass to be not worse.

    Attributes
    ----------
    metric : str or None
        The metric that decides. None for accuracy, and in regression for that which the models were trained for:
        the root mean squared error, the mean absolute error or the pinball loss.
    margin : float or None
        By how much the challenger may be worse, in the unit of that metric; None for 0.01 of a share, else for
        ``relative``.
    relative : float or None
        The same as a share of the champion's figure; None for 0.02 where there is no ``margin``.
    flips : float or None
        Share of all rows that may be negative flips; None for any.
    slices : bool
        Whether a slice that got significantly worse fails.
    alpha : float
        How likely any slice at all is called worse by chance, all of them together.
    latency, size : float or None
        How many times the champion's median time for one row, and its file, the challenger may take; None for any.
    metrics : mapping of str to float
        Other metrics that must not be worse, each by more than its margin.

    Notes
    -----
    Accuracy decides because it is what a label is used for, because it has an exact test that holds for few rows, and
    because it is the positive flips less the negative ones: all that is listed adds up to it. Figures of probabilities
    need fewer rows, but a handful of confident mistakes moves them, and a challenger that is only calibrated otherwise
    would be called better. A label with few rows weighs little in it; that is what slices by label are for.
    """

    metric: str | None = None
    margin: Annotated[float, Ge(0)] | None = None
    relative: Annotated[float, Ge(0), Lt(1)] | None = None
    flips: Annotated[float, Ge(0), Le(1)] | None = 0.01
    slices: bool = True
    alpha: Annotated[float, Gt(0), Lt(1)] = 0.05
    latency: Annotated[float, Gt(0)] | None = None
    size: Annotated[float, Gt(0)] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Gates:
        """The gates in a TOML file; ``NotFound`` or ``UsageError``. What is left out keeps its default."""
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NotFound(f"There is no file of gates {path}.") from None
        except OSError as error:
            raise NotFound(f"The file of gates {path} cannot be read.", found=error.strerror) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is not TOML.", found=str(error)) from None
        return cls.parse(document)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Gates:
        """Gates from plain values; ``flips = false`` is for any share. Raises ``UsageError``.

        >>> Gates.parse({"margin": 0.005, "flips": False}).flips
        >>> Gates.parse({"margn": 0.005})
        Traceback (most recent call last):
        lithify.errors.UsageError: There is no gate 'margn'. Expected: metric, margin, relative, flips, slices, alpha,
        latency, size, metrics. Did you mean margin?
        """
        values = {key: None if key == "flips" and value is False else value for key, value in document.items()}
        try:
            gates = params.read(cls, values)
        except params.Misfit as error:
            raise _misfit(error) from None
        gates.check()
        return gates

    def check(self) -> None:
        """Raises ``UsageError`` for metrics that do not exist, and for two margins at once."""
        for name in ([] if self.metric is None else [self.metric]) + list(self.metrics):
            if name not in _known():
                near = difflib.get_close_matches(name, _known(), 1)
                raise UsageError(
                    f"There is no metric {name!r} to be a gate.",
                    expected=", ".join(_known()),
                    hint=f"Did you mean {near[0]}?" if near else None,
                )
        for name, margin in self.metrics.items():
            if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0.0 <= margin < float("inf"):
                raise UsageError(f"The margin of {name} does not fit.", expected="a number >= 0", found=repr(margin))
        if self.margin is not None and self.relative is not None:
            raise UsageError("Two margins are given.", expected="margin or relative")

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self) | {"metrics": {name: float(margin) for name, margin in self.metrics.items()}}

    def margin_of(self, unit: str, champion: float) -> float:
        """How much worse than the champion's figure the challenger's may be, in the unit of the deciding metric.

        >>> (
        ...     Gates().margin_of("share", 0.9),
        ...     Gates().margin_of("value", 50.0),
        ...     Gates(relative=0.1).margin_of("share", 0.9),
        ... )
        (0.01, 1.0, 0.09000000000000001)
        """
        if self.margin is not None:
            return self.margin
        if self.relative is None and unit == "share":
            return MARGIN
        return (RELATIVE if self.relative is None else self.relative) * abs(champion)


def _known() -> list[str]:
    return [*(metric.name for metric in METRICS), *OF_MAIL]


def _misfit(error: params.Misfit) -> UsageError:
    if error.expected:
        return UsageError(f"The gate {error.key!r} does not fit.", expected=error.expected, found=error.found)
    names = [each.name for each in dataclasses.fields(Gates)]
    near = difflib.get_close_matches(error.key, names, 1)
    return UsageError(
        f"There is no gate {error.key!r}.",
        expected=", ".join(names),
        hint=f"Did you mean {near[0]}?" if near else None,
    )
