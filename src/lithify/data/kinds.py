"""The rules by which a column's look tells its kind, each with its reason in words; the first that fits counts."""

from __future__ import annotations

from typing import Final

from lithify.data.grammar import PAIRS
from lithify.data.looks import WATCHED, Look
from lithify.data.schema import FieldKind, Form, Role

ALMOST: Final = 0.995
"""A column is of a kind when so many of its cells are; the others count as missing."""
ID_CELLS: Final = 20
"""Fewer cells that all differ say nothing."""
ID_SHARE: Final = 0.95
WORDS: Final = 3.0
_ID_NAMES: Final = frozenset(
    {"id", "ids", "uid", "uuid", "guid", "key", "index", "idx", "rowid", "rownum", "row_number"}
)
_NAMELESS: Final = ("", "Unnamed: 0", "__index_level_0__")
Kind = tuple[FieldKind, str]


def kind_of(name: str, look: Look, role: Role | None) -> Kind:
    """The first rule that fits."""
    if not look.cells or look.types - {"text", "number", "boolean", "time", "category"}:
        return "category", ""
    for rule in (_typed, _numeric, _flagged, _dated):
        found = rule(look)
        if found is not None:
            serial = _serial(name, look) if found[0] == "number" and role is None else ""
            return ("identifier", serial) if serial else found
    return _worded(look)


def _typed(look: Look) -> Kind | None:
    """Columns whose type says it all."""
    if look.types == {"time"}:
        return "time", share(look.numbers, look, "times")
    if look.types == {"boolean"}:
        return "boolean", share(look.numbers, look, "true or false")
    if "category" in look.types:
        return "category", f"a categorical column with {different(look)}"
    return None


def _numeric(look: Look) -> Kind | None:
    if look.coded:
        return None  # 00501 is a code
    numbers, known = look.numbers + look.infinite, look.known
    if look.types <= {"number", "boolean"} or (look.numbers and numbers >= ALMOST * known):
        return "number", share(numbers, look, "numbers", look.infinite)
    if look.commas and look.commas >= ALMOST * known:
        return "number", share(look.commas, look, "numbers with a decimal comma")
    return None


def _flagged(look: Look) -> Kind | None:
    for yes, no in PAIRS:
        if look.flags[yes] and look.flags[no] and look.flags[yes] + look.flags[no] == look.known:
            return "boolean", share(look.known, look, f"{yes} or {no}")
    return None


def _dated(look: Look) -> Kind | None:
    if not look.times or look.times < ALMOST * look.known:
        return None
    return "time", share(look.times, look, "dates or times") + order_of(look)


def order_of(look: Look) -> str:
    """Why the day or the month of a date comes first; empty where no date leaves that open."""
    if not look.days:
        return ""
    most, least = max(look.month_first, look.month_second), min(look.month_first, look.month_second)
    if not most:
        return "; no day is above 12, so that the day comes first is a guess"
    first = "month" if look.month_first > look.month_second else "day"
    other = f", {least:,} dates the other way round count as missing" if least else ""
    return f"; the {first} comes first, {most:,} days above 12 say so{other}"


def _worded(look: Look) -> Kind:
    distinct, cells = len(look.distinct), look.watched
    words = 1 + look.blanks / look.cells
    if cells >= ID_CELLS and distinct >= ID_SHARE * cells and words < WORDS:
        most = "all" if distinct == cells else "nearly all"
        which = "its cells" if cells == look.cells else f"its first {cells:,} cells"
        return "identifier", f"{most} of {which} are different and have fewer than {WORDS:g} words"
    if cells >= ID_CELLS and 2 * distinct >= cells and words >= WORDS:
        return "text", f"{words:.1f} words in a cell, {different(look)} in {look.cells:,} cells"
    return "category", different(look)


def _serial(name: str, look: Look) -> str:
    """Why whole numbers are identifiers; empty if they are numbers."""
    if not look.whole or look.cells < ID_CELLS or look.known != look.rows or len(look.distinct) != look.watched:
        return ""
    plain = name.strip().casefold().replace(" ", "_").replace("-", "_")
    named = plain in _ID_NAMES or plain.endswith(("_id", "_key", "_uuid")) or plain.startswith("id_")
    if named or name.strip().endswith("Id") or name.strip().endswith("ID"):
        return "whole numbers that are all different, and its name says that they name rows"
    if look.running and (look.first in (0.0, 1.0) or name in _NAMELESS):
        return "it counts the rows"
    return ""


def useless(look: Look) -> str:
    """Why nothing can be learned from a column; empty if something may be."""
    unread = look.types - {"text", "number", "boolean", "time", "category"}
    if unread:
        return f"its cells are of type {min(unread)}, which is not read"
    if not look.cells:
        return "all cells are missing"
    if len(look.distinct) == 1 and look.cells == look.rows:
        return "all cells are equal"
    return ""


def form_told(look: Look) -> Form:
    """What the whole column tells of how its cells are written."""
    if look.days:
        return "m/d/y" if look.month_first > look.month_second else ""
    return "1.234,5" if look.numbers < ALMOST * look.known and look.commas >= ALMOST * look.known > 0 else ""


def share(count: int, look: Look, what: str, infinite: int = 0) -> str:
    """How many cells are what."""
    of = look.known
    if count >= of == look.rows:
        said = f"all of {of:,} cells are {what}"
    elif count >= of:
        said = f"{of:,} cells are {what}, all that are not missing"
    else:
        said = f"{count:,} of {of:,} cells are {what}, the others count as missing"
    said += ' ("?" and the like count as missing)' if look.words else ""
    return said + (f", {infinite:,} infinite ones too" if infinite else "")


def different(look: Look) -> str:
    """How many different values there are."""
    if len(look.distinct) >= WATCHED:
        return f"more than {WATCHED:,} different values"
    return f"{len(look.distinct):,} different value{'s' if len(look.distinct) != 1 else ''}"


def counted(look: Look) -> str:
    """What was found in a column that should hold something else."""
    return f"{look.known:,} cells, {look.numbers:,} of them numbers and {look.times:,} dates or times"
