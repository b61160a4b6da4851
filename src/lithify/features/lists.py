"""Counted lists of values, field by field: what a fitted table knows of its categories and of the words of its texts.

A list is chosen from counts that stay bounded: while a field has at most ``CAP`` different values every count is exact;
beyond that the rarest are forgotten at fixed rows, so that a count may be too low, never too high, and a value that few
rows have never gets into a list (Manku, Motwani 2002, "Approximate Frequency Counts over Data Streams").
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from lithify.data.state import State
from lithify.errors import MalformedContainer

CAP: Final = 1 << 18
REVISION: Final = 2
"""Of how values are chosen: what only trainings depend on."""
Value = TypeVar("Value", bound=Hashable)


class Met(Generic[Value]):
    """Which values were met in at least ``least`` groups of rows; remembers no more than that many of each value.

    >>> met = Met(2)
    >>> for group in (7, 7, 8):
    ...     met.add("red", group)
    ...     print(met.often("red"))
    False
    False
    True
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._groups: dict[Value, tuple[int, ...] | int | None] = {}
        """None for enough; most values are met in one group only, whose number alone takes little memory."""

    def add(self, value: Value, group: int) -> None:
        """A row of that group has the value."""
        held = self._groups.get(value, ())
        if held is None or held == group:
            return
        groups = (held,) if isinstance(held, int) else held
        if group not in groups:
            enough = len(groups) + 1 >= self._least
            self._groups[value] = None if enough else (*groups, group) if groups else group

    def often(self, value: Value) -> bool:
        """Whether it was met in so many."""
        return self._groups.get(value, ()) is None

    def forget(self, kept: Container[Value]) -> None:
        """Forgets all values but some."""
        self._groups = {value: groups for value, groups in self._groups.items() if value in kept}


class Counts:
    """How many rows each value of one field is in, and whether they are of enough groups.

    Attributes
    ----------
    rows : dict of bytes to int
    exact : bool
        No value was forgotten.
    met : Met
        Of the values whose groups were told.
    """

    def __init__(self, cap: int = CAP, least: int = 1) -> None:
        self.rows: dict[bytes, int] = {}
        self.exact = True
        self.met: Met[bytes] = Met(least)
        self._cap, self._least = cap, least

    def add(self, values: Iterable[tuple[bytes, int]]) -> None:
        """Counts some values; the rarest are forgotten when there are too many."""
        rows = self.rows
        for value, count in values:
            rows[value] = rows.get(value, 0) + count
        if len(rows) > self._cap:
            self._forget()

    def _forget(self) -> None:
        counts = np.fromiter(self.rows.values(), dtype=np.int64, count=len(self.rows))
        limit = int(np.partition(counts, len(counts) - self._cap // 2)[len(counts) - self._cap // 2])
        self.rows = {value: count for value, count in self.rows.items() if count > limit}
        self.met.forget(self.rows)
        self.exact = False

    def chosen(self, most: int, below: float = np.inf, grouped: bool = False) -> list[tuple[bytes, int]]:
        """The values in at least ``least`` and at most ``below`` rows, the commonest ``most`` of them, by value.

        ``grouped`` counts the rows of a group as one for the former.
        """
        some = [(value, count) for value, count in self.rows.items() if self._least <= count <= below]
        some = [each for each in some if not grouped or self.met.often(each[0])]
        some.sort(key=lambda each: (-each[1], each[0]))
        return sorted(some[:most])


@dataclass(frozen=True)
class Lists:
    """Sorted lists of values with the rows each is in, one list for each of m fields."""

    values: tuple[tuple[bytes, ...], ...]
    rows: tuple[tuple[int, ...], ...]


def pack(name: str, lists: Sequence[list[tuple[bytes, int]]]) -> dict[str, NDArray[Any]]:
    """Lists as arrays: ``name`` (their bytes), ``name_ends``, ``name_rows`` and ``name_sizes``.

    Empty arrays are left out.
    """
    flat = [each for one in lists for each in one]
    ends = np.cumsum([len(value) for value, _ in flat], dtype=np.int64)
    arrays: dict[str, NDArray[Any]] = {
        name: np.frombuffer(b"".join(value for value, _ in flat), dtype=np.uint8),
        f"{name}_ends": ends,
        f"{name}_rows": np.array([count for _, count in flat], dtype=np.int64),
        f"{name}_sizes": np.array([len(one) for one in lists], dtype=np.int64),
    }
    return {key: array for key, array in arrays.items() if len(array)}


def unpack(name: str, state: State) -> Lists:
    """The inverse of :func:`pack`, of a state that passed :func:`audit`."""
    arrays = state.arrays
    data = arrays[name].tobytes() if name in arrays else b""
    ends = arrays[f"{name}_ends"].tolist() if name in arrays else []
    rows = arrays[f"{name}_rows"].tolist() if name in arrays else []
    flat = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    stops = np.cumsum(arrays[f"{name}_sizes"]).tolist() if f"{name}_sizes" in arrays else []
    edges = list(zip([0, *stops], stops, strict=False))
    return Lists(tuple(tuple(flat[a:b]) for a, b in edges), tuple(tuple(rows[a:b]) for a, b in edges))


def audit(name: str, state: State, fields: int, most: int, least: int) -> set[str]:
    """Names of the arrays that hold the lists; ``MalformedContainer`` unless they are what :func:`pack` writes.

    Parameters
    ----------
    fields : int
        How many lists there must be.
    most : int
        How long each may be.
    least : int
        In how many rows a value must be.
    """
    dtypes = {name: np.uint8, f"{name}_ends": np.int64, f"{name}_rows": np.int64, f"{name}_sizes": np.int64}
    found = {key: state.arrays[key] for key in dtypes if key in state.arrays}
    for key, array in found.items():
        demand(array.dtype == dtypes[key] and array.ndim == 1 and len(array) > 0, key)
    sizes = found.get(f"{name}_sizes", np.zeros(0, dtype=np.int64))
    demand(len(sizes) == fields and bool(((sizes >= 0) & (sizes <= most)).all()), f"{name}_sizes")
    total = int(sizes.sum())
    demand(len(found) == (4 if total else 1 if fields else 0), name)
    if total:
        _audit_values(name, found, total, least)
        demand(all(_ascends(values) for values in unpack(name, state).values), name)
    return set(found)


def _audit_values(name: str, found: dict[str, NDArray[Any]], total: int, least: int) -> None:
    data, ends, rows = (found[key] for key in (name, f"{name}_ends", f"{name}_rows"))
    demand(len(ends) == len(rows) == total, f"{name}_ends")
    demand(int(ends[0]) > 0 and bool((np.diff(ends) > 0).all()) and int(ends[-1]) == len(data), f"{name}_ends")
    demand(bool((rows >= least).all()), f"{name}_rows")


def _ascends(values: tuple[bytes, ...]) -> bool:
    try:
        for value in values:
            value.decode()
    except UnicodeDecodeError:
        return False
    return list(values) == sorted(set(values))


def demand(holds: bool, what: str) -> None:
    """Raises ``MalformedContainer`` naming an array or a fact unless it holds."""
    if not holds:
        raise MalformedContainer("The features of a table do not fit.", found=f"{what} missing, or not as it must be")
