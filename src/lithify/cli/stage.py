"""Where a demo plays: a folder, a home, and headings with a story below them."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lithify.cli.output import Terminal, shown_path
from lithify.cli.progress import Progress
from lithify.errors import UsageError

if TYPE_CHECKING:
    from lithify.store.home import Home


@dataclass(frozen=True)
class Stage:
    """What the steps need: where to print headings and what is below them, the folder and the home."""

    terminal: Terminal
    inner: Terminal
    folder: Path
    home: Home

    def working(self) -> Progress:
        """Progress of one piece of work, during which nothing else is printed."""
        return Progress(quiet=self.inner.quiet, width=self.terminal.width, notes=False)

    def heading(self, number: int, title: str) -> None:
        """A numbered heading before the work."""
        self.terminal.title(f"{number}. {title}")

    def tell(self, text: str) -> None:
        """A sentence of the story."""
        self.inner.paragraph(text)


def demo_folder(keep: Path, mark: str) -> Path:
    """The demo's folder: new, or of a demo before, which left that file in it."""
    if keep.exists() and not keep.is_dir():
        raise UsageError(f"{keep} is a file.", hint="Choose another folder with --keep.")
    if keep.is_dir() and any(keep.iterdir()) and not (keep / mark).exists():
        raise UsageError(f"{keep} holds other things.", hint="Choose another folder with --keep.")
    keep.mkdir(parents=True, exist_ok=True)
    return keep


def tell_where(stage: Stage) -> None:
    """How to call the command that runs now, where the shell would not find it, as after `make demo`."""
    program = Path(sys.argv[0])
    if program.name == "lithify" and shutil.which("lithify") is None:
        folder = shown_path(program.parent)
        stage.inner.say()
        stage.tell("The shell does not know `lithify` yet. For this session:")
        stage.inner.say(f'export PATH="{"" if folder.startswith("/") else "$PWD/"}{folder}:$PATH"')
