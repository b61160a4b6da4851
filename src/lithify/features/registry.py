"""Features by name; none is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import cast

from lithify.errors import Unsupported
from lithify.features.base import Features

NAMES = {
    "image": "lithify.features.image:Image",
    "mail": "lithify.features.mail:Mail",
    "mail words": "lithify.features.words:MailWords",
    "table": "lithify.features.table:Table",
    "text": "lithify.features.text:Text",
    "text words": "lithify.features.words:TextWords",
}
_FORMS = {
    ("image", "pixels"): "image",
    ("mail", "hashed"): "mail",
    ("mail", "columns"): "mail words",
    ("table", "columns"): "table",
    ("text", "hashed"): "text",
    ("text", "columns"): "text words",
}


def chosen(kind: str, forms: Sequence[str]) -> str:
    """Name of the features of rows of that kind in the first of some forms that they have.

    Raises ``Unsupported`` if they have none of them.

    >>> chosen("mail", ("hashed", "columns")), chosen("table", ("hashed", "columns"))
    ('mail', 'table')
    """
    for form in forms:
        if (kind, form) in _FORMS:
            return _FORMS[kind, form]
    raise Unsupported(
        f"There are no features of rows of kind {kind!r} that this learner can learn from.",
        expected=" or ".join(sorted({kind for kind, form in _FORMS if form in forms})),
        found=kind,
    )


def features(name: str) -> type[Features]:
    """The features of that name; ``Unsupported`` if there are none."""
    if name not in NAMES:
        raise Unsupported(f"There are no features {name!r}.", expected=", ".join(sorted(NAMES)))
    module, _, attribute = NAMES[name].partition(":")
    return cast(type[Features], getattr(import_module(module), attribute))
