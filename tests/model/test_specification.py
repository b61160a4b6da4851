"""docs/model.md is enough to score a model: a scorer written from the page alone, without the product's features."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from lithify.data.inputs import read_input
from lithify.data.snapshot import open_snapshot
from lithify.model import golden
from lithify.store.home import open_home

WORD = (1 << 64) - 1
G, M = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9
NAMES = (
    "content-type", "content-transfer-encoding", "from", "to", "reply-to", "subject", "message-id", "date",
    "x-priority", "importance", "mime-version", "in-reply-to", "references", "cc", "x-mailer", "user-agent",
    "organization", "content-disposition", "x-msmail-priority", "x-mimeole", "sender",
)  # fmt: skip
SPACE = bytes(range(33))
BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
Fields = dict[str, bytes]


def fold(stretch: bytes) -> bytes:
    return stretch.lower()  # of bytes: ASCII letters alone


def fnv_of(numbers: Any) -> int:
    value = 14695981039346656037
    for number in numbers:
        value = ((value ^ number) * 1099511628211) & WORD
    return value


def fnv(stretch: bytes) -> int:
    return fnv_of(fold(stretch))


def form(stretch: bytes, limit: int) -> int:
    numbers = []
    for run in re.findall(rb"[a-zA-Z0-9]+|[^a-zA-Z0-9]", stretch, re.DOTALL)[:limit]:
        if run.isalnum():
            kinds = [re.search(kind, run) is not None for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]")]
            numbers.append(256 + sum(bit for bit, has in zip((1, 2, 4), kinds, strict=True) if has))
        else:
            numbers.append(run[0])
    return fnv_of(numbers)


# --- from mail to text ----------------------------------------------------------------------------------------------


def canonical(raw: bytes) -> bytes:
    if raw.startswith(b"From "):
        raw = re.sub(rb"\A[^\r\n]*(?:\r\n|\r|\n|\Z)", b"", raw)
    return raw[:1_048_578].replace(b"\r\n", b"\n").replace(b"\r", b"\n")[:524_288]


def header(lines: list[bytes]) -> tuple[Fields, list[bytes]]:
    """The first field of each name, and every Received after its colon; takes the block off the lines."""
    found: Fields = {}
    received = []
    while lines:
        line = lines.pop(0)
        if line == b"\n":
            break
        whole = line
        while lines and lines[0][:1] in (b" ", b"\t"):
            whole += lines.pop(0)
        name, colon, _ = line.partition(b":")
        if not colon:
            continue
        key = fold(name).decode("latin-1")
        value = whole[len(name) + 1 :]
        if key == "received":
            received.append(value)
        elif key in NAMES and key not in found:
            found[key] = value.strip(SPACE)
    return found, received


def parameter(value: bytes, name: bytes) -> tuple[bytes, bool] | None:
    at = fold(value).find(name)
    if at < 0:
        return None
    rest = value[at + len(name) :]
    if rest.startswith(b'"'):
        return rest[1:].partition(b'"')[0], True
    return re.split(rb'["; \x00-\x1f]', rest)[0], False


def decoded(part: bytes, encoding: bytes) -> bytes:
    if fold(encoding).startswith(b"base64"):
        bits = "".join(f"{BASE64.index(byte):06b}" for byte in part.partition(b"=")[0] if byte in BASE64)
        return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))
    if fold(encoding).startswith(b"quoted-printable"):
        pattern = rb"=([0-9a-fA-F]{2})|=[ \t]*\n"
        return re.sub(pattern, lambda match: bytes.fromhex(match[1].decode()) if match[1] else b"", part)
    return part


def kind_of(value: bytes | None) -> str:
    if value is None:
        return "text"
    for start, kind in ((b"multipart/", "multipart"), (b"text/", "text"), (b"message/rfc822", "message")):
        if fold(value).startswith(start):
            return kind
    return "other" if b"/" in value else "text"


def boundary_line(line: bytes, boundaries: list[bytes]) -> str:
    for boundary in reversed(boundaries):
        if line.startswith(b"--" + boundary):
            return "closing" if line.startswith(b"--" + boundary + b"--") else "opening"
    return ""


def body(fields: Fields, lines: list[bytes], room: int) -> bytes:
    text = b""
    boundaries: list[bytes] = []
    for _ in range(32):
        kind = kind_of(fields.get("content-type"))
        if kind == "multipart" and len(boundaries) < 8:
            found = parameter(fields["content-type"], b"boundary=")
            if found is not None and found[0]:
                boundaries.append(found[0])
        if kind != "message":
            held = []
            while lines and not boundary_line(lines[0], boundaries):
                held.append(lines.pop(0))
            if kind == "text" or (not boundaries and kind != "other"):
                text += decoded(b"".join(held), fields.get("content-transfer-encoding", b""))
                text += b" " if len(text) < room else b""
            while lines and boundary_line(lines[0], boundaries) != "opening":
                lines.pop(0)
            if not lines or len(text) >= room:
                break
            lines.pop(0)
        fields, _ = header(lines)
    return text[:room]


def without_prefixes(subject: bytes) -> tuple[bytes, int]:
    told = 0
    for _ in range(8):
        subject = subject.lstrip(SPACE)
        tag = re.match(rb"\[[^\]]{0,31}\]", subject, re.DOTALL)
        reply = re.match(rb"(re|fw|fwd):", fold(subject))
        if reply:
            told |= 2 if reply[1] == b"re" else 0
            subject = subject[reply.end() :]
        elif tag and not told & 1:
            told |= 1
            subject = subject[tag.end() :]
        else:
            break
    return subject, told


# --- from text and header to buckets --------------------------------------------------------------------------------


def grams(stream: bytes, size: int, bits: int) -> set[int]:
    pieces = {stream[at : at + size] for at in range(len(stream) - size + 1)}
    return {((int.from_bytes(piece, "big") * G) & WORD) >> (64 - bits) for piece in pieces}


def classes(text: bytes) -> bytes:
    out = bytearray()
    escaped = False
    for at, byte in enumerate(text):
        if byte == 27 and at + 1 < len(text):
            escaped = text[at + 1 : at + 2] == b"$"
        letter = chr(byte)
        if escaped or byte >= 128:
            out.append(128)
        elif "a" <= letter <= "z":
            out.append(97)
        elif "A" <= letter <= "Z":
            out.append(65)
        elif "0" <= letter <= "9":
            out.append(48)
        else:
            out.append(32 if byte <= 32 and byte != 10 else byte)
    return bytes(out)


def text_buckets(text: bytes, params: dict[str, Any]) -> set[int]:
    spaced = bytes(32 if byte <= 32 or byte == 160 else byte for byte in fold(text))
    shape = re.sub(rb"(.)\1{3,}", rb"\1\1\1", classes(text), flags=re.DOTALL)
    found = grams(re.sub(rb" +", b" ", spaced).removeprefix(b" "), 4, params["body_bits"])
    first = 1 << params["body_bits"]
    return found | {first + bucket for bucket in grams(shape, params["shape_size"], params["shape_bits"])}


def address(value: bytes | None) -> tuple[bytes, bytes] | None:
    """What stands before the ``@``, and the host with it."""
    if value is None or b"@" not in value:
        return None
    before, _, after = value.rpartition(b"@")
    left = re.search(rb'[^\x00-\x20<",:(]*\Z', before, re.DOTALL)
    right = re.match(rb"[a-zA-Z0-9.-]*", after)
    assert left is not None
    assert right is not None
    return fold(left[0]), fold(b"@" + right[0])


def labels(host: bytes) -> bytes:
    return b".".join(host[1:].split(b".")[-2:])


def facts(fields: Fields, received: list[bytes]) -> dict[int, int]:
    fact = {number: int(name in fields) for number, name in enumerate(NAMES)}
    sender = address(fields.get("from"))
    value = fields.get("from", b"")
    fact[21] = 2 if b'"' in value else int(b"<" in value[1:])
    fact[23] = 0
    if sender is not None:
        fact[22] = fnv(re.split(rb"[.@]", sender[1])[-1][:12])
        digits = len(re.findall(rb"[0-9]", sender[0]))
        fact[23] = 2 * min(3, digits) + bool(re.search(rb"[0-9]{2}\Z", sender[0]))
    to = fields.get("to", b"")[:400]
    fact[24] = min(4, to.count(b"@"))
    fact[25] = int(b"undisclosed" in fold(to[:60]))
    fact[26] = 2 * (b"<" in to) + (b'"' in to)
    fact[27] = int(sender is not None and b"".join(sender) in fold(to))
    reply = address(fields.get("reply-to"))
    fact[28] = 0 if reply is None else 3
    if reply is not None and sender is not None:
        fact[28] = 1 if reply == sender else 2 if reply[1] == sender[1] else 3
    fact |= identity(fields, sender) | kinds(fields) | subject(fields)
    routes = [fold(each[:599]) for each in received]
    fact[51] = 2 * any(b"unknown" in route for route in routes) + any(b"forged" in route for route in routes)
    bare = rb"[fF]rom (?=.{2})(?:[0-9]|\[[0-9])"
    fact[52] = min(3, sum(len(re.findall(bare, each[:599], re.DOTALL)) for each in received))
    protocols = ((b"with esmtp", 1), (b"with smtp", 2), (b"with http", 4), (b"with local", 8))
    fact[53] = sum(bit for word, bit in protocols if any(word in route for route in routes))
    return fact


def identity(fields: Fields, sender: tuple[bytes, bytes] | None) -> dict[int, int]:
    value = fields.get("message-id")
    if value is None:
        return {31: 0, 32: 0, 33: 0}
    bare = value.lstrip(b"<").rstrip(b">")
    left, sign, rest = bare.partition(b"@")
    host = fold(sign + rest)
    relation = 0
    if sign:
        relation = 3
        if sender is not None and host == sender[1]:
            relation = 1
        elif sender is not None and labels(host) == labels(sender[1]):
            relation = 2
    brackets = len(value) > 1 and value.startswith(b"<") and value.endswith(b">")
    return {29: form(left, 40), 30: len(left) // 4, 31: int(brackets), 32: relation, 33: min(3, host.count(b"."))}


def kinds(fields: Fields) -> dict[int, int]:
    fact = {}
    if "content-type" in fields:
        value = fields["content-type"]
        fact[34] = fnv(re.split(rb"[\x00-\x20;]", value)[0][:40])
        if (charset := parameter(value, b"charset=")) is not None:
            fact[35], fact[36] = fnv(charset[0][:24]), int(charset[1])
        if (boundary := parameter(value, b"boundary=")) is not None:
            fact[37] = form(boundary[0], 20)
    limits = (("content-transfer-encoding", 38, 16), ("x-priority", 39, 3), ("importance", 40, 6))
    fact |= {number: fnv(fields[name][:limit]) for name, number, limit in limits if name in fields}
    return fact | ({41: form(fields["date"], 40)} if "date" in fields else {})


def subject(fields: Fields) -> dict[int, int]:
    if "subject" not in fields:
        return {}
    text, told = without_prefixes(fields["subject"])
    upper, letters = (len(re.findall(kind, text)) for kind in (rb"[A-Z]", rb"[A-Za-z]"))
    odd = re.search(rb"[\x00-\x20]{4}[^\x00-\x20]*\Z|[0-9]{3}\Z", text) is not None
    last = text[-1:]
    return {
        42: told,
        43: min(7, text.count(b"!")),
        44: min(2, text.count(b"?")),
        45: int(b"$" in text),
        46: 4 * upper // letters if letters else 9,
        47: min(9, len(text) // 8),
        48: int(odd),
        49: 2 * any(byte >= 128 for byte in text) + (b"=?" in text),
        50: 97 if last.isalpha() else 48 if last.isdigit() else last[0] if last else 0,
    }


def fact_buckets(fact: dict[int, int], params: dict[str, Any]) -> set[int]:
    first = (1 << params["body_bits"]) + (1 << params["shape_bits"])
    found = set()
    for number, value in fact.items():
        m = ((value ^ ((number * M) & WORD)) * G) & WORD
        m ^= m >> 29
        found.add(first + (((m * M) & WORD) >> (64 - params["header_bits"])))
    return found


def mail_buckets(raw: bytes, params: dict[str, Any]) -> set[int]:
    lines = re.findall(rb"[^\n]*\n|[^\n]+", canonical(raw))
    fields, received = header(lines)
    text = b""
    if "subject" in fields:
        text = without_prefixes(fields["subject"])[0][: min(200, params["read"] - 1)] + b"\n"
    text += body(fields, lines, params["read"] - len(text))
    return text_buckets(text, params) | fact_buckets(facts(fields, received), params)


# --- from buckets to raw scores -------------------------------------------------------------------------------------


def score(model: Any, raw: bytes) -> list[float]:
    meta, tensors = model._sealed.file.meta, model._sealed.file.tensors
    params = meta["features"]["params"]
    if meta["kind"] == "mail":
        buckets = mail_buckets(raw, params)
    else:
        text = raw.replace(b"\r\n", b"\n")[:524_288].decode("utf-8", "ignore").encode()
        buckets = text_buckets(text[: params["read"]], params)
    weights, bias, scale = (tensors[f"learner/{name}"].tolist() for name in ("weights", "bias", "scale"))
    root = math.sqrt(max(1, len(buckets)))
    out = [(sum(weights[b][c] for b in buckets) / root + bias[c]) * scale[c] for c in range(len(bias))]
    return out if len(model.labels) > 2 else [0.0, *out]


MAILS = {
    "empty": b"",
    "a line feed": b"\n",
    "no header": b"\nonly a body, $5!\n",
    "header alone": b"Subject: x",
    "plain": b"From: Ann <ann12@mail.example.com>\nTo: bob@example.org\nSubject: Re: [list] Hello THERE 123\n"
    b"Message-ID: <20.A-b@relay.example.com>\nDate: Mon, 3 Nov 2003 10:00:00 +0000\n\nHow are  you?\n\nBye\n",
    "mbox and CRLF": b"From ann Mon Jan  1 00:00:00 2024\r\nSubject: a\r\nX: y\r\n\r\none\r\n\rtwo\r",
    "base64": b"Content-Type: TEXT/html; charset=\"UTF-8\"\nContent-Transfer-Encoding: BASE64\n"
    b"\nPGI+a*Gk8L2I+\nQQ==ignored",
    "quoted": b"Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: quoted-printable\n"
    b"\n=C3=a9= \t\nx=zz=4",
    "parts": b"Subject: parts\nContent-Type: multipart/mixed;\n boundary=\"a b\"; x=y\n\npre\n--a b\n\nfirst\n--a bX\n"
    b"Content-Type: multipart/alternative; Boundary=in;\n\n--in\nContent-type: text/html\n\n<p>x</p>\n--in--\nafter\n"
    b"--a b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\naGk=\n--a b\nContent-Type: message/rfc822\n"
    b"\nSubject: inner\n\ninside\n--a b--\nepilogue\n",
    "multipart without a boundary": b"Content-Type: multipart/mixed\n\n--x\n\nhello\n",
    "odd types": b"Content-Type: nonsense\n\nread\n",
    "not text": b"Content-Type: application/x; charset=\n\nunread\n",
    "route": b"Received: from 10.0.0.1 by x with ESMTP\nReceived: From [1.2.3.4] (forged) with smtp;\n\tfrom 7\n"
    b"received: from unknown with LOCAL and with http\nReceived: " + b"x" * 590 + b" unknown\nX-Priority: 3 (Normal)\n"
    b"Importance: High-ish\n\nbody\n",
    "addresses": b"From: \"A\" <a.b@sub.Example.co.uk>\nReply-To: <c@SUB.example.co.uk>\nTo: undisclosed-recipients:;, "
    b"A.B@sub.example.CO.uk, \"q\" <q@r>, x@y, z@w\nMessage-ID: <<abc@x.example.co.uk>>\nSubject:\n\n.\n",
    "no address": b"From: nobody\nReply-To: x@y\nMessage-Id: plain\nMessage-ID: second@z\n"
    b"Subject: Fwd: FW: [t] [u] 9\n\n",
    "tracking": b"Subject: cheap     qz17\nsubject : no\nFrom: x@9\nMessage-ID: <a@b.9>\n more\n\n"
    + "\u00e9\u00a0".encode() * 9,
    "escapes": b"Subject: =?iso-2022-jp?B?GyRC?= \xff\n\n\x1b$B#H#e\x1b(Bplain....aaaaAAAA1111\x1b",
    "long": b"Subject: " + b"Buy now! " * 60 + b"\n\n" + b"word Word 12,5 %\n" * 900,
    "controls": bytes(range(256)) * 3,
    "deep": b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"--b\nContent-Type: multipart/mixed; boundary=b\n\nx\n" * 40,
    "many parts": b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"".join(b"--b\n\npart %d\n" % i for i in range(40)),
    "many boundaries": b"Content-Type: multipart/mixed; boundary=b0\n\n"
    + b"".join(b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (i, i + 1) for i in range(12))
    + b"--b12\n\nx\n--b8\n\ny\n--b7\n\nz\n",
}  # fmt: skip


@pytest.mark.parametrize("name", MAILS)
def test_mail_scores_as_the_page_says(trained, name: str) -> None:
    model = trained["mail"]
    raw = model.raw([read_input(MAILS[name], "mail")])[0]
    assert score(model, MAILS[name]) == raw.tolist()


TEXTS = ["", "a", "Hello  World\r\n\n12 %", "caf\u00e9 \u00a0 x" * 9, "\x1b$Bab\x1b(Bc", "long " * 5000]


@pytest.mark.parametrize("text", TEXTS)
def test_text_scores_as_the_page_says(trained, text: str) -> None:
    model = trained["text"]
    assert score(model, text.encode()) == model.raw([read_input(text, "text")])[0].tolist()


def test_golden_scores_are_those_of_the_page(trained) -> None:
    for kind, model in trained.items():
        inputs = golden.inputs(kind)
        assert [score(model, each) for each in inputs] == model._sealed.golden_raw.tolist()


def test_buckets_are_those_of_the_page(trained, made) -> None:
    """With tables of full size, so that not two buckets fall together that should not."""
    features = type(trained["mail"].draft.features)
    full = features(features.Params())
    snap = open_snapshot(open_home(made), "mail")
    contents = [*snap.content(np.arange(len(snap))), *(read_input(mail, "mail") for mail in MAILS.values())]
    block = full.transform(full.fit([]), contents)["hashed"]
    for row, content in enumerate(contents):
        found = set(block.index[block.start[row] : block.start[row + 1]].tolist())
        assert mail_buckets(content, vars(full.params)) == found, row
