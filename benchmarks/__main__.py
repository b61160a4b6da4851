"""``python -m benchmarks [NAME...]``: runs benchmarks and prints one table for each."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.options import Options, find_archive

NAMES = {
    "mail_accuracy": "how well spam is told from ham, beside peers, on several splits",
    "mail_speed": "how fast: archive to model, scoring, command line, checkpoints",
}
ALONE = {
    "pipe": "how long one message takes through `lithify filter`",
    "forest_scoring": "how fast a forest scores rows, by our kernels and by LightGBM",
    "comparisons": "how often compare calls a challenger better that is none",
    "promotions": "how long promoting and rolling back take",
    "transport": "how many requests a second the HTTP protocol takes, beside uvicorn",
}
LONG = {"tables": "how well and how fast tables are learned, beside peers; hours, so it must be named"}
SERVING = {"serving": "how many requests a second, beside other servers; must be named"}
IMAGES = {
    "images": "how well images are classified after a given time, beside peers; must be named",
    "images_speed": "how fast images go through, beside ordinary PyTorch; must be named",
}


def main(arguments: list[str] | None = None) -> int:
    """Runs what is named; everything that does not take hours when nothing is."""
    parser = _parser()
    given = parser.parse_args(arguments)
    names = given.names or list(NAMES)
    known = {**NAMES, **ALONE, **LONG, **IMAGES, **SERVING}
    if unknown := sorted({*names} - known.keys()):
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(known)}")
    for number, name in enumerate(names):
        options = _options(parser, given, name)
        if options is None:
            return 66
        made = import_module(f"benchmarks.{name}").run(options)
        sys.stdout.write(f"{'' if number == 0 else chr(10)}{made}\n")
        sys.stdout.flush()
    return 0


def _options(parser: argparse.ArgumentParser, given: argparse.Namespace, name: str) -> object:
    if name in NAMES or name == "pipe":
        return _mail(given)
    return _tables(parser, given) if name in LONG else given


def _mail(given: argparse.Namespace) -> Options | None:
    """Options of the benchmarks on mail; None when there is no mail, which is said."""
    options = Options(find_archive(given.data), given.rows, given.quick)
    if options.data.is_file():
        return options
    sys.stderr.write(
        f"There is no archive of mail at {options.data}. Give one with --data, or the folder that holds "
        "mail/spamassassin.tar.xz by LITHIFY_BENCH_DATA. It must hold the folders ham and spam.\n"
    )
    return None


def _tables(parser: argparse.ArgumentParser, given: argparse.Namespace) -> object:
    from benchmarks import tables_options

    return tables_options.make(parser, given)


def _parser() -> argparse.ArgumentParser:
    from benchmarks import tables_options

    listed = "\n".join(f"  {name:14} {what}" for name, what in (NAMES | ALONE | LONG | IMAGES | SERVING).items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Runs benchmarks, ours and peers on the same rows.\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all that are quick when none is named")
    parser.add_argument("--data", metavar="PATH", help="archive of mail, or the folder that holds the data")
    parser.add_argument("--rows", type=int, metavar="N", help="about how many messages to use; not to be quoted")
    parser.add_argument("--quick", action="store_true", help="one repeat of each timing; not to be quoted")
    parser.add_argument(
        "--servers", type=Path, metavar="FOLDER", help="the folder with the environments mls, mlf and bento of serving"
    )
    tables_options.add(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
