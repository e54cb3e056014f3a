"""Registration of custom kernels. Not in this version: importing it raises `NotInThisVersionError`."""

from gpukit._later import not_in_this_version

raise not_in_this_version(
    "gpukit.kernels",
    "no engine takes kernels from outside yet, so a registered one could never run",
    "choose among an engine's own with gpukit.KernelPolicy; gpukit.runtime.KernelRegistry lists which ones a session runs",
)
