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
    return _installed("mail.tar.xz")


def adult() -> Path:
    """The table sample: 12,000 rows of the adult census table of 1994, as a csv.gz; ``target`` is the label.

    Returns
    -------
    Path
        The file as installed; read it in place, it belongs to the package.

    Raises
    ------
    NotFound
        When the package was installed without its data.

    Examples
    --------
    >>> adult().name
    'adult.csv.gz'
    """
    return _installed("adult.csv.gz")


def digits() -> Path:
    """The image sample: 1,797 handwritten digits of 8 x 8 pixels as PNG, one folder for each digit, as a tar.xz.

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
    >>> digits().name
    'digits.tar.xz'
    """
    return _installed("digits.tar.xz")


def _installed(name: str) -> Path:
    path = Path(str(files(__name__))) / name
    if not path.is_file():
        raise NotFound(
            f"The sample {name} is missing from this installation.",
            expected=f"{name} in the package lithify.samples",
            hint="Install Lithify again with pip.",
        )
    return path
