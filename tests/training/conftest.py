"""The smallest training that is worth killing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from lithify.data.snapshot import open_snapshot
from lithify.progress import Reporter, silent
from lithify.recipe import parse
from lithify.store.home import Home
from lithify.training.run import Outcome, Settings, train

TINY: dict[str, Any] = {
    "folds": 1,
    "linear": {"steps": 6, "tolerance": 0.0},
    "features": {"body_bits": 8, "shape_bits": 8, "header_bits": 8, "read": 2000},
}


def tiny(home: Home, settings: Settings = Settings(threads=2), report: Reporter = silent, **changed: Any) -> Outcome:  # noqa: B008
    """Trains the tiny recipe on the snapshot ``mail``."""
    new = changed.pop("new", False)
    snap = open_snapshot(home, "mail")
    return train(home, snap, parse(TINY | changed), source="mail", settings=settings, new=new, report=report)


@pytest.fixture
def tiny_train(home: Home) -> Callable[..., Outcome]:
    return functools.partial(tiny, home)


@pytest.fixture(scope="session")
def digest(made, tmp_path_factory) -> str:
    """Of the model of an uninterrupted training on one thread."""
    import shutil

    from lithify.store.home import open_home

    folder = tmp_path_factory.mktemp("whole") / "home"
    shutil.copytree(made, folder)
    return tiny(open_home(folder), Settings(threads=1)).model.digest
