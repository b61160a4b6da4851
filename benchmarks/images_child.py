"""Trains and measures one system of ``images`` in a process of its own."""

from __future__ import annotations

import json
import resource
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.images_systems import SYSTEMS


def main() -> None:
    """Works as the facts say: ``data`` (an archive or a folder), ``system``, ``out``."""
    told = json.loads(sys.argv[1])
    system = SYSTEMS[told["system"]]
    with tempfile.TemporaryDirectory(prefix="lithify-images-") as scratch:
        if system.ours:
            figures = lithify(Path(told["data"]), Path(scratch), **system.settings)
        else:
            from benchmarks import images_peers

            folder = _unpacked(Path(told["data"]), Path(scratch))
            figures = getattr(images_peers, system.function)(folder, **system.settings)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    figures["cpu"] = round(sum(each.ru_utime + each.ru_stime for each in used), 1)
    figures["peak"] = max(each.ru_maxrss for each in used) * 1024
    Path(told["out"]).write_text(json.dumps(figures))


def lithify(data: Path, scratch: Path, quality: str, budget: str | None) -> dict[str, Any]:
    """From the archive to a sealed model, which then predicts the test images from their bytes."""
    import lithify as product

    home, out = scratch / "home", scratch / "model.lith"
    began = time.monotonic()
    snapshot = product.snapshot(data, home=home)
    frozen = time.monotonic() - began
    trained = product.train(snapshot, quality=quality, budget=budget, out=out, home=home)
    fit = time.monotonic() - began
    model = product.open(out)
    contents = snapshot.content(snapshot.rows("test"))
    model.predict(contents[:10])
    taken = time.perf_counter()
    model.predict(contents)
    taken = time.perf_counter() - taken
    return {
        "accuracy": trained.card["test"]["metrics"]["accuracy"]["value"],
        "fit": fit,
        "snapshot": frozen,
        "predict": len(contents) / taken,
        "bytes": out.stat().st_size,
        "digest": trained.digest,
        "recipe": trained.card["recipe"]["params"],
    }


def _unpacked(data: Path, scratch: Path) -> Path:
    """The folder with ``train`` and ``test``; unpacking does not count."""
    if data.is_dir():
        return data
    with tarfile.open(data) as tar:
        tar.extractall(scratch / "data", filter="data")
    return next(path.parent for path in (scratch / "data").rglob("train") if path.is_dir())


if __name__ == "__main__":
    main()
