"""Every command and every example of the README, the tutorials and the page on estimators is run, in order.

What pages list is compared with what is there.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lithify import parsing
from lithify.learners.network.graph.operators import OPERATORS
from lithify.learners.registry import BUILT_IN

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/tutorial.md", "docs/tables.md", "docs/images.md")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """The ``$ `` lines of a page's console blocks; a line that ends in a backslash goes on in the next."""
    lines = "".join(blocks(page, "console")).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


@pytest.fixture(scope="module", params=PAGES)
def followed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A folder in which a page's commands were run."""
    folder = tmp_path_factory.mktemp("reader")
    for command in commands(request.param):
        done = run(["bash", "-c", command], folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return request.param, folder


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
