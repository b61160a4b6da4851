"""Help texts: complete, with an example, as documented, and quick."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lithify.cli import app, parser

from .conftest import Place, Run

ROOT = Path(__file__).parents[2]
COMMANDS = [name for section in app.SECTIONS.values() for name in section]
HEAVY = {"numpy", "numba", "pyarrow", "pydantic", "rich", "jinja2", "vl_convert", "sqlite3"}
HEAVY |= {"torch", "onnxruntime", "PIL"}


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cli_page", ROOT / "tools" / "cli_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_shows_every_help_text_as_it_is_printed(page: ModuleType) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text) == text, "run python tools/cli_page.py"
    assert [name for name in COMMANDS if f"<!-- help: {name} -->" not in text] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_common_options_and_has_an_example(name: str) -> None:
    function = app.command(name)
    text = parser.help_text(name, function)
    for option in ("--json", "--home DIR", "--quiet", "--help"):
        assert option in text
    assert f"Example: lithify {name}" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_can_be_parsed(name: str) -> None:
    function = app.command(name)
    words = parser.paragraphs(function)[-1].split()[3:]
    redirected = [at for at, word in enumerate(words) if word in "<>"]
    assert parser.parse(name, function, words[: redirected[0]] if redirected else words) is not None


def test_help_and_version(lithify: Run) -> None:
    assert lithify("--help").out == lithify("-h").out == app.overview() + "\n"
    assert lithify("train", "--help").out.startswith("Usage: lithify train [DATA|SNAP]")
    assert lithify("--version").out.startswith("lithify ")
    assert lithify().status == 2


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import lithify; lithify.__version__; lithify.errors", set()),
        ("from lithify.cli import main; main(['--help'])", set()),
        ("from lithify.cli import main; main(['train', '--help'])", set()),
    ],
)
def test_nothing_heavy_loads_for_it(code: str, allowed: set[str]) -> None:
    code += f"\nimport sys\nsys.exit(' '.join({HEAVY!r} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_single_prediction_loads_neither_numba_nor_pyarrow_nor_pydantic(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "one.eml"
    file.write_bytes(b"Subject: free money\n\nclick\n")
    code = f"""
import sys
from lithify.cli import main
status = main(["predict", {str(place.model)!r}, {str(file)!r}])
sys.exit(status or ' '.join({{"numba", "pyarrow", "pydantic", "rich", "jinja2", "sqlite3"}} & set(sys.modules)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{file}\n")
