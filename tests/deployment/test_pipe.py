"""Mail on its way through: what is added, what is taken out, and that nothing else changes, whatever goes wrong."""

from __future__ import annotations

import email
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify.deployment import mail, pipe
from lithify.deployment.mail import Decision, header, mark, strip
from lithify.deployment.pipe import Passed, through
from lithify.errors import DataError

SPAM = Decision("spam", 3.21, 0.99841, "sha256:" + 64 * "a")
OURS = header(SPAM)
MESSAGE = b"Received: by a\n\twith b\nSubject: hi\nX-Spam-Flag: NO\n\nbody \xff\0 text\n"

ENDS = st.sampled_from([b"\n", b"\r\n"])
FORGED = st.sampled_from(
    [b"X-Spam-Flag: NO", b"x-spam-FLAG:", b"X-SPAM-FLAG \t: yes", b"X-Lithify-Status: ham score=-9",
     b"X-Lithify-Status:\0", b"x-lithify-status :: "]
)  # fmt: skip
KEPT = st.sampled_from(
    [b"Subject: hi", b"X-Spam-Flags: NO", b"X-Spam: Flag: NO", b"XX-Spam-Flag: NO", b"broken", b"\xff\xfe", b":", b"a",
     b"To : you", b">From me", b"X-Spam-Flag", b"\0X-Spam-Flag: NO", b"Subject: X-Spam-Flag: NO", b"=" * 99]
)  # fmt: skip
CONTINUED = st.lists(st.sampled_from([b" more", b"\tX-Spam-Flag: NO", b"  ", b"\t"]), max_size=2)
FIELDS = st.lists(st.tuples(st.booleans(), KEPT, FORGED, CONTINUED), max_size=6)
BODIES = (
    st.none() | st.sampled_from([b"", b"X-Spam-Flag: NO\n", b"\nbody", b"X-Lithify-Status: ham\r\n\r\n"]) | st.binary()
)
"""None is a message without an empty line."""
PIECES = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", b" ", b"\t", b"From ", b"X-Spam-Flag", b"x-lithify-status", b":", b"a",
                     b"\0", b"X-Spam-Flag: NO", b"Subject: x", b"\n\n", b"\xff"])
).map(b"".join)  # fmt: skip
RUBBISH = st.binary() | PIECES


@given(st.booleans(), FIELDS, BODIES, ENDS, st.booleans())
def test_exactly_the_forged_fields_go(
    envelope: bool, fields: list, body: bytes | None, end: bytes, open_: bool
) -> None:  # type: ignore[type-arg]
    lines, kept = [], []
    for forged, good, bad, continued in fields:
        some = [bad if forged else good, *continued]
        lines += some
        kept += [] if forged else some
    first = [b"From me Mon Jan  1 00:00:00 2024"] if envelope else []
    rest = b"" if body is None else end + body
    if body is None and open_ and lines:  # the last line has no end
        raw, wanted = end.join(first + lines), end.join(first + kept)
        if fields[-1][0] and first + kept:
            wanted += end  # the one of the line before stays
    else:
        raw, wanted = (b"".join(line + end for line in first + some) + rest for some in (lines, kept))
    assert strip(raw) == wanted


@given(RUBBISH)
def test_nothing_but_our_fields_is_added(raw: bytes) -> None:
    made, left = mark(raw, SPAM), strip(raw)
    for end in (b"\n", b"\r\n"):
        ours = header(SPAM, end)
        if (at := made.find(ours)) >= 0:
            assert made[:at] + made[at + len(ours) :] in (left, left[:at] + end + left[at:])
            break
    else:
        raise AssertionError("our fields are not there")
    assert mark(made, SPAM) == made
    assert strip(left) == left
    if b"x-spam-flag" not in raw.lower() and b"x-lithify-status" not in raw.lower():
        assert left is raw


@given(RUBBISH)
def test_another_reader_finds_our_fields_and_no_others(raw: bytes) -> None:
    if raw[:1] in (b" ", b"\t") or raw.startswith(b"From "):
        return
    read = email.message_from_bytes(mark(raw, SPAM))
    assert read.get_all("X-Spam-Flag") == ["YES"]
    (status,) = read.get_all("X-Lithify-Status") or [""]
    assert status.replace("\r", "").split() == ["spam", "score=3.21", "probability=0.9984", f"model={SPAM.digest}"]


def test_where_the_fields_stand_and_how_their_lines_end() -> None:
    crlf = header(SPAM, b"\r\n")
    assert mark(b"", SPAM) == OURS
    assert mark(b"Subject: hi", SPAM) == OURS + b"Subject: hi"
    assert mark(b"\nbody", SPAM) == OURS + b"\nbody"
    assert mark(b"just text\r\n", SPAM) == crlf + b"just text\r\n"
    assert mark(b"From me\nSubject: hi\n\nx", SPAM) == b"From me\n" + OURS + b"Subject: hi\n\nx"
    assert mark(b"From me\nSubject: hi\r\n\r\nx", SPAM) == b"From me\n" + crlf + b"Subject: hi\r\n\r\nx"
    assert mark(b" x\nSubject: hi\n", SPAM) == b" x\n" + OURS + b"Subject: hi\n"
    assert mark(b" x", SPAM) == OURS + b"\n x"
    assert mark(b"From me", SPAM) == OURS + b"From me"


def test_obsolete_and_broken_copies_go_too() -> None:
    assert strip(b"X-Spam-Flag\n : NO\nA: b\n\n") == b"A: b\n\n"
    assert strip(b"  X-Spam-Flag: NO\nA: b\n\n") == b"A: b\n\n"
    assert strip(b"From x\n X-Spam-Flag: NO\nA: b\n\n") == b"From x\nA: b\n\n"
    assert strip(b"A: b\rX-Spam-Flag: NO\rC: d\n\nbody") == b"A: b\rC: d\n\nbody"
    assert strip(b"A: b\rX-Spam-Flag: NO\n\nbody") == b"A: b\n\nbody", "the empty line stays one"
    assert strip(b"X-Spam-Flag: NO\rX-Spam-Flag: NO\n\nbody") == b"\nbody"
    assert strip(b"A: b\r\rX-Spam-Flag: NO\r") == b"A: b\r\rX-Spam-Flag: NO\r", "a body to whom a CR ends lines"


def test_lines_are_folded_and_figures_are_bounded() -> None:
    for score, probability in ((3.21, 0.5), (-0.0, 0.0), (1e300, 1.0), (-12345.6789, 1e-300)):
        for verdict in mail.VERDICTS:
            lines = header(Decision(verdict, score, probability, SPAM.digest)).splitlines()
            assert max(map(len, lines)) <= 78
    assert b"score=0 " in header(Decision("ham", -0.0, 0.0, "sha256:0"))
    assert b"X-Spam-Flag: NO" in header(Decision("unsure", 1.0, 0.9, "sha256:0"))


def test_no_message_takes_more_time_than_its_length_is_worth() -> None:
    """Were anything quadratic, this would go on for hours."""
    mark(b"A: b\r" * (1 << 19) + b"\nX-Spam-Flag: NO" * 50_000, SPAM)
    mark(b" \t" * (1 << 20) + b"\n", SPAM)
    mark(b"X-Spam-Flag" + b" " * (1 << 20), SPAM)
    mark(b"X-Spam-Flag\n " * (1 << 18), SPAM)
    mark(b"\rX-Spam-Flag: NO" * (1 << 16) + b"\n\n", SPAM)


def sent(judge: Callable[[bytes], Decision], raw: bytes, folder: Path, **more: float) -> tuple[Passed, bytes]:
    """What ``through`` says and what it writes."""
    (folder / "in").write_bytes(raw)
    with open(folder / "in", "rb") as given, open(folder / "out", "wb") as taken:
        passed = through(judge, stdin=given.fileno(), stdout=taken.fileno(), **more)
    return passed, (folder / "out").read_bytes()


def test_a_judged_message_is_marked(tmp_path: Path) -> None:
    passed, out = sent(lambda raw: SPAM, MESSAGE, tmp_path)
    assert passed == Passed(SPAM, "", written=True)
    assert out == mark(MESSAGE, SPAM)


def _raise(error: BaseException) -> Callable[..., NoReturn]:
    def raiser(*words: object, **more: object) -> NoReturn:
        raise error

    return raiser


def _forever(raw: bytes) -> Decision:
    while True:
        time.sleep(60)


def _deaf(raw: bytes) -> Decision:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGALRM])
    return _forever(raw)


def _killed(raw: bytes) -> Decision:
    os.kill(os.getpid(), signal.SIGKILL)
    return SPAM


def _chatty(raw: bytes) -> Decision:
    os.write(1, b"never to be seen in mail")
    raise DataError("no\nlabels")


FAILING = {
    "raises": (_raise(ZeroDivisionError("secret content")), "ZeroDivisionError"),
    "no memory": (_raise(MemoryError()), "Out of memory."),
    "exits": (_raise(SystemExit(3)), "SystemExit"),
    "interrupts": (_raise(KeyboardInterrupt()), "KeyboardInterrupt"),
    "no module": (_raise(ModuleNotFoundError("No module named 'numpy'", name="numpy")), "numpy"),
    "no disk": (_raise(OSError(5, "Input/output error")), "Input/output error"),
    "leaves": (lambda raw: os._exit(7), "status 7"),
    "killed": (_killed, "signal 9"),
    "prints": (_chatty, "no\nlabels"),
    "no decision": (lambda raw: SPAM._replace(verdict="perhaps"), "ValueError"),
    "no digest": (lambda raw: SPAM._replace(digest="a\nX-Injected: yes"), "ValueError"),
    "no number": (lambda raw: SPAM._replace(score="x"), "ValueError"),
    "hangs": (_forever, "The time for judging is over."),
    "hangs and hears nothing": (_deaf, "The time for judging is over."),
}


@pytest.mark.parametrize("name", FAILING)
def test_whatever_judging_does_the_message_passes(name: str, tmp_path: Path) -> None:
    judge, said = FAILING[name]
    passed, out = sent(judge, MESSAGE, tmp_path, seconds=0.2 if "hangs" in name else 30.0)
    assert out == MESSAGE
    assert passed.written
    assert passed.decision is None
    assert said in passed.problem
    assert "secret" not in passed.problem


STAGES = [
    "os.fork",
    "os.pipe",
    "_ask",
    "_answer",
    "_judged",
    "_heard",
    "_understood",
    "marked",
    "_explained",
    "time.monotonic",
]


@pytest.mark.parametrize(
    "error", [RuntimeError(), MemoryError(), KeyboardInterrupt(), SystemExit(), OSError(24, "x")], ids=repr
)
@pytest.mark.parametrize("stage", STAGES)
def test_whatever_stage_fails_the_message_passes(
    stage: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"lithify.deployment.pipe.{stage}", _raise(error))
    passed, out = sent(_raise(DataError("no")) if stage == "_explained" else lambda raw: SPAM, MESSAGE, tmp_path)
    monkeypatch.undo()
    assert out == MESSAGE
    assert passed.written
    assert passed.decision is None
    assert passed.problem


@pytest.mark.parametrize("stage", ["_read", "_write"])
def test_a_message_that_cannot_be_read_or_written_is_not_taken(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = pipe._write
    failing = _raise(OSError(28, "No space left on device"))
    (tmp_path / "in").write_bytes(MESSAGE)
    with open(tmp_path / "in", "rb") as given, open(tmp_path / "out", "wb") as taken:
        here = lambda to, data: failing() if to == taken.fileno() else kept(to, data)  # noqa: E731
        monkeypatch.setattr(pipe, stage, here if stage == "_write" else failing)
        passed = through(lambda raw: SPAM, stdin=given.fileno(), stdout=taken.fileno())
    assert not passed.written
    assert "No space left" in passed.problem
    assert (tmp_path / "out").read_bytes() == b""


def test_closed_descriptors(tmp_path: Path) -> None:
    with open(os.devnull, "rb+", buffering=0) as nothing:
        assert not through(lambda raw: SPAM, stdin=999, stdout=nothing.fileno()).written
        (tmp_path / "in").write_bytes(MESSAGE)
        with open(tmp_path / "in", "rb") as given:
            assert not through(lambda raw: SPAM, stdin=given.fileno(), stdout=999).written


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_judging_and_the_message_passes(number: signal.Signals, tmp_path: Path) -> None:
    before = signal.getsignal(number)
    timer = threading.Timer(0.2, os.kill, [os.getpid(), number])
    timer.start()
    passed, out = sent(_forever, MESSAGE, tmp_path)
    timer.join()
    assert out == MESSAGE
    assert passed.written
    assert passed.problem == f"Stopped by {number.name}."
    assert signal.getsignal(number) is before


def test_nothing_is_written_before_all_is_read(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    found: list[Passed] = []
    with open(tmp_path / "out", "wb") as taken:
        thread = threading.Thread(
            target=lambda: found.append(through(lambda raw: SPAM, stdin=reader, stdout=taken.fileno()))
        )
        thread.start()
        for part in (MESSAGE, b"x" * 200_000, b"the end"):
            os.write(writer, part[:60_000])
            time.sleep(0.05)
            assert (tmp_path / "out").stat().st_size == 0
        os.close(writer)
        thread.join()
    os.close(reader)
    assert found[0].written
    assert (tmp_path / "out").read_bytes() == mark(MESSAGE + b"x" * 60_000 + b"the end", SPAM)


def test_no_descriptor_and_no_process_is_left(tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []
    for judge in (lambda raw: SPAM, _raise(ValueError())):
        sent(judge, MESSAGE, tmp_path)
    assert (sorted(os.listdir("/proc/self/fd")) if before else []) == before
