"""HTTP/1.1 as a client may use it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.deployment.parrot import Parrot
from tests.deployment.served import HOST, serving

from lithify.deployment.limits import Limits


@pytest.fixture(scope="module")
def served():
    with serving() as running:
        yield running


@pytest.fixture
def client(served):
    with served.client() as made:
        yield made


def test_a_connection_answers_again_and_again(client) -> None:
    for number in range(3):
        answer = client.ask(f"/a%20b?n={number}", method="POST", body=b"x" * number)
        said = json.loads(answer.body)
        assert answer.status == 200
        assert (said["path"], said["query"], said["body"]) == ("/a b", f"n={number}", "x" * number)
        assert said["peer"] == "127.0.0.1"


def test_every_answer_carries_what_it_must(client) -> None:
    headers = client.ask("/").headers
    assert headers["server"] == "lithify"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["date"].endswith("GMT")
    assert "connection" not in headers


def test_headers_are_joined_and_lowered(client) -> None:
    said = json.loads(client.ask("/", headers="X-A: 1 \r\nx-a:\t2\r\nX-Empty:\r\n").body)
    assert (said["headers"]["x-a"], said["headers"]["x-empty"]) == ("1, 2", "")


def test_head_has_the_length_and_no_body(client) -> None:
    answer = client.ask("/big?1234", method="HEAD")
    assert (answer.status, answer.headers["content-length"]) == (200, "1234")
    assert client.ask("/").status == 200


def test_no_content_has_no_length_and_no_type(client) -> None:
    answer = client.ask("/none-inside")
    assert answer.status == 204
    assert not {"content-length", "content-type"} & {*answer.headers}
    assert client.ask("/").status == 200


def test_close_is_heeded(client) -> None:
    answer = client.ask("/", headers="Connection: close\r\n")
    assert answer.headers["connection"] == "close"
    assert client.closed()


def test_http_1_0_closes_unless_told(served) -> None:
    with served.client() as client:
        assert client.send(b"GET / HTTP/1.0\r\n\r\n").answer().headers["connection"] == "close"
        assert client.closed()
    with served.client() as client:
        for _ in range(2):
            answer = client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer()
            assert answer.headers["connection"] == "keep-alive"


def test_pipelined_requests_are_answered_in_their_order(client) -> None:
    paths = [f"/{'slow' if number % 3 == 0 else 'quick'}/{number}" for number in range(300)]
    client.send(b"".join(f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n" for path in paths))
    assert [json.loads(client.answer().body)["path"] for _ in paths] == paths


def test_a_slow_request_holds_up_no_other_connection(served) -> None:
    with served.client() as slow, served.client() as quick:
        slow.send(b"GET /slow/sleep?1 HTTP/1.1\r\n" + HOST + b"\r\n")
        began = time.monotonic()
        while time.monotonic() - began < 0.1 or not served.server.desk.waiting:
            assert quick.ask("/").status == 200
        assert served.server.desk.waiting == 1
        assert slow.answer().status == 200


def test_requests_that_came_together_are_answered_together(served, client) -> None:
    served.application.batches.clear()
    client.send((b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") * 10)
    for _ in range(10):
        client.answer()
    assert max(served.application.batches) > 1


def test_slow_requests_that_came_together_are_shared_out() -> None:
    with serving(application=Parrot()) as served, served.client() as client:
        client.send((b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n") * 10)
        for _ in range(10):
            client.answer()
        assert sum(served.application.batches) == 10
        assert max(served.application.batches) > 1


@given(body=st.binary(max_size=300), sizes=st.lists(st.integers(1, 64), max_size=8), cut=st.integers(1, 200))
def test_chunked_bodies_arrive_whole_however_they_are_cut(served, body, sizes, cut) -> None:
    parts, at = [], 0
    for size in [*sizes, len(body)]:
        if part := body[at : at + size]:
            parts.append(f"{len(part):X};ext=1\r\n".encode() + part + b"\r\n")
        at += size
    wire = (
        b"POST /c HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + b"0\r\nT: 1\r\n\r\n"
    )
    with served.client() as client:
        for begin in range(0, len(wire), cut):
            client.send(wire[begin : begin + cut])
        said = json.loads(client.answer().body)
        assert said["body"].encode("latin-1") == body
        assert "t" not in said["headers"]
        assert client.ask("/").status == 200


def test_bytes_may_come_one_by_one(client) -> None:
    for byte in b"POST /one HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc":
        client.send(bytes([byte]))
    assert json.loads(client.answer().body)["body"] == "abc"


def test_continue_is_said_before_the_body(client) -> None:
    client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert client.answer().status == 100
    assert json.loads(client.send(b"abc").answer().body)["body"] == "abc"


def test_continue_waits_for_the_answers_before_it(client) -> None:
    asking = b"POST /2 HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    client.send(b"GET /slow/sleep?0.05 HTTP/1.1\r\n" + HOST + b"\r\n" + asking)
    assert json.loads(client.answer().body)["path"] == "/slow/sleep"
    assert client.answer().status == 100
    assert json.loads(client.send(b"abc").answer().body)["path"] == "/2"


def test_a_refused_request_is_told_before_its_body_is_sent(client) -> None:
    client.send(b"POST /none HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (404, "close")


def test_a_small_body_of_a_refused_request_is_read_over(client) -> None:
    assert client.ask("/none", method="POST", body=b"GET /smuggled HTTP/1.1\r\n\r\n").status == 404
    assert json.loads(client.ask("/after").body)["path"] == "/after"


def test_an_offer_of_another_protocol_is_declined(client) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    for framing, sent in (
        (b"Content-Length: 3\r\n", b"abc"),
        (b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
    ):
        client.send(b"POST /up HTTP/1.1\r\n" + HOST + offer + framing + b"\r\n" + sent)
        said = json.loads(client.answer().body)
        assert (said["path"], said["body"]) == ("/up", "abc")
        client.send(b"POST /up HTTP/1.1\r\n" + HOST + offer + framing + b"\r\n")
        client.send(sent)
        assert json.loads(client.answer().body)["body"] == "abc"
    assert json.loads(client.ask("/up", headers=offer.decode()).body)["path"] == "/up"
    assert json.loads(client.ask("/after").body)["path"] == "/after"


def test_absolute_and_asterisk_targets(client) -> None:
    assert json.loads(client.ask("http://here:1/x?y").body)["path"] == "/x"
    assert json.loads(client.ask("*", method="OPTIONS").body)["path"] == "*"


def test_a_client_that_is_done_sending_is_answered(client) -> None:
    client.send(b"GET /slow/sleep?0.05 HTTP/1.1\r\n" + HOST + b"\r\n").sock.shutdown(1)
    assert client.answer().status == 200
    assert client.closed()


def test_a_failing_application_is_a_plain_500(served, client, caplog) -> None:
    for path in ("/raise", "/slow/raise", "/broken", "/v2/raise"):
        answer = client.ask(path)
        assert answer.status == 500
        assert b"secret" not in answer.body
        told = json.loads(answer.body)["error"]
        assert isinstance(told, str) if path.startswith("/v2") else told["code"] == "error"
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text
    assert client.ask("/").status == 200


def test_only_the_request_that_fails_fails(client) -> None:
    one = b"GET %s HTTP/1.1\r\n" + HOST + b"\r\n"
    client.send(one % b"/a" + one % b"/raise" + one % b"/b")
    assert [client.answer().status for _ in range(3)] == [200, 500, 200]


def test_every_response_is_observed(served, client) -> None:
    served.application.seen.clear()
    client.ask("/x")
    client.ask("/none")
    client.send(b"BAD\r\n\r\n").answer()
    assert served.application.seen == [("/x", 200), ("/none", 404), ("", 400)]


def test_a_client_that_does_not_read_is_not_read_from(served) -> None:
    with served.client() as client:
        client.sock.settimeout(0.3)
        wire = (b"GET /big?100000 HTTP/1.1\r\n" + HOST + b"\r\n") * 100
        sent = 0
        try:
            for _ in range(1000):
                sent += client.sock.send(wire)
        except TimeoutError:
            pass
        held = served.call(lambda: [len(each._queue) for each in served.server.connections])
        assert max(held) < 300
        assert sent < 1000 * len(wire)
        client.sock.settimeout(20)
        assert all(client.answer().status == 200 for _ in range(200))


def test_nothing_is_left_behind(served) -> None:
    with served.client() as client, served.client() as gone:
        client.ask("/", method="POST", body=b"x" * 10_000)
        gone.send(b"POST /slow/sleep?0.05 HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nabcdeGET /")
    until = time.monotonic() + 20
    desk = served.server.desk
    while served.call(lambda: (len(served.server.connections), desk.waiting, desk.buffered, len(desk._clients))) != (
        0, 0, 0, 0,
    ):  # fmt: skip
        assert time.monotonic() < until
        time.sleep(0.01)


def test_draining_answers_what_is_under_way_and_refuses_no_one() -> None:
    with serving(Limits(grace=10)) as served, served.client() as busy, served.client() as idle:
        assert idle.ask("/").status == 200
        busy.send(b"GET /slow/sleep?0.3 HTTP/1.1\r\n" + HOST + b"\r\n")
        while not served.call(lambda: served.server.desk.waiting):
            time.sleep(0.01)
        import threading

        draining = threading.Thread(target=served.drain)
        draining.start()
        while not served.server.draining:
            time.sleep(0.01)
        last = idle.ask("/last")
        assert (last.status, last.headers["connection"]) == (200, "close")
        assert idle.closed()
        answer = busy.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        idle.sock.close()
        busy.sock.close()
        draining.join(20)
        assert not draining.is_alive()
        with pytest.raises(ConnectionError):
            served.client()
