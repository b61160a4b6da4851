"""``python -m benchmarks [NAME...]``: runs benchmarks and prints one table for each."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from benchmarks.options import Options, find_archive

NAMES = {
    "mail_accuracy": "how well spam is told from ham, beside peers, on several splits",
    "mail_speed": "how fast: archive to model, scoring, command line, checkpoints",
}


def main(arguments: list[str] | None = None) -> int:
    """Runs what is named, everything when nothing is."""
    options, names = _parse(arguments)
    if not options.data.is_file():
        sys.stderr.write(
            f"There is no archive of mail at {options.data}. Give one with --data, or the folder that holds "
            "mail/spamassassin.tar.xz by LITHIFY_BENCH_DATA. It must hold the folders ham and spam.\n"
        )
        return 66
    for number, name in enumerate(names):
        table = import_module(f"benchmarks.{name}").run(options)
        sys.stdout.write(f"{'' if number == 0 else chr(10)}{table}\n")
        sys.stdout.flush()
    return 0


def _parse(arguments: list[str] | None) -> tuple[Options, list[str]]:
    listed = "\n".join(f"  {name:14} {what}" for name, what in NAMES.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Runs benchmarks, ours and peers on the same rows.\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all when none is named")
    parser.add_argument(
        "--data", metavar="PATH", help="the archive of mail, or a folder that holds mail/spamassassin.tar.xz"
    )
    parser.add_argument("--rows", type=int, metavar="N", help="about how many messages to use; not to be quoted")
    parser.add_argument("--quick", action="store_true", help="one repeat of each timing; not to be quoted")
    given = parser.parse_args(arguments)
    if unknown := sorted({*given.names} - {*NAMES}):
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    return Options(find_archive(given.data), given.rows, given.quick), given.names or list(NAMES)


if __name__ == "__main__":
    sys.exit(main())
