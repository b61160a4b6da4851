"""What checkpoints cost a training on a table: the processor time of their writer beside that of everything.

    python benchmarks/checkpoint_tables.py TABLE.csv[.gz] [--learner boosting] [--quality good]

Checkpoints are as often as they come by default: so that a kill loses little, and at a cost of at most two per cent.
Two trainings, one with checkpoints and one without, differ by far more than checkpoints cost on shared cores; the time
the writer's thread takes can be read off exactly.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.checkpoint_cost import Clock, Writer
from benchmarks.table import Table
from lithify import recipe
from lithify.data.open import open_source
from lithify.data.snapshotting import snapshot
from lithify.store.home import open_home
from lithify.training import run


def main() -> None:
    """Trains some times with other seeds, and prints one line for each."""
    asked = _arguments()
    title = f"What checkpoints cost: {asked.table.name}, quality {asked.quality}, learner {asked.learner}"
    table = Table(title, ("seed", ">training CPU s", ">checkpoints", ">MB each", ">writer CPU s", ">share"))
    with tempfile.TemporaryDirectory() as folder:
        home = open_home(Path(folder))
        frozen = snapshot(open_source(asked.table, label=asked.label), home)
        for seed in range(asked.repeats + 1):
            writer, clock = Writer(), Clock()
            wanted = recipe.parse({"learner": asked.learner, "quality": asked.quality, "seed": seed})
            run.train(home, frozen, wanted, source="checkpoints", new=True, report=clock.hear)
            took = clock.ended - clock.began
            if seed:  # the first one compiles and loads
                table.add(
                    str(seed), f"{took:.1f}", str(writer.written), f"{writer.bytes / 1e6:.1f}", f"{writer.seconds:.3f}",
                    f"{100 * writer.seconds / took:.2f} %",
                )  # fmt: skip
        home.catalog.close()
    table.notes.append(machine.hardware())
    sys.stdout.write(f"{table}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--label", default="target")
    parser.add_argument("--learner", default="boosting")
    parser.add_argument("--quality", default="good")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
