"""What a module says that the design has and this version does not."""

from __future__ import annotations

import axle


class NotInThisVersionError(axle.UnimplementedError, ImportError):
    """The module is planned and not here; the hint says what serves meanwhile. An `axle.Error` and an `ImportError`."""


def not_in_this_version(module: str, what: str, hint: str) -> NotInThisVersionError:
    """Give the error for a module that is not here."""
    return NotInThisVersionError(f"{module} is not in this version of gpukit: {what}", hint=hint)
