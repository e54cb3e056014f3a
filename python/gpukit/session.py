"""`InferenceSession`: a model under explicit policies, with the calls that ONNX Runtime's users expect."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

import axle
from axle.session import ModelLike, open_model
from gpukit.engines import engine_choice, engine_of, engines_of
from gpukit.policies import ExecutionPolicy, KernelPolicy, batch_axes, words_of

_ORT_TYPES = {
    "f32": "float", "f64": "double", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64", "bool": "bool", "string": "string",
}  # fmt: skip


_NO_SIZES = "execution.static_shape: the model leaves"


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
    engine: str | Sequence[str] | None = None,
    kernel_policy: KernelPolicy | None = None,
    exec_policy: ExecutionPolicy | None = None,
    fp16: bool = False,
    policy: axle.Policy | str | os.PathLike[str] | Mapping[str, object] | None = None,
    partition: Mapping[str, str] | None = None,
    model: axle.Model | None = None,
    backend: str | Sequence[str] | None = None,
) -> axle.Policy:
    """Translate gpukit's words into an `axle.Policy`; `policy` is what they lie over. Arguments as in `InferenceSession`.

    `model` is read only to find its batch axis, where the execution policy has a `batch_size`.

    The result is a policy as code: ``made.to_toml()`` can be checked in and given back as `policy`.

    Raises:
        InvalidArgumentError: two of them contradict each other, or a word is not known.

    """
    wanted = exec_policy or ExecutionPolicy()
    engine = _one_engine(engine, backend)
    parts = {op: engine_of(name, f"partition of {op}") for op, name in (partition or {}).items()}
    engines, choice = engines_of(words_of(engine))
    stray = [op for op, name in parts.items() if engines and name not in engines]
    if stray:
        raise axle.InvalidArgumentError(
            f"partition of {stray[0]} names {parts[stray[0]]}, which engine={engine!r} does not allow", hint="name both in engine, or none"
        )
    made = axle.make_policy(
        policy,
        device=_agreed("device", device=device, target=wanted.target, engine=choice.device),
        engine=engines or None,
        precision=_precision(wanted.precision, fp16),
        threads=wanted.threads,
        allow_fallback=wanted.allow_fallback,
        tuning_budget=wanted.tuning_budget,
    )
    if wanted.static_shape:
        made.execution.static_shape = True
    if sizes := wanted.sizes(None if model is None else model.inputs):
        made.shapes = {**made.shapes, **sizes}
    if wanted.max_relative_error is not None:
        made.accuracy.max_relative_error = wanted.max_relative_error
    if len(engines) > 1 and made.schedule.mixing != axle.Mixing.NEVER:
        made.schedule.mixing = axle.Mixing.ALLOWED
    made.pins = [*made.pins, *(_pin(op, name) for op, name in parts.items())]
    _add_fallbacks(made, wanted)
    _add_kernels(made, choice.kernels, kernel_policy or KernelPolicy())
    made.check()
    return made


def _pin(op_type: str, engine: str) -> axle.Pin:
    """Give the demand that nodes of an op type run on an engine."""
    pin = axle.Pin()
    pin.op_types = [op_type]
    pin.require = axle.PinTarget(engine=engine)
    return pin


def _add_fallbacks(made: axle.Policy, wanted: ExecutionPolicy) -> None:
    if wanted.allow_engine_fallback is not None:
        made.fallback.engine = [engine_of(name, "allow_engine_fallback") for name in words_of(wanted.allow_engine_fallback)]
    if wanted.allow_precision_fallback is not None:
        # The words are those of a precision; a policy reads them.
        words = axle.make_policy(precision=words_of(wanted.allow_precision_fallback)).execution.precisions
        made.fallback.precision = words
    if wanted.allow_kernel_fallback:
        made.fallback.kernel = ["engine"]


def _add_kernels(made: axle.Policy, named: Mapping[str, str], kernel_policy: KernelPolicy) -> None:
    """Lay the kernels that an engine's name stands for and those of the kernel policy over the policy's own."""
    kernels = dict(made.kernels)
    kernels.update({op: axle.KernelChoice(force=name) for op, name in named.items()})
    for op, wanted in kernel_policy.kernels.items():
        if op in named and wanted != named[op]:
            raise axle.InvalidArgumentError(
                f"the kernel for {op} is contradictory: the engine's name forces {named[op]}, the kernel policy says {wanted!r}",
                hint='name it once; engine="cuda_raw" forces none',
            )
    kernels.update(kernel_policy.to_choices())
    made.kernels = kernels


def _agreed(what: str, **given: str | None) -> str | None:
    """Give the one value that is given; two different ones are a contradiction."""
    stated = {name: value for name, value in given.items() if value is not None}
    if len(set(stated.values())) > 1:
        said = ", ".join(f"{name}={value!r}" for name, value in stated.items())
        raise axle.InvalidArgumentError(f"the {what} is contradictory: {said}", hint="name it once")
    return next(iter(stated.values()), None)


def _one_engine(engine: str | Sequence[str] | None, backend: str | Sequence[str] | None) -> str | Sequence[str] | None:
    """Give `engine` or `backend`, two words for one thing: both may be given when they stand for the same."""
    if engine is None or backend is None:
        return backend if engine is None else engine
    if [engine_choice(name) for name in words_of(engine)] != [engine_choice(name) for name in words_of(backend)]:
        raise axle.InvalidArgumentError(f"the engine is contradictory: engine={engine!r}, backend={backend!r}", hint="name it once")
    return engine


@contextmanager
def sizes_as_arguments(model: ModelLike, policy: axle.Policy, runtime: axle.Runtime) -> Iterator[None]:
    """Say in a refusal for want of sizes the arguments to write here, where axle says the lines of a policy file."""
    try:
        yield
    except axle.FailedPreconditionError as error:
        if error.message.startswith(_NO_SIZES):
            specs = open_model(model, runtime).inputs
            axes = _sizeless(specs, policy)
            # Only where this is what axle found too.
            if f"{', '.join(axes)} open, and nothing gives" in error.message:
                batch = "batch_size=1 or " if len(axes) == 1 and axes == batch_axes(specs) else ""
                shapes = ", ".join(f"{json.dumps(axis, ensure_ascii=False)}: 1" for axis in axes)
                error.hint = f"name the sizes to prepare: ExecutionPolicy({batch}shapes={{{shapes}}}, ...); or give samples of that shape"
        raise


def _sizeless(specs: Iterable[axle.IoSpec], policy: axle.Policy) -> list[str]:
    """Give the open axes, by symbol or place, whose size the policy does not give; samples would give them all."""
    named = [f"{spec.name}[{i}]" if axis is None else axis for spec in specs for i, axis in enumerate(spec.shape or ())]
    return list(dict.fromkeys(axis for axis in named if not isinstance(axis, int) and axis not in policy.shapes))


def _precision(precision: str | Iterable[str] | None, fp16: bool) -> str | list[str] | None:
    words = None if precision is None else words_of(precision)
    if not fp16:
        return words
    if words is not None and words not in (["fp16"], ["f16"], ["float16"]):
        raise axle.InvalidArgumentError(f"fp16=True forces f16, the execution policy says {words}", hint="leave one of them out")
    return "f16"


def _provider(part: axle.Partition) -> str:
    name = f"{part.candidate.engine}@{part.candidate.resource}"
    return f"{name} (simulated)" if part.simulated else name


class InferenceSession:
    """A model that runs exactly where and how it was told to, or not at all.

    ``InferenceSession("model.onnx", device="npu", backend="openvino", exec_policy=ExecutionPolicy(precision="int8"))``

    Args:
        model: path of a model file or folder, an `axle.Model`, or the bytes of an ONNX file.
        device: ``"cuda:0"`` (the first NVIDIA GPU), ``"gpu"``, ``"npu"``, ``"npu:0"``, ``"cpu"``, ``"auto"``, any selector of axle.
        engine: ``tensorrt``, ``onnxrt`` (``onnxruntime``), ``openvino``, ``qnn``, ``cuda_raw``, ``cublas``, ``cublasLt``, ``cudnn``,
            ``cpu_fallback``, or an engine's own name; several share the model where that is better or needed: `plan` shows the parts.
        backend: another word for `engine`.
        kernel_policy: which kernel runs each op.
        exec_policy: target, precision, shapes, fallback.
        fp16: force f16.
        policy: an axle policy that the arguments above lie over.
        samples: ``{input name: array}``, the shapes to plan for.
        partition: ``{ONNX op type: engine}``, forced: ``{"Conv": "tensorrt"}`` runs the convolutions there and the rest on any
            engine that `engine` names (None: any).
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
        engine: str | Sequence[str] | None = None,
        backend: str | Sequence[str] | None = None,
        kernel_policy: KernelPolicy | None = None,
        exec_policy: ExecutionPolicy | None = None,
        fp16: bool = False,
        policy: axle.Policy | str | os.PathLike[str] | Mapping[str, object] | None = None,
        samples: Mapping[str, Any] | None = None,
        profile: bool = False,
        runtime: axle.Runtime | None = None,
        locked: axle.Lock | str | os.PathLike[str] | None = None,
        waive: str | Sequence[str] | None = None,
        partition: Mapping[str, str] | None = None,
    ):
        if locked is not None:
            if any((device, engine, backend, kernel_policy, exec_policy, fp16, policy, samples, partition)):
                raise axle.InvalidArgumentError("a lock holds every choice already", hint="leave the other arguments out, or the lock")
            self._session = axle.Session.load(model, locked, runtime=runtime, profile=profile, waive=waive)
            return
        if waive:
            raise axle.InvalidArgumentError("without a lock nothing can drift", hint="give locked=..., or leave waive out")
        runtime = runtime or axle.Runtime.default()
        opened = open_model(model, runtime) if exec_policy is not None and exec_policy.batch_size is not None else model
        known = opened if isinstance(opened, axle.Model) else None
        made = make_policy(device, engine, kernel_policy, exec_policy, fp16, policy, partition, known, backend)
        with sizes_as_arguments(opened, made, runtime):
            self._session = axle.Session.create(opened, made, samples=samples, profile=profile, runtime=runtime)

    @property
    def session(self) -> axle.Session:
        """The session behind this one."""
        return self._session

    @property
    def plan(self) -> axle.Plan:
        """What runs where, and why not otherwise."""
        return self._session.plan

    @property
    def policy(self) -> axle.Policy:
        """The policy it was planned under; ``policy.to_toml()`` is that policy as a file."""
        return self._session.policy

    @property
    def substitutions(self) -> list[axle.Substitution]:
        """Every allowed fallback that was taken; empty otherwise."""
        return self._session.substitutions

    @overload
    def run(self, feeds: Mapping[str, Any], /) -> dict[str, np.ndarray]: ...
    @overload
    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any], run_options: None = None) -> list[np.ndarray]: ...
    def run(self, output_names: Any = None, input_feed: Any = None, run_options: Any = None) -> dict[str, np.ndarray] | list[np.ndarray]:
        """Run once: ``run({name: array})`` gives ``{name: array}``; ``run(output_names, {name: array})`` gives a list, as ONNX Runtime.

        Without names (None, ``[]``) the list has every output. The keywords are ONNX Runtime's: ``run(None, input_feed={...})``.
        Inputs have the dtype and shape of `get_inputs`; outputs are fresh arrays with those of `get_outputs`. A strided input is
        copied, counted and said once (`axle.CopyWarning`); nothing is ever cast.

        Raises:
            InvalidArgumentError: a name that the model does not have, a wrong dtype (the cast is named), rank or size.
            UnimplementedError: `run_options`.
            axle.Error: as `axle.Session.run`.

        """
        if run_options is not None:
            raise axle.UnimplementedError("run_options are not supported", hint="pass None; timeouts: session.run(feeds, timeout_ns=...)")
        if input_feed is None and not isinstance(output_names, Mapping):
            raise TypeError("inputs are given as a mapping {name: array}: run(feeds) or run(output_names, input_feed)")
        if input_feed is None:
            return self._session.run(output_names)
        results = self._session.run(input_feed)
        if not output_names:
            return list(results.values())
        unknown = [name for name in output_names if name not in results]
        if unknown:
            raise axle.InvalidArgumentError(f"the model has no output '{unknown[0]}'", hint=f"it has: {', '.join(results)}")
        return [results[name] for name in output_names]

    def get_inputs(self) -> list[NodeArg]:
        """Give the inputs' names, types and shapes."""
        return [NodeArg.of(spec) for spec in self._session.inputs]

    def get_outputs(self) -> list[NodeArg]:
        """Give the outputs' names, types and shapes."""
        return [NodeArg.of(spec) for spec in self._session.outputs]

    def get_providers(self) -> list[str]:
        """Give what runs the model, ``engine@resource`` per partition; "pim@pim:0 (simulated)" where no device computes."""
        return list(dict.fromkeys(_provider(part) for part in self.plan.partitions))

    def explain(self, verbose: bool = False, width: int = 100) -> str:
        """Say in words what runs where, why, and what was turned down."""
        return self._session.explain(verbose, width)

    def profile(self, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """Give the Perfetto trace of the runs so far, and write it to `path` when one is given. Times in it are microseconds.

        Raises:
            FailedPreconditionError: the session was not made with ``profile=True``.

        """
        return self._session.profile(path)

    def lock(self, path: str | os.PathLike[str] | None = None) -> axle.Lock:
        """Give the plan with everything it was decided on, and write it to `path` when one is given; `locked` runs exactly that.

        Raises:
            AbortedError: what is known now leads to another plan than the one this session runs.

        """
        return self._session.lock(path)

    def __repr__(self) -> str:
        return repr(self._session).replace("axle.Session", "gpukit.InferenceSession")
