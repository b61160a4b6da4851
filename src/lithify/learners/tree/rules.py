"""A decision tree in words: questions with the names of columns, and what each leaf says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from lithify import numerics
from lithify.data.batches import BLOCKS
from lithify.features.base import Column
from lithify.learners.forest.forest import CATEGORICAL, DEFAULT_LEFT, Forest
from lithify.learners.tree.kernels import PRESENT

MISSING, OTHER = "missing", "any other value"


@dataclass(frozen=True)
class Branch:
    """A node of the tree with everything below it.

    Attributes
    ----------
    question : str
        What is asked; empty for a leaf.
    test : str
        What follows the name of the column in the question, where it begins with it.
    values : tuple of str
        Where it is asked whether a category is one of several values: these.
    column : str
        Name of the column that is asked about.
    yes, no : Branch or None
        None for a leaf.
    rows : float
        Training rows that come here.
    says : (classes,) or (1,) float64
        Class shares of these rows, or their mean value.
    """

    question: str
    test: str
    values: tuple[str, ...]
    column: str
    yes: Branch | None
    no: Branch | None
    rows: float
    says: NDArray[np.float64]

    def leaves(self) -> list[Branch]:
        """From the first yes to the last no."""
        if self.yes is None or self.no is None:
            return [self]
        return self.yes.leaves() + self.no.leaves()


def outline(forest: Forest, columns: Sequence[Column], labels: Sequence[str], complete: Collection[str] = ()) -> Branch:
    """A sealed tree as questions.

    Parameters
    ----------
    forest : Forest
        One tree, or one for each label, all of the same shape.
    columns : sequence of Column
        As the features give them.
    labels : sequence of str
        Empty in regression.
    complete : collection of str
        Names of columns with no cell missing; at these it is not said where missing cells go.
    """
    ordered = sorted(columns, key=lambda column: BLOCKS.index(column.block))
    return _Reader(forest, ordered, len(labels), frozenset(complete)).branch(0 if forest.start[1] > 1 else -1, {})


def rules(
    forest: Forest,
    columns: Sequence[Column],
    labels: Sequence[str],
    unit: str = "",
    complete: Collection[str] = (),
) -> str:
    """A sealed tree as lines of ``if`` and ``else``; parameters as for :func:`outline`.

    Each leaf gives its most frequent label with its share, or the mean value in ``unit``, and how many training rows
    came to it. Shares are Laplace's: as if there were one more row of each label.
    """
    return "\n".join(_lines(outline(forest, columns, labels, complete), labels, unit, "")) + "\n"


def _lines(branch: Branch, labels: Sequence[str], unit: str, indent: str) -> list[str]:
    if branch.yes is None or branch.no is None:
        rows = f"{branch.rows:,.0f} row{'' if branch.rows == 1 else 's'}"
        return [f"{indent}{said(branch, labels, unit)}  ({rows})"]
    deeper = indent + "    "
    return [
        f"{indent}if {branch.question}:",
        *_lines(branch.yes, labels, unit, deeper),
        f"{indent}else:",
        *_lines(branch.no, labels, unit, deeper),
    ]


def said(branch: Branch, labels: Sequence[str], unit: str = "") -> str:
    """What a leaf says: its most frequent label and its share, or the mean value."""
    if not labels:
        return f"{plain(float(branch.says[0]))} {unit}".strip()
    best = int(branch.says.argmax())
    return f"{labels[best]} {100 * branch.says[best]:.1f} %"


def plain(value: float) -> str:
    """A number with at most six digits that matter, without exponent where that is short.

    >>> plain(39.5), plain(7073.5), plain(1234567.5), plain(0.000012), plain(1e30)
    ('39.5', '7073.5', '1234568', '1.2e-05', '1e+30')
    """
    return f"{value:.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:.6g}"


class _Reader:
    """Reads one forest."""

    def __init__(self, forest: Forest, columns: Sequence[Column], labels: int, complete: frozenset[str]) -> None:
        self.forest, self.columns, self.complete = forest, columns, complete
        size = int(forest.start[1])
        value = forest.value.reshape(-1, size)
        if labels == 2:
            value = np.concatenate([np.zeros_like(value), value])
        self.says = numerics.softmax(np.ascontiguousarray(value.T)) if labels else value.T
        self.sets = np.cumsum(forest.flags & CATEGORICAL > 0) - 1

    def branch(self, node: int, known: dict[int, frozenset[int]]) -> Branch:
        """What lies below a node, or the leaf ``~node``; ``known`` holds codes that categories may still have."""
        if node < 0:
            return Branch("", "", (), "", None, None, float(self.forest.cover[~node]), self.says[~node])
        feature = int(self.forest.feature[node])
        column = self.columns[feature]
        left, right = known, known
        if self.forest.flags[node] & CATEGORICAL:
            chosen, others = self._codes(node, column, known.get(feature))
            left, right = {**known, feature: chosen}, {**known, feature: others}
            flipped = len(others) < len(chosen)
            values = _values(column, others if flipped else chosen)
            question = _one_of(column.name, values)
        else:
            values = ()
            question, flipped = self._question(node, column)
        sides = [
            self.branch(int(self.forest.left[node]), left),
            self.branch(int(self.forest.right[node]), right),
        ]
        yes, no = sides[::-1] if flipped else sides
        rows = yes.rows + no.rows
        says = (yes.rows * yes.says + no.rows * no.says) / rows
        return Branch(question, question.removeprefix(column.name).strip(), values, column.name, yes, no, rows, says)

    def _question(self, node: int, column: Column) -> tuple[str, bool]:
        """What is asked of a number, and whether yes is the right side."""
        threshold = float(self.forest.threshold[node])
        lost_left = bool(self.forest.flags[node] & DEFAULT_LEFT)
        if threshold == PRESENT:
            return f"{column.name} is given", False
        if column.kind == "word":
            where, _, word = column.name.rpartition("subject: ")
            return f'the word "{word}" occurs' + (" in the subject" if column.name != word or where else ""), True
        suffix = "" if column.name in self.complete else " (or missing)"
        if column.kind == "boolean" and 0.0 <= threshold < 1.0:
            return column.name + ("" if lost_left or column.block == "words" else suffix), True
        shown = _time(threshold) if column.kind == "time" else plain(threshold)
        return f"{column.name} <= {shown}" + (suffix if lost_left else ""), False

    def _codes(self, node: int, column: Column, known: frozenset[int] | None) -> tuple[frozenset[int], frozenset[int]]:
        """Codes that go left and right, of those that can come here."""
        at = int(self.sets[node])
        words = self.forest.set_bits[self.forest.set_start[at] : self.forest.set_start[at + 1]]
        bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
        left = frozenset(np.flatnonzero(bits).tolist())
        possible = frozenset(range(2 + len(column.values))) if known is None else known
        return possible & left, possible - left


def _values(column: Column, codes: Collection[int]) -> tuple[str, ...]:
    """Names of codes: known values first, as the features list them."""
    names = [column.values[code - 2] for code in sorted(codes) if 2 <= code < len(column.values) + 2]
    return (*names, *([OTHER] if 1 in codes else []), *([MISSING] if 0 in codes else []))


def _one_of(name: str, values: Sequence[str]) -> str:
    if len(values) == 1:
        return f"{name} is {values[0]}"
    return f"{name} in {{{', '.join(values)}}}"


def _time(seconds: float) -> str:
    """A moment in UTC; the number itself where no calendar reaches.

    >>> _time(1423000000.5)
    '2015-02-03 21:46:40'
    """
    try:
        return f"{datetime.fromtimestamp(seconds // 1, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return plain(seconds)
