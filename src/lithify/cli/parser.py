"""From a function's signature to a parser of its command line and to its help.

A command is a function whose parameters are annotated with :class:`Argument` or :class:`Option`, and whose docstring is
its help: the first line stands in the list of commands, the last paragraph is an example. Only the standard library is
loaded, and of all commands only the one that runs is looked at, so that the command line costs a few milliseconds.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from lithify.errors import UsageError

WIDTH = 80
"""Columns of every help text."""

Command = Callable[..., int | None]


@dataclass(frozen=True)
class Argument:
    """A parameter by place; optional where the function has a default, several where it is a list."""

    metavar: str
    help: str


@dataclass(frozen=True)
class Option:
    """A parameter by name; a switch where it is a bool, to be repeated where it is a list."""

    flags: str
    help: str
    metavar: str = ""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a command: its name in the function, the type of a value, and how it is given."""

    name: str
    type: type
    many: bool
    default: Any
    how: Argument | Option


class _Parser(argparse.ArgumentParser):
    """Raises our own error instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        said = message.replace("the following arguments are required:", "missing:").replace("argument --", "--")
        raise UsageError(f"{said[:1].upper()}{said[1:].rstrip('.')}.", hint=f"See `{self.prog} --help`.")


def parse(name: str, command: Command, words: Sequence[str]) -> dict[str, Any] | None:
    """The keyword arguments that a command line stands for; None when it asks for help.

    Raises
    ------
    UsageError
        For what the command does not take; offers the nearest option.
    """
    before = words[: words.index("--")] if "--" in words else words
    if "--help" in before or "-h" in before:
        return None
    found = parameters(command)
    parser = _Parser(prog=f"lithify {name}", add_help=False, allow_abbrev=False)
    for parameter in found:
        _add(parser, parameter)
    namespace, unknown = parser.parse_known_intermixed_args(words)
    if unknown:
        raise _unknown(parser.prog, unknown[0], found)
    return vars(namespace)


def parameters(command: Command) -> list[Parameter]:
    """The parameters of a command, in the order of its signature."""
    hints = typing.get_type_hints(command, include_extras=True)
    made = []
    for name, parameter in inspect.signature(command).parameters.items():
        inner, how = typing.get_args(hints[name])
        kind, many = _value_type(inner)
        default = parameter.default
        made.append(Parameter(name, kind, many, default, how))
    return made


def help_text(name: str, command: Command) -> str:
    """The help of a command: usage, what it does, arguments, options, example."""
    summary, *more, example = paragraphs(command)
    found = parameters(command)
    arguments = [(p.how.metavar, p.how.help) for p in found if isinstance(p.how, Argument)]
    options = [(_spelling(p.how), p.how.help) for p in found if isinstance(p.how, Option)]
    options.append(("-h, --help", "Show this help."))
    usage = " ".join(
        [f"Usage: lithify {name}", *(_usage(p) for p in found if isinstance(p.how, Argument)), "[OPTIONS]"]
    )
    parts = [usage, *(textwrap.fill(text, WIDTH) for text in (summary, *more))]
    wide = max(len(left) for left, _ in [*arguments, *options] if len(left) <= 24)
    if arguments:
        parts.append("Arguments:\n" + listing(arguments, wide))
    parts += ["Options:\n" + listing(options, wide), textwrap.fill(example, WIDTH, subsequent_indent="  ")]
    return "\n\n".join(parts)


def paragraphs(command: Command) -> list[str]:
    """The paragraphs of a command's docstring, each on one line."""
    text = inspect.getdoc(command) or ""
    return [" ".join(part.split()) for part in text.split("\n\n")]


def listing(pairs: Sequence[tuple[str, str]], wide: int) -> str:
    """Names and what they are, in two columns; a name that is too long has a line of its own."""
    lines = []
    for left, right in pairs:
        first, *rest = textwrap.wrap(right, WIDTH - wide - 4)
        if len(left) > wide:
            lines.append(f"  {left}")
            left = ""
        lines.append(f"  {left.ljust(wide)}  {first}")
        lines += [" " * (wide + 4) + line for line in rest]
    return "\n".join(lines)


def _value_type(annotation: Any) -> tuple[type, bool]:
    """The type of one value, and whether there may be several."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        annotation = next(part for part in typing.get_args(annotation) if part is not types.NoneType)
    if typing.get_origin(annotation) is list:
        return typing.get_args(annotation)[0], True
    return annotation, False


def _add(parser: argparse.ArgumentParser, parameter: Parameter) -> None:
    how, required = parameter.how, parameter.default is inspect.Parameter.empty
    value: dict[str, Any] = {"type": _VALUES[parameter.type]}
    if isinstance(how, Argument):
        several = ("+" if required else "*") if parameter.many else None if required else "?"
        default = {} if required else {"default": parameter.default}
        parser.add_argument(parameter.name, metavar=how.metavar, nargs=several, **value, **default)
    elif parameter.type is bool:
        parser.add_argument(*how.flags.split(), dest=parameter.name, action="store_true")
    else:
        action = "append" if parameter.many else "store"
        flags, default = how.flags.split(), parameter.default
        parser.add_argument(*flags, dest=parameter.name, action=action, default=default, metavar=how.metavar, **value)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a whole number: {text!r}") from None


_VALUES: dict[type, Callable[[str], Any]] = {str: str, int: _number, Path: Path, bool: bool}


def _usage(parameter: Parameter) -> str:
    name = parameter.how.metavar
    return name if parameter.default is inspect.Parameter.empty else f"[{name}]"


def _spelling(option: Option) -> str:
    flags = ", ".join(sorted(option.flags.split(), key=len))
    return f"{flags} {option.metavar}" if option.metavar else flags


def _unknown(prog: str, word: str, found: Sequence[Parameter]) -> UsageError:
    if not word.startswith("-"):
        return UsageError("There is an argument too many.", found=word, hint=f"See `{prog} --help`.")
    known = [flag for p in found if isinstance(p.how, Option) for flag in p.how.flags.split()]
    near = difflib.get_close_matches(word.partition("=")[0], known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"See `{prog} --help`."
    return UsageError(f"There is no option {word.partition('=')[0]}.", hint=hint)
