"""`InferenceSession`: a model under explicit policies, with the calls that ONNX Runtime's users expect."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

import axle
from gpukit.engines import engine_choice
from gpukit.policies import ExecutionPolicy, KernelPolicy

_ORT_TYPES = {
    "f32": "float", "f64": "double", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64", "bool": "bool", "string": "string",
}  # fmt: skip


@dataclass(frozen=True)
class NodeArg:
    """Declaration of an input or output, with ONNX Runtime's attribute names."""

    name: str
    type: str
    shape: list[int | str | None]

    @classmethod
    def of(cls, spec: axle.IoSpec) -> NodeArg:
        """Give the declaration for one of axle's."""
        return cls(spec.name, f"tensor({_ORT_TYPES.get(spec.dtype, spec.dtype)})", list(spec.shape or ()))


def make_policy(
    device: str | None = None,
    engine: str | None = None,
    kernel_policy: KernelPolicy | None = None,
    exec_policy: ExecutionPolicy | None = None,
    fp16: bool = False,
    policy: axle.Policy | str | os.PathLike[str] | Mapping[str, object] | None = None,
) -> axle.Policy:
    """Translate gpukit's words into an `axle.Policy`; `policy` is what they lie over.

    Raises:
        InvalidArgumentError: two of them contradict each other.

    """
    wanted = exec_policy or ExecutionPolicy()
    choice = engine_choice(engine)
    made = axle.make_policy(
        policy,
        device=_agreed("device", device=device, target=wanted.target, engine=choice.device),
        engine=choice.engine,
        precision=_precision(wanted.precision, fp16),
        threads=wanted.threads,
        allow_fallback=wanted.allow_fallback,
        tuning_budget=wanted.tuning_budget,
    )
    if wanted.static_shape:
        made.execution.static_shape = True
    if wanted.max_relative_error is not None:
        made.accuracy.max_relative_error = wanted.max_relative_error
    kernels = dict(made.kernels)
    kernels.update({op: axle.KernelChoice(force=name) for op, name in choice.kernels.items()})
    kernels.update((kernel_policy or KernelPolicy()).to_choices())
    made.kernels = kernels
    made.check()
    return made


def _agreed(what: str, **given: str | None) -> str | None:
    """Give the one value that is given; two different ones are a contradiction."""
    stated = {name: value for name, value in given.items() if value is not None}
    if len(set(stated.values())) > 1:
        said = ", ".join(f"{name}={value!r}" for name, value in stated.items())
        raise axle.InvalidArgumentError(f"the {what} is contradictory: {said}", hint="name it once")
    return next(iter(stated.values()), None)


def _precision(precision: str | Iterable[str] | None, fp16: bool) -> str | list[str] | None:
    words = None if precision is None else [precision] if isinstance(precision, str) else list(precision)
    if not fp16:
        return words
    if words is not None and words not in (["fp16"], ["f16"], ["float16"]):
        raise axle.InvalidArgumentError(f"fp16=True forces f16, the execution policy says {words}", hint="leave one of them out")
    return "f16"


class InferenceSession:
    """A model that runs exactly where and how it was told to, or not at all.

    ``InferenceSession("model.onnx", device="npu", backend="openvino", exec_policy=ExecutionPolicy(precision="int8"))``

    Args:
        model: path of a model file or folder, an `axle.Model`, or the bytes of an ONNX file.
        device: ``"cuda:0"`` (the first NVIDIA GPU), ``"gpu"``, ``"npu"``, ``"npu:0"``, ``"cpu"``, ``"auto"``, any selector of axle.
        engine: ``tensorrt``, ``onnxrt`` (``onnxruntime``), ``openvino``, ``qnn``, ``cuda_raw``, ``cublas``, ``cublasLt``, ``cudnn``,
            ``cpu_fallback``, or an engine's own name.
        backend: another word for `engine`.
        kernel_policy: which kernel runs each op.
        exec_policy: target, precision, shapes, fallback.
        fp16: force f16.
        policy: an axle policy that the arguments above lie over.
        samples: ``{input name: array}``, the shapes to plan for.
        profile: record a trace of every run, for `profile`.
        runtime: None = the process's own.
        locked: a lock, or the path of one (`lock` writes it): exactly that plan, or an error. Then nothing else is chosen here.
        waive: fields of the lock whose drift is tolerated (`axle.drift_fields`).

    Raises:
        axle.AbortedError: the lock does not hold here: each field with both values.
        axle.FailedPreconditionError: it cannot be had here; the message says what is missing, the hint what to do.
        axle.InvalidArgumentError: arguments that contradict each other, a bad model.
        axle.Error: see `axle.Session.create`.

    """

    def __init__(
        self,
        model: axle.Model | str | os.PathLike[str] | bytes,
        device: str | None = None,
        engine: str | None = None,
        backend: str | None = None,
        kernel_policy: KernelPolicy | None = None,
        exec_policy: ExecutionPolicy | None = None,
        fp16: bool = False,
        policy: axle.Policy | str | os.PathLike[str] | Mapping[str, object] | None = None,
        samples: Mapping[str, Any] | None = None,
        profile: bool = False,
        runtime: axle.Runtime | None = None,
        locked: axle.Lock | str | os.PathLike[str] | None = None,
        waive: str | Sequence[str] | None = None,
    ):
        engine = _agreed("engine", engine=engine, backend=backend)
        if locked is not None:
            if any((device, engine, kernel_policy, exec_policy, fp16, policy, samples)):
                raise axle.InvalidArgumentError("a lock holds every choice already", hint="leave the other arguments out, or the lock")
            self._session = axle.Session.load(model, locked, runtime=runtime, profile=profile, waive=waive)
            return
        if waive:
            raise axle.InvalidArgumentError("without a lock nothing can drift", hint="give locked=..., or leave waive out")
        made = make_policy(device, engine, kernel_policy, exec_policy, fp16, policy)
        self._session = axle.Session.create(model, made, samples=samples, profile=profile, runtime=runtime)

    @property
    def session(self) -> axle.Session:
        """The session behind this one."""
        return self._session

    @property
    def plan(self) -> axle.Plan:
        """What runs where, and why not otherwise."""
        return self._session.plan

    @property
    def substitutions(self) -> list[axle.Substitution]:
        """Every allowed fallback that was taken; empty otherwise."""
        return self._session.substitutions

    @overload
    def run(self, feeds: Mapping[str, Any], /) -> dict[str, np.ndarray]: ...
    @overload
    def run(self, output_names: Sequence[str] | None, feeds: Mapping[str, Any], run_options: None = None, /) -> list[np.ndarray]: ...
    def run(self, first: Any, feeds: Any = None, run_options: Any = None, /) -> dict[str, np.ndarray] | list[np.ndarray]:
        """Run once: ``run({name: array})`` gives ``{name: array}``; ``run(names or None, {name: array})`` gives a list.

        Arrays and errors as `axle.Session.run`; outputs are fresh arrays.
        """
        if run_options is not None:
            raise axle.UnimplementedError("run_options are not supported", hint="pass None; timeouts: session.run(feeds, timeout_ns=...)")
        if feeds is None:
            return self._session.run(first)
        results = self._session.run(feeds)
        if first is None:
            return list(results.values())
        unknown = [name for name in first if name not in results]
        if unknown:
            raise axle.InvalidArgumentError(f"the model has no output '{unknown[0]}'", hint=f"it has: {', '.join(results)}")
        return [results[name] for name in first]

    def get_inputs(self) -> list[NodeArg]:
        """Give the inputs' names, types and shapes."""
        return [NodeArg.of(spec) for spec in self._session.inputs]

    def get_outputs(self) -> list[NodeArg]:
        """Give the outputs' names, types and shapes."""
        return [NodeArg.of(spec) for spec in self._session.outputs]

    def get_providers(self) -> list[str]:
        """Give what runs the model, ``engine@resource`` per partition."""
        parts = (part.candidate for part in self.plan.partitions)
        return list(dict.fromkeys(f"{candidate.engine}@{candidate.resource}" for candidate in parts))

    def explain(self, verbose: bool = False, width: int = 100) -> str:
        """Say in words what runs where, why, and what was turned down."""
        return self._session.explain(verbose, width)

    def profile(self, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """Give the Perfetto trace of the runs so far (``profile=True``), and write it to `path` when one is given."""
        return self._session.profile(path)

    def lock(self, path: str | os.PathLike[str] | None = None) -> axle.Lock:
        """Give the plan with everything it was decided on, and write it to `path` when one is given."""
        return self._session.lock(path)

    def __repr__(self) -> str:
        return repr(self._session).replace("axle.Session", "gpukit.InferenceSession")
