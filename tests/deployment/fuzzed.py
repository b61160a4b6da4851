"""Requests that somebody damaged: mutations of sound ones, each the same for the same seed and number."""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image
from tests import imaging
from tests.conftest import message

PERSON: dict[str, Any] = {"age": 39, "job": "clerk", "married": True, "since": "2020-01-31", "note": "red house"}
NASTY = (
    "NaN", "-Infinity", "1e999", "-1e-999", "9" * 400, "-0", "1" + "0" * 30, "0.1" + "0" * 300, "null", "true", "{}",
    "[]",
    '""', '"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"\\r\\nSet-Cookie: a=b"', '"<script>alert(1)</script>"',
    "[[[[]]]]",
    '{"a":1,"a":2}', "[" * 900 + "]" * 900, "[" * 5000, '{"a":' * 2000, '"' + "x" * 20_000 + '"', "0x10", "01", "'a'",
    "+1",
    '"../../etc/passwd"', '"%s%n%x{0}"', "18446744073709551616", "-9223372036854775809", '"\u202e\U0001f4a9"',
    "1.5e308",
)  # fmt: skip
RUBBISH = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n\r\n", b'"', b"{", b"[" * 3000, b"\xed\xa0\x80", b"\xf8\x88\x80\x80",
    b"--x",
    b"," * 3000, b"=?utf-8?b?////?=", b"\x1b[2J", b"%00", b"A" * 5000, b"\x80" * 50, b"\n" * 2000, b"'\"\\",
    b"\xc0\xaf",
)  # fmt: skip
MEDIA = (
    "application/json", "text/csv", "text/plain", "message/rfc822", "image/png", "image/jpeg", "application/x-ndjson",
    "multipart/form-data", "multipart/form-data; boundary=x", 'multipart/form-data; boundary=""',
    "application/json; " * 60,
    "multipart/form-data; boundary=" + "b" * 400, "text/csv; header=absent; charset=utf-7", "application/xml",
    "a/b;" * 900,
    "application/x-www-form-urlencoded", "application/octet-stream", "*/*", "image/../../x", ";", "\xff\xfe", "json",
    'multipart/form-data; boundary*=utf-8\'\'x; boundary="y', "text/tab-separated-values", "application/gzip",
)  # fmt: skip
PATHS = (
    "/v1/%00", "/v1/%2e%2e/%2e%2e/etc/passwd", "/v1/../../etc/passwd", "/v1/people%0d%0aA:%20b/predict", "/v1//predict",
    "/v1/%F0%9F%92%A9/predict", "/v1/" + "a" * 9000, "/v1/%ff%fe/explain", "/v1/people/predict/", "/V1/people", "//",
    "/%2f",
    "/v2/models/people/versions/%2e%2e/infer", "/v2/models/people/versions/" + "9" * 300, "/v2/models//ready", "/v2/x",
    "/v2/models/people%40production/infer", "/v1/people@production/predict", "/page/../page.js", "/page.js%00.css",
    "/v1?x",
    "/v2/repository/index", "/v2/models/people/config", "/v2/systemsharedmemory/status", "/%ED%A0%80",
    "/v1/{alias}/predict",
    "/v1/people;a=b/predict", "/v1/people/predict?" + "q=1&" * 500, "/.git/config", "/v1/<script>", "/%252e%252e/",
    "/v2/" * 60,
)  # fmt: skip
HEADERS = (
    "Content-Encoding: gzip", "Content-Encoding: br, gzip", "Expect: 100-continue", "Expect: 7", "Range: bytes=0-1",
    "Inference-Header-Content-Length: -1", "Inference-Header-Content-Length: 99999999999999999999", "If-None-Match: *",
    "Inference-Header-Content-Length: 5", "Inference-Header-Content-Length: 0", "Accept: image/png",
    "Accept: */*;q=nan",
    "Inference-Header-Content-Length: 1e2", "X: " + "y" * 12_000, "Upgrade: h2c\r\nConnection: Upgrade", "Cookie: a=b",
    "Authorization: Bearer " + "z" * 500, "Authorization: Basic YTpi", "X-Forwarded-For: <b>",
    "User-Agent: %0a\x7f\xe9",
    "Content-Type: text/plain\r\nContent-Type: text/csv", "Connection: close", "TE: trailers",
    "Transfer-Encoding: identity",
    "Content-Length: 3", "Host: other.example", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
    "A : b",
)  # fmt: skip
TENSORS: tuple[dict[str, Any], ...] = (
    {"shape": [-1]}, {"shape": [2**31]}, {"shape": [2**62, 2**62]}, {"shape": []}, {"shape": "1"}, {"shape": [1.5]},
    {"shape": [1] * 9}, {"shape": [0]}, {"shape": [65536, 65536, 65536, 65536]}, {"datatype": "FP63"},
    {"datatype": None},
    {"data": None}, {"data": [[[[]]]]}, {"data": [None]}, {"data": ["\ud800"]}, {"data": [True]}, {"data": [1e308]},
    {"name": ""}, {"name": 7}, {"name": "x" * 5000}, {"name": "__class__"}, {"parameters": 1}, {"datatype": "FP16"},
    {"parameters": {"binary_data_size": -1}}, {"parameters": {"binary_data_size": 2**63}}, {"datatype": "UINT64"},
    {"parameters": {"binary_data_size": True}}, {"parameters": {"shared_memory_region": "r"}}, {"datatype": "BYTES"},
    {"parameters": {"binary_data_size": 3}}, {"shape": [2], "data": [1, 2]}, {"shape": [10_001], "data": [1] * 10_001},
)  # fmt: skip


@dataclass
class Case:
    """A request on the wire.

    Attributes
    ----------
    raw : bytes
    method, path : str
        As they stand in the request line.
    whole : bool
        Whether exactly one answer must come, on a connection that stays open unless the answer says otherwise.
    """

    raw: bytes
    method: str = "POST"
    path: str = "/"
    whole: bool = True


@dataclass
class Sound:
    """A request that is answered with 200."""

    path: str
    media: str
    body: bytes
    headers: list[str] = field(default_factory=list)

    def case(self, method: str = "POST") -> Case:
        """It, on the wire."""
        lines = [f"{method} {self.path} HTTP/1.1", "Host: localhost"]
        lines += [f"Content-Type: {self.media}"] if self.media else []
        lines += [*self.headers, f"Content-Length: {len(self.body)}", "", ""]
        return Case("\r\n".join(lines).encode("latin-1") + self.body, method, self.path)


def picture(label: str = "red", form: str = "PNG") -> bytes:
    """A small image, encoded."""
    file = io.BytesIO()
    Image.fromarray(imaging.picture(label, 900)).save(file, form)
    return file.getvalue()


def _form(*files: tuple[str, str, bytes]) -> bytes:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {media}\r\n\r\n'.encode()
        + data
        for name, media, data in files
    ]
    return b"\r\n".join(parts) + b"\r\n--x--\r\n"


def _binary(path: str, name: str, elements: list[bytes]) -> Sound:
    data = b"".join(struct.pack("<I", len(each)) + each for each in elements)
    tensor = {
        "name": name,
        "shape": [len(elements)],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(data)},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    return Sound(path, "application/octet-stream", head + data, [f"Inference-Header-Content-Length: {len(head)}"])


def sound() -> list[Sound]:
    """Requests of every form for the models people, inbox, topics and colours of :mod:`tests.deployment.routed`."""
    row, png, js, form = json.dumps(PERSON).encode(), picture(), "application/json", "multipart/form-data; boundary=x"
    mail, table = message("spam", 5), b"age,job,married,since,note\n39,clerk,true,2020-01-31,red\n20,baker,,,\n" * 2
    pixels = np.asarray(imaging.picture("blue", 7)).tolist()
    infer = "/v2/models/{}/infer".format
    columns = [
        {"name": "age", "shape": [2], "datatype": "FP64", "data": [39, 22]},
        {"name": "job", "shape": [2, 1], "datatype": "BYTES", "data": [["clerk"], ["smith"]]},
    ]
    shaped = {"name": "pixels", "shape": [1, 20, 20, 3], "datatype": "UINT8", "data": [pixels]}
    given = [
        ("/v1/people/predict", js, row), ("/v1/people/predict", js, json.dumps([PERSON] * 3).encode()),
        ("/v1/people/predict", "application/x-ndjson", (row + b"\n") * 3), ("/v1/people/predict", "text/csv", table),
        ("/v1/people/predict", form, _form(("a.csv", "text/csv", table), ("b.json", js, row))),
        ("/v1/people/explain", js, row), (infer("people"), js, json.dumps({"inputs": columns, "id": "7"}).encode()),
        ("/v1/inbox/predict", "message/rfc822", mail), ("/v1/inbox/predict", form, _form(("a.eml", "", mail))),
        ("/v1/inbox/explain", "message/rfc822", mail), ("/v1/topics/predict", "text/plain", b"football goal weather"),
        ("/v1/topics/predict", js, b'[{"text": "offer free"}, "kernel patch"]'), ("/v1/topics/explain", js,
        b'"soup rain"'),
        ("/v1/colours/predict", "image/png", png), ("/v1/colours/predict", "image/jpeg", picture("green", "JPEG")),
        ("/v1/colours/predict", js, json.dumps({"image": base64.b64encode(png).decode()}).encode()),
        ("/v1/colours/predict", form, _form(("a.png", "image/png", png), ("b", "", picture("blue", "GIF")))),
        ("/v1/colours/explain", "image/png", png), (infer("colours"), js, json.dumps({"inputs": [shaped]}).encode()),
    ]  # fmt: skip
    return [
        *(Sound(*each) for each in given),
        _binary(infer("colours"), "content", [png, picture("blue", "WEBP")]),
        _binary(infer("people"), "rows", [row, b'{"age": 3}']),
        _binary(infer("inbox"), "content", [mail] * 2),
    ]


SOUND = sound()


def case(seed: int, number: int) -> Case:
    """The request of a number."""
    rnd = random.Random(f"{seed}:{number}")
    kind = rnd.choices((_body, _json, _special, _media, _path, _header, _framing), (6, 5, 4, 2, 2, 3, 2))[0]
    return kind(rnd)


def _copy(rnd: random.Random) -> Sound:
    one = rnd.choice(SOUND)
    return Sound(one.path, one.media, one.body, list(one.headers))


def damaged(rnd: random.Random, body: bytes) -> bytes:
    """Bytes that were flipped, cut, doubled, dropped, or filled with rubbish."""
    held = bytearray(body)
    for _ in range(rnd.choice((1, 1, 2, 5))):
        at, size = rnd.randrange(len(held) + 1), rnd.choice((1, 2, 8, 64))
        what = rnd.randrange(6)
        if what == 0 and at < len(held):
            held[at] ^= 1 << rnd.randrange(8)
        elif what == 1:
            del held[at : at + size]
        elif what == 2:
            held[at:at] = held[at : at + size] * rnd.choice((1, 3, 100))
        elif what == 3:
            held[at:at] = rnd.choice(RUBBISH)
        elif what == 4:
            del held[at:]
        else:
            held[at:at] = rnd.randbytes(size)
    return bytes(held)


def _body(rnd: random.Random) -> Case:
    one = _copy(rnd)
    one.body = damaged(rnd, one.body)
    return one.case()


def _json(rnd: random.Random) -> Case:
    """Some value of a document is something else, written as it could not be by any library."""
    one = rnd.choice([each for each in SOUND if each.media == "application/json"])
    document = json.loads(one.body)
    places: list[tuple[Any, Any]] = []
    _walk(document, places)
    holder, key = rnd.choice(places)
    if isinstance(holder, dict) and rnd.random() < 0.2:
        holder["§" + rnd.choice(NASTY)[:50]] = holder.pop(key)
    elif isinstance(holder, dict) and "shape" in holder and rnd.random() < 0.6:
        holder |= rnd.choice(TENSORS)
    else:
        holder[key] = "§"
    body = json.dumps(document).encode().replace(b'"\\u00a7"', rnd.choice(NASTY).encode("utf-8", "surrogatepass"))
    return Sound(one.path, one.media, body).case()


def _walk(node: Any, places: list[tuple[Any, Any]]) -> None:
    items = node.items() if isinstance(node, dict) else enumerate(node[:20]) if isinstance(node, list) else ()
    for key, value in items:
        places.append((node, key))
        _walk(value, places)
    if not places:
        places.append(([node], 0))


def _special(rnd: random.Random) -> Case:
    return rnd.choice(SPECIAL)(rnd).case()


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
            b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\nContent-Type: multipart/mixed; boundary=a\n\n" * 500,
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


def _media(rnd: random.Random) -> Case:
    one = _copy(rnd)
    one.media = rnd.choice((*MEDIA, ""))
    return one.case()


def _path(rnd: random.Random) -> Case:
    """Another path, another method, or both."""
    one = _copy(rnd)
    known = (
        "/",
        "/v1",
        "/v2",
        "/metrics",
        "/openapi.json",
        "/v2/health/ready",
        "/v1/people",
        "/v2/models/inbox",
        "/page.js",
    )
    one.path = rnd.choice((*PATHS, *PATHS, *known, one.path))
    made = one.case(rnd.choice(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "POST")))
    made.whole = "%00" not in one.path and len(one.path) < 5000
    return made


def _header(rnd: random.Random) -> Case:
    one = _copy(rnd)
    one.headers += rnd.sample(HEADERS, rnd.choice((1, 1, 2)))
    made = one.case()
    made.whole = False
    return made


def _framing(rnd: random.Random) -> Case:
    """Chunks of every size, lengths that lie, several requests at once, and plain noise."""
    one = _copy(rnd)
    raw = one.case().raw
    length = f"Content-Length: {len(one.body)}".encode()
    what = rnd.randrange(6)
    if what == 0:
        sizes = (b"0", b"1", b"f" * 20, b"-1", b"%x;a=b" % len(one.body), b"%x" % len(one.body), b"0x5", b"", b"5 5")
        chunk = (
            rnd.choice(sizes) + b"\r\n" + one.body + rnd.choice((b"\r\n0\r\n\r\n", b"0\r\n", b"\r\n0\r\nA: b\r\n\r\n"))
        )
        raw = raw.replace(length, b"Transfer-Encoding: chunked").removesuffix(one.body) + chunk
    elif what == 1:
        wrong = rnd.choice((0, 1, len(one.body) // 2, len(one.body) + 1, 10**7, 10**12, 10**30))
        raw = raw.replace(length, b"Content-Length: %d" % wrong)
    elif what == 2:
        raw = b"".join(rnd.choice(SOUND).case().raw for _ in range(rnd.choice((2, 5, 20))))
    elif what == 3:
        raw = damaged(rnd, raw[: len(raw) - len(one.body)]) + one.body
    elif what == 4:
        raw = rnd.choice((b"", b"\r\n" * 9, b"GET ", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\n")) + rnd.randbytes(200)
    else:
        raw = raw.replace(
            b" HTTP/1.1", rnd.choice((b" HTTP/1.0", b" HTTP/2.0", b" HTTP/0.9", b"", b" http/1.1", b" HTTP/1.1 x"))
        )
    return Case(raw, "POST", one.path, whole=False)
