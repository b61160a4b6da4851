"""The command line: parse, call one function of :mod:`lithify.api`, print."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["filter"] and "--help" not in words and words[1:] != ["-h"]:
        return _filter(words[1:])
    try:
        from lithify.cli.app import run

        return run(words)
    except KeyboardInterrupt:  # so early that nothing has begun
        return 75 if words[:1] in (["train"], ["demo"]) else 130


def _filter(words: Sequence[str]) -> int:
    """The command filter: mail passes even where the installation is too broken to load it."""
    try:
        from lithify.cli.filtering import run
    except Exception as error:
        message = sys.stdin.buffer.read()
        try:
            sys.stdout.buffer.write(message)
            sys.stdout.buffer.flush()
        except OSError:
            return 75
        sys.stderr.write(f"lithify filter: the message went on as it came. Cannot be loaded: {type(error).__name__}.\n")
        return 75 if "--strict" in words else 0
    return run(words)
