"""Hostile and broken places: archives that lie, files that vanish, pipes that would hang."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import resource
import struct
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lithify.data import files, layout
from lithify.data.archives import Tar, Zip, safe_name
from lithify.data.mail import RAW_LIMIT, holds_several, split_mbox
from lithify.data.open import open_source
from lithify.data.schema import Problem, Row
from lithify.data.streams import open_regular
from lithify.errors import DamagedSource, DataError, UnknownSource, UnsafeSource
from lithify.media import mime

MAIL = b"From: a@example.org\nTo: b@example.org\nSubject: %d\n\nhello\n"


def tar_of(*infos: tuple[tarfile.TarInfo, bytes], mode: str = "w:") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        for info, content in infos:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def honest(count: int = 4) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(entry(f"{'ham' if i % 2 else 'spam'}/{i}"), MAIL % i) for i in range(count)]


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "ham/../../evil", "..\\evil", "C:/evil", "ham/.."])
@pytest.mark.parametrize("form", ["tar", "zip"])
def test_names_that_lead_outside(name: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{form}"
    if form == "tar":
        put(path, tar_of(*honest(), (entry(name), b"x")))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("ham/1", MAIL % 1)
            archive.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(UnsafeSource, match="not safe to read"):
        open_source(path)


@given(st.text(st.sampled_from("ab./\\\0:"), max_size=12))
@example("a/../b")
def test_no_name_ever_leads_outside(name: str) -> None:
    try:
        safe = safe_name(Path("a.tar"), name)
    except UnsafeSource:
        return
    assert not safe.startswith("/")
    assert ".." not in safe.split("/")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_in_a_tar(kind: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnsafeSource, match="device or pipe"):
        open_source(put(tmp_path / "a.tar", tar_of(*honest(), (entry("ham/null", kind), b""))))


@pytest.mark.parametrize(
    ("kind", "target"), [(tarfile.SYMTYPE, "../../x"), (tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "../x")]
)
def test_links_that_lead_outside(kind: bytes, target: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeSource, match="link that leads outside"):
        open_source(put(tmp_path / "a.tar", tar_of(*honest(), (entry("ham/link", kind, target), b""))))


def test_links_inside_are_said(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tar", tar_of(*honest(), (entry("ham/link", tarfile.SYMTYPE, "../spam/0"), b"")))
    found = list(open_source(path).rows())
    assert [row.reason for row in found if isinstance(row, Problem)] == ["unreadable"]
    assert sum(isinstance(row, Row) for row in found) == 4


@pytest.mark.parametrize("target", [b"../../etc/passwd", b"1"])
def test_links_in_a_zip(target: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("ham/1", MAIL % 1)
        archive.writestr("spam/1", MAIL % 2)
        info = zipfile.ZipInfo("ham/link")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, target)
    if target == b"1":
        assert [row.reason for row in open_source(tmp_path / "a.zip").rows() if isinstance(row, Problem)] == [
            "unreadable"
        ]
    else:
        with pytest.raises(UnsafeSource):
            open_source(tmp_path / "a.zip")


WHOLE = tar_of(*honest(6))
FORMS = {"tar": WHOLE, "gz": gzip.compress(WHOLE), "xz": lzma.compress(WHOLE)}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_cut_archive_is_never_read_as_whole(form: str, data: st.DataObject, tmp_path: Path) -> None:
    content = FORMS[form]
    # Behind its last file a plain tar holds only zero blocks, of which the first is all that is needed.
    last = len(WHOLE.rstrip(b"\0")) // 512 * 512 + 512 if form == "tar" else len(content)
    cut = data.draw(st.integers(600 if form == "tar" else 12, last - 1))
    with pytest.raises(DataError):
        list(open_source(put(tmp_path / "a", content[:cut])).rows())


@pytest.mark.parametrize("count", range(1, 6))
def test_a_tar_cut_between_two_files(count: int, tmp_path: Path) -> None:
    with pytest.raises(DamagedSource, match="end of the archive is missing"):
        open_source(put(tmp_path / "a.tar", WHOLE[: count * 1024]))


@pytest.mark.parametrize("form", ["gz", "xz"])
def test_flipped_bytes_are_damage(form: str, tmp_path: Path) -> None:
    broken = bytearray(FORMS[form])
    broken[len(broken) // 2] ^= 0x55
    with pytest.raises(DamagedSource):
        open_source(put(tmp_path / "a", bytes(broken)))


def test_a_broken_header_inside_is_damage_not_the_end(tmp_path: Path) -> None:
    broken = bytearray(WHOLE)
    broken[2048 + 10] ^= 0x55
    with pytest.raises(DamagedSource, match="a broken header"):
        open_source(put(tmp_path / "a.tar", bytes(broken)))


def zip_of(count: int = 4) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(count):
            archive.writestr(f"{'ham' if i % 2 else 'spam'}/{i}", MAIL % i)
    return stream.getvalue()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(4, len(zip_of()) - 1))
def test_a_cut_zip(cut: int, tmp_path: Path) -> None:
    with pytest.raises(DamagedSource):
        open_source(put(tmp_path / "a.zip", zip_of()[:cut]))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.integers(0, len(zip_of()) - 1), value=st.integers(0, 255), form=st.sampled_from(["zip", "tar"]))
def test_a_changed_byte_never_raises_anything_but_ours(at: int, value: int, form: str, tmp_path: Path) -> None:
    content = bytearray(zip_of() if form == "zip" else tar_of(*honest(2)))
    content[at] = value
    try:
        list(open_source(put(tmp_path / "a", bytes(content))).rows())
    except DataError:
        return


def test_a_wrong_checksum_in_a_zip(tmp_path: Path) -> None:
    content = bytearray(zip_of())
    with zipfile.ZipFile(io.BytesIO(zip_of())) as archive:
        crc = struct.pack("<I", archive.infolist()[1].CRC)
    for at in [i for i in range(len(content)) if content[i : i + 4] == crc]:
        content[at] ^= 1
    with pytest.raises(DamagedSource):
        open_source(put(tmp_path / "a.zip", bytes(content)))


def test_an_encrypted_zip(tmp_path: Path) -> None:
    content = bytearray(zip_of())
    at = -1
    while (at := content.find(b"PK\x01\x02", at + 1)) >= 0:
        content[at + 8] |= 1
    with pytest.raises(UnknownSource, match="is encrypted"):
        open_source(put(tmp_path / "a.zip", bytes(content)))


def test_a_huge_member_is_read_only_to_the_limit(tmp_path: Path) -> None:
    huge = MAIL % 1 + b"x" * (20 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ham/1", huge)
        archive.writestr("spam/1", MAIL % 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first, second = open_source(tmp_path / "a.zip").rows()
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert (len(first.content), first.truncated, second.truncated) == (mime.READ_LIMIT, True, False)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10  # KiB


@pytest.mark.parametrize("form", ["tar.xz", "zip", "mbox.gz"])
def test_bombs(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lithify.data.streams.MIN_BOMB", 1 << 20)
    path = tmp_path / f"a.{form}"
    huge = MAIL % 1 + bytes(8 << 20)
    if form == "tar.xz":
        put(path, tar_of((entry("ham/1"), huge), mode="w:xz"))
    elif form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(8):
                archive.writestr(f"ham/{i}", huge[: RAW_LIMIT // 2])
                archive.writestr(f"spam/{i}", huge[: RAW_LIMIT // 2])
    else:
        put(path, gzip.compress(huge))
    with pytest.raises(UnsafeSource, match="times its size"):
        list(open_source(path).rows())


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lithify.data.archives.MAX_MEMBERS", 3)
    monkeypatch.setattr(files, "MAX_MEMBERS", 3)
    with pytest.raises(UnsafeSource, match="more than 3 files"):
        list(Tar(put(tmp_path / "a.tar", WHOLE)))
    with pytest.raises(UnsafeSource, match="more than 3 files"):
        list(Zip(put(tmp_path / "a.zip", zip_of())))
    for i in range(4):
        (tmp_path / f"{i}").touch()
    with pytest.raises(UnsafeSource, match="more than 3 files"):
        list(files.Folder(tmp_path))


@pytest.mark.parametrize("size", [1 << 30, -1])
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_huge_extended_header(kind: bytes, size: int, tmp_path: Path) -> None:
    info = entry("x", kind)
    info.size = size
    with pytest.raises(DamagedSource):
        open_source(put(tmp_path / "a.tar", WHOLE[:1024] + info.tobuf(tarfile.GNU_FORMAT) + bytes(2048)))


def test_names_that_are_not_text(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tar", tar_of(*honest(), (entry("ham/\udce9\x1b[31m"), MAIL % 9)))
    origins = [row.origin for row in open_source(path).rows()]
    assert all(origin.isprintable() and origin.encode() for origin in origins)
    folder = tmp_path / "folder"
    for name in (b"h\xe9m", b"spam"):
        (folder / os.fsdecode(name)).mkdir(parents=True)
        (folder / os.fsdecode(name) / "1").write_bytes(MAIL % 1)
    assert {row.label for row in open_source(folder).rows() if isinstance(row, Row)} == {"h\ufffdm", "spam"}


def labelled_folder(root: Path) -> Path:
    for label in ("ham", "spam"):
        (root / label).mkdir(parents=True)
        (root / label / "1").write_bytes(MAIL % 1)
    return root


def test_loops_links_and_pipes_in_a_folder(tmp_path: Path) -> None:
    root = labelled_folder(tmp_path / "root")
    (root / "ham" / "loop").symlink_to(root)
    (root / "ham" / "gone").symlink_to("nowhere")
    (root / "ham" / "good").symlink_to(root / "spam" / "1")
    os.mkfifo(root / "ham" / "pipe")
    found = list(open_source(root).rows())
    assert sum(isinstance(row, Row) for row in found) == 3
    assert sorted(row.detail for row in found if isinstance(row, Problem)) == [
        "No such file or directory",
        "a loop of symbolic links",
        "not a regular file",
    ]


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnknownSource, match="device, pipe or socket"):
        open_source(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(tmp_path / "pipe")


def test_files_that_vanish_or_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = labelled_folder(tmp_path / "root")
    (root / "ham" / "2").write_bytes(MAIL % 2)
    (root / "ham" / "3").write_bytes(MAIL % 3)
    source = open_source(root)

    def refuse(path: str) -> object:
        if path.endswith("ham/2"):
            raise PermissionError(13, "Permission denied", path)
        if path.endswith("ham/3"):
            os.unlink(path)
        return open_regular(path)

    monkeypatch.setattr(files, "open_regular", refuse)
    found = list(source.rows())
    details = [row.detail for row in found if isinstance(row, Problem)]
    assert details == ["Permission denied", "No such file or directory"]
    assert len(found) == 4


def test_very_deep_folders(tmp_path: Path) -> None:
    deep = labelled_folder(tmp_path / "root") / "ham"
    for _ in range(files.MAX_DEPTH + 2):
        deep = deep / "d"
        deep.mkdir()
    (deep / "1").write_bytes(MAIL % 1)
    found = [row for row in open_source(tmp_path / "root").rows() if isinstance(row, Problem)]
    assert [row.reason for row in found] == ["unreadable"]


def test_a_sparse_member_is_left_out(tmp_path: Path) -> None:
    """A hole of a pebibyte would be read as so many zeros, and no archive is too small to hold one."""
    hole = entry("ham.mbox")
    hole.pax_headers = {"GNU.sparse.map": f"{1 << 50},0", "GNU.sparse.size": str(1 << 50)}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(hole)
        for info, content in honest():
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    rows = list(open_source(put(tmp_path / "a.tar", stream.getvalue())).rows())
    assert [row.reason for row in rows if isinstance(row, Problem)] == ["unreadable"]
    assert sum(isinstance(row, Row) for row in rows) == 4


@pytest.mark.parametrize(
    "headers",
    [
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"},
        {"GNU.sparse.map": "x,y", "GNU.sparse.size": "9"},
        {"GNU.sparse.map": "1", "GNU.sparse.size": "many"},
        {"size": "-7"},
    ],
)
def test_extended_tar_headers_that_lie(headers: dict[str, str], tmp_path: Path) -> None:
    odd = entry("ham/9")
    odd.pax_headers = headers
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for info, content in [*honest(), (odd, MAIL % 9)]:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with pytest.raises(DataError):
        list(open_source(put(tmp_path / "a.tar", stream.getvalue())).rows())


def test_index_files_take_bounded_memory(tmp_path: Path) -> None:
    big = b"\0" * (8 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(24):
            archive.writestr(f"{number}/index", big)
        archive.writestr("ham/1", MAIL % 1)
        archive.writestr("spam/1", MAIL % 2)
    found = layout.survey(Zip(tmp_path / "a.zip"))
    assert sum(map(len, found.indexes.values())) <= layout.INDEX_LIMIT


def test_long_lines_that_look_like_the_start_of_a_message_cost_little() -> None:
    line = b"From " + b"1:11 " * 13_000 + b"\n"
    began = time.monotonic()
    messages = list(split_mbox(io.BytesIO(b"From a Mon Jan  1 00:00:00 2024\nSubject: x\n\n" + line * 20)))
    assert len(messages) == 1
    assert time.monotonic() - began < 2.0


def test_a_zip_member_without_a_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("ham/1", MAIL % 1)
        info = zipfile.ZipInfo("x")
        info.filename = ""
        archive.writestr(info, b"")
    with pytest.raises(DamagedSource, match="without a name"):
        open_source(tmp_path / "a.zip")


def test_a_mailbox_is_cut_alike_wherever_reading_it_began() -> None:
    mailbox = b"".join(b"From a Mon Jan  1 00:00:0%d 2024\nSubject: %d\n\nx\n\n" % (i, i) for i in range(3))
    whole = list(split_mbox(io.BytesIO(mailbox)))
    assert len(whole) == 3
    for at in range(len(mailbox)):
        assert list(split_mbox(io.BytesIO(mailbox[at:]), begun=mailbox[:at])) == whole


def test_a_message_of_many_lines_that_begin_like_a_mailbox_costs_little() -> None:
    began = time.monotonic()
    assert not holds_several(b"From a Mon Jan  1 00:00:00 2024\n" + b"From \n" * 170_000)
    assert time.monotonic() - began < 2.0
