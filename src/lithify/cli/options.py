"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and all messages on stderr.")]
HomeFolder = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="Where Lithify keeps its things.", envvar="LITHIFY_HOME", show_envvar=True
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no remarks.")]

Label = Annotated[
    str | None,
    typer.Option(
        "--label", metavar="F", help="Column with the labels; for mail without labels, the label of all of it."
    ),
]
Text = Annotated[str | None, typer.Option("--text", metavar="F", help="Column with the text or the message.")]
Time = Annotated[str | None, typer.Option("--time", metavar="F", help="Column with the time.")]
Group = Annotated[
    str | None,
    typer.Option("--group", metavar="F", help="Column or header field: rows with equal values stay on one side."),
]
Kind = Annotated[
    str | None, typer.Option("--kind", metavar="mail|text", help="What the rows are, if it cannot be seen.")
]
Name = Annotated[str | None, typer.Option("--name", metavar="N", help="A name for the snapshot.")]
Parent = Annotated[
    str | None,
    typer.Option("--parent", metavar="SNAP", help="Keep its rows and their sides; new rows become a generation."),
]
Split = Annotated[
    str,
    typer.Option(
        "--split",
        metavar="RULE",
        help="time, hash, group:F or given:F; auto takes time where it can.",
        show_default=True,
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Fail on the first row that would be quarantined.")]
Threads = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", help="Threads; as many as cores if not given. Never changes a bit."),
]
