"""The command filter: it marks mail, and lets mail through whatever happens."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

from lithify.cli import options as o
from lithify.cli import parser
from lithify.cli.output import plain
from lithify.cli.parser import Argument, Option
from lithify.deployment.mail import EMPTY, Decision, decide
from lithify.deployment.pipe import SECONDS, Passed, through
from lithify.errors import UsageError
from lithify.parsing import duration


def filter(
    model: Annotated[str, Argument(metavar="MODEL", help="A model file, or the digest or alias of one in the home.")],
    timeout: Annotated[
        str, Option("--timeout", metavar="TIME", help="How long judging may take; 30s if not given.")
    ] = f"{SECONDS:g}s",
    strict: Annotated[bool, Option("--strict", help="Exit with 75 where the message was not judged.")] = False,
    as_json: Annotated[bool, Option("--json", help="Say on stderr, as one line of JSON, what was found.")] = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> int:
    """Mark a message on its way from stdin to stdout as spam or not.

    Adds the header fields X-Spam-Flag and X-Lithify-Status, takes out any that came with the message, and leaves every
    other byte as it was. Whatever goes wrong, the message comes out as it came, with one line on stderr and the exit
    status 0; only where it cannot be read or written is that 75, so that the caller keeps it.

    Example: lithify filter spam.lith < new/17.eml
    """
    if _typed() and not quiet:
        sys.stderr.write("Type or paste a message; Ctrl-D ends it.\n")
    return _told(through(partial(_judge, model, home), seconds=_seconds(timeout)), strict, as_json)


def run(words: Sequence[str]) -> int:
    """The command with its arguments; one that makes no sense lets the message through too."""
    try:
        asked = parser.parse("filter", filter, words)
        if asked is None:
            raise UsageError("A message is filtered, or help is asked for.", hint="See `lithify filter --help`.")
        _seconds(asked["timeout"])
    except Exception as error:
        if _typed():  # there is no message to lose
            from lithify.cli import app

            return app.run(["filter", *words])
        return _told(through(partial(_refuse, error)), "--strict" in words, "--json" in words)
    return filter(**asked)


def _typed() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _seconds(text: str) -> float:
    return duration(text) or SECONDS


def _judge(model: str, home: Path | None, raw: bytes) -> Decision:
    from lithify import api

    return decide(api.open(model, home=home), raw)


def _refuse(error: Exception, raw: bytes) -> NoReturn:
    raise error


def _told(passed: Passed, strict: bool, as_json: bool) -> int:
    """Says on stderr what there is to say, and returns the exit status."""
    if passed.decision is None or as_json:
        line = json.dumps(_document(passed)) if as_json else f"lithify filter: {_sentence(passed)}"
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):  # nobody listens
            pass
    judged = passed.decision is not None or passed.problem == EMPTY  # later there is nothing to judge in it either
    return os.EX_TEMPFAIL if not passed.written or (strict and not judged) else 0


def _document(passed: Passed) -> dict[str, object]:
    if passed.decision is None:
        return {"problem": passed.problem, "passed": passed.written}
    verdict, score, probability, digest = passed.decision
    return {"verdict": verdict, "score": score, "probability": probability, "model": digest}


def _sentence(passed: Passed) -> str:
    went = "the message went on as it came" if passed.written else "the message was not passed on"
    return f"{went}. {plain(passed.problem)}"
