"""Memory: how much a device has, and pools of host arrays for inputs and bound outputs."""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import axle
from gpukit.runtime.device import DeviceManager

_ALIGNMENT = 64  # bytes: what the widest vector loads ask for
_SMALLEST = 512


@dataclass(frozen=True)
class MemoryStatistics:
    """Memory of a device, in bytes.

    Attributes:
        total: own memory, or what the process may use of the host's; 0 = unknown.
        available: not in use at the moment of asking; None = not readable here.

    """

    total: int
    available: int | None


@dataclass(frozen=True)
class PoolStatistics:
    """What a pool has done and holds; sizes in bytes, rounded up as the pool allocates them.

    Attributes:
        in_use: in arrays that are still referred to.
        cached: kept for the next array.
        peak: the most that was in use at once.
        hits: arrays that were given cached memory.
        misses: arrays that memory was allocated for.

    """

    in_use: int
    cached: int
    peak: int
    hits: int
    misses: int


class _Lease:
    """Memory that is lent to the arrays made over it: they hold it, and when the last is gone the pool has it back."""

    def __init__(self, block: np.ndarray, shape: tuple[int, ...], dtype: np.dtype[Any]):
        self.__array_interface__ = {"shape": shape, "typestr": dtype.str, "data": (block.ctypes.data, False), "version": 3}


class MemoryPool:
    """A caching pool of host memory: arrays of a size that was used before cost no allocation. Thread-safe.

    For inputs and bound outputs of many calls (`Session.make_binding`, `StreamManager.capture`).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: dict[int, list[np.ndarray]] = {}
        # Arrays die at any moment, also inside our own lock: they only leave their block here, which takes no lock.
        self._returned: deque[np.ndarray] = deque()
        self._in_use = self._cached = self._peak = self._hits = self._misses = 0

    def empty(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> np.ndarray:
        """Give an uninitialised, contiguous array, aligned to 64 bytes; its memory comes back when nothing refers to it.

        Args:
            shape: sizes, none negative.
            dtype: a boolean, integer, float or complex type of numpy's own.

        Raises:
            InvalidArgumentError: a negative size, or a dtype that a pool cannot hold.
            MemoryError: there is no more.

        """
        kind = np.dtype(dtype)
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        if any(size < 0 for size in sizes) or kind.kind not in "biufc":
            raise axle.InvalidArgumentError(
                f"a pool has no array of shape {sizes} and dtype {kind}", hint="sizes from 0 up; numpy's own numbers and booleans"
            )
        block = self._take(_rounded(math.prod(sizes) * kind.itemsize))
        lease = _Lease(block, sizes, kind)
        weakref.finalize(lease, self._returned.append, block).atexit = False
        return np.asarray(lease)

    def statistics(self) -> PoolStatistics:
        """Give what the pool has done and holds now."""
        with self._lock:
            self._collect()
            return PoolStatistics(self._in_use, self._cached, self._peak, self._hits, self._misses)

    def trim(self) -> int:
        """Let go of what is cached, and give how many bytes that was."""
        with self._lock:
            self._collect()
            freed, self._cached = self._cached, 0
            self._free.clear()
            return freed

    def _take(self, size: int) -> np.ndarray:
        with self._lock:
            self._collect()
            blocks = self._free.get(size)
            if blocks:
                block = blocks.pop()
                self._cached -= size
                self._hits += 1
            else:
                block = _aligned(size)
                self._misses += 1
            self._in_use += size
            self._peak = max(self._peak, self._in_use)
            return block

    def _collect(self) -> None:
        while self._returned:
            block = self._returned.popleft()
            self._free.setdefault(block.nbytes, []).append(block)
            self._in_use -= block.nbytes
            self._cached += block.nbytes


def _rounded(size: int) -> int:
    """Give the next power of two, so that sizes near each other share memory."""
    return max(_SMALLEST, 1 << (size - 1).bit_length() if size else 0)


def _aligned(size: int) -> np.ndarray:
    raw = np.empty(size + _ALIGNMENT, np.uint8)
    skipped = -raw.ctypes.data % _ALIGNMENT
    return raw[skipped : skipped + size]


class MemoryManager:
    """Memory of the devices here, and a pool for each.

    Args:
        runtime: None = the process's own.

    """

    def __init__(self, runtime: axle.Runtime | None = None):
        self._devices = DeviceManager(runtime)
        self._lock = threading.Lock()
        self._pools: dict[str, MemoryPool] = {}

    def statistics(self, device: str = "cpu") -> MemoryStatistics:
        """Give how much memory a device has. Errors as `DeviceManager.find`."""
        found = self._devices.find(device)
        if found.kind != "cpu":
            return MemoryStatistics(found.memory_bytes, None)
        # Discovered anew: the state of a machine is that of one moment.
        now = axle.Runtime.create(use_cache=False, engines=["null"]).machine().state
        return MemoryStatistics(found.memory_bytes, now.memory_available_bytes)

    def pool(self, device: str = "cpu", pinned: bool = False) -> MemoryPool:
        """Give the pool of a device, the same at each call.

        Raises:
            FailedPreconditionError: no such device here.
            UnimplementedError: memory of a device other than a CPU, or pinned memory: pools are of host memory.

        """
        found = self._devices.find(device)
        if found.kind != "cpu" or pinned:
            what = "pinned memory" if found.kind == "cpu" else f"memory of {found.id}"
            raise axle.UnimplementedError(f"there is no pool of {what} in this version", hint='pool("cpu") is of pageable host memory')
        with self._lock:
            return self._pools.setdefault(found.id, MemoryPool())
