"""The exceptions of axle: one class per canonical status code, all of them `Error`.

This file is the one table that maps status codes to Python; the codes are those of include/axle/status.h. Each class also derives
from the built-in exception that a Python programmer would expect, so that ``except ValueError`` and ``except TimeoutError`` work.
"""

from __future__ import annotations

from collections.abc import Mapping

from axle import _core

__all__ = [
    "AbortedError",
    "AlreadyExistsError",
    "CancelledError",
    "CopyWarning",
    "DataLossError",
    "DeadlineExceededError",
    "Error",
    "FailedPreconditionError",
    "InternalError",
    "InvalidArgumentError",
    "NotFoundError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "UnknownError",
]


class Error(Exception):
    """What failed, on what, and what to do.

    Attributes:
        code: canonical name of the status code, such as ``"INVALID_ARGUMENT"``.
        message: what failed and on what.
        hint: what to do next; may be empty.
        details: machine-readable additions.
        family: ``"none"``, ``"compilation"``, ``"runtime"`` or ``"performance"``.
        vendor_code: the vendor library's own error number, 0 if none.

    """

    code = "UNKNOWN"

    def __init__(
        self, message: str = "", *, hint: str = "", details: Mapping[str, str] | None = None, family: str = "none", vendor_code: int = 0
    ):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = dict(details or {})
        self.family = family
        self.vendor_code = vendor_code

    @property
    def exit_code(self) -> int:
        """The exit code of the command line for this error (docs/formats/exit-codes.md)."""
        return _core.exit_code_for(self.code)

    @property
    def http_status(self) -> int:
        """The status that an HTTP server answers with."""
        return _core.http_status_for(self.code)

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class CancelledError(Error):
    """A cancel token stopped the call."""

    code = "CANCELLED"


class UnknownError(Error, RuntimeError):
    """An engine's own failure that has no better code."""

    code = "UNKNOWN"


class InvalidArgumentError(Error, ValueError):
    """A bad model, policy or tensor."""

    code = "INVALID_ARGUMENT"


class DeadlineExceededError(Error, TimeoutError):
    """The time was up; the buffers are the caller's again."""

    code = "DEADLINE_EXCEEDED"


class NotFoundError(Error, FileNotFoundError, LookupError):
    """No such file, engine or entry."""

    code = "NOT_FOUND"


class AlreadyExistsError(Error, FileExistsError):
    """The name is taken."""

    code = "ALREADY_EXISTS"


class PermissionDeniedError(Error, PermissionError):
    """A file or folder may not be used."""

    code = "PERMISSION_DENIED"


class ResourceExhaustedError(Error, MemoryError):
    """Memory, space or a limit is used up."""

    code = "RESOURCE_EXHAUSTED"


class FailedPreconditionError(Error, RuntimeError):
    """The policy cannot be satisfied here; nothing was substituted."""

    code = "FAILED_PRECONDITION"


class AbortedError(Error, RuntimeError):
    """Drift from a lock, or a model that changed."""

    code = "ABORTED"


class OutOfRangeError(Error, IndexError):
    """A size or number outside its range."""

    code = "OUT_OF_RANGE"


class UnimplementedError(Error, NotImplementedError):
    """Understood, but not done by this version."""

    code = "UNIMPLEMENTED"


class InternalError(Error, RuntimeError):
    """A bug in axle: please report it."""

    code = "INTERNAL"


class UnavailableError(Error, RuntimeError):
    """An engine or its library is missing or broken; the hint is the command that installs it."""

    code = "UNAVAILABLE"


class DataLossError(Error, OSError):
    """A truncated or damaged file."""

    code = "DATA_LOSS"


class UnauthenticatedError(Error, PermissionError):
    """Credentials are missing or wrong."""

    code = "UNAUTHENTICATED"


class CopyWarning(UserWarning):
    """An input array had to be copied because its elements do not lie one after the other."""


_BY_CODE: dict[str, type[Error]] = {
    kind.code: kind
    for kind in (
        CancelledError,
        UnknownError,
        InvalidArgumentError,
        DeadlineExceededError,
        NotFoundError,
        AlreadyExistsError,
        PermissionDeniedError,
        ResourceExhaustedError,
        FailedPreconditionError,
        AbortedError,
        OutOfRangeError,
        UnimplementedError,
        InternalError,
        UnavailableError,
        DataLossError,
        UnauthenticatedError,
    )
}


def from_status(code: str, message: str, hint: str, details: Mapping[str, str], family: str, vendor_code: int) -> Error:
    """Give the exception for a failed Status; called by the C++ module."""
    return _BY_CODE.get(code, UnknownError)(message, hint=hint, details=details, family=family, vendor_code=vendor_code)
