"""The command `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lithify.cli import options as o
from lithify.cli.output import Terminal, count, plain, shown_path
from lithify.cli.parser import Option
from lithify.cli.progress import Progress
from lithify.cli.using import ModelThing
from lithify.errors import UsageError


def export(
    model: ModelThing,
    onnx: Annotated[Path | None, Option("--onnx", metavar="FILE", help="The ONNX file to write.")] = None,
    data: Annotated[
        str | None,
        Option("--data", metavar="DATA|SNAP", help="Compare test rows of it too; their labels are not looked at."),
    ] = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> None:
    """Write a model of images as an ONNX file that any runtime can use.

    Pixels go in and calibrated probabilities come out. The file is computed and compared with the model on made-up
    inputs, and on test rows where --data names some; it is not written where a label differs. It has no sets of labels
    and does not tell unknown inputs: for these use the model itself.

    Example: lithify export digits.lith --onnx digits.onnx --data digits
    """
    from lithify import api

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if onnx is None:
        raise UsageError("What to export to is not said.", expected="--onnx FILE", hint="See `lithify export --help`.")
    with Progress(quiet=quiet, width=terminal.width) as tell:
        made = api.export(model, onnx=onnx, data=data, home=home, report=tell)
    terminal.document(made.to_json())
    terminal.say(f"{plain(shown_path(made.path))}, ONNX operators of set {made.opset}")
    compared = count(made.golden, "made-up input") + (f" and {count(made.test, 'test row')}" if made.test else "")
    terminal.paragraph(
        f"The same label as the model for {compared}; probabilities differ by at most {made.difference:.1e}.", "  "
    )
    terminal.say(f"  {made.digest}")
