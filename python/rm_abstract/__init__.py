"""rm_abstract: resources, builds and plugins for GPU, NPU, PIM and whatever comes, over axle.

>>> import rm_abstract
>>> with rm_abstract.ResourceManager() as manager:
...     cpu = manager.resources(rm_abstract.ResourceType.CPU)[0]
...     model = manager.create_session(cpu, rm_abstract.BackendConfig(model="model.onnx"))
...     out = model.execute({"input": x})

`Resource`, `Capability`, `BuildProfile` and `BuildArtifact` are values; `CLICompilerAdapter`, `ConfigFileCompilerAdapter` and
`BinaryRuntimeAdapter` put a vendor's closed tools behind three calls; `Plugin` and `PluginRegistry` are where more is added. Everything is
carried out by axle: plans, cache, processes, reasons. `docs/guides/rm-abstract.md`.

`init`, `switch_device` and what else takes over unchanged PyTorch programs are planned: using one raises `NotInThisVersionError`.
"""

from typing import NoReturn

from axle._later import NotInThisVersionError, not_in_this_version
from rm_abstract._later import LATER
from rm_abstract.core.binary_adapter import (
    BinaryCompilerAdapter,
    BinaryRuntimeAdapter,
    CLICompilerAdapter,
    ConfigFileCompilerAdapter,
    DummyRuntimeAdapter,
)
from rm_abstract.core.device_runtime import AxleRuntime, CpuRuntime, DeviceRuntime, GpuTorchRuntime, NpuRuntime, PimRuntime
from rm_abstract.core.plugin import BackendConfig, Plugin, PluginMetadata, PluginRegistry
from rm_abstract.core.resource import BuildArtifact, BuildProfile, Capability, Resource, ResourcePool, ResourceType
from rm_abstract.core.resource_manager import Prepared, ResourceManager

__all__ = [
    "AxleRuntime",
    "BackendConfig",
    "BinaryCompilerAdapter",
    "BinaryRuntimeAdapter",
    "BuildArtifact",
    "BuildProfile",
    "CLICompilerAdapter",
    "Capability",
    "ConfigFileCompilerAdapter",
    "CpuRuntime",
    "DeviceRuntime",
    "DummyRuntimeAdapter",
    "GpuTorchRuntime",
    "NotInThisVersionError",
    "NpuRuntime",
    "PimRuntime",
    "Plugin",
    "PluginMetadata",
    "PluginRegistry",
    "Prepared",
    "Resource",
    "ResourceManager",
    "ResourcePool",
    "ResourceType",
]


def __getattr__(name: str) -> NoReturn:
    if name in LATER:
        raise not_in_this_version(f"{__name__}.{name}", *LATER[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
