"""Tar and zip archives, read member by member without unpacking to the disk.

An archive may come from anywhere, so nothing in it is believed: names that point outside, devices, links to elsewhere
and bombs are refused with ``UnsafeSource``; an archive that ends early raises ``DamagedSource``.
"""

from __future__ import annotations

import io
import os
import posixpath
import stat
import tarfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Final, Self, cast

from lithify.data.files import MAX_MEMBERS, Member, Members, too_many
from lithify.data.schema import Problem
from lithify.data.streams import BROKEN, Ahead, Budget, Guard, damaged, open_decompressed, open_regular, shown
from lithify.errors import UnknownSource, UnsafeSource

_MAX_EXTENSION: Final = 1 << 20
"""Long names and other extended headers of a tar are read into memory: never more than this."""
_EXTENSIONS: Final = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_KEEP: Final = 64 << 20
_KEEP_EACH: Final = 512
"""Bytes of members that stay in memory, and what each counts for besides its content."""
_WINDOW: Final = 1 << 20
_SMALL: Final = 1 << 20
"""Bytes of a plain tar that are read at a time; members up to this size are read whole, and by their place."""
_NO_PREFIX: Final = bytes(155)
_HARMLESS: Final = frozenset({"comment"})
"""Headers for all members that change nothing of what is read, such as git writes."""
_MAX_PADDING: Final = 16 << 20
_TAR_BROKEN: Final = (tarfile.TarError, *BROKEN)
_TAR_HEADER_BROKEN: Final = (tarfile.TarError, ValueError, LookupError, ArithmeticError)
"""What the standard library raises on extended headers that lie."""
_ZIP_BROKEN: Final = (zipfile.BadZipFile, NotImplementedError, ValueError, *BROKEN)


def is_tar(head: bytes) -> bool:
    """Whether the (decompressed) bytes begin with a tar header, or are an empty tar.

    >>> is_tar(b"Subject: hello")
    False
    """
    try:
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return len(head) >= 512
    except tarfile.TarError:
        return False
    return True


def is_zip(head: bytes) -> bool:
    r"""Whether the bytes begin like a zip archive, an empty one included.

    >>> is_zip(b"PK\x03\x04...")
    True
    """
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


class Tar(Members):
    """The files of a tar, tar.gz, tar.xz or tar.bz2 in the order they lie in it.

    What a whole pass found stays in memory for the next ones: contents, where they would have to be decompressed again
    and are not many; of a tar that is not compressed the places.
    """

    def __init__(self, path: Path, compression: str | None = None) -> None:
        self.path = path
        self.compression = compression
        self.words = f"a tar.{compression} archive" if compression else "a tar archive"
        self._kept: list[Member | Problem] | None = None
        self._kept_as = ""
        self._descriptor: int | None = None
        self._window = 0, b""

    def origin(self, name: str) -> str:
        """How a member is named to a person."""
        return shown(f"{self.path}:{name}")

    def __iter__(self) -> Iterator[Member | Problem]:
        signature = self.signature()
        if self._kept is not None and self._kept_as == signature:
            return iter(self._kept)
        return self._read(signature)

    def _read(self, signature: str) -> Iterator[Member | Problem]:
        kept: list[Member | Problem] = []
        left = _KEEP
        for member in self._stream():
            if left >= 0:
                if not isinstance(member, _Placed):
                    member, size = _held(member, left)
                    left -= size
                left -= _KEEP_EACH
                kept.append(member)
                if left < 0:
                    kept = []
            yield member
        if left >= 0:
            self._kept, self._kept_as = kept, signature

    def _stream(self) -> Iterator[Member | Problem]:
        with self._opened() as stream:
            try:
                yield from self._members(stream)
            except _TAR_HEADER_BROKEN as error:
                raise damaged(self.path) from error
            except _CutShort as error:
                raise damaged(self.path, str(error)) from error
            _drain(stream)

    def _opened(self) -> IO[bytes]:
        stream = open_decompressed(self.path, self.compression)
        if self.compression is None:
            return io.BufferedReader(cast(io.RawIOBase, stream), _WINDOW)
        return io.BufferedReader(Ahead(stream), 1 << 16)

    def _members(self, stream: IO[bytes]) -> Iterator[Member | Problem]:
        plain = self.compression is None
        opened = partial(tarfile.open, fileobj=stream, tarinfo=_Header, errors="surrogateescape")
        with opened(mode="r:") if plain else opened(mode="r|", bufsize=1 << 16) as tar:
            count = 0
            while (info := tar.next()) is not None:
                # The list of members is for random access, which a stream does not have; it would only grow.
                cast(list[tarfile.TarInfo], tar.members).clear()  # type: ignore[attr-defined]
                count += 1
                if count > MAX_MEMBERS:
                    raise too_many(self.path)
                if info.size < 0:  # an extended header may overrule the plain one
                    raise _CutShort("a header with an impossible size")
                if (member := self._member(tar, info)) is not None:
                    yield member
                while plain and (placed := self._placed(tar, stream)) is not None:
                    count += 1
                    if count > MAX_MEMBERS:
                        raise too_many(self.path)
                    yield placed

    def _placed(self, tar: tarfile.TarFile, stream: IO[bytes]) -> Member | None:
        """The next member where its header is of the common sort, told without the standard library's long way."""
        stream.seek(tar.offset)
        found = _plain_header(stream.read(tarfile.BLOCKSIZE))
        if found is None or not tar.pax_headers.keys() <= _HARMLESS:
            return None
        name, size = found
        start = tar.offset + tarfile.BLOCKSIZE
        tar.offset = start + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        return _Placed(safe_name(self.path, name), size, partial(self._content, start, size))

    def _content(self, start: int, size: int) -> IO[bytes]:
        if self._descriptor is None:
            with open_regular(self.path) as file:
                self._descriptor = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._descriptor)
        first, window = self._window
        if not first <= start <= start + size <= first + len(window):  # members are mostly read in their order
            first, window = self._window = start, os.pread(self._descriptor, max(size, _WINDOW), start)
        content = window[start - first : start - first + size]
        if len(content) < size:
            raise damaged(self.path)
        return io.BytesIO(content)

    def _member(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> Member | Problem | None:
        name = safe_name(self.path, info.name)
        if info.isdir():
            return None
        if info.issym() or info.islnk():
            folder = posixpath.dirname(name) if info.issym() else ""
            return link_problem(self, name, folder, info.linkname)
        if info.isdev():
            raise _unsafe(self.path, name, "a device or pipe")
        if not info.isreg() or info.issparse():  # a hole would unpack to any number of zeros
            return Problem(self.origin(name), "unreadable", "an unknown kind of member")
        return Member(name, info.size, lambda: self._open(tar, info))

    def _open(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
        file = cast(IO[bytes], tar.extractfile(info))
        return cast(IO[bytes], Guard(file, self.path, None, _TAR_BROKEN))


class _Placed(Member):
    """A member that can be read at any time."""


def _plain_header(header: bytes) -> tuple[str, int] | None:
    """Name and size from a tar header of a small file; None for any other, and for every oddity.

    >>> _plain_header(bytes(512)) is None
    True
    """
    if header[156:157] != tarfile.REGTYPE or header[345:500] != _NO_PREFIX or len(header) < tarfile.BLOCKSIZE:
        return None
    name = header[:100].split(b"\0", 1)[0]
    try:
        size = int(header[124:136].rstrip(b" \0"), 8)
        written = int(header[148:156].strip(b" \0"), 8)
    except ValueError:
        return None
    # the sum of all bytes, those of the sum itself taken as spaces
    found = _sum(header[:256]) + _sum(header[256:]) - sum(header[148:156]) + 8 * 32
    if found != written or not 0 <= size <= _SMALL or not name or name.endswith(b"/"):
        return None
    return name.decode("utf-8", "surrogateescape"), size


def _sum(some: bytes) -> int:
    """Sum of at most 256 bytes: the lower half of their Adler-32, as it stays below the modulus."""
    return (zlib.adler32(some) & 0xFFFF) - 1


def _held(member: Member | Problem, limit: int) -> tuple[Member | Problem, int]:
    """The member with its content in memory, and how much that is; as it is when it is larger than ``limit``."""
    if isinstance(member, Problem):
        return member, 0
    if member.size > limit:
        return member, member.size
    content = member.read(member.size)
    return Member(member.name, member.size, partial(io.BytesIO, content)), len(content)


class Zip(Members):
    """The files of a zip archive in the order of its directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.words = "a zip archive"

    def origin(self, name: str) -> str:
        """How a member is named to a person."""
        return shown(f"{self.path}:{name}")

    def __iter__(self) -> Iterator[Member | Problem]:
        try:
            archive = zipfile.ZipFile(self.path)
        except _ZIP_BROKEN as error:
            raise damaged(self.path) from error
        with archive:
            if len(archive.filelist) > MAX_MEMBERS:
                raise too_many(self.path)
            budget = Budget(self.path, self.path.stat().st_size)
            for info in archive.filelist:
                if (member := self._member(archive, info, budget)) is not None:
                    yield member

    def _member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Member | Problem | None:
        name = safe_name(self.path, info.filename.replace("\\", "/"))
        mode = info.external_attr >> 16
        if not info.filename:
            raise damaged(self.path, "a member without a name")
        if info.is_dir():
            return None
        if info.flag_bits & 1:
            raise UnknownSource(
                f"{shown(str(self.path))} is encrypted.",
                expected="an archive without a password",
                hint="Unpack it with its password and give the folder.",
            )
        if stat.S_ISLNK(mode):
            target = self._open(archive, info, budget).read(4096)
            return link_problem(self, name, posixpath.dirname(name), target.decode("utf-8", "surrogateescape"))
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise _unsafe(self.path, name, "a device or pipe")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            return Problem(self.origin(name), "unreadable", "an unknown compression method")
        return Member(name, info.file_size, lambda: self._open(archive, info, budget))

    def _open(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> IO[bytes]:
        try:
            file = archive.open(info)
        except _ZIP_BROKEN as error:
            raise damaged(self.path, f"member {shown(info.filename)} cannot be read") from error
        return cast(IO[bytes], Guard(file, self.path, budget, _ZIP_BROKEN))


class _CutShort(Exception):
    """A tar header that is missing, cut or broken where one must be."""


class _Header(tarfile.TarInfo):
    """A tar header that never ends the archive quietly: only the zero block at its end does."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise _CutShort("the end of the archive is missing" if not buf else "a broken header") from error
        if info.size < 0 or (info.type in _EXTENSIONS and info.size > _MAX_EXTENSION):
            raise _CutShort("a header with an impossible size")
        return info


def safe_name(path: Path, name: str) -> str:
    """The normalised name of a member; raises ``UnsafeSource`` for one that leads outside of the archive.

    >>> safe_name(Path("a.tar"), "./ham//1.txt")
    'ham/1.txt'
    """
    plain = name.replace("\\", "/")
    if plain.startswith("/") or ".." in plain.split("/") or "\0" in plain or plain[1:3] == ":/":
        raise _unsafe(path, name, "a path that leads outside of the archive")
    return posixpath.normpath(name)


def link_problem(members: Members, name: str, folder: str, target: str) -> Problem:
    """A link inside the archive is left out and said; one that leads outside raises ``UnsafeSource``."""
    resolved = posixpath.normpath(posixpath.join(folder, target))
    if resolved.startswith(("/", "../")) or resolved == "..":
        raise _unsafe(members.path, name, "a link that leads outside of the archive")
    return Problem(members.origin(name), "unreadable", "a link; the file it leads to is read in its own place")


def _drain(stream: IO[bytes]) -> None:
    """Reads the padding to the end, where a compressed stream keeps its checksum and shows whether it was cut."""
    left = _MAX_PADDING
    while left > 0 and (data := stream.read(min(left, 1 << 16))):
        left -= len(data)


def _unsafe(path: Path, name: str, what: str) -> UnsafeSource:
    return UnsafeSource(
        f"{shown(str(path))} is not safe to read.",
        expected="plain files inside the archive",
        found=f"{what} ({shown(name)[:200]})",
        hint="Do not use this archive, or unpack it where it can do no harm and give the folder.",
    )
