"""Tensors of the Open Inference Protocol v2, in JSON and as bytes (Triton's binary tensor data extension).

In JSON the elements stand in a list, flat or nested as the shape is; null is an element that is missing. As bytes they
follow the JSON in the order of the tensors, little-endian, row by row; an element of ``BYTES`` is its length as u32 and
then so many bytes.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify.errors import ServiceError, TooLarge

DTYPES: Final = {
    "BOOL": np.dtype(np.bool_), "UINT8": np.dtype("u1"), "UINT16": np.dtype("<u2"), "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"), "INT8": np.dtype("i1"), "INT16": np.dtype("<i2"), "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"), "FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
}  # fmt: skip
"""The datatypes of the protocol and what they are in NumPy; ``BYTES`` besides."""
MOST_DIMENSIONS: Final = 8
_JSON_TYPES: Final = {"b": (bool,), "i": (int,), "u": (int,), "f": (int, float)}


@dataclass(slots=True)
class Tensor:
    """A tensor of a request.

    Attributes
    ----------
    name, datatype : str
    shape : tuple of int
    elements : list
        Row by row: str or bytes of ``BYTES``, numbers or booleans of all else, None where missing.
    array : array or None
        The same where it came as bytes and is no ``BYTES``; flat, and ``elements`` is empty then.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    elements: list[Any]
    array: NDArray[Any] | None = None

    def values(self) -> list[Any]:
        """The elements as plain values."""
        return self.elements if self.array is None else self.array.tolist()

    def numbers(self) -> NDArray[Any]:
        """The elements as a flat array of the datatype; ``ServiceError`` where one is missing."""
        if self.array is not None:
            return self.array
        if None in self.elements:
            raise ServiceError(f"Input {self.name!r} has missing elements.", expected="a number in each place")
        return np.array(self.elements, dtype=DTYPES[self.datatype])


def parse(document: Any, rest: memoryview, most: int | None = None) -> tuple[Tensor, memoryview]:
    """A tensor of a request, and what is left of the bytes behind the JSON.

    Parameters
    ----------
    document : object
        What stands in the JSON.
    rest : memoryview
        Bytes from where those of this tensor would begin.
    most : int, optional
        Rows that it may have: the first of its sides, and of ``BYTES`` all elements.

    Raises
    ------
    ServiceError
        It is no tensor, or its data do not fit its shape and type; ``TooLarge`` when it has more rows.
    """
    if type(document) is not dict:
        raise ServiceError("An input is an object.", expected="name, shape, datatype and data")
    name, datatype, shape = (document.get(key) for key in ("name", "datatype", "shape"))
    if type(name) is not str:
        raise ServiceError("An input has no name.", expected='a string "name"')
    if type(datatype) is not str or (datatype not in DTYPES and datatype != "BYTES"):
        raise ServiceError(f"Input {name[:100]!r} has no known datatype.", expected=", ".join((*DTYPES, "BYTES")))
    found = _shape(name, shape)
    rows = math.prod(found) if datatype == "BYTES" else found[0]
    if most is not None and rows > most:  # before anything is made of them
        raise TooLarge("There are too many rows in one request.", expected=f"at most {most:,}", found=f"{rows:,}")
    size = _size(document.get("parameters"), name)
    if size is None:
        if "data" not in document:
            raise ServiceError(f"Input {name[:100]!r} has no data.", expected='"data", or "binary_data_size"')
        elements = _elements(name, datatype, document["data"], found)
        return Tensor(name, datatype, found, elements), rest
    if size > len(rest):
        raise ServiceError(
            f"The bytes of input {name[:100]!r} are cut short.", expected=f"{size:,}", found=str(len(rest))
        )
    return _binary(name, datatype, found, rest[:size]), rest[size:]


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    sound = type(shape) is list and 0 < len(shape) <= MOST_DIMENSIONS
    if not sound or not all(type(side) is int and 0 <= side < 1 << 31 for side in shape):
        raise ServiceError(
            f"Input {name[:100]!r} has no shape.", expected="a list of whole numbers", found=str(shape)[:100]
        )
    return tuple(shape)


def _size(parameters: Any, name: str) -> int | None:
    """How many bytes behind the JSON are the tensor's; None where its data are in the JSON."""
    if parameters is None:
        return None
    if type(parameters) is not dict:
        raise ServiceError(f"The parameters of {name[:100]!r} are no object.")
    if "shared_memory_region" in parameters:
        raise ServiceError("Shared memory is not supported.", hint="Send the data with the request.")
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise ServiceError(f"The binary_data_size of {name[:100]!r} is no whole number.", found=str(size)[:100])
    return size


def _elements(name: str, datatype: str, data: Any, shape: tuple[int, ...]) -> list[Any]:
    """The elements of a list, flat or nested as the shape is."""
    if type(data) is not list:
        raise ServiceError(f"The data of input {name[:100]!r} are no list.")
    count = 1
    for side, below in itertools.pairwise(shape):
        count *= side
        if not data or type(data[0]) is not list:
            break
        if len(data) != count or not all(type(part) is list and len(part) == below for part in data):
            raise _mismatch(name, shape)
        data = [element for part in data for element in part]
    if len(data) != math.prod(shape):
        raise _mismatch(name, shape, len(data))
    allowed = (str,) if datatype == "BYTES" else _JSON_TYPES[DTYPES[datatype].kind]
    if not {type(element) for element in data} <= {*allowed, type(None)}:
        raise ServiceError(f"The data of input {name[:100]!r} are not all of type {datatype}.")
    return data if datatype in ("BYTES", "BOOL", "FP64") else _fitted(name, datatype, data)


def _fitted(name: str, datatype: str, data: list[Any]) -> list[Any]:
    """The elements as the datatype holds them."""
    dtype = DTYPES[datatype]
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            known = np.array([0.0 if each is None else each for each in data]).astype(dtype).astype(np.float64).tolist()
        return [None if each is None else value for each, value in zip(data, known, strict=True)]
    bits = 8 * dtype.itemsize
    low, high = (0, (1 << bits) - 1) if dtype.kind == "u" else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    if not all(each is None or low <= each <= high for each in data):
        raise ServiceError(f"The data of input {name[:100]!r} do not fit into {datatype}.", expected=f"{low} to {high}")
    return data


def _binary(name: str, datatype: str, shape: tuple[int, ...], data: memoryview) -> Tensor:
    count = math.prod(shape)
    if datatype == "BYTES":
        return Tensor(name, datatype, shape, _byte_strings(name, data, count, shape))
    dtype = DTYPES[datatype]
    if len(data) != count * dtype.itemsize:
        raise ServiceError(
            f"The bytes of input {name[:100]!r} do not fit its shape.",
            expected=f"{count * dtype.itemsize:,} for {list(shape)} of {datatype}", found=f"{len(data):,}",
        )  # fmt: skip
    if datatype == "BOOL":
        return Tensor(name, datatype, shape, [], np.frombuffer(data, dtype=np.uint8) != 0)
    return Tensor(name, datatype, shape, [], np.frombuffer(data, dtype=dtype))


def _byte_strings(name: str, data: memoryview, count: int, shape: tuple[int, ...]) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    while at < len(data) and len(found) < count:
        stop = at + 4 + (int.from_bytes(data[at : at + 4], "little") if at + 4 <= len(data) else 0)
        if stop > len(data):
            raise ServiceError(f"The bytes of input {name[:100]!r} are cut short.")
        found.append(bytes(data[at + 4 : stop]))
        at = stop
    if at != len(data) or len(found) != count:
        raise _mismatch(name, shape)
    return found


def _mismatch(name: str, shape: Sequence[int], found: int | None = None) -> ServiceError:
    return ServiceError(
        f"The data of input {name[:100]!r} do not fit its shape.",
        expected=f"{math.prod(shape):,} elements for {list(shape)}",
        found=None if found is None else f"{found:,}",
    )


def rendered(name: str, values: Any, binary: bool) -> tuple[dict[str, Any], bytes]:
    r"""An output as it stands in the JSON of a response, and its bytes behind it.

    Parameters
    ----------
    name : str
    values : array of float64 or bool, or list of str
        A list is ``BYTES``.
    binary : bool
        Whether it is sent as bytes. Else numbers that are not finite are null.

    Examples
    --------
    >>> rendered("label", ["ham"], True)[1]
    b'\x03\x00\x00\x00ham'
    """
    words = isinstance(values, list)
    datatype = "BYTES" if words else "BOOL" if values.dtype == np.bool_ else "FP64"
    output = {"name": name, "datatype": datatype, "shape": [len(values)] if words else list(values.shape)}
    if not binary:
        return output | {"data": values if words else [_finite(each) for each in values.ravel().tolist()]}, b""
    data = b"".join(map(_prefixed, values)) if words else np.ascontiguousarray(values).tobytes()
    return output | {"parameters": {"binary_data_size": len(data)}}, data


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _prefixed(word: str) -> bytes:
    data = word.encode()
    return struct.pack("<I", len(data)) + data


def flag(parameters: Any, name: str, default: bool) -> bool:
    """A yes or no among parameters; ``ServiceError`` where it is something else."""
    if parameters is None:
        return default
    if not isinstance(parameters, Mapping):
        raise ServiceError("Parameters are an object.")
    found = parameters.get(name, default)
    if type(found) is not bool:
        raise ServiceError(f"The parameter {name} is true or false.", found=str(found)[:100])
    return found
