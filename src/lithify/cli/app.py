"""The application: all commands, and what happens around each of them."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Annotated, Any, NoReturn, cast

import typer
import typer.core

from lithify.cli import data, demo, keeping, training, using
from lithify.cli.output import INTERRUPTED, TERMINATED, UNREAD, Terminal
from lithify.errors import LithifyError, UsageError

_USAGE = cast(type[Exception], typer.BadParameter.__mro__[1])  # the parser's own error for command lines
_SECTIONS = {
    "Start here": ("demo",),
    "Data": ("snapshot", "diff", "withdraw"),
    "Training": ("train", "runs"),
    "Models": ("evaluate", "predict", "explain", "verify"),
    "Housekeeping": ("show", "ls", "gc", "doctor"),
}


class _Terminated(KeyboardInterrupt):
    """SIGTERM, taken as an interruption so that everything is put away on the way out."""


class _Commands(typer.core.TyperGroup):
    """The list of commands, in sections."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for title, names in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(60)) for name in names])


app = typer.Typer(
    name="lithify",
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 80},
)


def _version(asked: bool) -> None:
    if asked:
        import lithify

        sys.stdout.write(f"lithify {lithify.__version__}\n")
        raise typer.Exit


@app.callback()
def lithify(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Turns a fixed, labelled dataset into a model that is trained once and never changes.

    New here? `lithify demo` does the main job on real mail in some seconds.
    """


for room in (demo, data, training, using, keeping):
    room.register(app)

_command = typer.main.get_command(app)


def run(arguments: Sequence[str]) -> int:
    """Runs a command line: never raises, returns the exit status."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    terminal = Terminal(as_json="--json" in arguments, quiet="--quiet" in arguments or "-q" in arguments)
    training_run = next((word for word in arguments if not word.startswith("-")), "") in ("train", "demo")
    try:
        with _terminable():
            try:
                status = _command.main(list(arguments), prog_name="lithify", standalone_mode=False)
                sys.stdout.flush()
                return status if isinstance(status, int) else 0
            except LithifyError as error:
                return _fail(terminal, error)
            except _USAGE as error:
                return _fail(terminal, _usage(error))
            except typer.Abort:
                raise KeyboardInterrupt from None
            except MemoryError:
                return _fail(terminal, LithifyError("Out of memory.", hint="Close other programs, or use less data."))
    except KeyboardInterrupt as error:
        return _interrupted(terminal, error, training_run)
    except BrokenPipeError:
        return _unread()
    except OSError as error:
        return _fail(terminal, _of_system(error))


def _fail(terminal: Terminal, error: LithifyError) -> int:
    terminal.error(error)
    sys.stdout.flush()
    return error.exit_status


def _usage(error: Exception) -> UsageError:
    """The parser's complaint as one of ours."""
    format_message = getattr(error, "format_message", None)
    message = str(format_message() if format_message else error)
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "") or "lithify"
    return UsageError(message.rstrip(".?") + ("?" if message.endswith("?") else "."), hint=f"See `{path} --help`.")


def _of_system(error: OSError) -> LithifyError:
    from lithify.errors import as_store_error

    return as_store_error(error, "running the command")


def _interrupted(terminal: Terminal, error: KeyboardInterrupt, training_run: bool) -> int:
    if training_run:
        terminal.warn("Stopped before the end. Run the same command again to go on.")
        return os.EX_TEMPFAIL
    terminal.warn("Stopped.")
    return TERMINATED if isinstance(error, _Terminated) else INTERRUPTED


def _unread() -> int:
    """Whoever read our output is gone; nothing that is still in a buffer may complain at exit."""
    with contextlib.suppress(OSError):
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
