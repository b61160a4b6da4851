"""What goes to the terminal: documents, tables and paragraphs on stdout, messages and errors on stderr.

Exit statuses: 0 done, 2 usage, 64 to 78 as in sysexits.h by the class of the error, 75 stopped before the end of a run,
130 and 143 broken off by SIGINT and SIGTERM elsewhere, 141 when nobody reads the output any more.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from lithify.errors import LithifyError, SessionEnded

MAX_WIDTH = 100
"""Longer lines are hard to read, however wide the terminal."""
INTERRUPTED, TERMINATED, UNREAD = 130, 143, 141

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


class Terminal:
    """Where one command prints.

    Parameters
    ----------
    as_json : bool
        Documents for programs go to stdout, and all that is for people to stderr.
    quiet : bool
        Nothing but results and errors.
    indent : str
        Stands before every line of the result.
    lines : bool
        Documents take one line each.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, indent: str = "", lines: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.indent = indent
        self.lines = lines

    @property
    def width(self) -> int:
        """Columns to fill."""
        return min(shutil.get_terminal_size((80, 24)).columns, MAX_WIDTH) - len(self.indent)

    def document(self, value: Any) -> None:
        """A JSON document on stdout, where ``--json`` asks for it."""
        if self.as_json:
            _write(sys.stdout, json.dumps(value, indent=None if self.lines else 2))

    def lines_of(self, text: str) -> None:
        """Whole lines of the result that are written already, for programs or for people."""
        sys.stdout.write(text)

    def say(self, text: str = "") -> None:
        """A line of the result, for people."""
        if not self.as_json:
            _write(sys.stdout, self.indent + text if text else "")

    def paragraph(self, text: str, indent: str = "") -> None:
        """A sentence or more of the result, wrapped."""
        for line in wrap(text, self.width, indent).splitlines():
            self.say(line)

    def bullet(self, text: str) -> None:
        """One point of a list, wrapped under itself."""
        for number, line in enumerate(wrap(text, self.width, "    ").splitlines()):
            self.say(f"  - {line[4:]}" if number == 0 else line)

    def title(self, text: str) -> None:
        """A heading, with an empty line before it."""
        self.say()
        self.say(self.style(text, "bold"))

    def table(self, rows: Iterable[Sequence[str]], right: Iterable[int] = (), head: Sequence[str] = ()) -> None:
        """Aligned columns; those in ``right`` to the right; the last one is cut at the edge of the terminal."""
        if self.as_json:
            return
        for number, line in enumerate(columns(rows, right, head, self.width)):
            self.say(self.style(line, "dim") if head and number == 0 else line)

    def facts(self, pairs: Iterable[tuple[str, str]], indent: str = "  ") -> None:
        """Names and values in two columns; long values are wrapped under themselves."""
        listed = list(pairs)
        wide = max((len(name) for name, _ in listed), default=0)
        for name, value in listed:
            room = max(20, self.width - wide - len(indent) - 2)
            first, *rest = wrap(value, room).splitlines() or [""]
            self.say(f"{indent}{self.style(name.ljust(wide), 'dim')}  {first}")
            for line in rest:
                self.say(" " * (len(indent) + wide + 2) + line)

    def note(self, text: str) -> None:
        """A message beside the result: to stderr, unless quiet."""
        if not self.quiet:
            sys.stdout.flush()
            _write(sys.stderr, wrap(text, self.width))

    def warn(self, text: str) -> None:
        """A message that even ``--quiet`` shows."""
        sys.stdout.flush()
        _write(sys.stderr, wrap(text, self.width))

    def error(self, error: LithifyError) -> None:
        """One paragraph on stderr; with ``--json`` also the error's document on stdout."""
        if isinstance(error, SessionEnded):  # no failure: it was asked for, or somebody pressed Ctrl-C
            self.document(error.to_json() | {"run": error.run})
            return self.warn(plain(str(error)))
        self.document(error.to_json())
        sys.stdout.flush()
        label = styled("Error:", "red", sys.stderr)
        _write(sys.stderr, wrap(f"Error: {plain(str(error))}", self.width).replace("Error:", label, 1))

    def style(self, text: str, *names: str) -> str:
        """Text in bold, dim or a colour, where stdout is a terminal that shows it."""
        for name in names:
            text = styled(text, name, sys.stdout)
        return text


def styled(text: str, name: str, stream: IO[str]) -> str:
    """Text with the codes of a style, where that stream is a terminal and nobody said ``NO_COLOR``."""
    if not text or not coloured(stream):
        return text
    return f"\x1b[{_STYLES[name]}m{text}\x1b[0m"


def coloured(stream: IO[str]) -> bool:
    """Whether a stream shows colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def plain(text: str) -> str:
    r"""Text without control characters, so that no file name and no message can steer the terminal.

    >>> ascii(plain("a\x1b[31mb\nc"))
    "'a\\ufffd[31mb c'"
    """
    return "".join(c if c.isprintable() else " " if c in "\t\n\r" else "\ufffd" for c in text)


def wrap(text: str, width: int, indent: str = "") -> str:
    """A paragraph at most ``width`` wide; words longer than that stay whole, so that they can be copied."""
    together = text.replace(" %", "\xa0%")
    filled = textwrap.fill(
        together,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace("\xa0%", " %")


def columns(
    rows: Iterable[Sequence[str]], right: Iterable[int] = (), head: Sequence[str] = (), width: int = 80
) -> list[str]:
    """Lines of a table.

    >>> columns([["a", "1"], ["bcd", "22"]], right=[1])
    ['a     1', 'bcd  22']
    """
    lines = [*([head] if head else []), *rows]
    if not lines:
        return []
    count = max(map(len, lines))
    wide = [max(len(line[i]) for line in lines if len(line) > i) for i in range(count)]
    rights = set(right)
    made = []
    for line in lines:
        cells = [c.rjust(wide[i]) if i in rights else c.ljust(wide[i]) for i, c in enumerate(line)]
        text = "  ".join(cells).rstrip()
        made.append(text if len(text) <= width or count not in (len(line),) else _cut(text, width))
    return made


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def count(number: int, word: str, many: str = "") -> str:
    """A number with its word.

    >>> count(1, "row"), count(2500, "row"), count(2, "copy", "copies")
    ('1 row', '2,500 rows', '2 copies')
    """
    return f"{number:,} {word if number == 1 else many or word + 's'}"


def size(value: int) -> str:
    """Bytes in a unit that people read.

    >>> size(512), size(2_400_000)
    ('512 bytes', '2.4 MB')
    """
    if value < 1000:
        return count(value, "byte")
    amount, unit = value / 1000.0, "kB"
    for larger in ("MB", "GB", "TB"):
        if amount >= 1000.0:
            amount, unit = amount / 1000.0, larger
    return f"{amount:.1f} {unit}"


def short(digest: str) -> str:
    """The digits of a digest that people compare and type.

    >>> short("sha256:3f9a1c2b7d10aa55")
    '3f9a1c2b7d10'
    """
    return digest.rpartition(":")[2][:12]


def shown_path(path: Path) -> str:
    """A path as a person would read it here."""
    found, here = path.resolve(), Path.cwd()
    return plain(str(found.relative_to(here) if found.is_relative_to(here) else found))


def command_line(*words: str, home: Path | None = None) -> str:
    """A command to be copied: quoted where a shell needs it, for the same home.

    >>> command_line("train", "my mail", home=Path("h"))
    "lithify train 'my mail' --home h"
    """
    where = () if home is None else ("--home", str(home))
    return " ".join(["lithify", *(shlex.quote(plain(word)) for word in (*words, *where))])


def moment(seconds: int) -> str:
    """A time of the catalog as local time."""
    from datetime import datetime

    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def tolerant() -> None:
    """Lets both streams take any text: characters they cannot show are spelt out, and closed streams take nothing."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def _write(stream: IO[str], text: str) -> None:
    stream.write(text + "\n")
