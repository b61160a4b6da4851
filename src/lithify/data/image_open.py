"""Telling a place of images by its files, its first bytes or its class, and opening it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from lithify.data import image_arrays, image_cifar, image_idx, image_index, image_numpy, image_shards, layout
from lithify.data.archives import is_zip
from lithify.data.collection import FolderLabels, Labels, NoLabels
from lithify.data.columns import Asked
from lithify.data.files import Folder, Member, Members, SingleFile
from lithify.data.image_arrays import ImageArrays
from lithify.data.image_files import ImageFiles
from lithify.data.images import HEAD, is_image
from lithify.data.source import Source
from lithify.data.streams import compression_of, open_decompressed, shown
from lithify.errors import TooFewRows, UnknownSource, UsageError

KNOWN: Final = (
    "a folder of images with one sub-folder per label, images with a table of names and labels, a tar or zip of these, "
    "WebDataset shards, a Parquet or Arrow file with a column of images, IDX or CIFAR files, NumPy arrays"
)
_LOOKED_AT: Final = 64
_PICKLE: Final = tuple(b"\x80" + bytes([version]) for version in range(2, 6))
_NPY: Final = b"\x93NUMPY"


def concerns(kind: str | None, asked: Asked) -> bool:
    """Whether what is asked for can be images at all."""
    return kind in (None, "image") and asked.text is None and (kind == "image" or asked.table is None)


# --- folders and archives -------------------------------------------------------------------------------------------


def open_by_names(members: Members, kind: str | None, asked: Asked) -> Source | None:
    """The source for a folder or an archive whose files' names say that they are images in no image format."""
    names = _first_names(members)
    if (cifar := image_cifar.recognise(names)) is not None:
        check(asked, members.words, label=True)
        return image_cifar.CifarImages(members, cifar, asked.label)
    if idx := image_idx.image_files(names):
        check(asked, members.words, label=True)
        return image_idx.IdxImages(members, idx, label=asked.label, sided=True, labelled=asked.labelled)
    if not isinstance(members, Folder):
        return None
    if (tars := image_shards.shard_names(_all_names(members, names))) is not None:
        shards = image_shards.Shards(members, tars)
        found = layout.survey(shards)
        return open_files(shards, found, asked) if kind == "image" or are_images(found) else None
    from lithify.data import image_tables

    if image_tables.has_tables(names):
        every = _all_names(members, names)
        if image_tables.has_tables(every):
            return image_tables.open_files([members.path / name for name in sorted(every)], asked)
    return None


def _first_names(members: Members) -> list[str]:
    return list(islice(_names(members), _LOOKED_AT))


def _all_names(members: Members, first: list[str]) -> list[str]:
    return first if len(first) < _LOOKED_AT else list(_names(members))


def _names(members: Members) -> Any:
    return (m.name for m in members if isinstance(m, Member) and not layout.left_aside(m.name))


def are_images(found: layout.Survey) -> bool:
    """Whether most of the files are images, files that say something of an image aside."""
    kinds, named = found.kinds, sum(found.pictures.values())
    others = sum(found.folders.values()) - named
    beside = sum(min(count, named) for count in found.endings.values())
    if kinds["image"] <= kinds["mail"]:
        return False
    return others - beside <= named if named else kinds["image"] > kinds["text"] + kinds["mail"] + kinds["binary"]


def open_files(members: Members, found: layout.Survey, asked: Asked) -> Source:
    """The source for a folder or an archive of images."""
    if not found.files:
        raise TooFewRows(f"{shown(str(members.path))} holds nothing to read.", expected=KNOWN)
    note = f"; leaving aside {found.aside} such as {shown(found.example)}" if found.aside else ""
    pictures = found.pictures or found.folders
    folders = layout.folder_labels(pictures)
    listed = None
    if found.tables or found.indexes:
        sure = folders is not None
        listed = image_index.read_index(members, found.tables, found.indexes, asked, sure=sure)
    if listed is not None:
        check(asked, members.words, label=True, columns=True)
        return ImageFiles(members, listed, note=note)
    check(asked, members.words, label=True)
    ending = image_shards.ending_of(found.endings, sum(pictures.values())) if asked.label is None else None
    if ending is not None and (folders is None or ending == "cls"):
        return image_shards.ImageSamples(members, ending, labelled=asked.labelled, note=note)
    labels: Labels = NoLabels(asked.label)
    if folders is not None:
        if asked.label is not None:
            raise UsageError(
                "A label cannot be given for data with labels of its own.",
                found="one sub-folder per label",
                hint="Leave the label out.",
            )
        labels = FolderLabels(folders, "one sub-folder per label")
    return ImageFiles(members, labels, note=note)


def check(asked: Asked, words: str, *, label: bool = False, columns: bool = False) -> None:
    """Refuses options that mean nothing for these images."""
    if asked.table is not None:
        raise UsageError(f"{asked.table} is for tables of fields.", found=f"{words} of images", hint="Leave it out.")
    refused = {"text": asked.text, "time": asked.time}
    refused |= {} if columns else {"side": asked.side, "group": asked.group}
    refused |= {} if label else {"label": asked.label}
    for option, value in refused.items():
        if value is not None:
            raise UsageError(
                f"{option}={value!r} means nothing here.", found=f"{words} of images", hint="Leave it out."
            )


# --- one file -------------------------------------------------------------------------------------------------------


def open_file(path: Path, head: bytes, asked: Asked) -> Source | None:
    """The source for one file that its first bytes or its name show to hold images; None for any other."""
    file = SingleFile(path)
    if is_image(head[:HEAD]):
        check(asked, "a file", label=True)
        return ImageFiles(file, NoLabels(asked.label), words="one image")
    if is_zip(head) and image_numpy.is_npz(path):
        check(asked, "a NumPy archive")
        return image_numpy.open_npz(path, file.signature(), labelled=asked.labelled)
    if head.startswith(_NPY):
        check(asked, "a NumPy file")
        return image_numpy.open_npy(path, file.signature())
    if head.startswith((b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")):
        return _open_table(path, head, asked)
    if head.startswith(b"\0\0\x08\x03") or image_idx.image_files([path.name]):
        return _open_idx(path, head, asked)
    if head.startswith(_PICKLE) and (path.suffix in (".pkl", ".pickle") or b"q\x00" in head or b"\x94" in head):
        raise UnknownSource(
            f"{shown(path.name)} is pickled: reading it could run any code.",
            expected=KNOWN,
            hint="Save the arrays with numpy.savez, or get CIFAR in its binary version.",
        )
    return None


def _open_table(path: Path, head: bytes, asked: Asked) -> Source | None:
    from lithify.data import image_tables, tabular_files

    if tabular_files.form_of(head, path.name) is None:
        return None
    return image_tables.open_files([path], asked)


def _open_idx(path: Path, head: bytes, asked: Asked) -> Source | None:
    """An IDX file of images, and that of labels which lies beside it."""
    compression = compression_of(head)
    with open_decompressed(path, compression) as stream:
        if stream.read(4) != b"\0\0\x08\x03":
            return None
    check(asked, "an IDX file", label=True)
    present = {entry.name for entry in path.parent.iterdir()}
    label = image_idx.label_file(path.name, present)
    pair = Picked(path.parent, [path.name, *([label] if label else [])])
    return image_idx.IdxImages(pair, [path.name], label=asked.label, sided=False, labelled=asked.labelled)


class Picked(Folder):
    """Some files of a folder."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        super().__init__(path)
        self._names = names

    def __iter__(self) -> Any:
        for name in self._names:
            yield from (each for each in SingleFile(self.path / name))

    def signature(self) -> str:
        """Changes when one of the files does."""
        return " ".join(SingleFile(self.path / name).signature() for name in self._names)


# --- in memory ------------------------------------------------------------------------------------------------------


def open_thing(thing: Any, kind: str | None, asked: Asked) -> Source | None:
    """The source for images in memory; None for anything else."""
    source = _arrays(thing, kind, asked)
    if source is not None:
        check(asked, "arrays")
        return source
    from lithify.data import image_tables

    return image_tables.open_object(thing, asked)


def _arrays(thing: Any, kind: str | None, asked: Asked) -> ImageArrays | None:
    if isinstance(thing, tuple) and len(thing) == 2 and (kind == "image" or _dimensions(thing[0]) >= 3):
        return image_arrays.of_pair(*thing, labelled=asked.labelled)
    if isinstance(thing, dict) and thing and any(_dimensions(each) >= 3 for each in thing.values()):
        return ImageArrays(image_numpy.stacks_of(thing, "the dict"), "a dict of arrays", labelled=asked.labelled)
    if not isinstance(thing, tuple) and _dimensions(thing) >= 3:
        return ImageArrays([image_arrays.Stack(image_arrays.as_images(thing), None)], "an array")
    return None


def _dimensions(thing: Any) -> int:
    """Of an array or of a list of arrays; 0 for anything else."""
    if isinstance(thing, (list, tuple)):
        first = thing[0] if thing else None
        return 1 + first.ndim if isinstance(first, np.ndarray) and first.ndim >= 2 else 0
    return int(thing.ndim) if hasattr(thing, "__array__") and hasattr(thing, "ndim") and hasattr(thing, "shape") else 0
