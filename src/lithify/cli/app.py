"""The application: the list of commands, and what happens around each of them."""

from __future__ import annotations

import contextlib
import difflib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn, cast

from lithify.cli import parser
from lithify.cli.output import INTERRUPTED, TERMINATED, UNREAD, Terminal, tolerant
from lithify.errors import LithifyError, MissingExtra, UsageError, as_store_error

SECTIONS: dict[str, dict[str, str]] = {
    "Start here": {"demo": "demo"},
    "Data": {"snapshot": "data", "audit": "auditing", "diff": "data", "withdraw": "data"},
    "Training": {"train": "training", "runs": "runs"},
    "Models": {"evaluate": "using", "predict": "using", "explain": "using", "verify": "verifying", "export": "export"},
    "Deployment": {
        "promote": "deploying",
        "rollback": "deploying",
        "history": "deploying",
        "retrain": "retraining",
        "compare": "comparing",
        "serve": "serving",
        "token": "tokens",
        "filter": "filtering",
        "sign": "signing",
        "provenance": "signing",
    },
    "Housekeeping": {"show": "keeping", "ls": "keeping", "gc": "keeping", "doctor": "keeping"},
}
"""Commands by section, each with the file of this package that holds it; a file loads when its command runs."""

HEAD = """\
Usage: lithify COMMAND [ARGUMENTS] [OPTIONS]

Turns a fixed, labelled dataset into a model that is trained once and never
changes. New here? `lithify demo` does the main job on real mail in seconds."""

FOOT = """\
Every command takes --json, --home DIR, --quiet and --help. `lithify --version`
prints the version.

Example: lithify train mail/ --out spam.lith"""


class _Terminated(KeyboardInterrupt):
    """SIGTERM, taken as an interruption so that everything is put away on the way out."""


def run(arguments: Sequence[str]) -> int:
    """Runs a command line: never raises, returns the exit status."""
    tolerant()
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    terminal = Terminal(
        as_json="--json" in arguments,
        quiet="--quiet" in arguments or "-q" in arguments,
        lines=arguments[:1] == ["predict"],
    )
    resumable = arguments[:1] in (["train"], ["retrain"], ["demo"])
    try:
        with _terminable():
            status = _dispatch(list(arguments))
            sys.stdout.flush()
            return status
    except LithifyError as error:
        return _fail(terminal, error)
    except MemoryError:
        return _fail(terminal, LithifyError("Out of memory.", hint="Close other programs, or use less data."))
    except KeyboardInterrupt as error:
        return _interrupted(terminal, error, resumable)
    except BrokenPipeError:
        return _unread()
    except OSError as error:
        return _fail(terminal, as_store_error(error, "running the command"))
    except ModuleNotFoundError as error:
        return _fail(terminal, _missing(error))
    except Exception as error:
        if os.environ.get("LITHIFY_TRACEBACK"):
            raise
        return _fail(terminal, _unexpected(error))


def command(name: str) -> parser.Command:
    """The function behind a command; ``UsageError`` with the nearest name when there is none."""
    files = {each: file for section in SECTIONS.values() for each, file in section.items()}
    if name not in files:
        near = difflib.get_close_matches(name, files, 1)
        hint = f"Did you mean {near[0]}?" if near else "See `lithify --help`."
        raise UsageError(f"There is no command {name!r}.", hint=hint)
    return cast(parser.Command, getattr(import_module(f"lithify.cli.{files[name]}"), name))


def overview() -> str:
    """The help of the whole."""
    wide = max(len(name) for section in SECTIONS.values() for name in section)
    sections = [
        f"{title}:\n" + parser.listing([(name, parser.paragraphs(command(name))[0]) for name in names], wide)
        for title, names in SECTIONS.items()
    ]
    return "\n\n".join([HEAD, *sections, FOOT])


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h"):
        sys.stdout.write(overview() + "\n")
        return 0 if words else UsageError.exit_status
    if words[0] == "--version":
        import lithify

        sys.stdout.write(f"lithify {lithify.__version__}\n")
        return 0
    name, *rest = words
    function = command(name)
    arguments = parser.parse(name, function, rest)
    if arguments is None:
        sys.stdout.write(parser.help_text(name, function) + "\n")
        return 0
    return function(**arguments) or 0


def _fail(terminal: Terminal, error: LithifyError) -> int:
    try:
        terminal.error(error)
        sys.stdout.flush()
    except BrokenPipeError:
        return _unread()
    except OSError:  # what stands in the buffer cannot be written, such as on a full disk
        _unread()
        terminal.error(error)
    return error.exit_status


def _missing(error: ModuleNotFoundError) -> MissingExtra:
    """A library that every full installation has, and a smaller one may lack."""
    name = (error.name or "a library").partition(".")[0]
    return MissingExtra(f"{name} is not installed, and this command needs it.", hint="Run: pip install lithify")


def _unexpected(error: Exception) -> LithifyError:
    """A mistake of ours; its text stays unsaid, for it could hold content."""
    return LithifyError(
        f"Lithify failed in a way that was not foreseen ({type(error).__name__}).",
        hint="Run again with LITHIFY_TRACEBACK=1 to see where, and please report it. Nothing that was saved is lost.",
    )


def _interrupted(terminal: Terminal, error: KeyboardInterrupt, resumable: bool) -> int:
    if resumable:
        terminal.warn("Stopped before the end. Run the same command again to go on.")
        return os.EX_TEMPFAIL
    terminal.warn("Stopped.")
    return TERMINATED if isinstance(error, _Terminated) else INTERRUPTED


def _unread() -> int:
    """Whoever read our output is gone; nothing that is still in a buffer may complain at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return UNREAD


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a command the way Ctrl-C does."""
    try:
        before = signal.signal(signal.SIGTERM, _on_term)
    except ValueError:  # not in the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _on_term(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated
