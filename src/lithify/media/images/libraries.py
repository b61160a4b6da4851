"""The two libraries that decode, loaded when the first picture needs them."""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from lithify.errors import MissingExtra

_HINT = "Install it: pip install 'lithify[images]'."
_MODULES = r"PIL\."
_lock = threading.Lock()
_inside = 0


@cache
def simplejpeg() -> ModuleType:
    """The module of that name: libjpeg-turbo and nothing around it."""
    try:
        return importlib.import_module("simplejpeg")
    except ImportError:
        raise MissingExtra("Reading JPEG pictures needs simplejpeg.", hint=_HINT) from None


@cache
def pillow() -> ModuleType:
    """``PIL.Image`` with the formats that are read, and no others."""
    try:
        from PIL import (
            BmpImagePlugin,
            GifImagePlugin,
            Image,
            JpegImagePlugin,
            PngImagePlugin,
            TiffImagePlugin,
            WebPImagePlugin,
        )
    except ImportError:
        raise MissingExtra("Reading pictures needs Pillow.", hint=_HINT) from None
    del BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
    return Image


@contextmanager
def quietly() -> Iterator[None]:
    """Pillow's warnings, of damaged EXIF for one, are dropped meanwhile; those of other modules are not.

    ``warnings.catch_warnings`` is not safe in threads: of two that overlap, the later to leave brings back the filters
    of the earlier. Here the first to enter adds one filter and the last to leave removes that one.
    """
    global _inside
    with _lock:
        _inside += 1
        if _inside == 1:
            warnings.filterwarnings("ignore", module=_MODULES)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _forget()


def _forget() -> None:
    for entry in list(warnings.filters):
        pattern = getattr(entry[3], "pattern", None)
        if entry[0] == "ignore" and entry[1] is None and entry[2] is Warning and pattern == _MODULES:
            warnings.filters.remove(entry)  # type: ignore[attr-defined]
