"""What is shipped: the wheel's content, the pins, the layers as documented, the sample and the tool that makes it."""

from __future__ import annotations

import email.utils
import hashlib
import importlib.util
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lithify import samples

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.fixture(scope="module")
def make_sample() -> ModuleType:
    """tools/make_sample.py as a module."""
    spec = importlib.util.spec_from_file_location("make_sample", ROOT / "tools" / "make_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_wheel_holds_every_file_of_the_package_and_no_leftovers(wheel: zipfile.ZipFile) -> None:
    source = ROOT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / "lithify").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == expected
    assert {
        "lithify/py.typed",
        "lithify/samples/mail.tar.xz",
        "lithify/samples/adult.csv.gz",
        "lithify/samples/README.md",
    } <= found


def test_wheel_has_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    info = f"lithify-{PROJECT['project']['version']}.dist-info"
    assert "lithify = lithify.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert "Apache License" in wheel.read(f"{info}/licenses/LICENSE").decode()


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize(
    "text",
    PROJECT["project"]["dependencies"] + [r for e in PROJECT["project"]["optional-dependencies"].values() for r in e],
)
def test_every_dependency_is_pinned_within_its_range(text: str) -> None:
    requirement = Requirement(text)
    assert requirement.specifier.contains(_pins()[canonicalize_name(requirement.name)])


def test_the_base_install_stays_light() -> None:
    names = {Requirement(text).name for text in PROJECT["project"]["dependencies"]}
    assert not names & {"torch", "scikit-learn", "scipy", "lightgbm", "onnxruntime", "ray", "altair", "pandas"}


def test_version_is_the_newest_of_the_changelog() -> None:
    heads = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert heads[0] == PROJECT["project"]["version"]


def test_rooms_are_documented_in_the_order_that_is_enforced() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    house = text[text.index("## The house") : text.index("## The step contract")]
    documented = re.findall(r"^\| `(\w+)` \|", house, flags=re.MULTILINE)
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    assert documented == [layer.strip("()") for layer in reversed(contract["layers"])]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "src/lithify/samples/README.md"])
def test_links_between_files_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not ((ROOT / page).parent / link).exists()] == []


def test_setup_refuses_an_old_python_and_says_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup.sh", tmp_path / "tools")
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python 3.8.1'\nexit 1\n")
    old.chmod(0o755)
    command = ["bash", str(tmp_path / "tools" / "setup.sh")]
    done = subprocess.run(command, env={"PYTHON": str(old), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Found: Python 3.8.1" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_sample_is_the_one_its_readme_describes(make_sample: ModuleType) -> None:
    readme = samples.mail().with_name("README.md").read_text(encoding="utf-8")
    packed = samples.mail().read_bytes()
    assert f"`{hashlib.sha256(packed).hexdigest()}`" in readme
    assert len(packed) < 2_000_000
    messages = sorted(make_sample.read(samples.mail()))
    assert Counter(m.label for m in messages) == {"ham": 800, "spam": 700}
    months = Counter((email.utils.formatdate(m.time)[8:16], m.label) for m in messages)
    rows = re.findall(r"^\| (\w+ \d+) \| .* \| (\d+) \| (\d+) \|$", readme, flags=re.MULTILINE)
    assert {(month, "ham"): int(ham) for month, ham, _ in rows if ham != "0"} | {
        (month, "spam"): int(spam) for month, _, spam in rows if spam != "0"
    } == months
    assert min(Counter(m.label for m in messages[: 1500 * 8 // 10]).values()) >= 50
    assert min(Counter(m.label for m in messages[1500 * 8 // 10 :]).values()) >= 50


def test_sample_is_remade_bit_for_bit(make_sample: ModuleType) -> None:
    readme = samples.mail().with_name("README.md").read_text(encoding="utf-8")
    messages = make_sample.read(samples.mail())
    chosen = [m for label, count in make_sample.TAKE.items() for m in make_sample.choose(messages, label, count)]
    assert hashlib.sha256(make_sample.pack(chosen)).hexdigest() in readme


def test_choice_does_not_depend_on_the_order_of_the_archive(make_sample: ModuleType, tmp_path: Path) -> None:
    def archive(numbers: range) -> Path:
        path = tmp_path / f"{numbers.start}.tar"
        with tarfile.open(path, "w") as tar:
            for i in numbers:
                raw = f"Date: {1 + i % 28} Aug 2002 12:00:00 +0200\n\n{i}".encode()
                info = tarfile.TarInfo(f"corpus/{'ham' if i % 2 else 'spam'}/{i:03}.txt")
                info.size = len(raw)
                tar.addfile(info, io.BytesIO(raw))
        return path

    up, down = (make_sample.read(archive(numbers)) for numbers in (range(60), range(59, -1, -1)))
    assert [m.name for m in up] != [m.name for m in down]
    chosen = make_sample.choose(up, "ham", 7)
    assert chosen == make_sample.choose(down, "ham", 7)
    assert make_sample.pack(chosen) == make_sample.pack(chosen[::-1])


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (b"Received: a; 1 Jan 2002 00:00:00 +0000\nReceived: b; 2 Jan 2002 00:00:00 +0000\n\n", 1009843200),
        (b"Received: from a\r\n\tby b; 1 Jan 2002 02:00:00 +0200\r\n\r\nx", 1009843200),
        (b"Received: no date\nDate: 1 Jan 2002 00:00:00\n\n", 1009843200),
        (b"Subject: x\n\nDate: 1 Jan 2002 00:00:00 +0000\n", None),
        (b"Date: 1 Jan 1970 00:00:00 +0000\n\n", None),
    ],
)
def test_date_of_a_message(make_sample: ModuleType, raw: bytes, seconds: int | None) -> None:
    assert make_sample.date(raw) == seconds
