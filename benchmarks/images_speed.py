"""How fast images go through: archive to snapshot and pixels, training and prediction beside ordinary PyTorch.

Every part is a fresh process with the environment that suits it: ours computes each grain and each call on one kernel
thread and runs two of them side by side, PyTorch gets two kernel threads. The nets, their first values, the rows, the
optimiser, the precision and the batch are the same for both; neither augments.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from typing import Any

from benchmarks import machine
from benchmarks.images import data_of
from benchmarks.options import tell
from benchmarks.processes import called
from benchmarks.table import Table

CHILD = "benchmarks.images_speed_child"
WIDTHS = (0.5, 1.0)
THREADS = 2
_ONE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_TWO = dict.fromkeys(_ONE, str(THREADS))


def run(given: argparse.Namespace) -> Table:
    """Measures all parts, each ``repeats`` times, and gives the table of the fastest of each."""
    data, repeats = data_of(given.data), 1 if given.quick else 3
    table = Table("Images: speed", ("what", ">ours", ">beside", ">ours / beside"))
    with tempfile.TemporaryDirectory(prefix="lithify-images-speed-") as folder:
        told = {"data": str(data.resolve()), "home": folder, "quick": given.quick}
        _data(table, [_called({**told, "part": "data", "home": f"{folder}/{n}"}, {}) for n in range(repeats)])
        told["home"] = f"{folder}/0"
        for width in WIDTHS[:1] if given.quick else WIDTHS:
            _trained(table, {**told, "width": width}, repeats)
            _predicted(table, {**told, "width": width, "part": "predict"}, repeats)
    table.notes = [
        f"Machine: {machine.hardware()}.",
        f"Versions: {machine.versions(('torch', 'onnxruntime', 'simplejpeg', 'pillow'))}.",
        f"{machine.load().capitalize()}. Fastest of {repeats}."
        + (" Quick mode: not to be quoted." if given.quick else ""),
        "Training: the network for small images by SGD, nothing augmented; ours always has the same bits.",
        "Prediction: ours from encoded bytes, PyTorch from pixels that are decoded already; one view, float32.",
        "Checkpoint: processor time of the writer beside that of the steps, at the pace of a training.",
    ]
    return table


def _data(table: Table, found: list[dict[str, Any]]) -> None:
    rows = found[0]["rows"]
    for name, key in (
        ("archive to snapshot", "snapshot"), ("decoded pixels of all images", "pixels"),
        ("both, from a cold process", "wall"), ("both, processor seconds", "cpu"),
    ):  # fmt: skip
        least = min(each[key] for each in found)
        table.add(name, f"{least:.2f} s", f"{rows / least:,.0f} images/s", "")
    table.add()


def _trained(table: Table, told: dict[str, Any], repeats: int) -> None:
    for precision in ("bf16", "fp32"):
        facts = {**told, "precision": precision}
        ours = _best([{**facts, "part": "grains"}] * repeats, _ONE, "images")
        table_name = f"training, width {told['width']:g}, {precision}"
        for words, exact in (("", False), (", use_deterministic_algorithms", True)):
            theirs = _best([{**facts, "part": "loop", "exact": exact}] * repeats, _TWO, "images")
            _beside(table, f"{table_name}; PyTorch{words}", ours["images"], theirs["images"])
        share = 100.0 * ours["writing"] / max(ours["cpu"], 1e-9)
        table.add(
            f"checkpoints, width {told['width']:g}, {precision}", f"{share:.2f} %", f"{ours['written']} times", ""
        )
    table.add()


def _predicted(table: Table, told: dict[str, Any], repeats: int) -> None:
    found = [_called(told, _TWO) for _ in range(repeats)]
    ours, alone = max(each["ours"] for each in found), min(each["ours_ms"] for each in found)
    for name in found[0]["peers"]:
        theirs = max(each["peers"][name] for each in found)
        _beside(table, f"prediction, width {told['width']:g}; PyTorch {name}", ours, theirs)
    theirs_alone = min(each["peer_ms"] for each in found)
    table.add(
        f"one image, width {told['width']:g}, p50; PyTorch channels_last", f"{alone:.2f} ms", f"{theirs_alone:.2f} ms",
        f"{alone / theirs_alone:.2f}",
    )  # fmt: skip
    table.add()


def _beside(table: Table, name: str, ours: float, theirs: float) -> None:
    table.add(name, f"{ours:,.0f} images/s", f"{theirs:,.0f} images/s", f"{ours / theirs:.2f}")


def _best(asked: list[dict[str, Any]], environment: dict[str, str], key: str) -> dict[str, Any]:
    return max((_called(each, environment) for each in asked), key=lambda found: float(found[key]))


def _called(told: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    found = called(CHILD, told, {**environment, "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0")})
    tell(f"{ {key: told[key] for key in ('part', 'width', 'precision', 'exact') if key in told} }: {found}")
    return found
