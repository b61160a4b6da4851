"""``/``: a page to try the models on. One document, one script, one style, and nothing from anywhere else."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from lithify.deployment.http.message import Response

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-cache"),
)


def index() -> Response:
    """The document."""
    return _of("index.html", "text/html; charset=utf-8")


def script() -> Response:
    """What makes it work."""
    return _of("page.js", "text/javascript; charset=utf-8")


def style() -> Response:
    """How it looks."""
    return _of("page.css", "text/css; charset=utf-8")


def _of(name: str, media: str) -> Response:
    return Response(body=_file(name), media=media, headers=_HEADERS)


@cache
def _file(name: str) -> bytes:
    return resources.files(__name__).joinpath(name).read_bytes()
