"""Bodies to be judged: bytes of many media types in, the canonical contents that a model scores out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from lithify.data import text
from lithify.data.cells import encode_row
from lithify.data.schema import Field
from lithify.data.values import text as shown_cell
from lithify.deployment.http import multipart
from lithify.deployment.http.message import Head
from lithify.errors import DataError, ServiceError, TooLarge, UnsupportedMedia
from lithify.media import mime
from lithify.media.pixels import BadImage, look
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
_KEYS: Final = {"mail": ("message", "text"), "text": ("text", "message"), "image": ("image",)}
_NAME: Final = 200
Item = Callable[[Model, Any, str], bytes]


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
    ServiceError
        It is no JSON, or no multipart.
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


def parse(body: bytes) -> Any:
    """A JSON document; ``ServiceError`` for what is none: no NaN, no infinities, UTF-8 only, at most 1,024 deep."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ServiceError("The body is no JSON.", found=f"{error.msg} at {where}", hint="Mend it there.") from None


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
        return Given([name], [_raw(model, body)], one=True)
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


def _raw(model: Model, body: bytes) -> bytes:
    if model.kind == "mail":
        return mime.canonical(body)[0]
    if model.kind == "text":
        return text.canonical(text.decode(body))[0]
    return image(body, "The body")


def image(raw: bytes, where: str) -> bytes:
    """The bytes of an image; ``DataError`` for what is none, by its first bytes. ``where`` begins the message."""
    try:
        look(raw)
    except BadImage as bad:
        expected = "a whole JPEG, PNG, WebP, BMP, GIF or TIFF file"
        raise DataError(f"{where} cannot be read as an image.", expected=expected, found=str(bad)) from None
    return raw


# JSON


def _json(model: Model, document: Any, most: int, name: str) -> Given:
    if type(document) is dict:
        rows = document.get("rows")
        if type(rows) is not list or model.kind != "table":
            return Given([name], [_ITEMS[model.kind](model, document, "")], one=True)
        document = rows
    elif type(document) is not list:
        return Given([name], [_ITEMS[model.kind](model, document, "")], one=True)
    _check(len(document), most)
    item = _ITEMS[model.kind]
    contents = [item(model, each, f"Item {at}: ") for at, each in enumerate(document)]
    if not contents:
        raise DataError("There is nothing in the list.", hint="Send at least one item.")
    return Given([name] * len(contents), contents)


def _lines(model: Model, body: bytes, most: int, name: str) -> Given:
    """JSON lines; named by their numbers, as ``lithify predict`` names them."""
    found, item = Given(), _ITEMS[model.kind]
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        _check(len(found.contents) + 1, most)
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ServiceError(f"Line {number} is no JSON.", found=f"{error.msg} at column {error.colno}") from None
        found.names.append(f"{name or '-'}:{number}")
        found.contents.append(item(model, document, f"Line {number}: "))
    if not found.contents:
        raise DataError("There is no line to judge.", expected="a JSON object on every line")
    return found


def row(model: Model, document: Any, where: str = "") -> bytes:
    """The content of one row of a table; ``DataError`` names the field that cannot be read.

    ``where`` comes before the message.
    """
    fields = model.fields
    if type(document) is not dict:
        raise DataError(f"{where}A row is an object of field and cell.", found=_type(document))
    for one in fields:
        if one.name in document:
            break
    else:
        names = ", ".join(one.name for one in fields[:20]) + (", …" if len(fields) > 20 else "")
        raise DataError(f"{where}None of the fields of this model is there.", expected=names, hint="See GET /v1/ALIAS.")
    content, misfits = encode_row(fields, document)
    if misfits:
        raise _misfit(fields, document, misfits, where)
    return content


def _misfit(fields: Iterable[Field], document: Mapping[str, Any], misfits: Mapping[str, int], where: str) -> DataError:
    one = next(each for each in fields if each.name in misfits)
    value = document[one.name]
    found = _type(value) if isinstance(value, list | dict) else (shown_cell(value) or "")[:60]
    more = f" So are {len(misfits) - 1} more." if len(misfits) > 1 else ""
    hint = f"Send null, or leave it out, where it is missing.{more}"
    return DataError(
        f"{where}The cell of {one.name!r} cannot be read.", expected=_CELLS[one.kind], found=found, hint=hint
    )


_CELLS: Final = {
    "number": "a number", "boolean": "true or false", "category": "a string", "text": "a string",
    "time": "a date or time such as 2024-01-31T12:00:00Z, or seconds since 1970",
}  # fmt: skip


def _type(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _string(model: Model, document: Any, where: str) -> str:
    """The string that stands for one mail, text or image: itself, or in an object under its key."""
    if type(document) is dict:
        keys = _KEYS[model.kind]
        key = next((key for key in keys if key in document), None)
        if key is None:
            expected = " or ".join(f'{{"{each}": "…"}}' for each in keys)
            raise DataError(f"{where}There is nothing to judge in the object.", expected=expected)
        document = document[key]
    if type(document) is not str:
        raise DataError(f"{where}Not a string.", expected="a string", found=_type(document))
    return document


def _message(model: Model, document: Any, where: str) -> bytes:
    return mime.canonical(_string(model, document, where).encode())[0]


def _text(model: Model, document: Any, where: str) -> bytes:
    return text.canonical(_string(model, document, where))[0]


def _picture(model: Model, document: Any, where: str) -> bytes:
    said = _string(model, document, where)
    if said[:5] == "data:":
        said = said.partition(",")[2]
    try:
        raw = base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError):
        raise DataError(f"{where}An image in JSON is a string in base64.", found="another string") from None
    return image(raw, f"{where}It" if where else "The image")


_ITEMS: Final[Mapping[str, Item]] = {"table": row, "mail": _message, "text": _text, "image": _picture}


# Files


def _csv(model: Model, body: bytes, most: int, name: str) -> Given:
    """As ``lithify predict`` reads a CSV: what cannot be read is a problem, or missing and noted."""
    from lithify.data.columns import Asked
    from lithify.data.schema import Problem
    from lithify.data.tabular_open import open_asked
    from lithify.data.tabular_text import Held

    source = open_asked(Held(body, name or "-"), Asked(labelled=False), model.fields)
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
    """Every file of a form; one that cannot be read is a problem among others."""
    found = Given()
    for part in multipart.parts(said, body, most):
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
        raise DataError("There is no file in the form.", expected=_known(model))
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
