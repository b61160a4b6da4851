"""Requests that somebody damaged: mutations of sound ones, each the same for the same seed and number."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.deployment.odd import SPECIAL
from tests.deployment.rubbish import HEADERS, MEDIA, NASTY, PATHS, TENSORS, damaged
from tests.deployment.sound import SOUND, Case, Sound


def case(seed: int, number: int) -> Case:
    """The request of a number."""
    rnd = random.Random(f"{seed}:{number}")
    kind = rnd.choices((_body, _json, _special, _media, _path, _header, _framing), (6, 5, 4, 2, 2, 3, 2))[0]
    return kind(rnd)


def _copy(rnd: random.Random) -> Sound:
    one = rnd.choice(SOUND)
    return Sound(one.path, one.media, one.body, list(one.headers))


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
