"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lithify.cli.parser import Option

Json = Annotated[bool, Option("--json", help="Print JSON on stdout and all messages on stderr.")]
HomeFolder = Annotated[
    Path | None,
    Option(
        "--home", metavar="DIR", help="Where Lithify keeps its things; else LITHIFY_HOME, else the user's data folder."
    ),
]
Quiet = Annotated[bool, Option("--quiet -q", help="Show no progress and no remarks.")]

Label = Annotated[
    str | None,
    Option(
        "--label",
        metavar="F",
        help="Column with the labels or the values to predict; for mail without labels, the label of all of it.",
    ),
]
Text = Annotated[str | None, Option("--text", metavar="F", help="Column with the text or the message.")]
Time = Annotated[str | None, Option("--time", metavar="F", help="Column with the time.")]
Group = Annotated[
    str | None,
    Option("--group", metavar="F", help="Column or header field: rows with equal values stay on one side."),
]
Weight = Annotated[str | None, Option("--weight", metavar="F", help="Column with the weight of each row in training.")]
Fields = Annotated[
    list[str] | None,
    Option(
        "--field",
        metavar="F=KIND",
        help="Kind of a column: number, category, boolean, time, text or identifier; may be repeated.",
    ),
]
Task = Annotated[
    str | None,
    Option("--task", metavar="TASK", help="classification or regression; told by the label if not given."),
]
Query = Annotated[str | None, Option("--query", metavar="SQL", help="Which rows of an SQLite database.")]
Sheet = Annotated[str | None, Option("--sheet", metavar="S", help="Which sheet of a workbook, or table of a database.")]
Kind = Annotated[
    str | None,
    Option("--kind", metavar="KIND", help="What the rows are, if it cannot be seen: mail, text, table or image."),
]
Name = Annotated[str | None, Option("--name", metavar="N", help="A name for the snapshot.")]
Parent = Annotated[
    str | None,
    Option("--parent", metavar="SNAP", help="Keep its rows and their sides; new rows become a generation."),
]
Split = Annotated[
    str,
    Option(
        "--split",
        metavar="RULE",
        help="time, hash, group:F or given:F; auto takes time where it can.",
    ),
]
Strict = Annotated[bool, Option("--strict", help="Fail on the first row that would be quarantined.")]
Threads = Annotated[
    int | None,
    Option("--threads", metavar="N", help="Threads; as many as cores if not given. Never changes a bit."),
]
