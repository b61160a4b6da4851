"""Labels that stand in a file beside the mail: a TREC index, or a CSV of file names and labels."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Final

from lithify.data import records
from lithify.data.columns import LABEL_NAMES, TEXT_NAMES, named
from lithify.data.text import decode

FILE_NAMES: Final = (
    "file",
    "filename",
    "file_name",
    "path",
    "filepath",
    "file_path",
    "mail",
    "message_file",
    "name",
    "id",
)


@dataclass(frozen=True, slots=True)
class Index:
    """What an index file says.

    Attributes
    ----------
    name : str
        The index file inside the collection.
    labels : dict
        Normalised member name → label; None where the index gives two.
    bad : int
        Lines that say nothing.
    """

    name: str
    labels: dict[str, str | None]
    bad: int


def parse_index(name: str, content: bytes) -> Index | None:
    r"""Reads ``label path`` lines, the paths relative to the index; None when most lines are something else.

    >>> parse_index("full/index", b"spam ../data/inmail.1\nham ../data/inmail.2\n").labels
    {'data/inmail.1': 'spam', 'data/inmail.2': 'ham'}
    """
    labels: dict[str, str | None] = {}
    bad = 0
    for line in decode(content).splitlines():
        match line.split(None, 1):
            case [label, path]:
                _put(labels, name, path.strip(), label)
            case []:
                continue
            case _:
                bad += 1
    return Index(name, labels, bad) if labels and bad <= len(labels) // 10 else None


def file_columns(form: records.Format, label: str | None) -> tuple[str, str] | None:
    r"""The columns of file names and of labels of a table that labels other files, None for any other table.

    >>> file_columns(records.sniff(b"file,label\na.eml,spam\n"), None)
    ('file', 'label')
    """
    file = named(form.columns, FILE_NAMES)
    if named((column for column in form.columns if column != file), TEXT_NAMES) is not None:
        return None
    label = label if label in form.columns else named(form.columns, LABEL_NAMES)
    return (file, label) if file is not None and label is not None and file != label else None


def parse_table(name: str, rows: list[tuple[object, object]]) -> Index:
    """An index from (file name, label) pairs, the names relative to the table.

    >>> parse_table("labels.csv", [("a.eml", "spam"), ("./b.eml", "ham"), ("a.eml", "ham")]).labels
    {'a.eml': None, 'b.eml': 'ham'}
    """
    labels: dict[str, str | None] = {}
    bad = 0
    for path, label in rows:
        if isinstance(path, str) and path.strip() and label is not None and str(label).strip():
            _put(labels, name, path.strip(), str(label).strip())
        else:
            bad += 1
    return Index(name, labels, bad)


def _put(labels: dict[str, str | None], index: str, path: str, label: str) -> None:
    name = posixpath.normpath(posixpath.join(posixpath.dirname(index), path.replace("\\", "/")))
    labels[name] = label if labels.get(name, label) == label else None
