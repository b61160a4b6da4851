"""A writer of protocol buffers: just what a message with numbers, texts, bytes and other messages takes.

Source: the wire format as specified in https://protobuf.dev/programming-guides/encoding/. Only the wire types VARINT
(0), LEN (2) and I32 (5) are written. Fields come in the order in which they are given, so equal content gives equal
bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

Piece = bytes | memoryview

_VARINT, _LEN, _I32 = 0, 2, 5


class Message:
    """A message being written, kept as pieces: large bytes are copied once, when all is joined.

    >>> Message().whole(1, 150).text(2, "hi").join().hex(" ")
    '08 96 01 12 02 68 69'
    """

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.size = 0

    def whole(self, field: int, value: int) -> Message:
        """An ``int64`` or an enumeration; negative ones take ten bytes."""
        return self._add(varint(field << 3 | _VARINT) + varint(value))

    def single(self, field: int, value: float) -> Message:
        """A ``float`` of 32 bits."""
        return self._add(varint(field << 3 | _I32) + struct.pack("<f", value))

    def text(self, field: int, value: str) -> Message:
        """A ``string``."""
        return self.data(field, value.encode())

    def data(self, field: int, value: Piece) -> Message:
        """``bytes``; a memoryview must be of bytes."""
        self._add(varint(field << 3 | _LEN) + varint(len(value)))
        return self._add(value)

    def message(self, field: int, value: Message) -> Message:
        """A message within this one."""
        self._add(varint(field << 3 | _LEN) + varint(value.size))
        self.pieces += value.pieces
        self.size += value.size
        return self

    def messages(self, field: int, values: Sequence[Message]) -> Message:
        """A repeated message."""
        for value in values:
            self.message(field, value)
        return self

    def wholes(self, field: int, values: Sequence[int]) -> Message:
        """A repeated ``int64``, not packed, as ONNX's proto2 schema has it."""
        for value in values:
            self.whole(field, value)
        return self

    def join(self) -> bytes:
        """All of it as bytes."""
        return b"".join(self.pieces)

    def _add(self, piece: Piece) -> Message:
        self.pieces.append(piece)
        self.size += len(piece)
        return self


def varint(value: int) -> bytes:
    """A whole number in groups of seven bits, the lowest first; negative ones as two's complement of 64 bits.

    >>> varint(300).hex(), len(varint(-1))
    ('ac02', 10)
    """
    if not -(2**63) <= value < 2**64:
        raise ValueError(f"{value} does not fit into 64 bits")
    rest = value & (2**64 - 1)
    result = bytearray()
    while rest >= 0x80:
        result.append(rest & 0x7F | 0x80)
        rest >>= 7
    result.append(rest)
    return bytes(result)
