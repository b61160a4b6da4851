"""The contract of an origin of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal

from lithify.data.schema import Problem, Row


class Source(ABC):
    """A live place with rows: a maildir, a CSV, a folder.

    Attributes
    ----------
    kind : "mail" or "text"
        What ``Row.content`` holds.
    """

    kind: Literal["mail", "text"]

    @abstractmethod
    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ...".

        For example ``a folder with one sub-folder per label (ham, spam)``.
        """

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
