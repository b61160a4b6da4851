"""Many processes that promote at the same time, some of which are killed; and what must be true afterwards."""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import lithify as lf
from lithify.model.model import Model
from lithify.model.sealed import seal
from lithify.store.home import open_home

SPAN = 0.03
"""Seconds of a round, more or less, in which a kill may fall."""


class Race:
    """Rounds of promotions to one alias: in each, every process expects what is served, and brings another model.

    Parameters
    ----------
    folder : Path
        The home.
    models : sequence of str
        Digests of models in it; at least two more than there are processes.
    processes : int
    whole : bool
        Whether they promote as the command does, or only move the alias.
    seed : int
        Of the draw of models and deaths.
    """

    def __init__(
        self, folder: Path, models: Sequence[str], *, processes: int, whole: bool = False, seed: int = 0
    ) -> None:
        self.folder, self.models, self.whole = folder, list(models), whole
        self.home = open_home(folder)
        self.draw = random.Random(seed)
        self.tries = self.killed = self.wins = self.rounds = 0
        self.racers = [self._start() for _ in range(processes)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for racer in self.racers:
            _end(racer)
        self.home.catalog.close()

    def round(self, deaths: int = 0, point: int | None = None) -> None:
        """One promotion by each process, of which some are killed at random instants.

        With ``point``, the first begins a little earlier and dies at that one of its dangerous points: of a whole
        promotion these are before and after the model is noted, and before and after the alias is moved.
        """
        if point is not None:
            self._replace(0, point)
        before = self.home.aliases.last("spam")
        served, number = (before.model, before.number) if before else (None, 0)
        tokens = [f"round {self.rounds} racer {at}" for at in range(len(self.racers))]
        brought = self.draw.sample([model for model in self.models if model != served], len(self.racers))
        lines = [
            json.dumps({"model": model, "expect": served, "token": token})
            for model, token in zip(brought, tokens, strict=True)
        ]
        early = 0 if point is None else 1
        said = [_answer(racer, line) for racer, line in zip(self.racers[:early], lines[:early], strict=True)]
        for racer, line in zip(self.racers[early:], lines[early:], strict=True):
            _tell(racer, line)
        for at in self.draw.sample(range(len(self.racers)), deaths):
            time.sleep(self.draw.uniform(0, SPAN / deaths))
            self.racers[at].kill()
        said += [_hear(racer) for racer in self.racers[early:]]
        self._check(said, tokens, brought, served, number)
        self.rounds += 1
        for at, each in enumerate(said):
            if not each or self.racers[at].poll() is not None:
                self._replace(at)

    def check(self) -> None:
        """The history is whole, and the alias stands where its last entry put it."""
        history = self.home.aliases.history("spam")
        assert [entry.number for entry in history] == list(range(1, len(history) + 1))
        assert len({entry.who for entry in history}) == len(history)
        assert self.home.aliases.get("spam") == history[-1].model
        assert self.wins <= len(history) <= self.rounds

    def _check(self, said: list[str], tokens: list[str], brought: list[str], served: str | None, number: int) -> None:
        """Exactly one of them moved the alias; it was the one who says so, or one who cannot say any more."""
        silent = [token for token, each in zip(tokens, said, strict=True) if not each]
        won = [at for at, each in enumerate(said) if each.startswith("won")]
        self.tries += len(said)
        self.killed += len(silent)
        self.wins += len(won)
        assert all(each in ("", "lost", f"won {number + 1}") for each in said), said
        last = self.home.aliases.last("spam")
        if last is None or last.number == number:
            assert len(silent) == len(said), "nobody moved it, though some lived"
            return
        assert (last.number, last.previous) == (number + 1, served)
        assert last.who in ([tokens[at] for at in won] or silent)
        assert last.model == brought[tokens.index(last.who)]
        assert len(won) <= 1

    def _replace(self, at: int, point: int = 0) -> None:
        _end(self.racers[at])
        self.racers[at] = self._start(point)

    def _start(self, point: int = 0) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("racer.py")
        racer = subprocess.Popen(
            [sys.executable, str(script), str(self.folder), *(["whole"] if self.whole else [])],
            env={**os.environ, "LITHIFY_FAULT_KILL": str(point or "")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert _hear(racer) == "ready"
        return racer


def _tell(racer: subprocess.Popen[str], line: str) -> None:
    assert racer.stdin is not None
    racer.stdin.write(line + "\n")
    racer.stdin.flush()


def _hear(racer: subprocess.Popen[str]) -> str:
    """What it answers; nothing when it is dead."""
    assert racer.stdout is not None
    return racer.stdout.readline().strip()


def _answer(racer: subprocess.Popen[str], line: str) -> str:
    _tell(racer, line)
    return _hear(racer)


def _end(racer: subprocess.Popen[str]) -> None:
    racer.kill()
    racer.wait(30)
    for stream in (racer.stdin, racer.stdout):
        assert stream is not None
        stream.close()


def small_model(home: Path) -> Model:
    """A model that is trained in a moment."""
    rows: dict[str, list[object]] = {"size": [n % 50 for n in range(300)], "colour": ["red", "blue", "blue"] * 100}
    rows["target"] = ["big" if n % 50 > 24 else "small" for n in range(300)]
    return lf.train(rows, label="target", learner="tree", home=home)


def variants(model: Model, count: int) -> list[bytes]:
    """Models that predict alike and differ in the seed their card tells, hence in their digests."""
    made = []
    for seed in range(count):
        card = copy.deepcopy(model.card)
        card["recipe"]["seed"] = 1000 + seed
        made.append(seal(model.draft, card, model.reference))
    return made
