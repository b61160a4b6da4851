"""What damages requests: values, bytes, types, paths and headers that nobody sound would send."""

from __future__ import annotations

import random
from typing import Any

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
