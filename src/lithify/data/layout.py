"""What a folder or an archive holds: one look at all names and a few first bytes tells where the labels are."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from lithify.data import records
from lithify.data.files import Member, Members
from lithify.data.images import is_image, is_named
from lithify.data.mail import looks_like_mail
from lithify.data.schema import Problem
from lithify.data.streams import shown
from lithify.errors import UnsafeSource

KNOWN_LABELS: Final = frozenset(
    "ham spam junk nonspam non-spam not_spam notspam legit legitimate phishing inbox".split()  # noqa: SIM905
)
SIDES: Final = {
    **dict.fromkeys(("train", "training", "trainset"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "testset", "eval", "evaluation", "holdout"), "test"),
}
"""Names of folders that hold one side of a split, which therefore are no labels."""
SIDECARS: Final = ("cls", "json", "txt")
"""Endings of files that say something of the image with the same name, the surest first."""
HEAD: Final = 4096
INDEX_LIMIT: Final = 64 << 20
"""Bytes of index files that are read, of all of them together."""
_INDEXES: Final = 100
_MAX_FOLDERS: Final = 1_000_000
_HEADS_EACH: Final = 3
_HEADS: Final = 60

_ASIDE: Final = re.compile(
    r"(?i)(^|/)(\.(?!.*/)[^/]*|readme[^/]*|licen[cs]e[^/]*|copying|changelog[^/]*|makefile|summary\.txt|cmds|"
    r"thumbs\.db|desktop\.ini|dovecot[^/]*|maildirfolder|maildirsize|courierimap[^/]*|subscriptions|[^/]*\.msf)$|"
    r"(^|/)__macosx/|(^|/)\.(git|svn|hg)/"
)
_ASIDE_FIRST: Final = frozenset(".rlcmtds")
"""How names of files begin that may be left aside; no others but those ending in ``.msf``, or in hidden folders."""
_INDEX: Final = re.compile(r"(?i)^(full[-_.])?(index|labels?)(\.txt|\.idx|\.index)?$")
_BINARY: Final = (b"%PDF", b"\xd0\xcf\x11\xe0", b"!BDN", b"PAR1", b"PK\3\4")
_MBOX: Final = re.compile(r"(?i)\.(mbox|mbx)$")

Folders = dict[tuple[str, ...], int]
Content = Literal["mail", "text", "image", "binary"]


@dataclass(slots=True)
class Survey:
    """What one look at a collection found.

    Attributes
    ----------
    folders : dict
        Path of each folder that directly holds files → how many.
    kinds : Counter
        What the files looked at hold: mail, text, images or something binary.
    pictures : dict
        Path of each folder that directly holds files with the ending of an image → how many.
    endings : Counter
        How many of the other files have, after the first dot of their names, each of :data:`SIDECARS`.
    indexes, tables : dict
        Content of index files; format of files of records, by name.
    mailboxes : list of str
        Names of mbox files.
    files, aside : int
        How many files, and how many of them are left aside (``README`` and the like, such as ``example``).
    """

    folders: Folders = field(default_factory=dict)
    kinds: Counter[Content] = field(default_factory=Counter)
    pictures: Folders = field(default_factory=dict)
    endings: Counter[str] = field(default_factory=Counter)
    indexes: dict[str, bytes] = field(default_factory=dict)
    tables: dict[str, records.Format] = field(default_factory=dict)
    mailboxes: list[str] = field(default_factory=list)
    files: int = 0
    aside: int = 0
    example: str = ""


def left_aside(name: str) -> bool:
    """Whether a file is no row by its name: hidden files, ``README``, what mail programs and systems leave behind.

    >>> [left_aside(name) for name in ("ham/.DS_Store", "README.txt", "ham/1.txt", ".Junk/cur/1")]
    [True, True, False, False]
    """
    start = name.rfind("/") + 1
    plain = name[start : start + 1].lower() not in _ASIDE_FIRST and "/." not in name and "__" not in name
    if plain and name[:1] != "." and name[-4:].lower() != ".msf":
        return False  # as nearly all, and told many times faster
    return _ASIDE.search(name) is not None


def survey(members: Members) -> Survey:
    """Looks at every name and at the first bytes of a few files of each folder, in one pass."""
    found = Survey()
    for member in members:
        if isinstance(member, Problem):
            continue
        if left_aside(member.name):
            found.aside += 1
            found.example = found.example or posixpath.basename(member.name)
        else:
            _look(member, found)
    return found


def _look(member: Member, found: Survey) -> None:
    folder, _, base = member.name.rpartition("/")
    found.files += 1
    if is_named(base):
        _count(folder, member, found, found.pictures)
        return
    if (ending := base.partition(".")[2].lower()) in SIDECARS:
        found.endings[ending] += 1
    if _INDEX.match(base) and len(found.indexes) < _INDEXES:
        found.indexes[member.name] = _head(member, INDEX_LIMIT - sum(map(len, found.indexes.values())))
        return
    if records.suffix_kind(base) and len(found.tables) < 100 and (form := _table(member)) is not None:
        found.tables[member.name] = form
        return
    if _MBOX.search(base) or (base.lower() in KNOWN_LABELS and _head(member, 5) == b"From "):
        found.mailboxes.append(member.name)
    _count(folder, member, found)


def _count(folder: str, member: Member, found: Survey, also: Folders | None = None) -> None:
    """Counts a file in its folder, and looks into the first few."""
    parts = tuple(folder.split("/")) if folder else ()
    count = found.folders.get(parts, 0)
    found.folders[parts] = count + 1
    if also is not None:
        also[parts] = also.get(parts, 0) + 1
    if len(found.folders) > _MAX_FOLDERS:
        raise UnsafeSource(f"More than {_MAX_FOLDERS:,} folders.", hint="Give a smaller folder or archive.")
    if found.mailboxes and found.mailboxes[-1] == member.name:
        found.kinds["mail"] += 1
    elif count < _HEADS_EACH and found.kinds.total() < _HEADS and (head := _head(member, HEAD)):
        found.kinds[content_of(head)] += 1


def _table(member: Member) -> records.Format | None:
    try:
        with records.open_records(member) as stream:
            return records.sniff(stream.read(1 << 20), member.name)
    except OSError:
        return None


def _head(member: Member, size: int) -> bytes:
    try:
        return member.read(size)
    except OSError:
        return b""


def content_of(head: bytes) -> Content:
    r"""Mail, text, an image or something else binary, from the first bytes of a file.

    >>> content_of(b"From: a\nTo: b\n\n"), content_of(b"hello"), content_of(b"\xff\xd8\xff\xe0\0\x10JFIF")
    ('mail', 'text', 'image')
    """
    if looks_like_mail(head):
        return "mail"
    if is_image(head):
        return "image"
    if head.startswith(_BINARY):
        return "binary"
    marked = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    return "binary" if b"\0" in head and not marked else "text"


def is_mailbox(name: str, mailboxes: frozenset[str]) -> bool:
    """Whether a member holds many messages."""
    return _MBOX.search(name) is not None or name in mailboxes


# --- where the labels are -------------------------------------------------------------------------------------------


def maildir_labels(folders: Folders) -> dict[tuple[str, ...], str | None] | None:
    """Folder → label for maildirs, None when these are not maildirs.

    The label is the name of the folder that holds ``cur`` and ``new``, without the leading dot; a single maildir has
    none. ``tmp`` holds mail that is not delivered yet.

    >>> maildir_labels({("cur",): 3, (".Junk", "cur"): 2, (".Junk", "new"): 1})
    {('cur',): 'INBOX', ('.Junk', 'cur'): 'Junk', ('.Junk', 'new'): 'Junk'}
    """
    held = [folder for folder in folders if folder and folder[-1] in ("cur", "new")]
    inside = sum(folders[folder] for folder in held)
    if not held or 2 * inside < sum(folders.values()):
        return None
    boxes = {folder[:-1] for folder in held}
    root = min(boxes, key=len)
    if len(boxes) == 1:
        return dict.fromkeys(held)
    depth = len(root) if all(box[: len(root)] == root for box in boxes) else len(_common(boxes))
    return {folder: _box_name(folder[depth:-1]) for folder in held}


def _box_name(parts: tuple[str, ...]) -> str:
    return label_name(parts[0].removeprefix(".")) if parts else "INBOX"


def folder_labels(folders: Folders) -> dict[tuple[str, ...], str | None] | None:
    """Folder → label where each label has a folder, None where there are no such folders.

    Single folders on top are passed over, and so are folders named after the sides of a split. Common names
    (``ham``, ``spam``) are labels at whatever depth they are.

    >>> folder_labels({("corpus", "ham"): 2, ("corpus", "spam", "2003"): 2, ("corpus",): 1})
    {('corpus', 'ham'): 'ham', ('corpus', 'spam', '2003'): 'spam', ('corpus',): None}
    >>> folder_labels({("train", "a"): 2, ("train", "b"): 2, ("test", "a"): 1})
    {('train', 'a'): 'a', ('train', 'b'): 'b', ('test', 'a'): 'a'}
    >>> folder_labels({("mails",): 2}) is None
    True
    """
    known = {folder: next((part for part in folder if part.lower() in KNOWN_LABELS), None) for folder in folders}
    labelled = sum(folders[folder] for folder, label in known.items() if label)
    if 10 * labelled >= 9 * sum(folders.values()) and _tells(known):
        return {folder: label and label_name(label) for folder, label in known.items()}
    depth = _depth(folders)
    if depth is None:
        return None
    return {folder: label_name(folder[depth]) if len(folder) > depth else None for folder in folders}


def _tells(known: dict[tuple[str, ...], str | None]) -> bool:
    """Whether the common names part the folders: two of them, or one that nothing branches below."""
    return (
        len({label for label in known.values() if label}) > 1 or len([label for label in known.values() if label]) == 1
    )


def _depth(folders: Folders) -> int | None:
    """How deep the label folders are: the first branching that is not between the sides of a split."""
    depth, inside = 0, dict(folders)
    while True:
        below = Counter[str]()
        for folder, count in inside.items():
            if len(folder) > depth:
                below[folder[depth]] += count
        direct = sum(count for folder, count in inside.items() if len(folder) == depth)
        if not below or (len(below) == 1 and direct > below.total()):
            return None
        if len(below) > 1 and not all(name.lower() in SIDES for name in below):
            return depth
        depth += 1
        inside = {folder: count for folder, count in inside.items() if len(folder) >= depth}


def side_of(folder: tuple[str, ...], label: str | None) -> str | None:
    """The side of a split that a folder above the label folder is named after.

    >>> side_of(("x", "training", "ham"), "ham"), side_of(("test",), "test")
    ('train', None)
    """
    above = folder[: folder.index(label)] if label in folder else folder
    return next((SIDES[part.lower()] for part in above if part.lower() in SIDES), None)


def side_named(name: str) -> str | None:
    """The side of a split that one word of a file's name says, None where no word does or two do.

    >>> side_named("train-00000-of-00002"), side_named("cifar10_test"), side_named("labels")
    ('train', 'test', None)
    """
    sides = {SIDES[word] for word in re.split(r"[-_. ]", name.lower()) if word in SIDES}
    return sides.pop() if len(sides) == 1 else None


def mailbox_label(name: str) -> str:
    """The label of an mbox: its file name without the ending.

    >>> mailbox_label("corpus/ham.mbox")
    'ham'
    """
    return label_name(posixpath.basename(name))


def label_name(name: str) -> str:
    """A label as found, without an ``.mbox`` ending and with nothing that cannot be shown."""
    return shown(_MBOX.sub("", name))


def listed(names: Iterable[str], most: int = 8) -> str:
    """A few names for a sentence.

    >>> listed("abc", 2)
    'a, b and 1 more'
    """
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _common(boxes: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    first, last = min(boxes), max(boxes)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]
