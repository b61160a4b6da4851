"""Whatever Pillow decodes: PNG, WebP, BMP, GIF, TIFF, and the JPEGs that are not ordinary."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lithify.errors import MissingExtra
from lithify.media.images.bad import BadImage, check_size
from lithify.media.images.headers import Format, Look
from lithify.media.images.libraries import pillow, quietly
from lithify.media.images.turning import in_channels, over_white, turn

if TYPE_CHECKING:
    from PIL import Image

_GREY = frozenset(["1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N", "I", "F"])


def look_general(raw: bytes, kind: Format) -> Look:
    """What the header says, by Pillow; a TIFF is turned while it is loaded, so its ``turned`` is 0."""
    with quietly():
        image = _open(raw, kind)
        return Look(kind, image.width, image.height, 1 if image.mode in _GREY else 3)


def decode_general(raw: bytes, seen: Look, channels: int) -> NDArray[np.uint8]:
    """Pixels (h, w, channels) of the first frame, turned."""
    with quietly():
        image = _open(raw, seen.format)
        check_size(*image.size)
        try:
            image.load()
            pixels = _pixels(image)
        except Exception:  # of a decoder fed with anything at all
            raise BadImage("unreadable", f"a {seen.format} that cannot be decoded") from None
    return turn(in_channels(over_white(pixels), channels), seen.turned)


def _open(raw: bytes, kind: Format) -> Image.Image:
    library = pillow()
    try:
        image: Image.Image = library.open(io.BytesIO(raw), formats=[kind.upper()])
    except MissingExtra:
        raise
    except (library.DecompressionBombError, library.DecompressionBombWarning):
        raise BadImage("too large", f"a {kind} that claims more pixels than are decoded") from None
    except Exception:  # Pillow's readers of headers raise what they like
        raise BadImage("unreadable", f"a damaged {kind}") from None
    return image


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Pixels (h, w, values), alpha last where there is any."""
    if image.mode.startswith("I;16"):
        return _high_byte(image)
    if image.mode in ("I", "F"):
        raise ValueError("pixels of 32 bits have no agreed brightness")
    if image.mode not in ("L", "RGB") or image.has_transparency_data:
        image = image.convert(_target(image))
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _target(image: Image.Image) -> str:
    if image.has_transparency_data:
        return "LA" if image.mode in ("LA", "La") else "RGBA"
    return "L" if image.mode == "1" else "RGB"


def _high_byte(image: Image.Image) -> NDArray[np.uint8]:
    """16 bits of grey; the one value that a PNG may declare transparent is white."""
    values = np.asarray(image).astype(np.uint16)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        values[values == clear] = 0xFFFF
    return (values >> 8).astype(np.uint8)[:, :, None]
