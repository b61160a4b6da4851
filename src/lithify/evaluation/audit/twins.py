"""Rows that are all but copies of rows on another side: equal once numbers are rounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIGITS = 3
CHANCE = 0.01
"""Twins that a row may be expected to have by chance, beyond which they are not looked for."""
_COARSER = 8.0
"""With one digit less in every number, twins by chance become about ten times as many or more; copies stay."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Twins:
    """What was found.

    Attributes
    ----------
    rows : (k,) int64
        Rows of the other side that have a twin among the training rows.
    beyond_chance : float
        Estimated share of the other side whose twin is no chance.
    """

    rows: NDArray[np.int64]
    beyond_chance: float


def significant(values: NDArray[np.float64], digits: int = DIGITS) -> NDArray[np.float64]:
    """Numbers rounded to significant digits; NaN stays.

    >>> significant(np.array([0.0, 123456.0, -0.0012349])).tolist()
    [0.0, 123000.0, -0.00123]
    """
    found = values.copy()
    some = np.isfinite(values) & (values != 0.0)
    power = np.clip(digits - 1 - np.floor(np.log10(np.abs(values[some]))), -300, 300)
    found[some] = np.round(values[some] * 10.0**power) / 10.0**power
    return found


def twins(
    columns: Sequence[tuple[NDArray[np.float64], bool]], train: NDArray[np.int64], other: NDArray[np.int64]
) -> Twins | None:
    """Looks for rows of ``other`` that are equal, after rounding, to one of ``train``.

    Parameters
    ----------
    columns : sequence of ((n,) float64, bool)
        Values, NaN where missing, and whether they are numbers; codes are not rounded.
    train, other : (t,) and (o,) int64
        Row numbers.

    Returns
    -------
    Twins or None
        None where rows hold so little that equal ones say nothing: where a row is expected to have more than
        ``CHANCE`` twins if fields did not hang together. That fields do hang together is taken into account by looking
        again with two digits, which multiplies twins by chance and leaves copies as they are.
    """
    if not len(train) or not len(other):
        return None
    fine = [_codes(significant(values) if number else values) for values, number in columns]
    expected = float(len(train))
    for code in fine:
        share = np.bincount(code) / len(code)
        expected *= float((share * share).sum())
    if expected > CHANCE:
        return None
    coarse = [_codes(significant(values, DIGITS - 1) if number else values) for values, number in columns]
    meets, wider = _meets(fine, train, other), _meets(coarse, train, other)
    found = meets > 0
    # copies are met on both scales, twins by chance mostly on the wider one
    beyond = float(meets.mean() - wider.mean() / _COARSER) / (1.0 - 1.0 / _COARSER)
    return Twins(other[found], min(float(found.mean()), max(0.0, beyond)))


def _codes(values: NDArray[np.float64]) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = np.unique(values, return_inverse=True)[1]  # all NaN are one value
    return codes


def _meets(codes: Sequence[NDArray[np.int64]], train: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many training rows each of the other rows meets in every code, by a hash of 64 bits."""
    row = np.zeros(len(codes[0]), dtype=np.uint64)
    for code in codes:
        row = (row ^ code.astype(np.uint64)) * _MIX
        row ^= row >> np.uint64(29)
    ranked = np.sort(row[train])
    first, last = (np.searchsorted(ranked, row[other], side=side) for side in ("left", "right"))
    return (last - first).astype(np.int64)
