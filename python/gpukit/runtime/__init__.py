"""The objects under a session: devices, memory, streams, registries, the dispatcher and the profiler.

>>> from gpukit import runtime
>>> for device in runtime.DeviceManager().devices():
...     print(device.id, device.name)

They show and use what axle has; none of them decides anything. What needs an accelerator that is not here is an error that names
what is, never something else in its place.
"""

from gpukit.runtime.device import DeviceManager, devices
from gpukit.runtime.memory import MemoryManager, MemoryPool, MemoryStatistics, PoolStatistics
from gpukit.runtime.profiler import Profiler, RangeSummary
from gpukit.runtime.registries import Dispatcher, EngineRegistry, KernelRegistry, NodeKernel
from gpukit.runtime.streams import CapturedGraph, Event, Stream, StreamManager

__all__ = [
    "CapturedGraph",
    "DeviceManager",
    "Dispatcher",
    "EngineRegistry",
    "Event",
    "KernelRegistry",
    "MemoryManager",
    "MemoryPool",
    "MemoryStatistics",
    "NodeKernel",
    "PoolStatistics",
    "Profiler",
    "RangeSummary",
    "Stream",
    "StreamManager",
    "devices",
]
