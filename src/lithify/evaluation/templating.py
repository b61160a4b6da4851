"""Fills the templates of pages: each stands by itself, with its style and its one script inside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

Filters = Mapping[str, Callable[..., Any]]


def page(template: str, filters: Filters, **values: Any) -> str:
    """A page as text: whatever is put in is escaped, and a name that the template lacks is an error.

    Beside ``values`` the template is given ``style``, ``script`` and ``script_hash``, for its security policy.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lithify.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    script = _text("report.js")
    return environment.get_template(template).render(
        style=_text("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **values,
    )


def _text(name: str) -> str:
    return resources.files("lithify.evaluation").joinpath("templates", name).read_text(encoding="utf-8")
