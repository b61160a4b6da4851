"""`lithify demo`: the main job on data that ships with Lithify, start to finish, in plain words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from lithify.cli import options as o
from lithify.cli.output import Terminal
from lithify.cli.parser import Option
from lithify.cli.stage import Stage, demo_folder
from lithify.errors import UsageError

FOLDER, TABLE_FOLDER, IMAGE_FOLDER = (Path(f"lithify-demo{of}") for of in ("", "-table", "-images"))


def demo(
    keep: Annotated[
        Path | None, Option("--keep", metavar="DIR", help="Where to leave the data, the model and the report.")
    ] = None,
    table: Annotated[
        bool, Option("--table", help="Learn from a table of a census instead, 12,000 rows of it.")
    ] = False,
    images: Annotated[
        bool, Option("--images", help="Learn from images of handwritten digits instead, 1,797 of them.")
    ] = False,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Train, seal, check and explain a spam filter on real mail.

    Does the main job on 1,500 messages that ship with Lithify, and leaves everything in one folder, which also serves
    as its home unless --home says otherwise. A second time it finds the run finished. With --table it does the same for
    a table: who earns more than 50,000 dollars a year, by the census of 1994. With --images it does so for handwritten
    digits; that takes the extras images and networks.

    Example: lithify demo --keep demo
    """
    from lithify import things

    terminal = Terminal(as_json=as_json, quiet=quiet)
    folder = _folder(keep, table, images)
    began = time.monotonic()
    opened = things.open_home(folder / "home" if home is None else home)
    stage = Stage(terminal, Terminal(as_json=as_json, quiet=quiet, indent="   "), folder, opened)
    if table:
        from lithify.cli.demo_table import play
    elif images:
        from lithify.cli.demo_images import play
    else:
        from lithify.cli.demo_mail import play
    play(stage, began)


def _folder(keep: Path | None, table: bool, images: bool) -> Path:
    """Where it plays; ``UsageError`` and ``MissingExtra`` before anything is written."""
    if table and images:
        raise UsageError("There is one demo at a time.", found="--table and --images", hint="Leave one of them out.")
    if images:
        from lithify.cli.demo_images import check_extras

        check_extras()
        return demo_folder(keep or IMAGE_FOLDER, "digits.tar.xz")
    return demo_folder(keep or (TABLE_FOLDER if table else FOLDER), "adult.csv" if table else "mail.tar.xz")
