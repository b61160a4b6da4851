"""How far long work is: one live line in a terminal, an occasional plain line elsewhere, nothing when quiet.

Nothing but notes shows during the first moments, so quick work leaves no trace of a progress bar.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from lithify.cli.output import plain, wrap
from lithify.progress import Update

if TYPE_CHECKING:
    from rich.live import Live
    from rich.spinner import Spinner

PATIENCE = 0.7
"""Seconds before the live line shows."""
INTERVAL = 10.0
"""Seconds between plain lines where there is no terminal."""
_OURS = ("part", "rate", "left", "checkpoint", "speed", "rows")
_FIRST = ("loss", "accuracy")
"""Figures that are shown before others."""


class Progress:
    """A reporter for :mod:`lithify.progress`, to be used as a context manager around work that prints nothing else.

    Parameters
    ----------
    quiet : bool
        Say nothing at all.
    width : int
        Columns for notes.
    notes : bool
        Whether lines that stay on the screen are shown.
    """

    def __init__(
        self, *, quiet: bool = False, width: int = 80, notes: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quiet = quiet
        self._width = width
        self._notes = notes
        self._clock = clock
        self._stream: IO[str] = sys.stderr
        self._tty = self._stream.isatty()
        self._began = self._last = clock()
        self._stage_began = self._began
        self._update: Update | None = None
        self._live: Live | None = None
        self._spinner: Spinner | None = None

    def __enter__(self) -> Self:
        self._began = self._last = self._stage_began = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, update: Update) -> None:
        """Takes one word on how far the work is."""
        if self._quiet:
            return
        if self._update is None or update.stage != self._update.stage:
            self._stage_began = self._clock()
        self._update = update
        if update.note and self._notes:
            self._keep(update.note)
        now = self._clock()
        if self._tty:
            self._show(now)
        elif update.done and now - self._last >= INTERVAL:
            self._last = now
            self._write(line(update, now - self._stage_began))

    def _keep(self, note: str) -> None:
        text = wrap(plain(note), self._width)
        if self._live is not None:
            from rich.text import Text

            self._live.console.print(Text(text), soft_wrap=True)
        else:
            self._write(text)

    def _show(self, now: float) -> None:
        if self._live is None:
            if now - self._began < PATIENCE:
                return
            from rich.console import Console
            from rich.live import Live
            from rich.spinner import Spinner

            console = Console(file=self._stream, highlight=False)
            self._spinner = Spinner("dots")
            self._live = Live(
                get_renderable=self._render,
                console=console,
                transient=True,
                refresh_per_second=8,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _render(self) -> Any:
        """The live line, at most one terminal line long."""
        from rich.text import Text

        if self._update is None or self._spinner is None:
            return Text("")
        text = line(self._update, self._clock() - self._stage_began, bar=12, room=self._width - 3)
        self._spinner.update(text=Text(text))
        return self._spinner

    def _write(self, text: str) -> None:
        sys.stdout.flush()
        self._stream.write(text + "\n")
        self._stream.flush()


def line(update: Update, seconds: float, bar: int = 0, room: int = 200) -> str:
    """One line: stage, done and total, figures, rate, time left, last checkpoint; what there is no room for goes.

    >>> line(Update("training", 40, 160, {"rate": 8.0, "left": 15.0, "loss": 0.31, "checkpoint": 32}), 5.0)
    'training 40/160, loss 0.31, 8.0/s, 15 s left, checkpoint 32'
    >>> facts = {"part": "model", "rate": 2.0, "left": 54.0, "speed": 1024.0, "rows": "images", "accuracy": 0.913}
    >>> line(Update("training", 40, 160, facts), 5.0)
    'training 40/160 25 %, accuracy 91.3 %, 1,024 images/s, 54 s left'
    """
    parts = _parts(update, seconds, bar)
    while len(parts) > 1 and len(_joined(parts)) > room:
        parts.remove(max(parts))
    return _joined(parts)[:room]


def _parts(update: Update, seconds: float, bar: int) -> list[tuple[int, str]]:
    """What a line says, in order, each with how soon it goes when there is no room."""
    facts = update.facts
    parts = [(0, _stage(update, bar))]
    figures = [name for name in facts if name not in _OURS]
    figures.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    parts += [
        (2 + number + (3 if name not in _FIRST else 0), f"{name} {_figure(name, facts[name])}")
        for number, name in enumerate(figures)
    ]
    rate = facts.get("rate")
    if rate is None and "part" not in facts and update.done and seconds >= 1.0:
        rate = update.done / seconds
    if facts.get("speed"):
        parts.append((4, f"{_rate(facts['speed'])} {facts.get('rows', 'rows')}/s"))
    elif rate:
        parts.append((4, f"{_rate(rate)}/s"))
    left = facts.get("left")
    if left is None and rate and update.total:
        left = (update.total - update.done) / rate
    if left is not None and left >= 0.5:
        parts.append((1, f"{span(left)} left"))
    if "checkpoint" in facts:
        parts.append((20, f"checkpoint {facts['checkpoint']:,}"))
    return parts


def _joined(parts: list[tuple[int, str]]) -> str:
    return ", ".join(text for _, text in parts)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _figure(name: str, value: float) -> str:
    """Shares in percent, counts whole, everything else with three digits that matter."""
    if name == "accuracy":
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}" if value >= 100.0 and value == int(value) else f"{value:.3g}"


def _stage(update: Update, bar: int) -> str:
    part = update.facts.get("part")
    name = update.stage if part in (None, "model") else f"{update.stage} ({part})"
    if not update.total:
        return f"{name} {update.done:,}" if update.done else name
    full = round(bar * min(1.0, update.done / update.total))
    drawn = f" {'━' * full}{'╌' * (bar - full)}" if bar else ""
    share = f" {100 * update.done // update.total} %" if part else ""
    return f"{name}{drawn} {update.done:,}/{update.total:,}{share}"


def span(seconds: float) -> str:
    """A length of time in words of two units at most.

    >>> span(0.42), span(12), span(75), span(4000)
    ('0.4 s', '12 s', '1 min 15 s', '1 h 6 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
