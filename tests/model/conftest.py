"""Small sealed models: of mail with two labels, of text with three."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lithify.data.snapshot import open_snapshot
from lithify.model.model import Model, open_model
from lithify.recipe import parse
from lithify.store import container
from lithify.store.home import open_home
from lithify.training.run import Settings, train

SMALL = {"body_bits": 8, "shape_bits": 8}


@pytest.fixture(scope="session")
def trained(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    folder = tmp_path_factory.mktemp("models") / "home"
    shutil.copytree(made, folder)
    home = open_home(folder)
    found = {}
    for kind, bits in (("mail", SMALL | {"header_bits": 8}), ("text", SMALL)):
        recipe = parse({"folds": 1, "linear": {"steps": 6}, "features": bits})
        found[kind] = train(home, open_snapshot(home, kind), recipe, source=kind, settings=Settings(threads=1)).model
    return found


@pytest.fixture(params=["mail", "text"])
def model(request: pytest.FixtureRequest, trained: dict[str, Model]) -> Model:
    """Opened from bytes, so that nothing of another test clings to it."""
    return open_model(bytes(trained[request.param].data))


@pytest.fixture
def parts(trained: dict[str, Model]) -> tuple[dict[str, Any], dict[str, Any]]:
    """JSON document and tensors of the mail model, to be spoiled and packed again."""
    opened = container.unpack(bytes(trained["mail"].data))
    return opened.meta, {name: array.copy() for name, array in opened.tensors.items()}
