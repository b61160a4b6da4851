"""Single inputs: a JSON value, or bytes of a type of its own, as the canonical content that a model scores."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from lithify.data import text
from lithify.data.cells import encode_row
from lithify.data.schema import Field
from lithify.data.values import text as shown_cell
from lithify.errors import BadJson, DataError, TooLarge
from lithify.media import mime
from lithify.media.pixels import BadImage, look
from lithify.model.model import Model

Item = Callable[[Model, Any, str], bytes]
_KEYS: Final = {"mail": ("message", "text"), "text": ("text", "message"), "image": ("image",)}


MOST_NESTED: Final = 500_000
"""Lists and objects of one document: an empty one takes 3 bytes to send and 64 to hold."""
MOST_VALUES: Final = 2_000_000
"""Values of one document: a key and a number take 10 bytes to send and some 300 to hold."""


def parse(body: bytes) -> Any:
    """A JSON document; ``BadJson`` for what is none: no NaN, no infinities, UTF-8 only, at most 1,024 deep.

    ``TooLarge`` for what :func:`check_nested` refuses.
    """
    check_nested(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadJson("The body is no JSON.", found=f"{error.msg} at {where}", hint="Mend it there.") from None


def check_nested(body: bytes) -> None:
    """``TooLarge`` for more than :data:`MOST_NESTED` lists and objects, or :data:`MOST_VALUES` values.

    They are told by brackets and commas before they are made, since nothing else runs while they are.
    """
    if len(body) <= MOST_NESTED:
        return
    nested, values = body.count(b"[") + body.count(b"{"), body.count(b",")
    if nested > MOST_NESTED or values > MOST_VALUES:
        raise TooLarge(
            "There are too many values in one document.",
            expected=f"at most {MOST_NESTED:,} brackets and {MOST_VALUES:,} commas", found=f"{nested:,} and {values:,}",
            hint="Send it in several requests, or tensors as flat lists or bytes.",
        )  # fmt: skip


def raw(model: Model, body: bytes, where: str = "The body") -> bytes:
    """The content of a message, a text or an image by itself; ``where`` begins the message of an error."""
    if model.kind == "mail":
        return mime.canonical(body)[0]
    if model.kind == "text":
        return text.canonical(text.decode(body))[0]
    return image(body, where)


def image(raw: bytes, where: str) -> bytes:
    """The bytes of an image; ``DataError`` for what is none, by its first bytes. ``where`` begins the message."""
    try:
        look(raw)
    except BadImage as bad:
        expected = "a whole JPEG, PNG, WebP, BMP, GIF or TIFF file"
        raise DataError(f"{where} cannot be read as an image.", expected=expected, found=str(bad)) from None
    return raw


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


ITEMS: Final[Mapping[str, Item]] = {"table": row, "mail": _message, "text": _text, "image": _picture}
"""What makes a content of one JSON value, by the kind of the model."""
