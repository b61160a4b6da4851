"""Rows from tables with a column of text or mail and a column of labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Final, Literal

from lithify.data import records
from lithify.data.files import Member, Members
from lithify.data.mail import looks_like_mail, mail_row
from lithify.data.schema import FieldKind, Problem, Row, Task
from lithify.data.source import Source
from lithify.data.text import text_row
from lithify.errors import UsageError

TEXT_NAMES: Final = (
    "text", "message", "body", "content", "email", "sms", "mail", "raw", "document", "review", "comment", "sentence",
    "tweet", "post", "description",
)  # fmt: skip
LABEL_NAMES: Final = (
    "label",
    "class",
    "target",
    "category",
    "y",
    "spam",
    "is_spam",
    "labels",
    "spam/ham",
    "label_text",
)
_WORDS: Final = 4
"""A first line with more words in it is a row, not the names of columns."""
TIME_NAMES: Final = ("time", "date", "timestamp", "datetime")
ASIDE_NAMES: Final = (
    *TIME_NAMES, "id", "key", "index", "uid", "uuid", "guid", "row", "row_id", "message_id", "message-id", "msgid",
    "group", "side", "split",
)  # fmt: skip
"""Columns that may stand beside a text without making its table anything but texts."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column is what; None where there is none."""

    text: str
    label: str | None
    time: str | None
    group: str | None
    side: str | None
    strict_time: bool
    """The time column was asked for, so a value that is no time is a bad time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller said of a table; None where it is to be found out.

    ``weight``, ``kinds`` (name and kind of fields), ``task``, ``query`` and ``sheet`` are for tables of fields alone.
    """

    label: str | None = None
    text: str | None = None
    time: str | None = None
    group: str | None = None
    side: str | None = None
    labelled: bool = True
    weight: str | None = None
    kinds: tuple[tuple[str, FieldKind], ...] = ()
    task: Task | None = None
    query: str | None = None
    sheet: str | None = None

    @property
    def table(self) -> str | None:
        """The name of an option that only means something for a table of fields; None when none was given."""
        options = {
            "weight": self.weight, "field": self.kinds, "task": self.task, "query": self.query, "sheet": self.sheet
        }  # fmt: skip
        return next((name for name, value in options.items() if value), None)


def is_text(columns: Sequence[str], asked: Asked, kind: str | None = None) -> bool:
    """Whether a table is one of texts (or mails) with labels, rather than one of fields.

    It is when that is asked for, by the kind ``text`` or ``mail`` or by naming the column with the text. It is too when
    of its columns, once those are set aside that are asked for as label, time, group or side, and those that by their
    names are a label (:data:`LABEL_NAMES`), a time, a group, a side or an identifier (:data:`ASIDE_NAMES`), just one is
    left and bears a plain name of texts (:data:`TEXT_NAMES`). Every other table is one of fields.

    >>> [is_text(names, Asked()) for names in (("id", "text", "label"), ("text", "age", "label"), ("label", "v2"))]
    [True, False, False]
    """
    if asked.text is not None or kind in ("text", "mail"):
        return True
    if kind is not None or asked.table is not None:
        return False
    taken = {asked.label or named(columns, LABEL_NAMES), asked.time, asked.group, asked.side}
    rest = [name for name in columns if name not in taken and name.strip().casefold() not in ("", *ASIDE_NAMES)]
    return len(rest) == 1 and rest[0].strip().casefold() in TEXT_NAMES


def named(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """The column that bears the earliest of ``names``, whatever its case; None when there is none.

    >>> named(["Id", "Body", "Text"], TEXT_NAMES)
    'Text'
    """
    folded = {column.strip().casefold(): column for column in reversed(list(columns))}
    return next((folded[name] for name in names if name in folded), None)


def choose(columns: tuple[str, ...], asked: Asked, where: str) -> Columns:
    """Which column is what, from what was asked and from plain names.

    Raises ``UsageError`` when the text or the label cannot be told, or an asked column is not there.

    >>> choose(("v1", "text"), Asked(label="v1"), "sms.csv").text
    'text'
    """
    for option in ("label", "text", "time", "group", "side"):
        name = getattr(asked, option)
        if name is not None and name not in columns:
            raise _missing(f"{where} has no column {name!r}.", option, columns)
    label = asked.label or named((name for name in columns if name != asked.text), LABEL_NAMES)
    text = asked.text or named((name for name in columns if name != label), TEXT_NAMES)
    taken = {label, text, asked.time, asked.group, asked.side}
    rest = [name for name in columns if name and name not in taken]
    if text is None and label is not None and len(rest) == 1 and len(rest[0].split()) <= _WORDS:
        text = rest[0]
    if label is None and asked.labelled:
        raise _missing(f"Cannot tell which column of {where} is the label.", "label", columns)
    if text is None:
        raise _missing(f"Cannot tell which column of {where} is the text.", "text", columns)
    time = asked.time or named((name for name in columns if name not in (label, text)), TIME_NAMES)
    return Columns(text, label, time, asked.group, asked.side, asked.time is not None)


def _missing(message: str, option: str, columns: tuple[str, ...]) -> UsageError:
    plain = [repr(name if len(name) <= 30 else f"{name[:29]}…") for name in columns[:30] if name.isprintable()]
    found = f"the columns {', '.join(plain)}" if plain else "no names of columns"
    names = {"label": LABEL_NAMES, "text": TEXT_NAMES, "time": TIME_NAMES}.get(option, ())[:6]
    return UsageError(
        message,
        expected=f"a column such as {', '.join(names)}" if names else "a column of that name",
        found=found,
        hint="Name the columns with --label and --text; if the first line is a row already, put their names above it."
        if option in ("label", "text")
        else "Check its spelling.",
    )


class TextTableSource(Source):
    """One or several tables (CSV, TSV, JSON lines) of texts or mails; in order, in constant memory."""

    def __init__(
        self,
        members: Members,
        forms: dict[str, records.Format],
        asked: Asked,
        kind: Literal["mail", "text"] | None = None,
        note: str = "",
    ) -> None:
        self._note = note
        self._members = members
        self._forms = forms
        self._asked = asked
        self._columns = {name: choose(form.columns, asked, name) for name, form in forms.items()}
        self.kind = kind or self._sniff()

    def describe(self) -> str:
        """What was recognised, as the end of the sentence "Reading ..."."""
        name, form = next(iter(self._forms.items()))
        columns = self._columns[name]
        many = "" if len(self._forms) == 1 else f", one of {len(self._forms)} files like it in {self._members.words},"
        label = f"labels in {columns.label!r}" if columns.label else "without labels"
        extra = "".join(f", {what} in {n!r}" for what, n in (("times", columns.time), ("groups", columns.group)) if n)
        return f"{form.words}{many} with {self.kind} in {columns.text!r}, {label}{extra}{self._note}"

    def signature(self) -> str:
        """Changes when the files or the way they are read do."""
        return f"{self._members.signature()} {self.kind} {self._asked}"

    def rows(self) -> Iterator[Row | Problem]:
        """Every row in a fixed order, in constant memory."""
        for member in self._members:
            if isinstance(member, Problem):
                yield member
            elif member.name in self._forms:
                yield from self._table(member)

    def _table(self, member: Member) -> Iterator[Row | Problem]:
        origin = self._members.origin(member.name)
        try:
            for line, record in records.records(member, self._forms[member.name]):
                yield self._row(record, self._columns[member.name], f"{origin}:{line}")
        except OSError as error:
            yield Problem(origin, "unreadable", str(error.strerror))

    def _row(self, record: records.Record | records.Bad, columns: Columns, origin: str) -> Row | Problem:
        if isinstance(record, records.Bad):
            return Problem(origin, "bad record", record.detail)
        text = record.get(columns.text)
        if text is None or text == "":
            return Problem(origin, "empty")
        if not isinstance(text, str):
            return Problem(origin, "bad record", f"the text is a {type(text).__name__}")
        label = None if columns.label is None else _plain(record.get(columns.label))
        if columns.label is not None and label is None and self._asked.labelled:
            return Problem(origin, "no label")
        value = None if columns.time is None else record.get(columns.time)
        time = seconds(value)
        if time is None and columns.strict_time and _plain(value) is not None:
            return Problem(origin, "bad time")
        group = None if columns.group is None else _plain(record.get(columns.group))
        side = None if columns.side is None else _plain(record.get(columns.side))
        if self.kind == "mail":
            row = mail_row(text.encode("utf-8", "replace"), label, origin, time=time, side=side)
            return row if isinstance(row, Problem) or group is None else replace(row, group=group)
        return text_row(text, label, origin, time=time, group=group, side=side)

    def _sniff(self) -> Literal["mail", "text"]:
        """Mail when most of the first texts look like messages."""
        tables = (m for m in self._members if isinstance(m, Member) and m.name in self._forms)
        try:
            texts = list(islice(self._texts(next(tables)), 20))
        except (OSError, StopIteration):
            return "text"
        mails = sum(looks_like_mail(text[:4096].encode("utf-8", "replace")) for text in texts)
        return "mail" if 2 * mails > len(texts) else "text"

    def _texts(self, member: Member) -> Iterator[str]:
        column = self._columns[member.name].text
        for _, record in records.records(member, self._forms[member.name]):
            text = record.get(column) if isinstance(record, dict) else None
            if isinstance(text, str):
                yield text


def seconds(value: object) -> int | None:
    """Seconds since 1970 UTC from an epoch (milliseconds are noticed), ISO 8601 or a mail date; None for anything else.

    A date without a zone is UTC.

    >>> seconds("2003-11-03T10:00:00Z"), seconds("1067853600"), seconds(1067853600000), seconds("soon")
    (1067853600, 1067853600, 1067853600, None)
    """
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value if isinstance(value, (int, float)) else str(value))
        return int(number / 1000 if abs(number) >= 1e11 else number) if abs(number) < 1e14 else None
    except (ValueError, OverflowError):
        return _date(str(value).strip())


def _date(text: str) -> int | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = parse(text)
            return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _plain(value: object) -> str | None:
    """A label or group as text; None where there is nothing."""
    if value is None or isinstance(value, (dict, list)):
        return None
    return (str(value).lower() if isinstance(value, bool) else str(value)).strip() or None
