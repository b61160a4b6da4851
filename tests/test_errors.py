"""The exception tree."""

import errno
import os
import pickle
import re

import pytest

from lithify import errors
from lithify.errors import LithifyError, SessionEnded, StoreError, StoreFull, as_store_error


def every(kind: type[LithifyError] = LithifyError) -> list[type[LithifyError]]:
    return [
        kind,
        *(each for child in kind.__subclasses__() if child.__module__ == errors.__name__ for each in every(child)),
    ]


def make(kind: type[LithifyError]) -> LithifyError:
    if kind is SessionEnded:
        return SessionEnded("sha256:run", "Stopped.", hint="Run again.")
    return kind("It failed.", expected="this.", found="that", hint="Do so.")


@pytest.mark.parametrize("kind", every())
def test_every_error(kind: type[LithifyError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    assert kind.exit_status == 2 or 64 <= kind.exit_status <= 78
    assert 400 <= kind.http_status < 600
    error = make(kind)
    assert str(error).startswith(error.message)
    assert error.to_json()["code"] == kind.code
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.to_json(), vars(again)) == (str(error), error.to_json(), vars(error))


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in every()]
    assert len(set(codes)) == len(codes)


def test_the_tree_is_the_one_drawn() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    assert sorted(drawn) == sorted(kind.__name__ for kind in every()[1:])


def test_exit_statuses_that_scripts_rely_on() -> None:
    assert SessionEnded.exit_status == 75
    assert errors.DataError.exit_status == 65
    assert errors.UsageError.exit_status == 2


def test_message() -> None:
    assert str(make(errors.DataError)) == "It failed. Expected: this. Found: that. Do so."
    assert str(LithifyError("Bare.")) == "Bare."
    assert LithifyError("Bare.").to_json() == {"code": "error", "message": "Bare."}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM])
def test_full_and_read_only(number: int) -> None:
    error = as_store_error(OSError(number, os.strerror(number), "/home/x"), "writing")
    assert type(error) is StoreFull
    assert error.hint


def test_other_failures_of_the_disk() -> None:
    assert type(as_store_error(OSError(errno.EIO, "broken"), "writing")) is StoreError
