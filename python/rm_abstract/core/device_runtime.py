"""`DeviceRuntime`: the same application over a GPU, an NPU or a PIM device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

import axle


class DeviceRuntime(ABC):
    """What an application needs of a device. Derive from it to add one."""

    @abstractmethod
    def load_model(self, model_path: str) -> None:
        """Make a model ready."""

    @abstractmethod
    def generate(self, prompt: str, max_tokens: int) -> str:
        """Continue a text."""

    @abstractmethod
    def cleanup(self) -> None:
        """Let the model go."""


class AxleRuntime(DeviceRuntime):
    """A model on one kind of device through axle.

    Making one touches no device; `load_model` fails where there is none, and nothing stands in for it.

    Args:
        device: axle's selector; None = any of its kind.
        engine: this engine and no other; None = axle's choice.
        policy: an axle policy, as `axle.make_policy` takes it.

    """

    kind: ClassVar[str] = "cpu"

    def __init__(self, device: str | None = None, engine: str | None = None, policy: Any = None):
        self.device = device or self.kind
        self.engine = engine
        self.policy = policy
        self.session: axle.Session | None = None

    def load_model(self, model_path: str) -> None:
        """Plan, compile or fetch, and load.

        Raises:
            axle.FailedPreconditionError: there is no such device, or nothing runs the model on it; the message says why.
            axle.Error: as `axle.Session.create`.

        """
        choice = {"device": self.device} | ({"engine": self.engine} if self.engine else {})
        self.session = axle.Session.create(model_path, self.policy, **choice)

    def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Run once; outputs by name. FailedPreconditionError before load_model."""
        if self.session is None:
            raise axle.FailedPreconditionError(f"no model is loaded on {self.device}", hint="call load_model first")
        return self.session.run(inputs)

    def generate(self, prompt: str, max_tokens: int) -> str:
        """Continue a text.

        Raises:
            axle.UnimplementedError: always, in this version: no engine here runs a language model with its tokenizer and cache.

        """
        del prompt, max_tokens
        raise axle.UnimplementedError(
            f"{type(self).__name__} cannot generate: there is no language model engine yet",
            hint="run() takes tensors; derive from DeviceRuntime to generate with an engine of your own",
        )

    def cleanup(self) -> None:
        """Let the model go."""
        self.session = None


class CpuRuntime(AxleRuntime):
    """A model on the processor."""


class GpuTorchRuntime(AxleRuntime):
    """A model on a GPU: of PyTorch's formats too, which axle converts."""

    kind = "gpu"


class NpuRuntime(AxleRuntime):
    """A model on an NPU: compiled for it, by engines of axle or by what a description names."""

    kind = "npu"


class PimRuntime(AxleRuntime):
    """A model on a device that computes in memory."""

    kind = "pim"
