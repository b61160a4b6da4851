"""The contract of an origin of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal

from lithify.data.schema import Field, Problem, Row, Task


class Source(ABC):
    """A live place with rows: a maildir, a CSV, a folder.

    Attributes
    ----------
    kind : "mail", "text", "table" or "image"
        What ``Row.content`` holds.
    task : "classification" or "regression"
        Whether rows carry a label or a value.
    fields : tuple of Field
        The columns of a table, all roles, sorted by name; empty for others.
    """

    kind: Literal["mail", "text", "table", "image"]
    task: Task = "classification"
    fields: tuple[Field, ...] = ()

    @abstractmethod
    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ...".

        For example ``a folder with one sub-folder per label (ham, spam)``.
        """

    def notes(self) -> list[str]:
        """What is to be said once all rows were read, in sentences: such as cells that count as missing."""
        return []

    @abstractmethod
    def rows(self) -> Iterator[Row | Problem]:
        """Every row in a fixed order, in constant memory; never raises on a single bad row but yields a ``Problem``.

        Raises ``DamagedSource`` or ``UnsafeSource`` when the place itself is broken.
        """

    @abstractmethod
    def signature(self) -> str:
        """A cheap fingerprint (paths, sizes, modification times) that changes when the source does.

        An interrupted snapshot is resumed only while it stays the same.
        """
