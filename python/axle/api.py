"""What the command line's verbs are in Python: devices, engines, inspect, plan, tune, bench, convert, generated inputs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from axle import _core
from axle._core import (
    BenchReport,
    CancelToken,
    EngineOpinion,
    EngineState,
    EvidenceAge,
    EvidenceRow,
    GeneratedSamples,
    Lock,
    Machine,
    MachineFigures,
    Model,
    ModelSummary,
    Plan,
    Policy,
    QosViolation,
    Resource,
    Runtime,
    TuneReport,
)
from axle.policy import Choice, PolicyLike, make_policy, split_words
from axle.session import ModelLike, Progress, Session, open_model


def machine(runtime: Runtime | None = None) -> Machine:
    """Give this machine, discovered on first use."""
    return (runtime or Runtime.default()).machine()


def devices(runtime: Runtime | None = None) -> list[Resource]:
    """Resources of this machine, in the order of their ids, and the simulated ones that engines bring."""
    runtime = runtime or Runtime.default()
    found = list(runtime.machine().resources)
    known = {resource.id for resource in found}
    for state in runtime.engine_states():
        for resource in state.resources:
            if state.present and resource.simulated and resource.id not in known:
                known.add(resource.id)
                found.append(resource)
    return found


def engines(runtime: Runtime | None = None) -> list[EngineState]:
    """Every known engine, present or not, with the reason and the command that installs it. Opens them."""
    return (runtime or Runtime.default()).engine_states()


class Inspection:
    """What a model is, and what each engine says of it. ``str()`` is the table of ``axle inspect``."""

    def __init__(self, model: Model, opinions: list[EngineOpinion]):
        self.model = model
        self.opinions = opinions

    @property
    def summary(self) -> ModelSummary:
        """Structure and cost of the model."""
        return self.model.summary()

    def to_dict(self) -> dict[str, Any]:
        """Give the document of ``axle inspect --json``."""
        document: dict[str, Any] = json.loads(_core.render_model_json(self.model, self.opinions))
        return document

    def __str__(self) -> str:
        return _core.render_model_text(self.model, self.opinions)

    def __repr__(self) -> str:
        return f"<axle.Inspection of {self.model!r}>"


def inspect(model: ModelLike, runtime: Runtime | None = None) -> Inspection:
    """Read a model and ask each engine about it. Errors as `Model.load`."""
    runtime = runtime or Runtime.default()
    opened = open_model(model, runtime)
    return Inspection(opened, runtime.engine_opinions(opened))


class PlannedModel:
    """A plan with what it was made for. ``str()`` says it in words.

    The plan's own fields (`partitions`, `decisions`, `substitutions`, `notes`, ...) are there directly.
    """

    def __init__(self, model: Model, policy: Policy, machine: Machine, plan: Plan, input_json: str):
        self.model = model
        self.policy = policy
        self.machine = machine
        self.plan = plan
        self.input_json = input_json

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.plan, name)

    def explain(self, verbose: bool = False, width: int = 100) -> str:
        """Say in words what runs where, why, and what was turned down."""
        return _core.render_plan_text(self.plan, self.model, self.policy, self.machine, verbose, width)

    def to_dict(self) -> dict[str, Any]:
        """Give the document of ``axle plan --json``."""
        document: dict[str, Any] = json.loads(_core.render_run_json(self.plan, self.model, self.policy, self.machine))
        return document

    def to_html(self, path: str | os.PathLike[str] | None = None, recorded: Session | None = None) -> str:
        """Give the plan and its reasons as one page of HTML, and write it to `path` when one is given.

        Args:
            path: of the file to write; it needs nothing beside it.
            recorded: a session of this plan made with ``profile=True``: the page then has the time line of its last run.

        Raises:
            FailedPreconditionError: `recorded` records nothing.

        """
        text = _core.render_plan_html(self.plan, self.model, self.policy, self.machine, self.input_json, recorded)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def lock(self, path: str | os.PathLike[str] | None = None) -> Lock:
        """Give the plan with everything it was decided on, and write it to `path` when one is given."""
        made = _core.make_lock(self.plan, self.input_json)
        if path is not None:
            made.save(os.fspath(path))
        return made

    def __str__(self) -> str:
        return self.explain()

    def __repr__(self) -> str:
        return repr(self.plan).replace("axle.Plan", "axle.PlannedModel")


def plan(
    model: ModelLike,
    policy: PolicyLike = None,
    machine: Machine | str | os.PathLike[str] | None = None,
    samples: Mapping[str, Any] | None = None,
    *,
    runtime: Runtime | None = None,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
    **choice: Unpack[Choice],
) -> PlannedModel:
    """Decide from recorded evidence and estimates what would run where; nothing is run or measured.

    Args:
        model: path of a model file or folder, a `Model`, or the bytes of an ONNX file.
        policy: see `make_policy`.
        machine: plan for this machine instead of the one here: a record, the path of one, or the name of one that comes with axle.
        samples: ``{input name: array}``; their shapes are what the plan is judged on.
        runtime: None = the process's own.
        progress: called as ``progress(what, fraction)`` on this thread.
        cancel: a token that stops planning.
        **choice: what lies over the policy, as in `make_policy`: `device`, `engine`, `precision`, `threads`, `objective`,
            `allow_fallback`, `kernel`; `tuning_budget` stays in the policy, as planning measures nothing.

    Raises:
        FailedPreconditionError: the policy cannot be satisfied; the message says what is missing and what to do.
        axle.Error: as `Session.create`.

    """
    made = make_policy(policy, **choice)
    runtime = runtime or Runtime.default()
    opened = open_model(model, runtime)
    if isinstance(machine, str | os.PathLike):
        machine = _core.find_machine(os.fspath(machine))
    report = runtime.make_plan(opened, made, machine, samples, keep_input=True, progress=progress, cancel=cancel)
    return PlannedModel(opened, made, machine or runtime.machine(), report.plan, report.input_json)


def tune(
    model: ModelLike,
    policy: PolicyLike = None,
    budget: str | float = "30s",
    samples: Mapping[str, Any] | None = None,
    seed: int = 0,
    *,
    runtime: Runtime | None = None,
    progress: Callable[[TuneReport], object] | None = None,
    cancel: CancelToken | None = None,
    **choice: Unpack[Choice],
) -> TuneReport:
    """Measure candidates in alternating blocks and store the evidence that later plans decide on.

    Args:
        model: path of a model file or folder, a `Model`, or the bytes of an ONNX file.
        policy: see `make_policy`; candidates that it rejects are not measured.
        budget: how long to measure at most: ``"30s"``, or seconds.
        samples: ``{input name: array}`` to feed; None = generated from `seed`, which the notes say.
        seed: of generated inputs.
        runtime: None = the process's own.
        progress: called with the report so far, on this thread.
        cancel: a token that ends measuring; what was measured is kept.
        **choice: what lies over the policy, as in `make_policy`: `device`, `engine`, `precision`, `threads`, `objective`, ...

    Raises:
        FailedPreconditionError: no candidate can be measured under this policy.
        axle.Error: as `Session.create`.

    """
    made = make_policy(policy, **choice)
    runtime = runtime or Runtime.default()
    opened = open_model(model, runtime)
    return _core.tune_model(runtime, opened, made, _nanoseconds(budget), samples, seed, progress, cancel)


def bench(
    model: ModelLike,
    policy: PolicyLike = None,
    duration: str | float = "5s",
    samples: Mapping[str, Any] | None = None,
    seed: int = 0,
    *,
    callers: int = 1,
    compare: str | Sequence[str] = (),
    profile: bool = False,
    samples_note: str = "",
    runtime: Runtime | None = None,
    progress: Progress | None = None,
    on_violation: Callable[[QosViolation], object] | None = None,
    cancel: CancelToken | None = None,
    **choice: Unpack[Choice],
) -> BenchReport:
    """Measure a plan: latency distribution and throughput, alone or in alternating blocks with other engines' plans.

    Everything runs through sessions of this runtime, in C++; what Python adds to a call is not in the figures. Stores no evidence.

    Args:
        model: path of a model file or folder, a `Model`, or the bytes of an ONNX file.
        policy: see `make_policy`.
        duration: of the timed calls of all contenders together: ``"5s"``, or seconds.
        samples: ``{input name: array}`` to feed; None = generated from `seed`, which the notes say.
        seed: of generated inputs.
        callers: threads that call at once, each with tensors of its own bound in advance.
        compare: engine names: the plan that the same policy makes when it may use only this engine.
        profile: afterwards record a few calls of the same plan (``report.recorded``).
        samples_note: how the samples came about, for the notes.
        runtime: None = the process's own.
        progress: called as ``progress(what, fraction)`` on this thread.
        on_violation: called on this thread when a bound of the policy's constraints comes to be violated.
        cancel: a token that ends measuring.
        **choice: what lies over the policy, as in `make_policy`.

    Raises:
        InvalidArgumentError: a duration or number of callers that makes no sense, an unknown engine, or samples that do not fit.
        axle.Error: as `Session.create`, or a failing call with what the engine says. A rival's failure is told in its row.

    """
    made = make_policy(policy, **choice)
    runtime = runtime or Runtime.default()
    opened = open_model(model, runtime)
    engines = split_words(compare)
    return _core.bench_model(
        runtime,
        opened,
        made,
        _nanoseconds(duration),
        callers,
        samples,
        samples_note,
        seed,
        engines,
        profile,
        progress,
        on_violation,
        cancel,
    )


def _nanoseconds(duration: str | float) -> int:
    return _core.parse_duration(duration) if isinstance(duration, str) else round(duration * 1e9)


def convert_model(
    model: ModelLike,
    samples: Mapping[str, Any] | None = None,
    *,
    runtime: Runtime | None = None,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> Model:
    """Turn a PyTorch file (TorchScript, exported program) into ONNX, by torch's exporter in a process of its own; kept in the cache.

    Loading a PyTorch file runs code that it may hold: convert what you trust. A model that needs no conversion is given as it is.

    Args:
        model: path of a model file, or a `Model`.
        samples: ``{input name: array}``, whose names, dtypes and shapes TorchScript is converted for; values are not looked at.
        runtime: None = the process's own.
        progress: called as ``progress(what, fraction)`` on this thread.
        cancel: a token that stops converting.

    Raises:
        UnavailableError: no Python, or a package that it lacks; the hint installs it.
        InvalidArgumentError: inputs are wanted, or others than given.
        FailedPreconditionError: torch cannot export it.

    """
    runtime = runtime or Runtime.default()
    return _core.convert_on(runtime, open_model(model, runtime), samples, progress, cancel)


def generate_samples(
    model: ModelLike,
    policy: PolicyLike = None,
    seed: int = 0,
    *,
    may_run: bool = True,
    runtime: Runtime | None = None,
    cancel: CancelToken | None = None,
    **choice: Unpack[Choice],
) -> GeneratedSamples:
    """Generate inputs at sizes that the model runs on: where the usual ones fail, unknown axes grow step by step, up to 16000.

    The first size that works is remembered with the model, and plans made without samples assume it.

    Args:
        model: path of a model file or folder, a `Model`, or the bytes of an ONNX file.
        policy: where it may run, see `make_policy`; what it says of accuracy, constraints and tuning is left aside.
        seed: same seed, same bytes.
        may_run: False: nothing is run; the remembered size, else the usual one.
        runtime: None = the process's own.
        cancel: a token that stops trying.
        **choice: what lies over the policy, as in `make_policy`.

    Raises:
        axle.Error: the failure at the usual sizes, when none works; UnimplementedError as `generate_inputs`.

    """
    runtime = runtime or Runtime.default()
    return _core.samples_on(runtime, open_model(model, runtime), make_policy(policy, **choice), seed, may_run, cancel)


def measure_machine(runtime: Runtime | None = None, cancel: CancelToken | None = None) -> MachineFigures:
    """Measure what this machine's processor computes and moves at most (a second or two); later estimates use the figures.

    Raises:
        UnavailableError: threads cannot stay on cores.

    """
    return (runtime or Runtime.default()).measure_machine(cancel)


def evidence_ages(rows: Sequence[EvidenceRow], runtime: Runtime | None = None) -> list[EvidenceAge]:
    """Say of each recorded measurement how it stands to what is here now, in their order. Opens the engines."""
    return (runtime or Runtime.default()).evidence_ages(list(rows))


def generate_inputs(
    model: ModelLike, seed: int = 0, axis_size: int = 1, inner_axis_size: int = 16, axes: Mapping[str, int] | None = None
) -> dict[str, np.ndarray]:
    """Random inputs that the model can digest: index bounds, masks, lengths and shape operands are respected.

    Args:
        model: path of a model file or folder, a `Model`, or the bytes of an ONNX file.
        seed: same seed, same bytes.
        axis_size: size of unknown leading axes (batch).
        inner_axis_size: size of every other unknown axis (sequence, length).
        axes: ``{symbol: size}``; wins over both.

    Returns:
        ``{input name: array}`` with the shapes and dtypes that the model declares.

    Raises:
        UnimplementedError: a format whose inputs are not known.

    """
    opened = open_model(model, Runtime.default())
    return _core.generate_inputs(opened, seed, axis_size, inner_axis_size, dict(axes or {}))
