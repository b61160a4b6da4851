"""The command serve, with a real model in a real home."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.deployment import running
from tests.deployment.served import Client

from lithify import api
from lithify.cli import serving
from lithify.cli.output import Terminal
from lithify.store.home import Home, open_home
from lithify.store.tokens import Tokens
from lithify.workflow.serving import Serving

ROW = {"size": 40, "colour": "red"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with one model, which nothing points at yet."""
    sizes = [number % 50 for number in range(300)]
    table = {"size": sizes, "colour": ["red", "blue", "green"] * 100, "big": ["ny"[size > 20] for size in sizes]}
    place = tmp_path_factory.mktemp("serving")
    model = api.train(table, label="big", learner="tree", home=place / "home", out=place / "shape.lith")
    assert model.digest
    return open_home(place / "home")


@pytest.fixture(scope="module")
def promoted(home: Home) -> str:
    digest = home.catalog.models()[0].digest
    home.aliases.move("shape", digest, action="promote", who="me", why="")
    return digest


def start(home: Home, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lithify", "serve", *words, "--home", str(home.path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def failing(home: Home, *words: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr on one line."""
    with start(home, *words) as process:
        out, told = process.communicate(timeout=60)
    assert process.returncode
    return process.returncode, out, " ".join(told.split())


@contextmanager
def serve(home: Home, *words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with start(home, *words, "--http", "127.0.0.1:0", "--json") as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield process, json.loads(line)
        finally:
            process.kill()


def port_of(said: dict[str, Any]) -> int:
    return int(said["url"].rstrip("/").rpartition(":")[2])


def test_nothing_to_serve(tmp_path: Path) -> None:
    with running.start(application=None, home=str(open_home(tmp_path / "empty").path)) as process:
        out, told = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "lithify promote MODEL ALIAS" in told
    assert "Traceback" not in told


def test_every_alias_is_served_when_none_is_named(home, promoted) -> None:
    with running.running(application=None, home=str(home.path), workers=1) as server:
        assert [model["alias"] for model in server.said["models"]] == ["shape@production"]


def test_the_document_says_what_is_served(home, promoted) -> None:
    with serve(home, "shape", "--workers", "2") as (process, said):
        assert sorted(said) == ["everywhere", "models", "pid", "tokens", "url", "workers"]
        assert (said["workers"], said["pid"]) == (2, process.pid)
        assert said["models"] == [
            {
                "alias": "shape@production",
                "name": "shape",
                "digest": promoted,
                "kind": "table",
                "labels": ["n", "y"],
                "url": f"{said['url']}v1/shape/predict",
            }
        ]
        with Client(port_of(said)) as client:
            answer = client.ask("/v1/shape/predict", method="POST", headers="Content-Type: application/json\r\n",
                                body=json.dumps(ROW).encode())  # fmt: skip
            assert answer.status == 200
            assert answer.headers["lithify-model"] == promoted
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_model_file_is_served_by_its_stem(home) -> None:
    with serve(home, str(home.path.parent / "shape.lith"), "--workers", "1") as (_, said):
        assert [model["name"] for model in said["models"]] == ["shape"]
        with Client(port_of(said)) as client:
            assert client.ask("/v2/health/ready").status == 200


def test_an_unknown_alias(home, promoted) -> None:
    status, out, told = failing(home, "shap", "--http", "127.0.0.1:0", "--json")
    assert status == os.EX_NOINPUT
    assert json.loads(out)["code"] == "not-found"
    assert told.startswith("Error: ")


def test_a_port_in_use(home, promoted) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, told = failing(home, "shape", "--http", f"127.0.0.1:{port}")
    assert status == 2
    assert f"The port is in use. Found: 127.0.0.1:{port}." in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--http", "nonsense"], "HOST:PORT"),
        (["--workers", "0"], "at least one worker"),
        (["--certificate", "x.pem"], "private key"),
        (["--certificate", "x.pem", "--private-key", "y.pem"], "cannot be read"),
        (["--timeout", "soon"], "Not a length of time"),
        (["--max-rows", "0"], "above zero"),
    ],
)
def test_what_cannot_be_meant(home, promoted, words, said) -> None:
    status, _, told = failing(home, "shape", *(["--http", "127.0.0.1:0"] if "--http" not in words else []), *words)
    assert status == 2
    assert said in told
    assert "Traceback" not in told


def test_a_log_in_no_folder(home, promoted) -> None:
    status, _, told = failing(home, "shape", "--http", "127.0.0.1:0", "--log", "/nonexistent/x")
    assert (status, "Traceback" in told) == (66, False)
    assert "There is no folder /nonexistent for the log." in told


def test_a_public_address_needs_tokens_or_consent(home, promoted) -> None:
    status, _, told = failing(home, "shape", "--http", ":0")
    assert status == 2
    assert "lithify token" in told
    assert "--no-auth" in told
    for words in (["--no-auth"], []):
        if not words:
            Tokens(home.catalog).add("somebody", ["shape"])
        with start(home, "shape", "--http", ":0", "--json", "--workers", "1", *words) as process:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            assert (said["everywhere"], said["tokens"]) == (True, not words)
            with Client(port_of(said)) as client:
                assert client.ask("/v1/shape").status == (200 if words else 401)
            process.terminate()
            assert process.wait(60) == 0


def test_what_people_are_told(capsys) -> None:
    models = [
        {"alias": f"{kind}@production", "name": kind, "digest": "sha256:" + "3f" * 32, "kind": kind,
         "labels": ["a", "b", "c", "d"], "url": f"http://127.0.0.1:1/v1/{kind}/predict"}
        for kind in ("mail", "text", "table", "image")
    ]  # fmt: skip
    serving._tell(Terminal(), Serving("http://127.0.0.1:1/", models, 2, 7))
    said, told = capsys.readouterr()
    assert "3f3f3f3f3f3f" in said
    assert "a, b, c and 1 more" in said
    assert "http://127.0.0.1:1/ with 2 processes" in said
    assert said.count("curl ") == 4
    assert "message/rfc822" in said
    assert "Bearer" not in said
    assert "every interface" not in said
    serving._tell(Terminal(), Serving("http://127.0.0.1:1/", models, 2, 7, everywhere=True, tokens=True))
    said, _ = capsys.readouterr()
    assert "http://127.0.0.1:1/, on every interface, with 2 processes" in said
    assert said.count("curl -H 'Authorization: Bearer TOKEN' -H 'Content-Type: ") == 4
    assert "Ctrl-C" in told
