"""Every error Lithify raises, in one tree.

Each class carries a stable ``code`` (for programs), an ``exit_status`` (for shells, after sysexits.h) and an
``http_status`` (for servers). A message says what was expected, what was found and what to do next.

    LithifyError
    ├── UsageError               a call or an option that cannot be meant
    │   ├── RecipeError          a recipe with an unknown key or a value out of range
    │   └── AmbiguousName        a name that fits several things
    ├── NotFound                 a path, name or digest that leads nowhere
    ├── DataError                rows that cannot be learned from or scored
    │   ├── UnknownSource        nothing Lithify can read rows from
    │   ├── DamagedSource        an archive or file cut short or otherwise broken
    │   ├── UnsafeSource         an archive member that points outside of the archive
    │   ├── QuarantinedRows      rows were quarantined and ``strict`` forbids it
    │   └── TooFewRows           no rows, one label only, or too few to split
    ├── IntegrityError           bytes that are not what their digest or seal says
    │   ├── MalformedContainer   a container that breaks the format
    │   ├── GoldenMismatch       a model that no longer predicts what it did when sealed
    │   ├── HistoryBroken        a history whose entries no longer hang together
    │   └── SignatureError       a signature that is missing or does not fit
    ├── NewerFormat              written by a later Lithify
    ├── StoreError               the home cannot be read or written
    │   └── StoreFull            no space left, or not allowed to write
    ├── RunError                 a run that cannot go on as asked
    │   ├── RunBusy              another session holds the run
    │   ├── RunChanged           data, recipe or engine changed under an unfinished run
    │   ├── EngineMismatch       this machine would not compute the same bits
    │   └── SessionEnded         the session stopped before the end; run again to resume
    ├── PromotionRefused         a model that may not take an alias
    │   └── AliasMoved           the alias points elsewhere than expected
    ├── ServiceError             a request that a server refuses
    │   ├── BadJson              a body that is no JSON
    │   ├── Unauthorized         no token, or an unknown one
    │   ├── Forbidden            a token that is not for this alias
    │   ├── MethodNotAllowed     a route that has no such method
    │   ├── RequestTimeout       a request that did not arrive whole in time
    │   ├── TooLarge             a body beyond the limit
    │   ├── UnsupportedMedia     a body of a type that the model does not read
    │   ├── TooManyRequests      one client asks for too much at a time
    │   ├── HeadersTooLarge      headers beyond the limit
    │   └── Overloaded           the server has too much to do, or is stopping
    ├── MissingExtra             an optional dependency is not installed
    └── Unsupported              a platform or a request Lithify does not handle
"""

from __future__ import annotations

import errno
import os
from typing import Any, ClassVar


class LithifyError(Exception):
    """Base of every Lithify error.

    Parameters
    ----------
    message : str
        What went wrong, in one sentence.
    expected, found : str, optional
        What was expected and what was there instead.
    hint : str, optional
        What to do next.

    Examples
    --------
    >>> print(LithifyError("No label column.", found="columns a, b", hint="Pass --label NAME."))
    No label column. Found: columns a, b. Pass --label NAME.
    """

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = os.EX_SOFTWARE
    http_status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.expected = expected
        self.found = found
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        parts = [self.message]
        if self.expected:
            parts.append(f"Expected: {self.expected.rstrip('.')}.")
        if self.found:
            parts.append(f"Found: {self.found.rstrip('.')}.")
        if self.hint:
            parts.append(self.hint)
        return " ".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles by its fields, so that an error of a worker process arrives whole."""
        return _rebuild, (type(self), self.__dict__)

    def to_json(self) -> dict[str, str]:
        """The error as a flat dict: ``code``, ``message`` and, where known, ``expected``, ``found``, ``hint``."""
        fields = {
            "code": self.code,
            "message": self.message,
            "expected": self.expected,
            "found": self.found,
            "hint": self.hint,
        }
        return {name: value for name, value in fields.items() if value is not None}


class UsageError(LithifyError):
    """A call or an option that cannot be meant."""

    code = "usage"
    exit_status = 2
    http_status = 400


class RecipeError(UsageError):
    """A recipe with an unknown key or a value out of range."""

    code = "recipe"


class AmbiguousName(UsageError):
    """A name that fits several things."""

    code = "ambiguous-name"


class NotFound(LithifyError):
    """A path, name or digest that leads nowhere."""

    code = "not-found"
    exit_status = os.EX_NOINPUT
    http_status = 404


class DataError(LithifyError):
    """Rows that cannot be learned from or scored."""

    code = "data"
    exit_status = os.EX_DATAERR
    http_status = 422


class UnknownSource(DataError):
    """Nothing Lithify can read rows from."""

    code = "unknown-source"


class DamagedSource(DataError):
    """An archive or file that is cut short or otherwise broken."""

    code = "damaged-source"


class UnsafeSource(DataError):
    """An archive member that points outside of the archive."""

    code = "unsafe-source"


class QuarantinedRows(DataError):
    """Rows were quarantined and ``strict`` forbids it."""

    code = "quarantined-rows"


class TooFewRows(DataError):
    """No rows, one label only, or too few to split."""

    code = "too-few-rows"


class IntegrityError(LithifyError):
    """Bytes that are not what their digest or seal says."""

    code = "integrity"
    exit_status = os.EX_DATAERR


class MalformedContainer(IntegrityError):
    """A container that breaks the format."""

    code = "malformed-container"


class GoldenMismatch(IntegrityError):
    """A model that no longer predicts what it did when it was sealed."""

    code = "golden-mismatch"


class HistoryBroken(IntegrityError):
    """A history whose entries no longer hang together: something was changed or taken out."""

    code = "history-broken"


class SignatureError(IntegrityError):
    """A signature that is missing, does not fit the bytes, or is by another key."""

    code = "signature"


class NewerFormat(LithifyError):
    """Written by a later Lithify than this one."""

    code = "newer-format"
    exit_status = os.EX_DATAERR


class StoreError(LithifyError):
    """The home cannot be read or written."""

    code = "store"
    exit_status = os.EX_IOERR


class StoreFull(StoreError):
    """No space left, or no permission to write."""

    code = "store-full"
    exit_status = os.EX_CANTCREAT
    http_status = 507


class RunError(LithifyError):
    """A run that cannot go on as asked."""

    code = "run"
    exit_status = os.EX_TEMPFAIL
    http_status = 409


class RunBusy(RunError):
    """Another session holds the run."""

    code = "run-busy"


class RunChanged(RunError):
    """Data, recipe or engine changed under an unfinished run."""

    code = "run-changed"
    exit_status = os.EX_USAGE


class EngineMismatch(RunError):
    """The machine would not compute the same bits as the run's sessions before it."""

    code = "engine-mismatch"
    exit_status = os.EX_CONFIG


class SessionEnded(RunError):
    """The session stopped before the end of the run; run again to resume.

    Attributes
    ----------
    run : str
        Key of the interrupted run.
    """

    code = "session-ended"

    def __init__(self, run: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.run = run


class PromotionRefused(LithifyError):
    """A model that may not take an alias: not compared with what is served now, or found worse."""

    code = "promotion-refused"
    exit_status = os.EX_NOPERM
    http_status = 409


class AliasMoved(PromotionRefused):
    """The alias points elsewhere than expected: somebody else was first."""

    code = "alias-moved"


class ServiceError(LithifyError):
    """A request that a server refuses."""

    code = "service"
    exit_status = os.EX_PROTOCOL
    http_status = 400


class BadJson(ServiceError):
    """A body, or a line of it, that is no JSON."""

    code = "bad-json"


class Unauthorized(ServiceError):
    """No token, or one that is not known."""

    code = "unauthorized"
    http_status = 401


class Forbidden(ServiceError):
    """A token that is not for this alias."""

    code = "forbidden"
    http_status = 403


class MethodNotAllowed(ServiceError):
    """A route that has no such method."""

    code = "method-not-allowed"
    http_status = 405


class RequestTimeout(ServiceError):
    """A request that did not arrive whole in time."""

    code = "request-timeout"
    http_status = 408


class TooLarge(ServiceError):
    """A body, or a number of rows, beyond the limit."""

    code = "too-large"
    http_status = 413


class UnsupportedMedia(ServiceError):
    """A body of a type that the model does not read."""

    code = "unsupported-media"
    http_status = 415


class TooManyRequests(ServiceError):
    """One client asks for too much at a time."""

    code = "too-many-requests"
    http_status = 429


class HeadersTooLarge(ServiceError):
    """Headers beyond the limit."""

    code = "headers-too-large"
    http_status = 431


class Overloaded(ServiceError):
    """The server has too much to do, or is stopping; try again later."""

    code = "overloaded"
    http_status = 503


class MissingExtra(LithifyError):
    """An optional dependency is not installed."""

    code = "missing-extra"
    exit_status = os.EX_UNAVAILABLE
    http_status = 501


class Unsupported(LithifyError):
    """A platform or a request Lithify does not handle."""

    code = "unsupported"
    exit_status = os.EX_UNAVAILABLE
    http_status = 501


def _rebuild(kind: type[LithifyError], fields: dict[str, Any]) -> LithifyError:
    error = kind.__new__(kind, fields["message"])
    error.__dict__.update(fields)
    return error


def as_store_error(error: OSError, doing: str) -> StoreError:
    """Turns an ``OSError`` met in the home into the ``StoreError`` that tells what to do.

    >>> str(as_store_error(OSError(28, "No space left on device"), "writing a blob"))
    'No space left on the disk while writing a blob. Free some space and run again; nothing was lost.'
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreFull(
            f"No space left on the disk while {doing}.",
            hint="Free some space and run again; nothing was lost.",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        denied = "The disk takes no writes" if error.errno == errno.EROFS else "Permission denied"
        return StoreFull(
            f"{denied}, while {doing}.",
            found=str(error.filename or error.strerror),
            hint="Choose a writable folder with --home or LITHIFY_HOME.",
        )
    return StoreError(
        f"The system refused, while {doing}.",
        found=": ".join(str(part) for part in (error.strerror or error, error.filename) if part),
        hint="Check the disk, or choose another folder with --home or LITHIFY_HOME.",
    )
