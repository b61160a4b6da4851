"""What a client may not do: every limit, every malformed request, and what must stay well meanwhile."""

from __future__ import annotations

import contextlib
import json
import random
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.deployment.parrot import Parrot
from tests.deployment.served import HOST, serving

from lithify.deployment.http import protocol
from lithify.deployment.http.worker import secure
from lithify.deployment.limits import Limits
from lithify.errors import UsageError

GET = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

MALFORMED = {
    "no host": GET + b"\r\n",
    "two hosts": GET + HOST + HOST + b"\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths in one": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "hex length": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "endless length": POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\nabc",
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk size of letters": CHUNKED + b"xyz\r\n",
    "chunk size with a sign": CHUNKED + b"-3\r\nabc\r\n",
    "chunk size with a space": CHUNKED + b" 3\r\nabc\r\n",
    "chunk size too large": CHUNKED + b"fffffffffffffffff\r\n",
    "chunk longer than said": CHUNKED + b"3\r\nabcdef\r\n",
    "chunk without CR": CHUNKED + b"3\nabc\n0\n\n",
    "NUL in a value": GET + HOST + b"A: b\0c\r\n\r\n",
    "NUL in a name": GET + HOST + b"A\0: b\r\n\r\n",
    "NUL in the target": b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n",
    "encoded NUL in the target": b"GET /%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "fragment in the target": b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n",
    "byte beyond ASCII in the target": b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
    "space before the colon": GET + HOST + b"A : b\r\n\r\n",
    "folded header": GET + HOST + b"A: b\r\n c\r\n\r\n",
    "no name": GET + HOST + b": b\r\n\r\n",
    "lines without CR": b"GET / HTTP/1.1\nHost: here\n\n",
    "header without CR": GET + b"Host: here\nA: b\r\n\r\n",
    "CR alone": GET + HOST + b"A: b\rC: d\r\n\r\n",
    "method in lower case": b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    "unknown method": b"GRAB / HTTP/1.1\r\n" + HOST + b"\r\n",
    "no method": b"/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"GET / \r\n\r\n",
    "tunnel": b"CONNECT here:1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "asterisk": b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
UNKNOWN = {
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "other coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "no chunks": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
}


@pytest.fixture(scope="module")
def served():
    with serving(Limits(header=2000)) as running:
        yield running


def refused(client, status: int) -> dict:
    """The error of the answer, after which the connection must close."""
    answer = client.answer()
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    assert client.closed()
    error = json.loads(answer.body)["error"]
    assert set(error) <= {"code", "message", "expected", "found", "hint"}
    return error


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests_are_refused(served, name) -> None:
    with served.client() as client:
        refused(client.send(MALFORMED[name]), 400)
    assert not [path for path, status in served.application.seen if status == 200 and path == "/smuggled"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_this_server_does_not_speak(served, name) -> None:
    wire, status = UNKNOWN[name]
    with served.client() as client:
        refused(client.send(wire), status)


def test_what_follows_a_malformed_request_is_not_answered(served) -> None:
    with served.client() as client:
        client.send(
            GET + HOST + b"\r\n" + MALFORMED["length and chunks"] + b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
        )
        assert client.answer().status == 200
        refused(client, 400)


def test_headers_up_to_the_limit(served) -> None:
    start = GET + HOST + b"X: "
    room = 2000 - len(start) - len(b"\r\n\r\n")
    with served.client() as client:
        assert client.send(start + b"a" * room + b"\r\n\r\n").answer().status == 200
        refused(client.send(start + b"a" * (room + 1) + b"\r\n\r\n"), 431)


@pytest.mark.parametrize(
    "start",
    [GET + HOST + b"X: ", GET + HOST + b"X", b"GET /", b"GET /?", GET + HOST, CHUNKED + b"1;x=", CHUNKED + b"0\r\nX: "],
)
def test_an_endless_head_is_cut_off(served, start) -> None:
    more = b"A: b\r\n" if start.endswith(HOST) else b"a" * 50
    with served.client() as client:
        client.send(start)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 1_000_000:
                client.sock.send(more)
                sent += len(more)
                if sent > 20_000:
                    break
                time.sleep(0)
        assert client.answer().status == 431


def test_endless_empty_lines_reach_nobody() -> None:
    with serving(Limits(idle=0.3)) as served, served.client() as client:
        until = time.monotonic() + 20
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < until:
                client.send(b"\r\n" * 10)
                time.sleep(0.02)
        assert time.monotonic() < until


def test_a_body_beyond_the_limit_is_refused_before_it_comes(served) -> None:
    with served.client() as client:
        error = refused(client.send(POST + b"Content-Length: 1048577\r\n\r\n"), 413)
        assert error["code"] == "too-large"
        assert "1,048,576" in error["expected"]
    with served.client() as client:
        body = b"x" * (1 << 20)
        assert json.loads(client.ask("/", method="POST", body=body).body)["length"] == len(body)


def test_chunks_beyond_the_limit_are_refused_as_they_come(served) -> None:
    with served.client() as client:
        client.send(CHUNKED)
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                client.send(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        assert client.answer().status == 413


def test_a_large_body_that_is_refused_does_not_hide_the_answer(served) -> None:
    with served.client() as client:
        with contextlib.suppress(ConnectionError):
            client.send(POST + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2_000_000)
        assert client.answer().status == 413


def test_plain_errors_below_v2(served) -> None:
    with served.client() as client:
        client.send(b"POST /v2/x HTTP/1.1\r\n" + HOST + b"Content-Length: 9999999\r\n\r\n")
        assert isinstance(json.loads(client.answer().body)["error"], str)


@pytest.mark.parametrize("start", [b"G", GET, POST + b"Content-Length: 10\r\n\r\nabc", CHUNKED + b"3\r\nabc\r\n"])
def test_a_request_must_arrive_in_time(start) -> None:
    with serving(Limits(arrival=0.2)) as served, served.client() as client:
        refused(client.send(start), 408)


def test_a_trickle_is_not_enough() -> None:
    with serving(Limits(arrival=0.3)) as served, served.client() as client, served.client() as other:
        with contextlib.suppress(ConnectionError):
            for byte in GET + HOST + b"A: " + b"b" * 1000:
                client.send(bytes([byte]))
                time.sleep(0.01)
        assert client.answer().status == 408
        assert other.ask("/").status == 200


def test_an_idle_connection_is_closed() -> None:
    with serving(Limits(idle=0.2)) as served, served.client() as client, served.client() as silent:
        assert client.ask("/").status == 200
        assert client.closed()
        assert silent.closed()


def test_a_client_that_takes_nothing_is_dropped() -> None:
    with serving(Limits(arrival=0.3)) as served, served.client() as client:
        client.send((b"GET /big?4000000 HTTP/1.1\r\n" + HOST + b"\r\n") * 4)
        until = time.monotonic() + 20
        while served.call(lambda: len(served.server.connections)) != 0 or not served.application.seen:
            assert time.monotonic() < until
            time.sleep(0.02)


def test_one_connection_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STALE", 600.0)
    with serving(Limits(connections=2)) as served, served.client() as one, served.client() as two:
        assert (one.ask("/").status, two.ask("/").status) == (200, 200)
        with served.client() as three:
            answer = three.answer()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert three.closed()
        assert one.ask("/").status == 200
        one.sock.close()
        until = time.monotonic() + 20
        while served.call(lambda: len(served.server.connections)) > 1:
            assert time.monotonic() < until
            time.sleep(0.01)
        with served.client() as four:
            assert four.ask("/").status == 200


def test_too_many_requests_wait() -> None:
    with serving(Limits(waiting=2)) as served, served.client() as one, served.client() as two:
        one.send(b"GET /slow/sleep?0.5 HTTP/1.1\r\n" + HOST + b"\r\n")
        two.send(b"GET /slow/sleep?0.5 HTTP/1.1\r\n" + HOST + b"\r\n")
        while served.call(lambda: served.server.desk.waiting) < 2:
            time.sleep(0.01)
        with served.client() as three:
            answer = three.ask("/")
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert (one.answer().status, two.answer().status) == (200, 200)
            assert three.ask("/").status == 200


def test_one_client_waits_for_too_much() -> None:
    with serving(Limits(per_client=1)) as served, served.client() as one, served.client() as two:
        one.send(b"GET /slow/sleep?0.5 HTTP/1.1\r\n" + HOST + b"X-Client: a\r\n\r\n")
        while not served.call(lambda: served.server.desk.waiting):
            time.sleep(0.01)
        answer = two.ask("/", headers="X-Client: a\r\n")
        assert (answer.status, answer.headers["retry-after"]) == (429, "1")
        assert two.ask("/", headers="X-Client: b\r\n").status == 200
        assert one.answer().status == 200
        assert two.ask("/", headers="X-Client: a\r\n").status == 200


def test_an_answer_that_takes_too_long() -> None:
    with serving(Limits(answer=0.2)) as served, served.client() as client, served.client() as other:
        client.send(b"GET /slow/sleep?1 HTTP/1.1\r\n" + HOST + b"\r\n" + GET + HOST + b"\r\n")
        answer = client.answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert client.answer().status == 200
        assert other.ask("/slow").status == 200
        assert served.call(lambda: served.server.desk.waiting) == 0


def test_too_much_is_held_of_all_bodies_together() -> None:
    with serving(Limits(buffered=100_000)) as served, served.client() as one, served.client() as two:
        one.send(POST + b"Content-Length: 90000\r\n\r\n" + b"x" * 89_999)
        while served.call(lambda: served.server.desk.buffered) < 89_999:
            time.sleep(0.01)
        assert refused(two.send(POST + b"Content-Length: 20000\r\n\r\n"), 503)["code"] == "overloaded"
        assert one.send(b"x").answer().status == 200
        with served.client() as three:
            assert three.ask("/", method="POST", body=b"x" * 90_000).status == 200


@given(st.binary(max_size=400))
def test_noise_never_harms(served, noise) -> None:
    with served.client() as client:
        client.send(noise)
        client.sock.shutdown(1)
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                assert client.answer().status in (200, 400, 431)
    assert not [status for _, status in served.application.seen if status == 500]


@given(seed=st.integers(0, 1 << 32), name=st.sampled_from(sorted(MALFORMED)), cut=st.integers(1, 50))
def test_damaged_requests_never_harm(served, seed, name, cut) -> None:
    draw = random.Random(seed)
    wire = bytearray(GET + HOST + b"\r\n" + MALFORMED[name] + CHUNKED + b"3\r\nabc\r\n0\r\n\r\n")
    for _ in range(draw.randrange(6)):
        wire[draw.randrange(len(wire))] = draw.choice(b"\r\n\0 :;,0aZ\xff")
    with served.client() as client:
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(wire), cut):
                client.send(bytes(wire[at : at + cut]))
            client.sock.shutdown(1)
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                assert client.answer().status in (200, 400, 413, 431)
    assert not [status for _, status in served.application.seen if status == 500]


def test_no_connection_outlives_the_noise(served) -> None:
    until = time.monotonic() + 20
    while served.call(lambda: (len(served.server.connections), served.server.desk.buffered)) != (0, 0):
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def identity(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate for localhost that vouches for itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("identity")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    coded = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(*coded))
    return folder / "cert.pem", folder / "key.pem"


def test_https(identity) -> None:
    certificate, key = map(str, identity)
    trusting = ssl.create_default_context(cafile=certificate)
    with serving(application=Parrot(), context=secure(certificate, key)) as served:
        with served.client(trusting) as client:
            body = b"x" * 200_000
            assert json.loads(client.ask("/", method="POST", body=body).body)["length"] == len(body)
            assert client.ask("/big?3000000").status == 200
        with served.client() as plain:
            plain.send(GET + HOST + b"\r\n")
            with pytest.raises((EOFError, ConnectionError, AssertionError, IndexError, ValueError)):
                assert plain.answer().status
        with served.client(trusting) as client:
            assert client.send(b"BAD\r\n\r\n").answer().status == 400


def test_https_needs_files_that_fit(identity, tmp_path) -> None:
    certificate, key = map(str, identity)
    (tmp_path / "empty.pem").write_bytes(b"")
    for given_key in (str(tmp_path / "empty.pem"), str(tmp_path / "none.pem"), certificate):
        with pytest.raises(UsageError):
            secure(certificate, given_key)
    assert secure(None, None) is None
    assert secure(certificate, key) is not None
