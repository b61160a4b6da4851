"""What `lithify doctor` looks at."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from lithify.cli.output import count, size
from lithify.errors import LithifyError

PACKAGES = (
    "numpy",
    "numba",
    "pyarrow",
    "selectolax",
    "rfc8785",
    "jinja2",
    "rich",
    "vl-convert-python",
)
EXTRAS = {
    "boosting": (("lightgbm",), "boost", "To learn from tables by boosting"),
    "images": (("pillow", "simplejpeg", "onnxruntime"), "images", "To read images and predict from them"),
    "networks": (("torch", "onnxruntime"), "networks", "To train networks"),
    "serving": (("httptools", "uvloop", "orjson", "python-multipart"), "serve", "To serve models"),
    "signing": (("model-signing", "cryptography"), "sign", "To sign models and check signatures"),
}
"""What the extras bring: their packages, the name of the extra, what it is for."""
LITTLE = 1 << 30


class Check(NamedTuple):
    """One thing looked at: what was found, whether it is fine, and what to do if not."""

    name: str
    ok: bool
    found: str
    hint: str = ""


def checks(home: Path | None) -> list[Check]:
    """All checks, in the order in which they are shown."""
    looks: list[Callable[[], Check]] = [
        _lithify,
        _platform,
        _cores,
        _packages,
        *(partial(_extra, name) for name in EXTRAS),
        lambda: _home(home),
        lambda: _permissions(home),
        lambda: _space(home),
        _kernels,
    ]
    return [look() for look in looks]


def _lithify() -> Check:
    import lithify

    return Check("lithify", True, f"{lithify.__version__}, in {Path(lithify.__file__).parent}")


def _platform() -> Check:
    found = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    fine = sys.platform.startswith("linux") and platform.machine() in ("x86_64", "AMD64")
    hint = "" if fine else "Tested on Linux x86-64; here the native tier may give other bits than elsewhere."
    return Check("platform", sys.platform not in ("win32", "cygwin"), found, hint)


def _cores() -> Check:
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return Check("cores", True, f"{usable} to use of {os.cpu_count()}")


def _packages() -> Check:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", False, f"missing: {', '.join(missing)}", "Install Lithify again with pip.")
    return Check("packages", True, ", ".join(found[:4]))


def _extra(name: str) -> Check:
    """What is there of an extra; that it is missing is no fault."""
    packages, extra, purpose = EXTRAS[name]
    found, missing = [], []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        return Check(name, True, f"not installed: {', '.join(missing)}", f"{purpose}: pip install 'lithify[{extra}]'.")
    return Check(name, True, ", ".join(found))


def _home(home: Path | None) -> Check:
    from lithify import things

    try:
        opened = things.open_home(home)
        catalog = opened.catalog
        held = f"{count(len(catalog.snapshots()), 'snapshot')}, {count(len(catalog.models()), 'model')}"
        found = f"{opened.path}: {held}"
        return Check("home", True, found)
    except LithifyError as error:
        return Check("home", False, error.message, error.hint or "")


def _permissions(home: Path | None) -> Check:
    path = _path(home)
    if path is None:
        return Check("permissions", False, "no home", "")
    mode = stat.S_IMODE(path.stat().st_mode)
    closed = not mode & (stat.S_IRWXG | stat.S_IRWXO)
    return Check("permissions", closed, f"{mode:04o}", "" if closed else f"Others can read it: chmod 700 {path}")


def _space(home: Path | None) -> Check:
    path = _path(home)
    free = shutil.disk_usage(path or Path.cwd()).free
    return Check("space", free >= LITTLE, f"{size(free)} free", "" if free >= LITTLE else "Free some space.")


def _kernels() -> Check:
    from lithify.cli import kernels

    if kernels.cached():
        return Check("kernels", True, "compiled")
    return Check("kernels", True, "not compiled yet", "The first training compiles them; --warm does so now.")


def _path(home: Path | None) -> Path | None:
    from lithify import things

    try:
        return things.open_home(home).path
    except LithifyError:
        return None
