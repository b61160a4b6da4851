"""`lithify demo --images`: the same job on images, start to finish, in plain words."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from lithify.cli.output import count, short, shown_path
from lithify.cli.stage import Stage, begin, draw, end, freeze, learn, measure, seal
from lithify.errors import MissingExtra

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.evaluate import Evaluation
    from lithify.model.model import Model

SURE = 0.8
"""About how sure the model is of the image that is explained."""
NEAREST = 3
RECIPE = {"grains": 4, "network": {"width": 0.5, "epochs": 6.0}}
"""A narrow network, shown each image six times: enough for digits, and quick."""
_NEEDS = {"PIL": "images", "simplejpeg": "images", "onnxruntime": "images", "torch": "networks"}


def check_extras() -> None:
    """``MissingExtra`` where the demo would fail half-way."""
    missing = sorted({extra for module, extra in _NEEDS.items() if find_spec(module) is None})
    if missing:
        raise MissingExtra(
            "Learning from images needs what the standard installation does not bring.",
            hint=f"Install it: pip install 'lithify[{','.join(missing)}]'.",
        )


def play(stage: Stage, began: float) -> None:
    """All of it."""
    begin(stage, "a network that reads digits")
    snap = _freeze(stage)
    stage.heading(2, "Training")
    outcome = learn(stage, snap, RECIPE)
    path = stage.folder / f"digits-{short(outcome.model.digest)}.lith"
    model = seal(stage, outcome, path)
    stage.tell("PyTorch trained it, and is no longer needed: ONNX Runtime computes the sealed network.")
    stage.heading(4, "How good it is, on images it has never seen")
    found = measure(stage, model, snap)
    _explain(stage, model, snap, found)
    page = draw(stage, found)
    _export(stage, model, snap)
    stage.terminal.document(outcome.to_json() | {"path": str(path), "report": str(page), "evaluation": found.to_json()})
    file, folder = shown_path(path), shown_path(stage.folder)
    acts = (
        (("predict", file, f"{folder}/digit.png"), "judge an image; takes folders and archives too"),
        (("explain", file, f"{folder}/digit.png", "--out", "why.html"), "explain an image on a page"),
        (("show", file), "read the card that is sealed into the model"),
        (("train", "PATH/TO/YOUR/IMAGES"), "a folder with one sub-folder for each label"),
    )
    end(stage, time.monotonic() - began, acts)


def _freeze(stage: Stage) -> Snapshot:
    from lithify import freezing, samples

    archive = stage.folder / "digits.tar.xz"
    stage.heading(1, "The images, frozen")
    if not archive.exists():
        archive.write_bytes(samples.digits().read_bytes())
    source = freezing.open_data(stage.home, archive)
    stage.tell(f"{shown_path(archive)} is {source.describe()}.")
    return freeze(stage, source, "digits", "network", "images")


def _explain(stage: Stage, model: Model, snap: Snapshot, found: Evaluation) -> None:
    from lithify.cli.explaining import show_explanation
    from lithify.evaluation import explained
    from lithify.evaluation.neighbours import neighbours

    stage.heading(5, "One image, judged and explained")
    content = _image(model, snap, found)
    file = stage.folder / "digit.png"
    file.write_bytes(content)
    stage.tell(f"{shown_path(file)} is one of the images it has never seen. What each cell of it adds to the score:")
    stage.inner.say()
    said = model.explain_content(content, shown_path(file))
    show_explanation(stage.inner, model, said, 6)
    cells = len(model.draft.features.spans(model.draft.features_state, content))
    drawn = explained.write(stage.folder / "heat.png", said, content, cells)
    stage.inner.say()
    stage.tell(f"{shown_path(drawn)} shows it as a picture.")
    near = neighbours(model, snap, content, NEAREST)
    told = ", ".join(f"{each.label} ({each.key[:8]})" for each in near)
    stage.tell(f"The {count(len(near), 'training image')} that the network takes for most alike: {told}.")


def _image(model: Model, snap: Snapshot, found: Evaluation) -> bytes:
    """The test image, rightly judged and with its label in its set, of which the model is about :data:`SURE`."""
    from lithify.conformal import apply_sets

    sure = found.probabilities.max(axis=1)
    sure[found.predicted != found.y] = 2.0
    if model.conformal is not None:
        held = apply_sets(model.conformal, found.probabilities)
        sure[~held[range(len(sure)), found.y]] = 2.0
    (content,) = snap.content(snap.rows("test")[[abs(sure - SURE).argmin()]])
    return content


def _export(stage: Stage, model: Model, snap: Snapshot) -> None:
    from lithify import api

    stage.heading(7, "For any other runtime")
    made = api.export(model, onnx=stage.folder / "digits.onnx", data=snap)
    stage.tell(
        f"{shown_path(made.path)} is the same network as an ONNX file, compared on {made.golden + made.test:,} images: "
        "the same label for each."
    )
