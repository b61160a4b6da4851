"""What a folder or an archive is: a table, files with an index, maildirs, label folders, mailboxes or plain files."""

from __future__ import annotations

import posixpath
from typing import Final, Literal, cast

from lithify.data import image_open, layout, records
from lithify.data.collection import FilesSource, FolderLabels, IndexLabels, Labels, MailboxLabels, NoLabels
from lithify.data.columns import Asked, TextTableSource
from lithify.data.files import Members
from lithify.data.index import Index, file_columns, parse_index, parse_table
from lithify.data.schema import Field, Problem
from lithify.data.source import Source
from lithify.data.streams import shown
from lithify.errors import TooFewRows, UnknownSource, UsageError

ContentKind = Literal["mail", "text"]
KNOWN: Final = (
    "a maildir, an mbox, a folder with one sub-folder per label, files with an index, a tar or zip of these, "
    "a CSV, TSV, JSON lines, Parquet, Arrow or Excel file, an SQLite database, a message, or images"
)


def open_members(members: Members, wanted: str | None, asked: Asked, like: tuple[Field, ...] | None = None) -> Source:
    """The source for a folder or an archive."""
    from lithify.data.tabular_open import open_folder

    images = like is None and image_open.concerns(wanted, asked)
    if images and (source := image_open.open_by_names(members, wanted, asked)) is not None:
        return source
    if wanted == "image":
        return image_open.open_files(members, layout.survey(members), asked)
    if (tables := open_folder(members, wanted, asked, like)) is not None:
        return tables
    kind = cast("ContentKind | None", wanted)
    found = layout.survey(members)
    if images and image_open.are_images(found):
        return image_open.open_files(members, found, asked)
    if not found.files:
        extra = f"{found.aside} files such as {found.example}" if found.aside else "no files"
        raise TooFewRows(f"{shown(str(members.path))} holds nothing to read.", expected=KNOWN, found=extra)
    note = f"; leaving aside {found.aside} such as {shown(found.example)}" if found.aside else ""
    if not found.folders and found.tables:
        return TextTableSource(members, found.tables, asked, kind, note)
    labels = _index_labels(members, found, asked) or _labels(found, asked)
    if found.tables and isinstance(labels, NoLabels) and not found.kinds["mail"]:
        others = f"; leaving aside {found.aside + sum(found.folders.values())} other files"
        return TextTableSource(members, found.tables, asked, kind, others)
    mailboxes = frozenset(found.mailboxes)
    return files_source(members, labels, kind or _kind(members, found), asked, mailboxes=mailboxes, note=note)


def _kind(members: Members, found: layout.Survey) -> ContentKind:
    kinds = found.kinds
    if kinds["binary"] + kinds["image"] > kinds["mail"] + kinds["text"]:
        raise UnknownSource(
            f"Cannot read rows from {shown(str(members.path))}.", expected=KNOWN, found="files of binary data"
        )
    return "mail" if kinds["mail"] >= kinds["text"] and kinds["mail"] else "text"


def _labels(found: layout.Survey, asked: Asked) -> Labels:
    """Where the labels of a collection without an index are."""
    labels: Labels
    if (maildirs := layout.maildir_labels(found.folders)) is not None:
        words = "one maildir per label" if any(maildirs.values()) else "which is a maildir"
        labels = FolderLabels(maildirs, words, maildir=True)
    elif (folders := layout.folder_labels(found.folders)) is not None:
        labels = FolderLabels(folders, "one sub-folder per label")
    elif found.mailboxes:
        labels = MailboxLabels(found.mailboxes)
    else:
        labels = NoLabels()
    if asked.label is None:
        return labels
    if labels.given:
        _refuse_label(asked, f"data{labels.words}")
    return NoLabels(asked.label)


def _refuse_label(asked: Asked, found: str) -> None:
    if asked.label is not None:
        raise UsageError(
            "A label cannot be given for data with labels of its own.", found=found, hint="Leave the label out."
        )


def _index_labels(members: Members, found: layout.Survey, asked: Asked) -> Labels | None:
    """Labels from an index file or a table of file names, None when there is neither."""
    beside = frozenset({*found.indexes, *found.tables})
    parsed = [
        index
        for name, content in found.indexes.items()
        if (index := parse_index(name, content)) and _fits(index, found.folders)
    ]
    if parsed:
        _refuse_label(asked, f"labels in {shown(parsed[0].name)}")
        best = min(parsed, key=lambda index: (not index.name.lower().endswith("full/index"), len(index.name)))
        return IndexLabels(best, beside)
    for name, form in found.tables.items():
        if (columns := file_columns(form, asked.label)) is not None:
            return IndexLabels(_table_index(members, name, form, columns), beside)
    return None


def _fits(index: Index, folders: layout.Folders) -> bool:
    """Whether the index speaks of files in these folders."""
    known = {"/".join(folder) for folder in folders}
    return any(posixpath.dirname(name) in known for name in index.labels)


def _table_index(members: Members, name: str, form: records.Format, columns: tuple[str, str]) -> Index:
    pairs: list[tuple[object, object]] = []
    for member in members:
        if not isinstance(member, Problem) and member.name == name:
            for _, record in records.records(member, form):
                fields: records.Record = {} if isinstance(record, records.Bad) else record
                pairs.append((fields.get(columns[0]), fields.get(columns[1])))
            break
    return parse_table(name, pairs)


def files_source(
    members: Members,
    labels: Labels,
    kind: ContentKind,
    asked: Asked,
    *,
    mailboxes: frozenset[str] = frozenset(),
    note: str = "",
    words: str = "",
) -> FilesSource:
    """A source of files, once the options are known to fit."""
    no_columns(asked, members.words)
    if asked.group is not None and kind == "text":
        raise UsageError("A group needs a table or mail.", found=members.words, hint="Leave the group out.")
    return FilesSource(members, labels, kind, group=asked.group, mailboxes=mailboxes, words=words, note=note)


def no_columns(asked: Asked, words: str) -> None:
    """Refuses options that name columns where there are none."""
    if asked.table is not None:
        raise UsageError(f"{asked.table} is for tables, and there is none.", found=words, hint="Leave it out.")
    for option, value in (("text", asked.text), ("time", asked.time), ("side", asked.side)):
        if value is not None:
            raise UsageError(
                f"{option}={value!r} names a column, and there is no table.", found=words, hint="Leave it out."
            )
