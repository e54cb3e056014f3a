"""What a module says that the design has and this version does not."""

from axle._later import NotInThisVersionError, not_in_this_version

__all__ = ["NotInThisVersionError", "not_in_this_version"]
