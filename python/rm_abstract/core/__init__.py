"""The types behind `rm_abstract`."""

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
