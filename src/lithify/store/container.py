"""Tensors and canonical JSON in one file that the stock safetensors reader can read.

The writer is canonical: equal content gives equal bytes. The reader is strict: it parses the header, audits every
bound against the size of the file, then writes the header again from what it understood and compares, so that a file
it accepts is one the writer could have written. It allocates nothing on the word of the file, maps tensors without
copying, and never imports, evaluates or unpickles anything. The format is specified in docs/format.md.

    8 bytes     length N of the header, little-endian
    N bytes     header: canonical JSON, padded with spaces so that 8 + N is a multiple of 64
    ...         tensors in order of their names, each starting at a multiple of 64 and followed by zero bytes that
                are themselves described as `U8` tensors named `~pad/0`, `~pad/1`, ... (the stock reader allows no gap)
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import canon
from lithify.errors import IntegrityError, MalformedContainer, NewerFormat, NotFound
from lithify.store.layout import (
    ALIGNMENT,
    DTYPES,
    FORMAT,
    MAX_DIMENSIONS,
    MAX_EXTENT,
    MAX_HEADER,
    MAX_TENSORS,
    METADATA_KEY,
    PAD,
    SEAL,
    UNSEALED,
    Shapes,
    header_of,
    place,
    shape_of,
)

_SEALED = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Container:
    """What a container holds.

    Attributes
    ----------
    kind : str
        What the file is: ``model``, ``checkpoint``, ...
    meta : dict
        The JSON document.
    tensors : dict of str to ndarray
        Read-only arrays; views into the mapped file when opened from a path.
    data : memoryview
        The whole file.
    """

    kind: str
    meta: dict[str, Any]
    tensors: dict[str, NDArray[Any]]
    data: memoryview

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the whole file; computed when first asked for."""
        return canon.digest(self.data)


def pack(kind: str, meta: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of a sealed container.

    Parameters
    ----------
    kind : str
        What the file is; checked again by :func:`unpack`.
    meta : mapping
        A JSON document.
    tensors : mapping of str to ndarray
        Arrays of booleans, integers of 8 to 64 bits or floats of 16 to 64 bits. A name is ASCII letters, digits,
        ``_``, ``.`` and ``-``, in parts divided by ``/``.

    Raises
    ------
    ValueError
        The format cannot hold it.

    Examples
    --------
    >>> unpack(pack("demo", {"a": 1}, {"x": np.arange(3)})).tensors["x"].tolist()
    [0, 1, 2]
    """
    return b"".join(pieces(kind, meta, tensors))


def pieces(kind: str, meta: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> list[bytes | memoryview]:
    """As :func:`pack`, in pieces to be written one after the other: large tensors are not copied."""
    document = {"format": FORMAT, "kind": kind, "meta": dict(meta), "seal": UNSEALED}
    shapes = {name: shape_of(name, tensors[name]) for name in sorted(tensors)}
    header, _, _ = header_of(document, shapes)
    parts: list[bytes | memoryview] = []
    for name, (dtype, shape, _) in place(shapes).items():
        if name in tensors:
            stored = np.ascontiguousarray(_plain(tensors[name]), dtype=DTYPES[dtype])
            parts.append(stored.reshape(-1).view(np.uint8).data)
        else:
            parts.append(bytes(shape[0]))
    hasher = hashlib.sha256(header)
    for part in parts:
        hasher.update(part)
    at = header.rindex(SEAL) + len(SEAL)
    return [header[:at] + hasher.hexdigest().encode() + header[at + 64 :], *parts]


def open_file(path: Path, kind: str | None = None) -> Container:
    """Maps and checks a container file; arguments and errors as :func:`unpack`, and ``NotFound``."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise NotFound(f"{path} is not a file.")
            size = os.fstat(file.fileno()).st_size
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise NotFound(f"The file {path} cannot be read.", found=str(error)) from None
    return unpack(data, kind, what=path.name)


def unpack(data: bytes | mmap.mmap, kind: str | None = None, what: str = "container") -> Container:
    """Checks and opens the bytes of a container.

    Parameters
    ----------
    data : bytes or mmap
        The whole file.
    kind : str, optional
        The kind it must be.
    what : str
        How to call it in messages.

    Raises
    ------
    MalformedContainer
        The bytes break the format.
    IntegrityError
        The format is right and the seal is not: damage.
    NewerFormat
        A later version of the format.
    """
    view = memoryview(data)
    raw = _raw_header(view, kind, what)
    header = canon.loads(raw.rstrip(b" "), f"header of {what}")
    document = _document(header, what)
    shapes = _shapes(header, len(view), what)
    _check_layout(raw, document, shapes, view, what)
    _check_seal(view, raw, document["seal"], what)
    start = 8 + len(raw)
    _check_padding(view, shapes, start, what)
    tensors = _views(view, shapes, start)
    _check_booleans(tensors, what)
    for array in tensors.values():
        array.flags.writeable = False
    if kind is not None and document["kind"] != kind:
        raise MalformedContainer(f"{what} is another kind of file.", expected=kind, found=document["kind"])
    return Container(document["kind"], document["meta"], tensors, view)


def _raw_header(view: memoryview, kind: str | None, what: str) -> bytes:
    if len(view) < 8:
        raise MalformedContainer(f"{what} is too short.", expected="at least 8 bytes", found=f"{len(view)} bytes")
    (length,) = struct.unpack_from("<Q", view)
    if not 2 <= length <= MAX_HEADER:
        raise MalformedContainer(f"{what} is no {kind or 'container'}.", found="a file that begins otherwise")
    if length > len(view) - 8:
        raise MalformedContainer(
            f"{what} is not a Lithify container, or it is cut short.",
            expected=f"a header of at most {len(view) - 8} bytes",
            found=f"a header length of {length}",
        )
    return bytes(view[8 : 8 + length])


def _document(header: Any, what: str) -> dict[str, Any]:
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if (
        not isinstance(metadata, dict)
        or list(metadata) != [METADATA_KEY]
        or not isinstance(metadata[METADATA_KEY], str)
    ):
        raise MalformedContainer(f"{what} is not a Lithify container.", expected=f"metadata key {METADATA_KEY!r}")
    loaded = canon.loads(metadata[METADATA_KEY].encode("utf-8", "surrogatepass"), f"metadata of {what}")
    document: dict[str, Any] = loaded if isinstance(loaded, dict) else {}
    version = document.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise MalformedContainer(f"{what} has no format version.")
    if version > FORMAT:
        raise NewerFormat(
            f"{what} was written by a newer Lithify.",
            expected=f"format {FORMAT} or older",
            found=f"format {version}",
            hint="Install a newer Lithify to read it.",
        )
    types = {"format": int, "kind": str, "meta": dict, "seal": str}
    if set(document) != set(types) or any(type(document[key]) is not kind for key, kind in types.items()):
        raise MalformedContainer(f"The metadata of {what} has the wrong fields.", expected=", ".join(sorted(types)))
    if not _SEALED.fullmatch(document["seal"]):
        raise MalformedContainer(f"{what} has no seal.", expected="64 hex digits", found=repr(document["seal"][:80]))
    return document


def _shapes(header: dict[str, Any], size: int, what: str) -> Shapes:
    if len(header) > MAX_TENSORS:
        raise MalformedContainer(f"{what} has too many tensors.", expected=f"at most {MAX_TENSORS}")
    shapes: Shapes = {}
    for name in sorted(header):
        if name == "__metadata__" or name.startswith(PAD):
            continue
        entry = header[name]
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise MalformedContainer(f"A tensor of {what} has the wrong fields.", found=repr(name[:80]))
        shapes[name] = _checked_shape(entry["dtype"], entry["shape"], size, f"Tensor {name[:80]!r} of {what}")
    return shapes


def _checked_shape(dtype: Any, shape: Any, size: int, tensor: str) -> tuple[str, tuple[int, ...]]:
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise MalformedContainer(f"{tensor} has an unknown dtype.", expected=", ".join(DTYPES), found=repr(dtype)[:80])
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise MalformedContainer(f"{tensor} has no shape, or a long one.", expected=f"at most {MAX_DIMENSIONS}")
    length = np.dtype(DTYPES[dtype]).itemsize
    for extent in shape:
        if type(extent) is not int or not 0 <= extent <= MAX_EXTENT:
            raise MalformedContainer(f"{tensor} has an impossible shape.", found=repr(extent)[:80])
        length *= max(extent, 1)
        if length > (MAX_EXTENT if 0 in shape else size):
            raise MalformedContainer(f"{tensor} is larger than the file.", expected=f"at most {size} bytes")
    return dtype, tuple(shape)


def _check_layout(raw: bytes, document: dict[str, Any], shapes: Shapes, view: memoryview, what: str) -> None:
    """The header must be, to the byte, the one the writer makes of what was understood."""
    try:
        expected, start, end = header_of(document, shapes)
    except ValueError as error:
        raise MalformedContainer(f"The header of {what} is not canonical.", found=str(error)[:200]) from None
    if expected[8:] != raw:
        raise MalformedContainer(f"The header of {what} is not canonical.", expected="what the writer would write")
    if len(view) != start + end:
        raise MalformedContainer(
            f"{what} has the wrong length.", expected=f"{start + end} bytes", found=f"{len(view)} bytes"
        )


def _check_seal(view: memoryview, raw: bytes, seal: str, what: str) -> None:
    at = 8 + raw.rindex(SEAL) + len(SEAL)
    hasher = hashlib.sha256(view[:at])
    hasher.update(UNSEALED.encode())
    hasher.update(view[at + 64 :])
    if hasher.hexdigest() != seal:
        raise IntegrityError(
            f"{what} is damaged: its seal does not fit its bytes.", hint="Fetch it again, or restore it from a backup."
        )


def _check_padding(view: memoryview, shapes: Shapes, start: int, what: str) -> None:
    zeros = bytes(ALIGNMENT)
    for name, (_, shape, offset) in place(shapes).items():
        if name.startswith(PAD) and view[start + offset : start + offset + shape[0]] != zeros[: shape[0]]:
            raise MalformedContainer(f"{what} has padding that is not zero.", found=name)


def _check_booleans(tensors: Mapping[str, NDArray[Any]], what: str) -> None:
    """A byte other than 0 and 1 is no boolean, and NumPy would compute nonsense from it."""
    for name, array in tensors.items():
        if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
            raise MalformedContainer(f"{what} has a boolean that is neither 0 nor 1.", found=name)


def _views(view: memoryview, shapes: Shapes, start: int) -> dict[str, NDArray[Any]]:
    """Arrays that share memory with the file."""
    placed = place(shapes)
    return {
        name: np.ndarray(shape, DTYPES[dtype], buffer=view, offset=start + placed[name][2])
        for name, (dtype, shape) in shapes.items()
    }


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    return array.view(np.uint8) != 0 if array.dtype == np.bool_ else array
