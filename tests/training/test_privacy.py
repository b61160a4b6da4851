"""Logs, progress, errors and the catalog carry no content; every row of the small home carries a canary."""

from __future__ import annotations

import logging

import pytest
from tests.conftest import CANARY

from lithify.errors import SessionEnded
from lithify.training.run import Settings


def test_nothing_of_the_rows_gets_out(tiny_train, home, caplog, capfd) -> None:
    said: list[str] = []
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SessionEnded) as ended:
        tiny_train(Settings(threads=1, session=1e-9), report=lambda update: said.append(repr(update)))
    (checkpoint,) = home.run_folder(ended.value.run).glob("*.checkpoint")
    said += [str(ended.value), repr(checkpoint.read_bytes())]
    outcome = tiny_train(report=lambda update: said.append(repr(update)))
    said += [repr(outcome.to_json()["metrics"]), repr(outcome.model.card), caplog.text, *capfd.readouterr()]
    home.catalog.close()
    said += [repr(path.read_bytes()) for path in home.path.glob("catalog.sqlite*")]
    said += [repr(path.read_bytes()) for path in home.cache.rglob("*") if path.is_file()]
    assert said
    assert not any(CANARY in text.replace(CANARY + "-folder", "") for text in said)
