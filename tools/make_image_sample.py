"""Makes the image sample that ships with Lithify from the digits that come with scikit-learn.

    python tools/make_image_sample.py src/lithify/samples/digits.tar.xz

The same bytes come out wherever zlib and liblzma are the same.
"""

from __future__ import annotations

import argparse
import io
import lzma
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def main() -> None:
    """Writes the archive and says what is in it."""
    parser = argparse.ArgumentParser(description="Make the image sample from the digits of scikit-learn.")
    parser.add_argument("out", type=Path, help="where to write digits.tar.xz")
    out = parser.parse_args().out
    tar = archive()
    out.write_bytes(lzma.compress(tar, preset=9 | lzma.PRESET_EXTREME))
    print(f"{out}: {out.stat().st_size:,} bytes, {len(tar):,} unpacked")


def archive() -> bytes:
    """A tar with a folder for each digit, its images numbered as scikit-learn has them."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number, (image, label) in sorted(
            enumerate(zip(digits.images, digits.target, strict=True)), key=lambda each: (each[1][1], each[0])
        ):
            data = png(np.rint(image * (255 / 16)).astype(np.uint8))
            entry = tarfile.TarInfo(f"digits/{label}/{number:04d}.png")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return whole.getvalue()


def png(grey: NDArray[np.uint8]) -> bytes:
    """A greyscale PNG of 8 bits a pixel, without filters."""
    height, width = grey.shape
    rows = b"".join(b"\0" + row.tobytes() for row in grey)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows, 9))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in [*parts, (b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    main()
