"""The command that compares two models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lithify.cli import options as o
from lithify.cli.kernels import tell_compiling
from lithify.cli.output import Terminal, command_line, plain, short
from lithify.cli.parser import Argument, Option
from lithify.cli.progress import Progress
from lithify.errors import PromotionRefused, UsageError
from lithify.progress import Update

if TYPE_CHECKING:
    from lithify.evaluation.comparison.comparison import Comparison
    from lithify.store.home import Home

COLOURS = {"better": "green", "not worse": "green", "undecided": "yellow", "worse": "red"}
REQUIRED = {"better": ("better",), "not-worse": ("better", "not worse")}
SLICES = 5


def compare(
    champion: Annotated[str, Argument(metavar="CHAMPION", help="What is served: an alias, a model file or a digest.")],
    challenger: Annotated[str, Argument(metavar="CHALLENGER", help="The model that may take its place.")],
    data: Annotated[
        str | None,
        Argument(metavar="DATA|SNAP", help="Rows to compare on; else the snapshot the challenger was trained on."),
    ] = None,
    gates: Annotated[Path | None, Option("--gates", metavar="FILE.toml", help="What the challenger must pass.")] = None,
    split: Annotated[
        str, Option("--split", metavar="SIDE", help="test, validation, train, or all for data new to both.")
    ] = "test",
    generation: Annotated[
        int | None, Option("--generation", metavar="N", help="Rows of this generation, in place of the newest.")
    ] = None,
    all_generations: Annotated[bool, Option("--all-generations", help="Rows of every generation.")] = False,
    require: Annotated[
        str | None,
        Option("--require", metavar="VERDICT", help="better or not-worse: exit status 77 for a lesser verdict."),
    ] = None,
    report: Annotated[Path | None, Option("--report", metavar="FILE.html", help="Write a page too.")] = None,
    show_content: Annotated[
        bool, Option("--show-content", help="Whole messages or pictures in the page; do not pass it on.")
    ] = False,
    label: o.Label = None,
    text: o.Text = None,
    time: o.Time = None,
    kind: o.Kind = None,
    query: o.Query = None,
    sheet: o.Sheet = None,
    as_json: o.Json = False,
    home: o.HomeFolder = None,
    quiet: o.Quiet = False,
) -> int:
    """Compare two models on the same rows, and say whether one may replace the other.

    Rows that either model learned from are left out. The verdict is better, not worse, undecided or worse, and the
    exit status 0 for each of them unless --require asks for more. What is found is kept: promote asks for it.

    Example: lithify compare spam 3f9a1c2b7d10 --report report.html
    """
    from lithify import api, things, writing
    from lithify.workflow import comparing

    if require is not None and require not in REQUIRED:
        raise UsageError("Unknown verdict to require.", expected=" or ".join(REQUIRED), found=require)
    if generation is not None and all_generations:
        raise UsageError("Give --generation or --all-generations, not both.")
    terminal = Terminal(as_json=as_json, quiet=quiet)
    path = None if report is None else writing.check_out(report)
    first, second = (api.open(each, home=home) for each in (champion, challenger))
    if first.kind != "image":
        tell_compiling(terminal, first.kind)
    asked: dict[str, Any] = {"label": label, "text": text, "time": time, "kind": kind, "query": query, "sheet": sheet}
    with Progress(quiet=quiet, width=terminal.width) as tell:
        found = comparing.compare(
            first,
            second,
            data,
            gates=gates,
            split=split,
            generation="all" if all_generations else "newest" if generation is None else generation,
            home=home,
            report=tell,
            **asked,
        )
        if path is not None:
            tell(Update("drawing the report"))
            found.report(path, show_content=show_content)
    after = _next(things.open_home(home), found, champion, challenger, home)
    terminal.document(found.to_json() | {"next": after} | ({"report": str(path)} if path else {}))
    show(terminal, found)
    if report is not None:
        terminal.say()
        terminal.say(f"Report: {plain(str(report))}")
    if after is not None:
        terminal.say()
        terminal.say(f"Next: {after}")
    kept = require is None or found.verdict in REQUIRED[require]
    return 0 if kept else PromotionRefused.exit_status


def show(terminal: Terminal, found: Comparison) -> None:
    """A comparison for people: the verdict and why, the figures side by side, what changes for whom."""
    from lithify.evaluation.comparison.summary import measured_on, verdict
    from lithify.evaluation.comparison.verdict import span
    from lithify.evaluation.words import figure

    terminal.say(terminal.style(verdict(found), "bold", COLOURS[found.verdict]))
    for reason in found.reasons:
        terminal.bullet(plain(reason))
    terminal.say()
    terminal.table(
        [
            [
                plain(each.title),
                figure(each.champion, each.unit),
                figure(each.challenger, each.unit),
                span(each),
            ]
            for each in found.metrics.values()
        ],
        right=[1, 2, 3],
        head=["figure", "champion", "challenger", "difference, 95 %"],
    )
    terminal.say()
    terminal.facts(_facts(found), indent="")
    terminal.say()
    for sentence in measured_on(found):
        terminal.paragraph(plain(sentence))


def _facts(found: Comparison) -> list[tuple[str, str]]:
    """Flips, slices, time and size."""
    from lithify.cli.output import count, size
    from lithify.evaluation.comparison.page import chance
    from lithify.evaluation.comparison.summary import seconds
    from lithify.evaluation.words import percent

    facts = []
    if found.flips is not None:
        lost, won = found.flips.negative, found.flips.positive
        facts += [
            ("negative flips", f"{count(lost.rows, 'row')} ({percent(lost.share)}) that the champion alone gets right"),
            ("positive flips", f"{count(won.rows, 'row')} ({percent(won.share)}) that the challenger alone gets right"),
            ("McNemar", f"p {chance(found.flips.p)} (exact)"),
        ]
    worse = [plain(f"{one.field} {one.value}") for one in found.slices if one.worse]
    some = ", ".join(worse[:SLICES]) + (f" and {len(worse) - SLICES:,} more" if len(worse) > SLICES else "")
    facts.append(("slices", f"{some or 'none'} significantly worse, of {len(found.slices):,} looked at"))
    time = f"{seconds(found.latency.champion)} → {seconds(found.latency.challenger)}"
    facts.append(("one row", f"{time}, median on this machine"))
    facts.append(("file", f"{size(int(found.size.champion))} → {size(int(found.size.challenger))}"))
    return facts


def _next(opened: Home, found: Comparison, champion: str, challenger: str, home: Path | None) -> str | None:
    """The command that promotes, where the champion was given as an alias and the verdict passes."""
    if not found.passes or not _is_alias(opened, champion):
        return None
    return command_line("promote", challenger, champion, "--expect", short(found.champion.digest), home=home)


def _is_alias(opened: Home, thing: str) -> bool:
    from lithify.errors import LithifyError

    aliases: Any = getattr(opened, "aliases", None)
    if aliases is None or Path(thing).expanduser().exists():
        return False
    try:
        return aliases.get(thing) is not None
    except LithifyError:  # not a name that an alias can have
        return False
