"""The verdict on a challenger: better, not worse, undecided or worse, by gates.

A gate is passed, failed, or open where there are too few rows to tell. One failed gate makes the challenger worse, an
open one leaves it undecided; where all are passed it is better if the whole interval of the deciding metric lies on the
good side of zero, and not worse otherwise. With two-sided intervals of 95 %, of challengers that are as good as the
champion at most one in forty is called better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lithify.errors import DataError
from lithify.evaluation import words
from lithify.evaluation.comparison.flips import Flips
from lithify.evaluation.comparison.gates import Gates
from lithify.evaluation.comparison.paired import Difference
from lithify.evaluation.comparison.slices import Slice

Verdict = Literal["better", "not worse", "undecided", "worse"]
State = Literal["passed", "open", "failed"]
PASSING: tuple[Verdict, ...] = ("better", "not worse")
MOST = 100
"""How many times the rows there are may be asked for; beyond that no sensible number would decide."""


@dataclass(frozen=True)
class GateResult:
    """One gate.

    Attributes
    ----------
    gate : str
        Name of the metric, ``flips``, ``slices``, ``latency`` or ``size``.
    state : "passed", "open" or "failed"
    reason : str
        A sentence for people.
    rows : int or None
        Of an open gate: about how many rows would decide, were the figures what they look like; None where so many
        would be needed that it makes no difference.
    """

    gate: str
    state: State
    reason: str
    rows: int | None = None


@dataclass(frozen=True)
class Judgement:
    """The verdict and what it rests on."""

    verdict: Verdict
    gates: tuple[GateResult, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """What decided: the failed gates; else the open ones and what would close them; else all."""
        for state in ("failed", "open"):
            told = [gate for gate in self.gates if gate.state == state]
            if told:
                return tuple(gate.reason for gate in told) + (self._needed() if state == "open" else ())
        return tuple(gate.reason for gate in self.gates)

    def _needed(self) -> tuple[str, ...]:
        needed = [gate.rows for gate in self.gates if gate.state == "open"]
        if None in needed:
            return ("No sensible number of rows would decide that: the figures lie too close to what is allowed.",)
        most = max(rows for rows in needed if rows is not None)
        return (f"About {most:,} rows would decide, if the figures stay what they are.",)


def judge(
    gates: Gates,
    deciding: str,
    found: Mapping[str, Difference],
    flips: Flips | None,
    slices: Sequence[Slice],
    rows: int,
    times: Mapping[str, float] | None = None,
) -> Judgement:
    """The verdict.

    Parameters
    ----------
    gates : Gates
    deciding : str
        Name of the metric that decides.
    found : mapping of str to Difference
        All metrics that the rows allow.
    flips : Flips or None
    slices : sequence of Slice
        All that were looked at.
    rows : int
        That both models were measured on.
    times : mapping, optional
        ``latency`` and ``size`` of the challenger, as multiples of the champion's.

    Raises
    ------
    DataError
        A metric that is a gate cannot be measured on these rows.
    """
    first = _of(found, deciding)
    margin = gates.margin_of(first.unit, first.champion)
    results = [of_metric(deciding, first, margin, rows)]
    results += [
        of_metric(name, _of(found, name), float(each), rows) for name, each in gates.metrics.items() if name != deciding
    ]
    if gates.flips is not None and flips is not None:
        results.append(_of_flips(flips, gates.flips, rows))
    if gates.slices:
        results.append(_of_slices(slices))
    for name, allowed in (("latency", gates.latency), ("size", gates.size)):
        if allowed is not None and times is not None:
            results.append(_of_times(name, times[name], allowed))
    states = {result.state for result in results}
    if "failed" in states or "open" in states:
        return Judgement("worse" if "failed" in states else "undecided", tuple(results))
    return Judgement("better" if first.gain[1] > 0.0 else "not worse", tuple(results))


def of_metric(name: str, found: Difference, margin: float, rows: int) -> GateResult:
    """Whether a challenger is not worse by more than a margin.

    Passed where the interval ends above minus the margin, though it may lie below zero: so much is allowed. Failed
    where the whole interval lies below zero and reaches beyond the margin.
    """
    gain, low, high = found.gain
    said = f"{found.title}: {_told(found)}"
    if low >= -margin:
        if low > 0.0:
            return GateResult(name, "passed", f"{said}; better beyond chance.")
        return GateResult(name, "passed", f"{said}; not worse by more than the {_margin(margin, found)} allowed.")
    if high < -margin:
        return GateResult(name, "failed", f"{said}; worse by more than the {_margin(margin, found)} allowed.")
    if high < 0.0:
        return GateResult(
            name, "failed", f"{said}; worse beyond chance, and perhaps by more than {_margin(margin, found)}."
        )
    needed = _enough(rows, gain - low, gain + margin) if gain > -margin else _enough(rows, high - gain, -gain)
    said = f"{said}; it could be worse by more than the {_margin(margin, found)} allowed."
    return GateResult(name, "open", said, needed)


def _of(found: Mapping[str, Difference], name: str) -> Difference:
    if name not in found:
        raise DataError(
            f"The metric {name!r} cannot be measured on these rows, and it is a gate.",
            expected=", ".join(found),
            hint="Choose another with `metric` in the gates, or give rows of every label.",
        )
    return found[name]


def _of_flips(flips: Flips, allowed: float, rows: int) -> GateResult:
    """Passed up to the allowed share; failed where even the lower end of the interval is above it."""
    turn, limit = flips.negative, words.percent(allowed)
    share = words.percent(turn.share)
    said = f"Negative flips: {words.of(turn.rows, rows, 'rows')} ({share})"
    if turn.share <= allowed:
        return GateResult("flips", "passed", f"{said}; {limit} allowed.")
    if turn.low > allowed:
        return GateResult("flips", "failed", f"{said}; only {limit} allowed.")
    needed = _enough(rows, turn.share - turn.low, turn.share - allowed)
    return GateResult("flips", "open", f"{said}; {limit} allowed, which it may still be.", needed)


def _of_slices(slices: Sequence[Slice]) -> GateResult:
    worse = [one for one in slices if one.worse]
    if worse:
        named = ", ".join(f"{one.field} {one.value}" for one in worse[:3])
        rest = f" and {len(worse) - 3:,} more" if len(worse) > 3 else ""
        return GateResult("slices", "failed", f"Significantly worse where {named}{rest}.")
    looked = f"of {len(slices):,} slices none is" if slices else "there were no slices to look at that are"
    return GateResult("slices", "passed", f"Slices: {looked} significantly worse.")


def _of_times(name: str, times: float, allowed: float) -> GateResult:
    what = {"latency": "Time for one row on this machine", "size": "Size of the file"}[name]
    said = f"{what}: {times:.2f} times the champion's, {allowed:g} allowed."
    return GateResult(name, "passed" if times <= allowed else "failed", said)


def _enough(rows: int, half: float, distance: float) -> int | None:
    """Rows at which the half of an interval is as long as the distance it must not cross, to two digits, upwards."""
    if distance <= 0.0 or (half / distance) ** 2 > MOST:
        return None
    needed = max(rows + 1.0, rows * (half / distance) ** 2)
    digit = 10.0 ** max(math.floor(math.log10(needed)) - 1, 0)
    return int(math.ceil(needed / digit) * digit)


def _told(found: Difference) -> str:
    """Both figures and the interval of their difference."""
    before, after = words.figure(found.champion, found.unit), words.figure(found.challenger, found.unit)
    return f"{before} → {after}, difference {points(found.difference, found.unit)} ({span(found)})"


def span(found: Any) -> str:
    """The interval of a difference, the unit said once."""
    low, high = points(found.low, found.unit), points(found.high, found.unit)
    return f"{low.removesuffix(' pp')} to {high}"


def points(value: float, unit: str) -> str:
    """A difference with its sign; of shares in percentage points.

    >>> points(0.0123, "share"), points(-0.5, "value"), points(0.0, "share"), points(0.25, "percent")
    ('+1.23 pp', '-0.5', '0 pp', '+0.25 pp')
    """
    if unit in ("share", "percent"):
        scaled = 100.0 * value if unit == "share" else value
        digits = 2 if abs(scaled) >= 0.095 else 3 if abs(scaled) >= 0.0095 else 4
        return "0 pp" if scaled == 0.0 else f"{scaled:+.{digits}f} pp"
    told = (words.number if unit == "number" else words.value)(abs(value))
    return told if value == 0.0 else f"{'+' if value > 0.0 else '-'}{told}"


def _margin(margin: float, found: Difference) -> str:
    return points(margin, found.unit).lstrip("+")
