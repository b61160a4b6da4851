"""An application with a small model of every kind, and a way to ask it without a socket."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tests import imaging
from tests.conftest import message, words
from tests.model.test_images import make

import lithify
from lithify.deployment.guard import Guard
from lithify.deployment.http.app import App
from lithify.deployment.http.instruments import Instruments
from lithify.deployment.http.message import Head, Request, Response
from lithify.deployment.http.routes import Call
from lithify.deployment.limits import Limits
from lithify.deployment.service import Service
from lithify.learners import registry

SMALL = {"features.body_bits": 8, "features.shape_bits": 8, "folds": 1, "linear.steps": 6}
KINDS = ("people", "hours", "inbox", "topics", "colours")
"""Names of the models: a table, a regression, mail, text, images."""
PERSON = {"age": 39, "job": "clerk", "married": True, "since": "2020-01-31", "note": "red house"}


def people() -> dict[str, list[Any]]:
    """A table with a field of every kind; older clerks are rich."""
    count = 240
    jobs = [("clerk", "smith", "baker")[number % 3] for number in range(count)]
    ages = [20 + number * 7 % 50 for number in range(count)]
    return {
        "age": ages,
        "job": jobs,
        "married": [number % 4 < 2 for number in range(count)],
        "since": [f"20{10 + number % 12:02}-0{1 + number % 9}-15" for number in range(count)],
        "note": [f"{('red', 'blue')[number % 2]} house with many rooms {number % 7}" for number in range(count)],
        "target": ["rich" if age > 40 and job != "baker" else "poor" for age, job in zip(ages, jobs, strict=True)],
    }


def use_patches(patch: pytest.MonkeyPatch) -> None:
    """Makes the quick learner of images known."""
    patch.setitem(sys.modules, "imaging_of_tests", imaging)
    patch.setitem(registry.BUILT_IN, "patches", "imaging_of_tests:Patches")


@functools.cache
def files() -> Path:
    """A folder with a file for each of :data:`KINDS`, made once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="lithify-routes-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = folder / "home"
    kept = {"home": home, "threads": 1}
    columns = people()
    fields = {"note": "text"}
    lithify.train(columns, learner="tree", fields=fields, out=folder / "people.lith", **kept)
    pairs = zip(columns["age"], columns["job"], strict=True)
    values = columns | {"target": [1.5 * age + (job == "smith") for age, job in pairs]}
    lithify.train(values, learner="tree", fields=fields, out=folder / "hours.lith", **kept)
    for label in ("ham", "spam"):
        place = folder / "mail" / label
        place.mkdir(parents=True)
        for number in range(80):
            (place / f"{number}.eml").write_bytes(message(label, number))
    mail = SMALL | {"features.header_bits": 8}
    lithify.train(folder / "mail", set=mail, out=folder / "inbox.lith", **kept)
    texts = [{"text": words(label, n, 20), "label": label} for label in ("ham", "spam", "other") for n in range(40)]
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, texts)))
    lithify.train(folder / "texts.jsonl", set=SMALL, out=folder / "topics.lith", **kept)
    with pytest.MonkeyPatch.context() as patch:
        use_patches(patch)
        (folder / "colours.lith").write_bytes(make(imaging.images(40)))
    return folder


def application(limits: Limits | None = None, guard: Guard | None = None, kinds: tuple[str, ...] = KINDS) -> App:
    """An application of its own; the learner of images must be known while it is used."""
    things = [str(files() / f"{kind}.lith") for kind in kinds]
    return App(Service(None, things), guard or Guard(None, False), limits or Limits(), Instruments(interval=0))


def picture(label: str = "red", number: int = 900) -> bytes:
    """An image as PNG."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(imaging.picture(label, number)).save(file, "PNG")
    return file.getvalue()


class Asker:
    """Asks an application as the protocol does."""

    def __init__(self, app: App) -> None:
        self.app = app

    def __call__(self, method: str, path: str, body: Any = b"", media: str | None = None, **headers: str) -> Response:
        opened = self.open(method, path, body, media, **headers)
        return opened if isinstance(opened, Response) else self.app.answer([opened])[0]

    def open(
        self, method: str, path: str, body: Any = b"", media: str | None = None, **headers: str
    ) -> tuple[Call, Request] | Response:
        if not isinstance(body, bytes):
            body, media = json.dumps(body).encode(), media or "application/json"
        said = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        said |= {"content-type": media} if media else {}
        said |= {"content-length": str(len(body))} if body else {}
        head = Head(method, path, "", said, "127.0.0.1")
        call = self.app.open(head)
        return call if isinstance(call, Response) else (call, Request(head, body))

    def json(self, method: str, path: str, body: Any = b"", media: str | None = None, **headers: str) -> Any:
        found = self(method, path, body, media, **headers)
        assert found.status == 200, found
        return json.loads(found.body)

    def refused(self, status: int, method: str, path: str, body: Any = b"", media: str | None = None, **h: str) -> Any:
        found = self(method, path, body, media, **h)
        assert found.status == status, found
        return json.loads(found.body)["error"]
