"""The demo with images, what it leaves: a model that is exported, and served without PyTorch."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

import lithify as lf
from lithify import samples
from lithify.cli import demo_images, kernels, main

from .conftest import Place, Run

pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")
runtime = pytest.importorskip("onnxruntime")

ROOT = Path(__file__).parents[2]
SERVING = ROOT / "requirements-serving.txt"
NAME = re.compile(r"^([A-Za-z0-9_.-]+)(.*?)\s*(?:#.*)?$")


@dataclass(frozen=True)
class Played:
    """A demo that was played once, and what it said."""

    folder: Path
    model: Path
    said: str


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    place = tmp_path_factory.mktemp("played")
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("COLUMNS", "80")
        patch.setattr(sys, "stdout", out)
        assert main(["demo", "--images"]) == 0
    folder = place / "lithify-demo-images"
    (model,) = folder.glob("digits-*.lith")
    return Played(folder, model, out.getvalue())


def test_demo_of_images_does_the_job(played: Played) -> None:
    text = " ".join(played.said.split())
    for said in (
        "sub-folder per label",
        "1,797 images",
        "by hash",
        "ONNX Runtime computes the sealed network",
        "Accuracy",
        "Sets of labels",
        "looked at twice",
        "row ",
        "base: the mean colour",
        "takes for most alike",
        "the same label for each",
        "Done in",
    ):
        assert said in text, said
    told = [line for line in played.said.splitlines() if not line.lstrip().startswith(("lithify ", "export "))]
    assert max(map(len, told)) <= 80
    assert (played.folder / "digits.tar.xz").read_bytes() == samples.digits().read_bytes()
    assert (played.folder / "report.html").stat().st_size > 10_000
    assert (played.folder / "heat.png").read_bytes().startswith(b"\x89PNG")
    assert (played.folder / "digits.onnx").stat().st_size > 100_000


def test_its_model_reads_digits_and_the_run_is_found_finished(lithify: Run, played: Played) -> None:
    lines = lithify("predict", played.model, played.folder / "digits.tar.xz", "--json").lines
    right = [line["label"] == line["input"].split("/")[-2] for line in lines]
    assert len(right) == 1797
    assert np.mean(right) > 0.97
    again = lithify("demo", "--images", "--keep", played.folder, "--json")
    assert again.status == 0, again.err
    assert again.json["resumed"] is True
    assert again.json["evaluation"]["split"] == "test"
    assert [path.name for path in played.folder.glob("*.lith")] == [played.model.name]


def test_one_demo_at_a_time_and_none_without_what_it_needs(lithify: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--table and --images" in lithify("demo", "--images", "--table").err
    monkeypatch.setattr(demo_images, "find_spec", lambda name: None if name in ("torch", "PIL") else object())
    done = lithify("demo", "--images")
    assert done.status == 69
    assert "pip install 'lithify[images,networks]'" in " ".join(done.err.split())
    assert not list(Path().iterdir())


def test_freezing_images_and_training_on_them_compiles() -> None:
    assert kernels._needed("image", "") == ("images",)
    assert kernels._needed("image", "network") == ("images", "networks")
    assert all(kernels.find_spec(name) for names in kernels.MODULES.values() for name in names)


def test_made_up_images_are_frozen(tmp_path: Path) -> None:
    made = lf.snapshot(kernels._images(), home=tmp_path)
    assert (made.kind, len(made), made.labels) == ("image", 120, ("a", "b"))


def test_model_is_exported(lithify: Run, played: Played) -> None:
    words = ["export", played.model, "--onnx", "digits.onnx", "--data", "digits", "--home", played.folder / "home"]
    told = lithify(*words, "--json").json
    assert told["test"] > 150
    assert told["golden"] == 16
    assert (told["differing"], told["opset"]) == (0, 18)
    data = Path("digits.onnx").read_bytes()
    assert told["digest"] == "sha256:" + hashlib.sha256(data).hexdigest()
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    says = session.get_modelmeta().custom_metadata_map
    assert json.loads(says["labels"]) == list("0123456789")
    assert says["model"] == told["model"]
    (pixels,) = session.get_inputs()
    _, side, _, channels = pixels.shape
    image = Image.open(played.folder / "digit.png").resize((side, side), Image.Resampling.BILINEAR)
    (shares,) = session.run(["probabilities"], {"pixels": np.asarray(image)[None, :, :, None].repeat(channels, 3)})
    (line,) = lithify("predict", played.model, played.folder / "digit.png", "--json").lines
    np.testing.assert_allclose(shares[0], list(line["probabilities"].values()), atol=1e-4)
    shown = lithify(*words)
    assert shown.status == 0
    assert "16 made-up inputs and" in " ".join(shown.out.split())


def test_export_from_python_is_no_look_at_the_test(played: Played, tmp_path: Path) -> None:
    def looks() -> int:
        home = lf.things.open_home(played.folder / "home")
        return int(home.catalog.looks(home.catalog.names()["digits"], "test"))

    before = looks()
    made = lf.export(played.model, onnx=tmp_path / "a.onnx", data="digits", home=played.folder / "home")
    assert isinstance(made, lf.Export)
    assert made.test > 150
    assert looks() == before
    alone = lf.export(lf.open(played.model), onnx=str(tmp_path / "b.onnx"))
    assert (alone.test, alone.digest) == (0, made.digest)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_what_cannot_be_exported_is_refused(lithify: Run, played: Played, place: Place) -> None:
    for words, status, said in (
        ([played.model], 2, "--onnx FILE"),
        ([played.model, "--onnx", "other.lith"], 2, "ends in .onnx"),
        ([played.model, "--onnx", "nowhere/x.onnx"], 66, "no folder"),
        ([played.model, "--onnx", "x.onnx", "--data", "inbox", "--home", place.home], 2, "another kind"),
        ([place.model, "--onnx", "x.onnx"], 69, "linear"),
    ):
        done = lithify("export", *words)
        assert done.status == status, done.err
        assert said in " ".join(done.err.split())
    assert not Path("x.onnx").exists()


def listed() -> dict[str, str]:
    """Packages that serving takes, with the versions that will do."""
    lines = [line for line in SERVING.read_text().splitlines() if line and not line.startswith("#")]
    return {found[1]: found[2] for found in map(NAME.match, lines) if found}


def test_serving_takes_the_versions_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = sum(project["optional-dependencies"].values(), project["dependencies"])
    ranges = {found[1]: found[2] for found in map(NAME.match, wanted) if found}
    assert {name: ranges.get(name, versions) for name, versions in listed().items()} == listed()
    assert not {"torch", "numba", "pyarrow", "selectolax", "lightgbm", "onnx"} & listed().keys()
    guide = (ROOT / "docs" / "images.md").read_text()
    assert f"pip install --no-deps -r {SERVING.name}\npip install --no-deps .\n" in guide


HOOK = """
import sys
from importlib.abc import MetaPathFinder

class Refused(MetaPathFinder):
    allowed = {allowed!r} | set(sys.stdlib_module_names)
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in self.allowed:
            raise ModuleNotFoundError(f"{{name}} is not in the list", name=name)
        return None

for name in set(sys.modules):
    assert name.partition(".")[0] not in ("numpy", "torch", "pyarrow", "numba")
sys.meta_path.insert(0, Refused())
sys.stderr.isatty = lambda: True
from lithify.cli import main, progress
progress.PATIENCE = 0.0
for words in {commands!r}:
    status = main(words)
    assert status == 0, (words, status)
found = {{name.partition(".")[0] for name in sys.modules}}
print(" ".join(sorted({allowed!r} & found)))
"""


def test_serving_takes_the_listed_packages_and_no_others(played: Played, tmp_path: Path) -> None:
    tops: dict[str, set[str]] = {}
    for module, names in packages_distributions().items():
        for name in names:
            tops.setdefault(name.lower().replace("_", "-"), set()).add(module)
    modules = {module for name in listed() for module in tops[name]}
    digit, model = Image.open(played.folder / "digit.png"), str(played.model)
    digit.resize((40, 30)).save(tmp_path / "digit.jpg")
    commands = [
        ["ls"],
        ["predict", model, str(played.folder / "digit.png"), str(tmp_path / "digit.jpg"), "--json"],
        ["predict", model, str(played.folder / "digits.tar.xz")],
        ["verify", model],
        ["show", model],
        ["explain", model, str(tmp_path / "digit.jpg"), "--out", str(tmp_path / "why.png")],
        ["explain", model, str(tmp_path / "digit.jpg"), "--out", str(tmp_path / "why.html")],
        ["export", model, "--onnx", str(tmp_path / "digits.onnx")],
    ]
    code = HOOK.format(allowed=modules | {"lithify"}, commands=commands)
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"), "HOME": str(tmp_path), "TERM": "xterm"}
    environment.pop("LITHIFY_HOME", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    loaded = set(done.stdout.splitlines()[-1].split())
    assert [name for name in listed() if not tops[name] & loaded] == []  # nothing is listed that is not needed


def test_image_sample_is_the_one_its_readme_describes() -> None:
    readme = samples.digits().with_name("README.md").read_text(encoding="utf-8")
    tar = lzma.decompress(samples.digits().read_bytes())
    assert hashlib.sha256(samples.digits().read_bytes()).hexdigest() in readme
    assert hashlib.sha256(tar).hexdigest() in readme
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        names = archive.getnames()
    assert len(names) == 1797
    assert {name.split("/")[1] for name in names} == set("0123456789")
