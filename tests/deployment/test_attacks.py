"""What somebody would try who means harm: none of it reaches further than its own connection."""

from __future__ import annotations

import contextlib
import gzip
import json
import struct
import time

import numpy as np
import pytest
from tests import imaging
from tests.deployment.parrot import Parrot
from tests.deployment.routed import PERSON, Asker, application, use_patches
from tests.deployment.served import HOST, serving

from lithify.deployment.guard import Guard
from lithify.deployment.http import desk, items, protocol
from lithify.deployment.http.app import build
from lithify.deployment.http.message import Head
from lithify.deployment.limits import Limits
from lithify.errors import Forbidden
from lithify.store.home import Home
from lithify.store.tokens import Token, Tokens


class Scoped(Guard):
    """Scopes by the names of files, which are no aliases of a home."""

    def allow(self, token: Token | None, alias: str) -> None:
        super().allow(token, f"{alias}@production")


@pytest.fixture(scope="module")
def ask() -> Asker:
    return Asker(application(guard=Guard(None, False, local=True), kinds=("people", "inbox")))


# Web pages


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:8000"}, {"host": "localhost.evil.example"}, {"host": "192.168.0.7"}, {"host": ""},
        {"host": "evil@localhost"}, {"host": "127.0.0.1.evil.example"}, {"host": "0x7f.1"}, {"host": "[::2]:8000"},
        {"host": "localhost", "origin": "https://evil.example"}, {"host": "localhost", "origin": "null"},
        {"host": "localhost", "origin": "http://localhost.evil.example:8000"}, {"host": "localhost, evil.example"},
    ],
)  # fmt: skip
def test_pages_from_elsewhere_are_kept_out(ask: Asker, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/"), ("GET", "/openapi.json"), ("POST", "/v1/people/predict"), ("GET", "/metrics")):
        assert ask.refused(403, method, path, PERSON, "text/plain", **headers)["code"] == "forbidden"
    assert "\n" not in ask.refused(403, "GET", "/v2", **headers)


@pytest.mark.parametrize(
    "host", ["localhost:8000", "LOCALHOST.", "app.localhost", "127.0.0.1:1", "127.9.9.9", "[::1]:80"]
)
def test_this_machine_is_let_in(ask: Asker, host: str) -> None:
    for origin in ({}, {"origin": f"http://{host}"}, {"origin": "https://127.0.0.1:3000"}):
        assert ask("POST", "/v1/people/predict", PERSON, host=host, **origin).status == 200


def test_a_token_or_consent_is_enough(home: Home) -> None:
    head = Head("GET", "/", headers={"host": "models.example", "origin": "https://models.example"})
    guard = Guard(Tokens(home.catalog), required=False, local=True)
    with pytest.raises(Forbidden):
        guard.admit(head)
    Tokens(home.catalog).add("one", ["*"])
    guard.refresh()
    guard.admit(head)
    Guard(None, required=False).admit(head)


@pytest.mark.parametrize(("auth", "public", "status"), [(True, False, 403), (False, False, 200), (False, True, 200)])
def test_who_is_asked_for_its_origin(home: Home, auth: bool, public: bool, status: int) -> None:
    settings = {"home": str(home.path), "things": [], "public": public, "auth": auth, "require_signature": None}
    app = build(settings | {"log": None, "limits": {}, "shared": str(home.path / "work")})
    with contextlib.closing(app):
        assert Asker(app)("GET", "/", host="models.example").status == status


# Tokens


def test_a_token_tells_nothing_of_other_models(home: Home) -> None:
    secret, every = Tokens(home.catalog).add("one", ["people"]), Tokens(home.catalog).add("all", ["*"])
    asker = Asker(application(guard=Scoped(Tokens(home.catalog), True), kinds=("people", "hours")))
    headers = {"Authorization": f"Bearer {secret}"}
    for path in ("/v1/hour", "/v1/zzz/predict", "/v2/models/hour"):
        assert b"hours" not in asker("GET", path, **headers).body
        assert b"hours" in asker("GET", path, Authorization=f"Bearer {every}").body
    assert asker("GET", "/metrics").status == 401
    assert asker("GET", "/metrics", **headers).status == 403
    assert asker("GET", "/metrics", Authorization=f"Bearer {every}").status == 200


# Bodies that are small to send and large to hold


@pytest.mark.parametrize(
    ("path", "body", "media", "status"),
    [
        ("/v1/people/predict", b"[" + b"[]," * items.MOST_NESTED + b"[]]", "application/json", 413),
        ("/v1/people/predict", b'{"a":{}}\n' * (items.MOST_NESTED // 2 + 1), "application/x-ndjson", 413),
        ("/v1/people/predict", b"[" + b"1," * items.MOST_VALUES + b"1]", "application/json", 413),
        ("/v1/people/predict", b"\n" * 200_000 + b'{"age": 1}', "application/x-ndjson", 413),
        ("/v1/people/predict", gzip.compress(b"age\n" + b"1\n" * 500, mtime=0), "text/csv", 415),
        ("/v1/people/predict", b"\x28\xb5\x2f\xfd" + bytes(20), "text/csv", 415),
        ("/v1/people/predict", b'{"age": 1}\n' + b"\n" * 20_000, "application/x-ndjson", 200),
    ],
)  # fmt: skip
def test_bombs_are_told_before_they_go_off(ask: Asker, path: str, body: bytes, media: str, status: int) -> None:
    assert ask("POST", path, body, media).status == status


def test_empty_strings_are_counted_before_they_are_made(ask: Asker) -> None:
    tensor = {"name": "content", "datatype": "BYTES", "shape": [20_000, 1], "parameters": {"binary_data_size": 80_000}}
    head = json.dumps({"inputs": [tensor]}).encode()
    for rest in (bytes(80_000), struct.pack("<I", 9) * 20_000):  # the second one is cut short, were it looked at
        found = ask("POST", "/v2/models/inbox/infer", head + rest, Inference_Header_Content_Length=str(len(head)))
        assert found.status == 413


def test_nested_pixels_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    use_patches(monkeypatch)
    asker = Asker(application(kinds=("colours",)))
    pixels = np.asarray([imaging.picture("red", 1), imaging.picture("blue", 2)])
    tensor = {"name": "pixels", "datatype": "UINT8", "shape": list(pixels.shape)}
    answers = [
        asker.json("POST", "/v2/models/colours/infer", {"inputs": [tensor | {"data": data}]})["outputs"]
        for data in (pixels.tolist(), pixels.ravel().tolist())
    ]
    assert answers[0] == answers[1]
    assert answers[0][0]["data"] == ["red", "blue"]
    ragged = pixels.tolist()
    ragged[0][0], ragged[0][1] = ragged[0][0][:-1], [*ragged[0][1], [0, 0, 0]]
    asker.refused(400, "POST", "/v2/models/colours/infer", {"inputs": [tensor | {"data": ragged}]})


def test_many_rows_are_answered_beside_the_loop(ask: Asker) -> None:
    few, many = b'{"age": 1}', b"[" + b",".join([b'{"age":1}'] * 500) + b"]"
    for path, body, media, slow in (
        ("/v1/people/predict", few, "application/json", False), ("/v1/people/predict", many, "application/json", True),
        ("/v1/people/predict", many, "", True), ("/v1/inbox/predict", b"a" * 20_000, "message/rfc822", False),
    ):  # fmt: skip
        opened = ask.open("POST", path, body, media)
        assert isinstance(opened, tuple)
        assert opened[0].slow is slow


# Connections


def test_head_is_answered_without_a_body_even_where_it_is_refused() -> None:
    with serving() as served:
        for raw in (
            b"HEAD /%00 HTTP/1.1\r\n" + HOST + b"\r\n",
            b"HEAD / HTTP/1.1\r\n\r\n",
            b"HEAD / HTTP/1.1\r\nA : b\r\n\r\n",
        ):
            with served.client() as client:
                assert client.send(raw).answer(head_only=True).status == 400
                assert client.closed()


def test_errors_of_the_protocol_are_plain_even_where_the_head_is_refused() -> None:
    with serving(Limits(header=500)) as served:
        for rest in (b"\r\n", HOST + HOST + b"\r\n", HOST + b"A: " + b"b" * 900 + b"\r\n\r\n", HOST + b"A : b\r\n\r\n"):
            with served.client() as client:
                answer = client.send(b"GET /v2/models HTTP/1.1\r\n" + rest).answer()
                assert answer.status in (400, 431)
                assert isinstance(json.loads(answer.body)["error"], str)


def test_who_asks_for_much_waits_for_itself() -> None:
    with serving(application=Parrot()) as served, served.client() as greedy, served.client() as other:
        greedy.send((b"GET /slow/sleep?0.02 HTTP/1.1\r\n" + HOST + b"X-Client: greedy\r\n\r\n") * 60)
        with served.client() as second:
            second.send((b"GET /slow/sleep?0.02 HTTP/1.1\r\n" + HOST + b"X-Client: greedy\r\n\r\n") * 60)
            while served.call(lambda: served.server.desk.waiting) < 20:
                time.sleep(0.001)
            for _ in range(3):
                assert other.ask("/slow", headers="X-Client: other\r\n").status == 200
            assert served.call(lambda: served.server.desk.waiting) > 0  # of the greedy one, who came first


def test_long_bodies_are_not_answered_together() -> None:
    with serving(application=Parrot()) as served, served.client() as client:
        body = b"x" * (desk.BYTES // 2)
        one = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body) + body
        client.send(one * 12)
        for _ in range(12):
            assert client.answer().status == 200
        assert max(served.application.batches) <= 2


def test_questions_without_a_body_go_first() -> None:
    with serving(application=Parrot()) as served, served.client() as greedy, served.client() as other:
        one = b"POST /sleep?0.02 HTTP/1.1\r\n" + HOST + b"Content-Length: 20000\r\n\r\n" + b"x" * 20_000
        clients = [greedy, *(served.client() for _ in range(3))]
        for client in clients:
            client.send(one * 14)
        while len(served.application.batches) < 4:
            time.sleep(0.001)
        assert other.ask("/health").status == 200
        assert sum(served.application.batches) < 14 * len(clients)
        for client in clients:
            client.sock.close()


def test_idle_connections_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STALE", 0.0)
    with serving(Limits(connections=3)) as served, contextlib.ExitStack() as stack:
        busy, *idle = (stack.enter_context(served.client()) for _ in range(3))
        busy.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\na")
        idle[0].send(b"GET / HTTP/1.1\r\nHost: he")  # begun, and never whole
        while served.call(lambda: len(served.server.connections)) < 3:
            time.sleep(0.001)
        for _ in range(5):
            with served.client() as late:
                assert late.ask("/").status == 200
        assert idle[0].closed()
        assert busy.send(b"bc").answer().status == 200


def test_sipping_is_as_bad_as_standing_still() -> None:
    with serving(Limits(arrival=0.3)) as served, served.client() as client:
        client.send(b"GET /big?40000000 HTTP/1.1\r\n" + HOST + b"\r\n")
        until = time.monotonic() + 20
        while not served.application.seen or served.call(lambda: len(served.server.connections)):
            assert time.monotonic() < until
            with contextlib.suppress(ConnectionError):
                client.sock.recv(100)
            time.sleep(0.02)


def test_untaken_answers_are_bounded_together() -> None:
    with serving(Limits(buffered=5_000_000)) as served, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.client()) for _ in range(6)]
        for client in clients:
            client.send(b"GET /big?9000000 HTTP/1.1\r\n" + HOST + b"\r\n")
        until = time.monotonic() + 20
        while len(served.application.seen) < 6 or served.call(
            lambda: sum(each.unsent for each in served.server.connections) > 5_000_000
        ):
            assert time.monotonic() < until
            time.sleep(0.02)
