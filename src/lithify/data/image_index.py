"""Labels of images that stand in a table beside them: a column with names of files, and one with labels."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final, NamedTuple

from lithify.data import records
from lithify.data.collection import Labels
from lithify.data.columns import LABEL_NAMES, Asked, named
from lithify.data.files import Members
from lithify.data.index import FILE_NAMES
from lithify.data.layout import SIDES, left_aside, listed, side_named, side_of
from lithify.data.schema import Problem
from lithify.data.streams import shown
from lithify.data.text import decode
from lithify.errors import UsageError

IMAGE_NAMES: Final = (
    "file_name", "image", "img", "image_path", "img_path", "image_name", "image_file", "image_id", "img_id", "photo",
    "picture", "fname",
)  # fmt: skip
SIDE_NAMES: Final = ("split", "side", "subset")
_TRIED: Final = 200
CLASS_NAMES: Final = (*LABEL_NAMES, "cls", "class_name", "classname", "label_name", "breed", "species", "diagnosis")


class Entry(NamedTuple):
    """What a table says of one file; ``label`` is None where it gives two."""

    label: str | None
    side: str | None
    group: str | None


class ListedLabels(Labels):
    """The labels of images stand in tables."""

    def __init__(self, entries: dict[str, Entry], lost: list[str], tables: frozenset[str]) -> None:
        self._entries = entries
        self._lost = lost
        self._tables = tables
        names = sorted({entry.label for entry in entries.values() if entry.label is not None})
        where = listed([shown(name) for name in sorted(tables)], 3)
        self.words = f" with labels in {where} ({listed(names)})"

    def of(self, name: str) -> str | Problem | None:
        """The label of a member."""
        entry = self._entries.get(name)
        if entry is not None and entry.label is None:
            return Problem(shown(name), "two labels", f"in {listed([shown(n) for n in sorted(self._tables)], 3)}")
        return None if entry is None else entry.label

    def side(self, name: str) -> str | None:
        """The side that the table, its name or the folder of the image says."""
        entry = self._entries.get(name)
        return None if entry is None else entry.side

    def group(self, name: str) -> str | None:
        """The group that the table says."""
        entry = self._entries.get(name)
        return None if entry is None else entry.group

    def skips(self, name: str) -> bool:
        """Whether the file is no row."""
        return name in self._tables or (name not in self._entries and left_aside(name))

    def expected(self) -> set[str]:
        """Names that no file bears."""
        return set(self._lost)


def read_index(
    members: Members, forms: dict[str, records.Format], texts: dict[str, bytes], asked: Asked, *, sure: bool
) -> ListedLabels | None:
    """What tables beside images say of them, None where they name none of them.

    Parameters
    ----------
    members : Members
        The images, and the tables.
    forms : dict
        Tables (CSV, TSV, JSON lines) by name.
    texts : dict
        Contents of text files that may be lists of names and labels.
    asked : Asked
        Columns that are asked for.
    sure : bool
        Takes a column for that of labels only where its name says so; for images that have labels by their folders.
    """
    known = Names(member.name for member in members if not isinstance(member, Problem))
    entries: dict[str, Entry] = {}
    lost: list[str] = []
    tables = set()
    for member in members:
        if isinstance(member, Problem):
            continue
        rows: Iterable[tuple[str, Entry]] = ()
        if member.name in forms:
            lines = _records(records.records(member, forms[member.name]))
            rows = _of_table(lines, member.name, known, asked, sure)
        elif member.name in texts:
            rows = _of_text(texts[member.name], member.name, known)
        found = [(known.find(path, member.name), path, entry) for path, entry in rows]
        if any(name is not None for name, _, _ in found):
            tables.add(member.name)
            for name, path, entry in found:
                if name is None:
                    lost.append(posixpath.normpath(posixpath.join(posixpath.dirname(member.name), path)))
                else:
                    _put(entries, name, entry)
    return ListedLabels(entries, lost, frozenset(tables)) if entries else None


def _put(entries: dict[str, Entry], name: str, entry: Entry) -> None:
    old = entries.get(name, entry)
    folder = tuple(posixpath.dirname(name).split("/"))
    side = entry.side or old.side or side_of(folder, None)
    entries[name] = Entry(entry.label if old.label == entry.label else None, side, entry.group)


def _records(rows: Iterator[tuple[int, records.Record | records.Bad]]) -> Iterator[dict[str, str]]:
    for _, record in rows:
        if not isinstance(record, records.Bad):
            yield {key: str(value).strip() for key, value in record.items() if isinstance(value, (str, int, float))}


def _of_table(
    rows: Iterator[dict[str, str]], table: str, known: Names, asked: Asked, sure: bool
) -> Iterator[tuple[str, Entry]]:
    """File names and what is said of them; nothing of a table that names no files or has no labels."""
    first = list(islice(rows, _TRIED))
    columns = list(dict.fromkeys(name for row in first for name in row))
    file = _file_column(first, columns, table, known)
    if file is None:
        return
    for name in (asked.side, asked.group):
        if name is not None and name not in columns:
            raise UsageError(f"There is no column {name!r} in {shown(table)}.", found=_listed(columns))
    side = asked.side or named((name for name in columns if name != asked.label), SIDE_NAMES)
    label = _label_column([name for name in columns if name not in (file, side, asked.group)], table, asked, sure)
    if label is None:
        return
    whole = side_named(posixpath.splitext(posixpath.basename(table))[0])
    for row in chain(first, rows):
        if row.get(file) and row.get(label):
            given = SIDES.get(row.get(side, "").lower()) if side else whole
            yield row[file], Entry(row[label], given, row.get(asked.group) if asked.group else None)


def _file_column(rows: list[dict[str, str]], columns: list[str], table: str, known: Names) -> str | None:
    """The column most of whose first cells name files; by its name where several do."""
    hits = Counter[str]()
    for row in rows:
        hits.update(name for name, cell in row.items() if cell and known.find(cell, table) is not None)
    if not hits:
        return None
    most = [name for name in columns if 2 * hits[name] > max(hits.values())]
    return named(most, (*IMAGE_NAMES, *FILE_NAMES)) or most[0]


def _label_column(columns: list[str], table: str, asked: Asked, sure: bool) -> str | None:
    if asked.label in columns or (found := named(columns, CLASS_NAMES)) is None:
        if asked.label is not None:
            return asked.label if asked.label in columns else None
        if len(columns) == 1 and not sure:
            return columns[0]
        if sure or not asked.labelled or not columns:
            return None
        raise UsageError(
            f"Cannot tell which column of {shown(table)} is the label.",
            expected=f"one called {', '.join(CLASS_NAMES[:3])} or the like",
            found=_listed(columns),
            hint="Name it with --label.",
        )
    return asked.label if asked.label in columns else found


def _listed(columns: list[str]) -> str:
    return f"the columns {listed([repr(shown(name)) for name in columns], 20)}"


def _of_text(content: bytes, table: str, known: Names) -> Iterator[tuple[str, Entry]]:
    """Lines of a file name and a label, in either order."""
    side = side_named(posixpath.splitext(posixpath.basename(table))[0])
    for line in decode(content).splitlines():
        match line.split(None, 1):
            case [first, second]:
                second = second.strip()
                swapped = known.find(first, table) is None and known.find(second, table) is not None
                path, label = (second, first) if swapped else (first, second)
                yield path, Entry(label, side, None)


class Names:
    """Names of files as people write them: with their folders or without, with their ending or without.

    >>> names = Names(["train/a.jpg", "train/b.jpg", "test/b.jpg"])
    >>> names.find("a", "labels.csv"), names.find("b.jpg", "labels.csv"), names.find("b.jpg", "test/labels.csv")
    ('train/a.jpg', None, 'test/b.jpg')
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._whole: dict[str, str] = {}
        self._last: dict[str, str | None] = {}
        for name in names:
            stem = posixpath.splitext(name)[0]
            self._whole[name] = name
            self._whole.setdefault(stem, name)
            for last in {posixpath.basename(name), posixpath.basename(stem)}:
                self._last[last] = name if last not in self._last else None

    def find(self, path: str, table: str) -> str | None:
        """The file that a table means, None where there is none, or several."""
        plain = posixpath.normpath(path.replace("\\", "/"))
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(table), plain))
        found = self._whole.get(beside) or self._whole.get(plain) or self._last.get(posixpath.basename(plain))
        return None if found == table else found
