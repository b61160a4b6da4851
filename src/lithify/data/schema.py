"""The canonical row that every source yields, and what is yielded in its place."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "unreadable", "empty", "no label", "two labels", "two sides", "bad time", "bad record", "too large"
]  # fmt: skip
"""Why a row is quarantined."""


FieldKind = Literal["number", "category", "boolean", "text", "time", "identifier"]
Role = Literal["input", "label", "time", "group", "weight", "side", "left out"]
Form = Literal["", "m/d/y", "1.234,5"]
Task = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a table.

    Attributes
    ----------
    name : str
    kind : str
        What its cells are; see ``FieldKind``.
    role : str
        What it is for; only fields of the role ``input`` are in a row's content.
    why : str
        How the kind and the role were found out, for people; not part of what the field is.
    form : str
        How its cells are written, where the kind leaves that open: ``m/d/y`` for dates with the month first,
        ``1.234,5`` for numbers with a decimal comma.
    """

    name: str
    kind: FieldKind
    role: Role
    why: str = dataclasses.field(default="", compare=False)
    form: Form = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled thing, as a source yields it.

    Attributes
    ----------
    content : bytes
        The canonical inputs. Mail: the raw message with LF line ends, cut at the read limit. Text: UTF-8. Image: the
        encoded bytes as they were found. Table: see :mod:`lithify.data.cells`.
    label : str or None
        None where the source has none (as for rows to be scored, and in regression).
    time : int or None
        Seconds since 1970-01-01 UTC.
    group : str or None
        Rows of one group never straddle a split.
    side : str or None
        ``train``, ``validation`` or ``test`` where the source itself says so (split rule ``given:F``).
    weight : float
        Relative weight in training.
    origin : str
        Where it was found; for messages to the person, never stored in a snapshot or a model.
    truncated : bool
        Whether ``content`` was cut at the read limit.
    value : float or None
        What regression learns to predict.
    """

    content: bytes
    label: str | None = None
    time: int | None = None
    group: str | None = None
    side: str | None = None
    weight: float = 1.0
    origin: str = ""
    truncated: bool = False
    value: float | None = None

    @property
    def key(self) -> bytes:
        """SHA-256 of the canonical inputs, 32 bytes."""
        return hashlib.sha256(self.content).digest()


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that goes to quarantine: where it was found and why.

    ``detail`` never holds content of the row.
    """

    origin: str
    reason: Reason
    detail: str = ""
    key: bytes | None = None
