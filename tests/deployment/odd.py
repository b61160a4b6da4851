"""Bodies that are odd in the way of their kind: tables, forms, images, messages and tensors."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

from tests import imaging
from tests.deployment.rubbish import damaged
from tests.deployment.sound import SOUND, Sound, picture


def _csv(rnd: random.Random) -> Sound:
    """Odd quoting, NULs, thousands of columns, compressed."""
    many = rnd.choice((10, 3000))
    body = rnd.choice(
        (
            b"age,job\n1,\"" + b"x" * 5000, b'age,"job\n""",1\n', b"age\0,job\n1,\0\n",
            b",".join(b"c%d" % n for n in range(many)),
            b",".join(b"age" for _ in range(many)) + b"\n" + b"1," * many, b"age,job\n" + b"1,a,b,c\n" * many,
            b"age\n" + b"\n" * many,
            b"age;job\n1;2\n", b"age\tjob\n1\t2\n", b"\xff\xfea\0g\0e\0\n\x001\0\n\0", b"age\r1\r2\r",
            b"age\n" + b"1\n" * 10_001,
            b"PK\x03\x04" + rnd.randbytes(99), b"PAR1" + rnd.randbytes(99), b"SQLite format 3\0" + rnd.randbytes(99),
            _gzip(b"age,note\n" + b"1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 20_000),
            b"\x28\xb5\x2f\xfd" + rnd.randbytes(40),
        )
    )  # fmt: skip
    return Sound("/v1/people/predict", rnd.choice(("text/csv", "text/tab-separated-values", "")), body)


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


def _multipart(rnd: random.Random) -> Sound:
    """Broken boundaries, thousands of parts, huge headers."""
    part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nrain\r\n'
    name = rnd.choice(
        (b"../../etc/passwd", b"a\0b", b'"\\"', b"a\r\nB: c", b"\xff\xfe", b"=?utf-8?q?=00?=", b"n" * 5000)
    )
    body = rnd.choice(
        (
            part * rnd.choice((3, 2000)) + b"--x--\r\n", part, part + b"--x", part + b"--y--\r\n", b"--x--\r\n",
            b"--x\r\n\r\n\r\n--x--",
            part.replace(b'"a"', b'"' + name + b'"') + b"--x--\r\n", part.replace(b"\r\n", b"\n") + b"--x--\n",
            b"\r\n" * 3000 + part,
            b"--x\r\n" + b"A: b\r\n" * rnd.choice((50, 2000)) + b"\r\nrain\r\n--x--\r\n", b"-" * 4000,
            b"--x\r\nA: " + b"b" * 20_000,
            part.replace(b"Content-Disp", b"\0Content-Disp") + b"--x--\r\n", part.replace(b"rain",
            b"\r\n--x" * 50) + b"--x--\r\n",
        )
    )  # fmt: skip
    path = rnd.choice(("people", "inbox", "topics", "colours"))
    return Sound(f"/v1/{path}/{rnd.choice(('predict', 'predict', 'explain'))}", "multipart/form-data; boundary=x", body)


def _image(rnd: random.Random) -> Sound:
    """Cut short, damaged, or larger than anybody may decode by what their headers say."""
    raw = bytearray(picture(rnd.choice(imaging.LABELS), rnd.choice(("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"))))
    if rnd.random() < 0.3:
        raw = bytearray(
            _png(rnd.choice((0, 1, 30_000, 65_535, 2**31 - 1, 2**32 - 1)), rnd.choice((1, 20_000, 2**31 - 1)))
        )
    for _ in range(rnd.choice((0, 1, 4))):
        raw[rnd.randrange(len(raw))] = rnd.randrange(256)
    cut = raw[: rnd.choice((len(raw), rnd.randrange(1, len(raw)), 12))]
    return Sound(
        f"/v1/colours/{rnd.choice(('predict', 'explain'))}", rnd.choice(("image/png", "image/x", "")), bytes(cut)
    )


def _png(width: int, height: int) -> bytes:
    """A picture of any size, so it says."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(9000))),
        (b"IEND", b""),
    )
    packed = (struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _mail(rnd: random.Random) -> Sound:
    """Nested parts, endless headers, rubbish of every charset."""
    body = rnd.choice(
        (
            b"Content-Type: multipart/mixed; boundary=a\n\n" +
            b"--a\nContent-Type: multipart/mixed; boundary=a\n\n" * 500,
            b"Subject: " + b"=?utf-8?b?/+8=?= " * 500 + b"\n\nx", b"Content-Type: text/html\n\n" + b"<div>" * 3000,
            b"\n" * 999,
            b"Content-Type: text/plain; " + b"a*0=b; " * 1500 + b"\n\nx", b"A: b\n" * 3000, b"\0" * 999,
            b"From " + b"x" * 999,
            b"Content-Transfer-Encoding: base64\n\n" + b"=" * 5000, b"Content-Type: text/plain; charset=\xff\n\n\xff",
            b":" * 3000,
            b"Date: 99999999 Jan -1 99:99:99 +9999\n\nx", b"<!--" * 3000,
            b"Content-Type: text/html\n\n" + b"&#x" * 3000, b" " * 5000,
        )
    )  # fmt: skip
    return Sound(f"/v1/inbox/{rnd.choice(('predict', 'predict', 'explain'))}", "message/rfc822", damaged(rnd, body))


def _lying(rnd: random.Random) -> Sound:
    """Bytes behind the JSON that are not what it says."""
    one = rnd.choice([each for each in SOUND if each.headers])
    length = int(one.headers[0].partition(": ")[2])
    tail = bytearray(one.body[length:])
    struct.pack_into("<I", tail, 0, rnd.choice((0, 1, 2**31, 2**32 - 1)))
    head = one.body[:length].replace(b'"shape": [2]', b'"shape": [%d]' % rnd.choice((0, 1, 2, 3, 2**31 - 1)))
    said = rnd.choice((len(head), len(head) - 1, len(head) + 3, 0))
    return Sound(one.path, one.media, head + bytes(tail), [f"Inference-Header-Content-Length: {said}"])


SPECIAL: tuple[Callable[[random.Random], Sound], ...] = (_csv, _multipart, _image, _mail, _lying)
