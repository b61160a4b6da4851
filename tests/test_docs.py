"""Every command and every example of the README, the tutorials and the page on estimators is run, in order.

What pages list is compared with what is there.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lithify import parsing
from lithify.deployment.http.metrics import FAMILIES
from lithify.deployment.limits import Limits
from lithify.evaluation.comparison.gates import Gates
from lithify.learners.network.graph.operators import OPERATORS
from lithify.learners.registry import BUILT_IN

ROOT = Path(__file__).parents[1]
SERVING = "docs/serving.md"
PORT = "8765"
"""Where the pages serve; the tests take a free port in its place."""
PAGES = (
    "README.md", "docs/tutorial.md", "docs/tables.md", "docs/images.md", "docs/deploy.md", "docs/signatures.md",
)  # fmt: skip


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def lines(block: str) -> list[str]:
    """The ``$ `` lines of a console block; a line that ends in a backslash goes on in the next."""
    joined = block.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in joined if line.startswith("$ ")]


def commands(page: str) -> list[str]:
    """The commands of a page."""
    return [line for block in blocks(page, "console") for line in lines(block)]


@pytest.fixture(scope="module", params=PAGES)
def followed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A folder in which a page's commands were run."""
    folder = tmp_path_factory.mktemp("reader")
    with serving(folder) as port:
        for command in commands(request.param):
            run_command(command.replace(PORT, port), folder)
    return request.param, folder


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A free port; a server that a page started in the folder is gone afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    try:
        yield str(port)
    finally:
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            os.kill(int((folder / "serve.pid").read_text()), signal.SIGTERM)


def run_command(command: str, folder: Path) -> None:
    done = run(["bash", "-c", command], folder)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "LITHIFY_HOME": str(folder / "home"), "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def test_pages_have_commands() -> None:
    assert all(len(commands(page)) >= 8 for page in PAGES)


def test_every_command_runs(followed: tuple[str, Path]) -> None:
    page, folder = followed
    assert any(folder.glob("*.lith")), page


def test_python_examples_run(followed: tuple[str, Path]) -> None:
    page, folder = followed
    for example in blocks(page, "python"):
        done = run([sys.executable, "-W", "error", "-c", example], folder)
        assert done.returncode == 0, f"{example}\n{done.stdout}\n{done.stderr}"


def test_page_on_serving_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """Commands and examples in the order of the page: the examples need the server that its commands start and stop."""
    found = re.findall(r"^```(console|python)\n(.*?)^```$", (ROOT / SERVING).read_text(), re.MULTILINE | re.DOTALL)
    assert [language for language, _ in found].count("python") == 2
    with serving(tmp_path) as port:
        for language, block in found:
            if language == "python":
                done = run([sys.executable, "-W", "error", "-c", block.replace(PORT, port)], tmp_path)
                assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
            for command in lines(block) if language == "console" else ():
                run_command(command.replace(PORT, port), tmp_path)
    (example,) = [json.loads(block) for block in blocks(SERVING, "json") if '"time"' in block]
    logged = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    assert {tuple(line) for line in logged} == {tuple(example)}
    assert {"predict", "explain", "infer"} <= {line["route"] for line in logged if line["status"] == 200}


def test_metrics_are_listed_as_they_are() -> None:
    rows = re.findall(r"^\| (`(?:lithify|process)_.*)", (ROOT / SERVING).read_text(), re.MULTILINE)
    cells = [row.split("|") for row in rows]
    listed = {
        name: (types, labels.strip()) for names, types, labels, *_ in cells for name in re.findall(r"`(\w+)`", names)
    }
    assert sorted(listed) == sorted(FAMILIES)
    for name, (types, labels) in listed.items():
        assert labels == ", ".join(FAMILIES[name].labels)
        assert FAMILIES[name].type in types


def test_limits_are_listed_as_they_are() -> None:
    text = (ROOT / SERVING).read_text()
    known = Limits()
    for told, value in {
        "headers | 16 KiB": known.header >> 10, "body | 64 MiB": known.body >> 20, "request | 10,000": known.rows,
        "whole | 30 s": known.arrival, "answer | 30 s": known.answer, "idle for 75 s": known.idle,
        "address) | 256": known.per_client, "that wait | 1,000": known.waiting, "`--grace` (20 s": known.grace,
        "for 75 s | 1,000": known.connections, "at a time | 256 MiB": known.buffered >> 20,
    }.items():  # fmt: skip
        assert told in text
        assert float(re.findall(r"[\d,]+", told)[-1].replace(",", "")) == value, told


def test_gates_on_pages_are_gates(tmp_path: Path) -> None:
    (example,) = blocks("docs/deploy.md", "toml")
    (tmp_path / "gates.toml").write_text(example)
    gates = Gates.read(tmp_path / "gates.toml")
    assert gates.metrics == {"log_loss": 0.02}
    named = set(re.findall(r"^(?:\[)?(\w+)", example, re.MULTILINE)) | {"relative"}
    assert named - set(gates.metrics) == set(gates.to_json())


def test_examples_with_estimators_run(tmp_path: Path) -> None:
    examples = blocks("docs/sklearn.md", "python")  # one after the other, as a person would type them
    assert len(examples) >= 3
    done = run([sys.executable, "-W", "error", "-c", "\n".join(examples)], tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert (tmp_path / "income.lith").exists()


def test_parameters_of_learners_are_listed_as_they_are() -> None:
    spec = importlib.util.spec_from_file_location("learners_page", ROOT / "tools" / "learners_page.py")
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = page.PAGE.read_text(encoding="utf-8")
    assert [name for name in (*BUILT_IN, *page.FEATURES) if f"<!-- parameters: {name} -->" not in text] == []
    assert page.filled(text) == text, "run python tools/learners_page.py"
    assert page.filled(text.replace("`0.8`", "`0.7`")) == text


def test_operators_of_networks_are_listed_as_they_are() -> None:
    section = (ROOT / "docs" / "model.md").read_text(encoding="utf-8").partition("### Networks\n")[2]
    listed = section.partition("What a node reads")[0].partition("are no others than")[2]
    assert re.findall(r"`(\w+)`", listed) == sorted(OPERATORS)


def test_recipes_on_pages_are_recipes(tmp_path: Path) -> None:
    (example,) = blocks("docs/learners.md", "toml")
    (tmp_path / "recipe.toml").write_text(example)
    assert parsing.make_recipe(tmp_path / "recipe.toml").params["members"][1] == {"learner": "linear"}
