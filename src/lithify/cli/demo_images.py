"""`lithify demo --images`: the same job on images, start to finish, in plain words."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lithify.cli.output import command_line, count, short, shown_path
from lithify.cli.progress import span
from lithify.cli.stage import Stage, draw, measure, seal, tell_where
from lithify.errors import MissingExtra

if TYPE_CHECKING:
    from lithify.data.snapshot import Snapshot
    from lithify.evaluation.evaluate import Evaluation
    from lithify.model.model import Model
    from lithify.training.run import Outcome

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
    head = "Lithify demo: a network that reads digits, trained once and set in stone"
    stage.terminal.say(stage.terminal.style(head, "bold"))
    stage.terminal.paragraph(f"Everything stays in {shown_path(stage.folder)}/.")
    snap = _freeze(stage)
    outcome = _train(stage, snap)
    path = stage.folder / f"digits-{short(outcome.model.digest)}.lith"
    stage.heading(3, "Sealed and verified")
    model = seal(stage, outcome, path)
    stage.tell("PyTorch trained it, and is no longer needed: ONNX Runtime computes the sealed network.")
    stage.heading(4, "How good it is, on images it has never seen")
    found = measure(stage, model, snap)
    _explain(stage, model, snap, found)
    stage.heading(6, "The report")
    page = draw(stage, found)
    _export(stage, model, snap)
    stage.terminal.document(outcome.to_json() | {"path": str(path), "report": str(page), "evaluation": found.to_json()})
    _next(stage, path, time.monotonic() - began)


def _freeze(stage: Stage) -> Snapshot:
    from lithify import freezing, samples
    from lithify.cli.data import describe
    from lithify.cli.kernels import tell_compiling

    archive = stage.folder / "digits.tar.xz"
    stage.heading(1, "The images, frozen")
    if not archive.exists():
        archive.write_bytes(samples.digits().read_bytes())
    began = time.monotonic()
    source = freezing.open_data(stage.home, archive)
    stage.tell(f"{shown_path(archive)} is {source.describe()}.")
    tell_compiling(stage.inner, "image", "network")
    with stage.working() as report:
        snap = freezing.freeze(stage.home, source, name="digits", report=report)
    stage.inner.say()
    describe(stage.inner, snap)
    stage.inner.say()
    stage.tell(f"Frozen in {span(time.monotonic() - began)}. The same images always give the same name.")
    return snap


def _train(stage: Stage, snap: Snapshot) -> Outcome:
    from lithify import api, parsing

    stage.heading(2, "Training")
    began = time.monotonic()
    recipe = parsing.make_recipe(RECIPE)
    with stage.working() as report:
        outcome = api.run(stage.home, snap, recipe, snap.digest, parsing.make_settings(), new=False, report=report)
    if outcome.resumed:
        stage.tell(f"Run {short(outcome.run)} was finished before, so its model is here at once.")
    else:
        stage.tell(f"Run {short(outcome.run)} finished in {span(time.monotonic() - began)}.")
        stage.tell("Had it been killed, the same command would have gone on, to the very same bits.")
    return outcome


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


def _next(stage: Stage, path: Path, seconds: float) -> None:
    model, folder = shown_path(path), shown_path(stage.folder)
    stage.terminal.title(f"Done in {span(seconds)}. What to do next, in this folder:")
    for words, why in (
        (("predict", model, f"{folder}/digit.png"), "judge an image; takes folders and archives too"),
        (("explain", model, f"{folder}/digit.png", "--out", "why.html"), "explain an image on a page"),
        (("show", model), "read the card that is sealed into the model"),
        (("train", "PATH/TO/YOUR/IMAGES"), "a folder with one sub-folder for each label"),
    ):
        stage.inner.say(command_line(*words))
        stage.inner.say(stage.inner.style(f"    {why}", "dim"))
    tell_where(stage)
