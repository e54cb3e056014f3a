"""What the packages over axle say of what their design has and this version does not."""

from __future__ import annotations

from axle.errors import UnimplementedError


class NotInThisVersionError(UnimplementedError, ImportError):
    """It is planned and not here; the hint says what serves meanwhile. An `axle.Error` and an `ImportError`."""


def not_in_this_version(name: str, what: str, hint: str) -> NotInThisVersionError:
    """Give the error for a module, function or class that is not here; its package is the first word of its name."""
    return NotInThisVersionError(f"{name} is not in this version of {name.partition('.')[0]}: {what}", hint=hint)
