"""The small real datasets that ship with the package; each states its source and licence in ``README.md`` beside it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from lithify.errors import NotFound


def mail() -> Path:
    """The mail sample: 800 ham and 700 spam, 2001 to 2002, as a tar.xz with the folders ``ham`` and ``spam``.

    Returns
    -------
    Path
        The archive as installed; read it in place, it belongs to the package.

    Raises
    ------
    NotFound
        When the package was installed without its data.

    Examples
    --------
    >>> mail().name
    'mail.tar.xz'
    """
    path = Path(str(files(__name__))) / "mail.tar.xz"
    if not path.is_file():
        raise NotFound(
            "The mail sample is missing from this installation.",
            expected="mail.tar.xz in the package lithify.samples",
            hint="Install Lithify again with pip.",
        )
    return path
