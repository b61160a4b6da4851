"""Bodies to be judged: bytes of many media types in, the canonical contents that a model scores out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from lithify.data.tabular_roles import unknown_columns
from lithify.deployment.http import multipart
from lithify.deployment.http.items import ITEMS, check_nested, parse, raw
from lithify.deployment.http.message import Head
from lithify.errors import BadJson, DataError, ServiceError, TooLarge, UnsupportedMedia, UsageError
from lithify.model.model import Model

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
PARTS: Final = "multipart/form-data"
READS: Final[Mapping[str, tuple[str, ...]]] = {
    "table": (JSON, LINES, CSV, PARTS),
    "mail": (JSON, "message/rfc822", "text/plain", LINES, PARTS),
    "text": (JSON, "text/plain", LINES, PARTS),
    "image": (JSON, "image/*", LINES, PARTS),
}
"""What a model of each kind reads."""
_SAME: Final = {
    "application/ndjson": LINES, "application/jsonl": LINES, "application/x-jsonlines": LINES,
    "text/tab-separated-values": CSV, "application/csv": CSV, "text/json": JSON,
}  # fmt: skip
_UNSAID: Final = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""Types that say nothing: curl sends the last of them unless told otherwise."""
_NAME: Final = 200
_BLANK: Final = 10
"""Lines for each input that may be, blank ones included."""


@dataclass(slots=True)
class Given:
    """What is to be judged.

    Attributes
    ----------
    names : list of str
        What each input goes by; empty where it has no name.
    contents : list of bytes
        As ``Row.content``.
    one : bool
        Whether it was given alone, so that its answer is one document and no list.
    problems : list of (int, str, str)
        Inputs that cannot be read: place among all inputs, name, why.
    notes : list of str
        What a person should know of the way it was read.
    """

    names: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    one: bool = False
    problems: list[tuple[int, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Given) -> None:
        """Puts what another body holds behind it."""
        start = len(self.contents) + len(self.problems)
        self.names += other.names
        self.contents += other.contents
        self.problems += [(start + at, name, why) for at, name, why in other.problems]
        self.notes += [note for note in other.notes if note not in self.notes]


def read(model: Model, head: Head, body: bytes, most: int) -> Given:
    """What a body holds for a model.

    Parameters
    ----------
    model : Model
    head : Head
        Its content type says what the body is; without one it is guessed by the kind of the model.
    body : bytes
    most : int
        Inputs that it may hold.

    Raises
    ------
    UnsupportedMedia
        The model reads no such bodies.
    TooLarge
        There are more inputs.
    BadJson
        It is no JSON.
    ServiceError
        It is no multipart.
    DataError
        It is empty, or holds something that the model cannot judge; the message says where.
    """
    said = head.headers.get("content-type", "")
    media = JSON if said == JSON else media_of(said)
    if not body:
        raise DataError("The body is empty.", expected=_known(model), hint="Send what is to be judged.")
    if media == PARTS:
        return _parts(model, said, body, most)
    return _whole(model, media, body, most)


def media_of(said: str) -> str:
    """The media type of a ``Content-Type`` in lower case, without parameters and by its common name.

    >>> media_of("Application/NDJSON; charset=utf-8")
    'application/x-ndjson'
    """
    media = said.partition(";")[0].strip().lower()
    return _SAME.get(media, media)


def _whole(model: Model, media: str, body: bytes, most: int, name: str = "") -> Given:
    """A body, or a file in one, that is not multipart."""
    if media in _UNSAID:
        media = _guess(model, media, body)
    if media == JSON:
        return _json(model, parse(body), most, name)
    if media == LINES:
        return _lines(model, body, most, name)
    if media == CSV and model.kind == "table":
        return _csv(model, body, most, name)
    if media in READS[model.kind] or (media.startswith("image/") and model.kind == "image"):
        return Given([name], [raw(model, body)], one=True)
    raise UnsupportedMedia(f"This model judges {_WORDS[model.kind]}.", expected=_known(model), found=media[:100])


_WORDS: Final = {"table": "rows of a table", "mail": "mail", "text": "texts", "image": "images"}


def _known(model: Model) -> str:
    return "a body of " + ", ".join(READS[model.kind])


def _guess(model: Model, media: str, body: bytes) -> str:
    """What a body is whose type says nothing: no mail and no image begins as JSON does."""
    if body.lstrip()[:1] in (b"{", b"["):
        return JSON
    if media == "application/x-www-form-urlencoded":
        hint = "With curl, use --data-binary and -H 'Content-Type: …'."
        raise UnsupportedMedia("This model reads no forms.", expected=_known(model), found=media, hint=hint)
    return {"table": CSV, "mail": "message/rfc822", "text": "text/plain"}.get(model.kind, "image/*")


def _json(model: Model, document: object, most: int, name: str) -> Given:
    if type(document) is dict:
        rows = document.get("rows")
        if type(rows) is not list or model.kind != "table":
            return Given([name], [ITEMS[model.kind](model, document, "")], one=True, notes=_unknown(model, [document]))
        document = rows
    elif type(document) is not list:
        return Given([name], [ITEMS[model.kind](model, document, "")], one=True)
    _check(len(document), most)
    item = ITEMS[model.kind]
    contents = [item(model, each, f"Item {at}: ") for at, each in enumerate(document)]
    if not contents:
        raise DataError("There is nothing in the list.", hint="Send at least one item.")
    return Given([name] * len(contents), contents, notes=_unknown(model, document))


def _unknown(model: Model, rows: list[dict[str, object]]) -> list[str]:
    """What is to be said of fields that the model does not have, as of the columns of a table."""
    if model.kind != "table":
        return []
    known = {one.name: None for one in model.fields}
    extra = dict.fromkeys(name for row in rows if not row.keys() <= known.keys() for name in row if name not in known)
    return unknown_columns(list(extra)) if extra else []


def _lines(model: Model, body: bytes, most: int, name: str) -> Given:
    """JSON lines; named by their numbers, as ``lithify predict`` names them."""
    found, item = Given(), ITEMS[model.kind]
    if len(body) > _BLANK * most:
        _check(body.count(b"\n") // _BLANK, most)
    check_nested(body)
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        _check(len(found.contents) + 1, most)
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise BadJson(f"Line {number} is no JSON.", found=f"{error.msg} at column {error.colno}") from None
        found.names.append(f"{name or '-'}:{number}")
        found.contents.append(item(model, document, f"Line {number}: "))
        found.notes += [note for note in _unknown(model, [document]) if note not in found.notes]
    if not found.contents:
        raise DataError("There is no line to judge.", expected="a JSON object on every line")
    return found


def _csv(model: Model, body: bytes, most: int, name: str) -> Given:
    """As ``lithify predict`` reads a CSV: what cannot be read is a problem, or missing and noted."""
    from lithify.data.columns import Asked
    from lithify.data.schema import Problem
    from lithify.data.streams import compression_of
    from lithify.data.tabular_open import open_asked
    from lithify.data.tabular_text import ZSTD, Held

    if compression_of(body[:8]) is not None or body.startswith(ZSTD):
        raise UnsupportedMedia("Tables are read as they are.", expected="no compression", hint="Do not compress it.")
    held = Held(body, name or "-", name or "the body")
    try:
        source = open_asked(held, Asked(labelled=False), model.fields)
    except UsageError as error:  # the columns are the client's data
        raise DataError(error.message, expected=error.expected, found=error.found, hint=error.hint) from None
    rows: list[tuple[str, bytes | None, str]] = []
    for found in source.contents():
        if isinstance(found, Problem):
            rows.append((found.origin, None, f"{found.reason}: {found.detail}" if found.detail else found.reason))
        else:
            rows += [(origin, content, "") for origin, content in zip(*found, strict=True)]
        _check(len(rows), most)
    if not rows:
        raise DataError("There are no rows below the names of the columns.")
    rows.sort(key=lambda row: _line(row[0]))  # bad records are told before the batch that they stand in
    return Given(
        [origin for origin, content, _ in rows if content is not None],
        [content for _, content, _ in rows if content is not None],
        problems=[(place, origin, why) for place, (origin, content, why) in enumerate(rows) if content is None],
        notes=source.notes(),
    )


def _line(origin: str) -> int:
    number = origin.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _parts(model: Model, said: str, body: bytes, most: int) -> Given:
    """Every file of a form; one that cannot be read is a problem among others. What is no file is ignored."""
    found = Given()
    for part in multipart.parts(said, body, most):
        if not part.file:
            continue
        name = part.file[:_NAME]
        media = media_of(part.media)
        try:
            found.add(_whole(model, _fitting(model, media), part.data, most, name))
        except (DataError, ServiceError) as error:
            if isinstance(error, TooLarge | UnsupportedMedia):
                raise
            found.problems.append((len(found.contents) + len(found.problems), name, str(error)))
        _check(len(found.contents) + len(found.problems), most)
    if not found.contents and not found.problems:
        hint = "With curl, use -F 'file=@NAME'."
        raise DataError("There is no file in the form.", expected="a part with a file name", hint=hint)
    if not found.contents:
        _, name, why = found.problems[0]
        raise DataError("No file of the form can be judged.", found=f"{name}: {why}")
    return found


def _fitting(model: Model, media: str) -> str:
    """The type of a file in a form; browsers tell it by its name, so one that the model does not read says nothing."""
    known = media in READS[model.kind] or (media.startswith("image/") and model.kind == "image")
    return media if known and media != PARTS else ""


def _check(count: int, most: int) -> None:
    if count > most:
        raise TooLarge(
            "There are too many inputs in one request.", expected=f"at most {most:,}", found=f"{count:,} or more",
            hint="Send them in several requests, or use lithify predict.",
        )  # fmt: skip
