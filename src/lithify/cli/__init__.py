"""The command line: parse, call one function of :mod:`lithify.api`, print."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        from lithify.cli.app import run

        return run(words)
    except KeyboardInterrupt:  # so early that nothing has begun
        return 75 if words[:1] in (["train"], ["demo"]) else 130
