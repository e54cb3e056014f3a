"""rm_abstract: resources, builds and plugins for GPU, NPU, PIM and whatever comes, over axle.

>>> import rm_abstract
>>> with rm_abstract.ResourceManager() as manager:
...     cpu = manager.resources(rm_abstract.ResourceType.CPU)[0]
...     model = manager.create_session(cpu, rm_abstract.BackendConfig(model="model.onnx"))
...     out = model.execute({"input": x})

`Resource`, `Capability`, `BuildProfile` and `BuildArtifact` are values; `CLICompilerAdapter`, `ConfigFileCompilerAdapter` and
`BinaryRuntimeAdapter` put a vendor's closed tools behind three calls; `Plugin` and `PluginRegistry` are where more is added. Everything is
carried out by axle: plans, cache, processes, reasons. `docs/guides/rm-abstract.md`.
"""

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
