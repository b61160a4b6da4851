"""Forms with files (RFC 7578), read in memory: nothing of them touches the disk."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from lithify.errors import DataError, ServiceError, TooLarge

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # what clients send wrong is told to them, not logged

MOST = 10_000
"""Parts of one form."""


@dataclass(slots=True)
class Part:
    """One part of a form.

    Attributes
    ----------
    name, file : str
        Of the field, and of the file; empty where there is none.
    media : str
        Its content type as it was said.
    data : bytes
    """

    name: str = ""
    file: str = ""
    media: str = ""
    data: bytes = b""


@dataclass(slots=True)
class _Reading:
    """What the parser's callbacks have gathered."""

    most: int
    parts: list[Part] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    key: bytes = b""
    value: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    ended: bool = False

    def begin(self) -> None:
        if len(self.parts) >= self.most:
            raise TooLarge("There are too many parts in the form.", expected=f"at most {self.most:,}")
        self.data, self.headers = [], {}

    def name(self, data: bytes, start: int, end: int) -> None:
        self.key += data[start:end]

    def worth(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def header(self) -> None:
        self.headers[self.key.lower()] = self.value
        self.key = self.value = b""

    def piece(self, data: bytes, start: int, end: int) -> None:
        self.data.append(data[start:end])

    def finish(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self.headers.get(b"content-disposition", b""))
        name, file = (options.get(key, b"").decode("utf-8", "replace") for key in (b"name", b"filename"))
        media = self.headers.get(b"content-type", b"").decode("latin-1")
        self.parts.append(Part(name, file, media, b"".join(self.data)))

    def end(self) -> None:
        self.ended = True


def parts(said: str, body: bytes, most: int = MOST) -> list[Part]:
    r"""The parts of a form, in order.

    Parameters
    ----------
    said : str
        Content type with the boundary.
    body : bytes
    most : int
        Parts that there may be.

    Raises
    ------
    ServiceError
        It is no form, or is cut short; ``TooLarge`` when there are more parts.

    Examples
    --------
    >>> body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.eml"\r\n\r\nhi\r\n--x--\r\n'
    >>> parts("multipart/form-data; boundary=x", body)
    [Part(name='f', file='a.eml', media='', data=b'hi')]
    """
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    boundary = parse_options_header(said.encode("utf-8", "replace"))[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= 200:
        raise ServiceError("The content type of a form names its boundary.", found=said[:200])
    reading = _Reading(most)
    callbacks = {
        "on_part_begin": reading.begin, "on_part_data": reading.piece, "on_part_end": reading.finish,
        "on_header_field": reading.name, "on_header_value": reading.worth, "on_header_end": reading.header,
        "on_end": reading.end,
    }  # fmt: skip
    try:
        parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise ServiceError("The body is no form.", found=str(error)[:200]) from None
    if not reading.ended:
        raise ServiceError("The form is cut short.", expected="its last boundary")
    if not reading.parts:
        raise DataError("There is nothing in the form.")
    return reading.parts
