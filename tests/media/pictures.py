"""Pictures of every format, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image


def photo(width: int = 48, height: int = 40, seed: int = 0) -> np.ndarray:
    """Smooth colours that are the same nowhere, (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def saved(image: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def by_pillow(raw: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB"))


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_of(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    """A PNG put together by hand; ``data`` are its rows, each with a filter byte."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


PHOTO = Image.fromarray(photo())
SECOND = Image.fromarray(photo(seed=1))

ALL: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(PHOTO, "JPEG"),
    "jpeg 4:4:4": lambda: saved(PHOTO, "JPEG", subsampling=0),
    "progressive jpeg": lambda: saved(PHOTO, "JPEG", progressive=True),
    "grey jpeg": lambda: saved(PHOTO.convert("L"), "JPEG"),
    "cmyk jpeg": lambda: saved(PHOTO.convert("CMYK"), "JPEG", quality=95),
    "turned jpeg": lambda: saved(PHOTO, "JPEG", exif=oriented(6)),
    "png": lambda: saved(PHOTO, "PNG"),
    "grey png": lambda: saved(PHOTO.convert("L"), "PNG"),
    "png with alpha": lambda: saved(PHOTO.convert("RGBA"), "PNG"),
    "palette png": lambda: saved(PHOTO.convert("P"), "PNG", transparency=3),
    "1-bit png": lambda: saved(PHOTO.convert("1"), "PNG"),
    "16-bit png": lambda: saved(Image.fromarray(photo()[:, :, 0].astype(np.uint16) * 257), "PNG"),
    "lossy webp": lambda: saved(PHOTO, "WEBP"),
    "lossless webp": lambda: saved(PHOTO, "WEBP", lossless=True),
    "animated webp": lambda: saved(PHOTO, "WEBP", save_all=True, append_images=[SECOND], lossless=True),
    "bmp": lambda: saved(PHOTO, "BMP"),
    "palette bmp": lambda: saved(PHOTO.convert("P"), "BMP"),
    "gif": lambda: saved(PHOTO, "GIF"),
    "animated gif": lambda: saved(PHOTO.convert("P"), "GIF", save_all=True, append_images=[SECOND.convert("P")]),
    "tiff": lambda: saved(PHOTO, "TIFF"),
    "packed tiff": lambda: saved(PHOTO, "TIFF", compression="tiff_lzw"),
    "tiff of two pages": lambda: saved(PHOTO, "TIFF", save_all=True, append_images=[SECOND]),
    "ppm": lambda: saved(PHOTO, "PPM"),
    "pgm": lambda: saved(PHOTO.convert("L"), "PPM"),
}
