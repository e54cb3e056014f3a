"""Registries: which engines and kernels there are; the dispatcher: what a policy leads to for some shapes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import axle
from axle.session import open_model
from gpukit.engines import engine_choice, engine_names
from gpukit.policies import ExecutionPolicy, KernelPolicy
from gpukit.runtime.streams import axle_session
from gpukit.session import InferenceSession, make_policy, sizes_as_arguments


class EngineRegistry:
    """Engines by gpukit's names and their own, present or not.

    Args:
        runtime: None = the process's own.

    """

    def __init__(self, runtime: axle.Runtime | None = None):
        self._runtime = runtime or axle.Runtime.default()

    def names(self) -> list[str]:
        """Give the words that `InferenceSession` takes for an engine: gpukit's, then engines' own."""
        return list(dict.fromkeys([*engine_names(), *(state.name for state in self.engines())]))

    def engines(self) -> list[axle.EngineState]:
        """Give every engine that a plugin was found for, present or not, sorted by name. Opens them."""
        return self._runtime.engine_states()

    def available(self) -> list[str]:
        """Give the names of the engines that can run models here. Opens them."""
        return [state.name for state in self.engines() if state.present]

    def find(self, name: str) -> axle.EngineState:
        """Give the engine that a word stands for, ready to run models.

        Raises:
            InvalidArgumentError: a word for a device, or ``"nccl"``.
            UnavailableError: its plugin or its library is not here; the hint is what to do.

        """
        wanted = engine_choice(name).engine
        if wanted is None:
            raise axle.InvalidArgumentError(f"{name} is a device, not an engine", hint=f"engines: {', '.join(self.available())}")
        for state in self.engines():
            if state.name == wanted and state.present:
                return state
            if state.name == wanted:
                raise axle.UnavailableError(f"engine {wanted}: {state.reason}", hint=state.install_command)
        raise axle.UnavailableError(
            f"engine {wanted} is not installed: no plugin of that name was found", hint=f"engines here: {', '.join(self.available())}"
        )


@dataclass(frozen=True)
class NodeKernel:
    """The kernel that an engine runs a node with; "" where the engine does not say."""

    node: str
    kernel: str
    precision: str
    resource: str
    engine: str


class KernelRegistry:
    """Which kernels sessions run with.

    No engine of this version lets its kernels be chosen by name or takes them from outside: a forced kernel in a `KernelPolicy` is an
    error of `InferenceSession` and `Dispatcher.dispatch`, a preferred one is noted in the plan.
    """

    def used(self, session: InferenceSession | axle.Session) -> list[NodeKernel]:
        """Give the kernels that the engines of a session report, by partition and node; engines that report none add none."""
        inner = axle_session(session)
        found = []
        for part, text in zip(inner.plan.partitions, inner.effective_json, strict=True):
            for row in json.loads(text).get("kernels", []):
                found.append(
                    NodeKernel(row["node"], row["kernel"], row.get("precision", ""), row.get("resource", ""), part.candidate.engine)
                )
        return found

    def register(self, op: str, name: str, implementation: object) -> NoReturn:
        """Register a kernel for an op. Not in this version.

        Raises:
            UnimplementedError: always.

        """
        raise axle.UnimplementedError(
            f"kernel {name} for {op}: no engine of this version takes kernels from outside", hint="choose among the engines' own"
        )


class Dispatcher:
    """Chooses what runs a model, from shapes and dtypes, what the devices can do, the policy and its limits; says why. Runs nothing.

    Args:
        runtime: None = the process's own.

    """

    def __init__(self, runtime: axle.Runtime | None = None):
        self._runtime = runtime or axle.Runtime.default()

    def dispatch(
        self,
        model: axle.Model | str | os.PathLike[str] | bytes,
        samples: Mapping[str, Any] | None = None,
        device: str | None = None,
        engine: str | Sequence[str] | None = None,
        kernel_policy: KernelPolicy | None = None,
        exec_policy: ExecutionPolicy | None = None,
        fp16: bool = False,
        policy: axle.Policy | str | os.PathLike[str] | Mapping[str, object] | None = None,
        partition: Mapping[str, str] | None = None,
        backend: str | Sequence[str] | None = None,
    ) -> axle.PlannedModel:
        """Give the plan that `InferenceSession` would run under the same arguments: ``str()`` says it in words.

        The arguments are those of `InferenceSession` that choose, to be named, since they stand in another order. A limit on
        workspace is the policy's ``{"constraints": {"memory": "512MiB"}}``.

        Raises:
            FailedPreconditionError: the policy cannot be satisfied here; each candidate's reason is in `details`.
            axle.Error: as `InferenceSession`.

        """
        opened = open_model(model, self._runtime)
        made = make_policy(device, engine, kernel_policy, exec_policy, fp16, policy, partition, opened, backend)
        with sizes_as_arguments(opened, made, self._runtime):
            return axle.plan(opened, made, samples=samples, runtime=self._runtime)
