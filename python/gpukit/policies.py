"""Policies as code: which kernels, and where and in which precision a model runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import axle


@dataclass(frozen=True)
class Preference:
    """Kernels that are preferred, and kernels that must not be used, for one op."""

    prefer: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()

    def __or__(self, other: Preference) -> Preference:
        """Give both: ``prefer("onednn") | forbid("naive")``."""
        return Preference(self.prefer + other.prefer, self.forbid + other.forbid)


def prefer(*kernels: str) -> Preference:
    """Give kernels in order of preference; others may be used when these cannot be had."""
    return Preference(prefer=kernels)


def forbid(*kernels: str) -> Preference:
    """Give kernels that must not be used."""
    return Preference(forbid=kernels)


class KernelPolicy:
    """Which kernel runs each op: ``KernelPolicy(matmul="cublasLt", attention=prefer("flash_v2"))``.

    A name alone is forced: a kernel that cannot be had is an error that lists what can, unless the session's `ExecutionPolicy` allows
    the engine's own (``allow_kernel_fallback=True``), which is then in `substitutions`. Ops are words (``matmul``, ``conv``,
    ``attention``) or ONNX op types. Equal policies compare equal; a policy cannot be changed.
    """

    def __init__(self, **kernels: str | Preference):
        self._kernels = dict(kernels)

    @property
    def kernels(self) -> Mapping[str, str | Preference]:
        """What was asked for, by op."""
        return dict(self._kernels)

    def to_choices(self) -> dict[str, axle.KernelChoice]:
        """Give the same for `axle.Policy.kernels`."""
        return {op: _choice(op, wanted) for op, wanted in self._kernels.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KernelPolicy) and self._kernels == other._kernels

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._kernels.items(), key=lambda item: item[0])))

    def __repr__(self) -> str:
        return f"KernelPolicy({', '.join(f'{op}={wanted!r}' for op, wanted in self._kernels.items())})"


def words_of(given: str | Iterable[str] | None) -> list[str]:
    """Give one word or several as a list; None is none."""
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def _choice(op: str, wanted: str | Preference) -> axle.KernelChoice:
    if isinstance(wanted, str):
        return axle.KernelChoice(force=wanted)
    if isinstance(wanted, Preference):
        return axle.KernelChoice(prefer=list(wanted.prefer), forbid=list(wanted.forbid))
    raise TypeError(f"the kernel for {op} is a name, prefer(...) or forbid(...), not a {type(wanted).__name__}")


@dataclass(frozen=True)
class ExecutionPolicy:
    """Where, in which precision and how a model runs.

    Attributes:
        target: selector such as ``"npu"`` or ``"gpu@nvidia"``; None = the session's device.
        precision: ``"int8"``, ``"fp16"``, ...: one alone is forced and its error reported; several are gated on accuracy in order.
        static_shape: no axis stays open: each that the model's file leaves open gets its size from `batch_size`, `shapes` or the
            session's `samples`; one that gets none is refused by its name, and so is a run of another shape. The plan's notes name
            what was prepared.
        allow_fallback: selectors of what may stand in when the target is missing, on any engine there. Nothing else may; what did
            is in `substitutions`.
        allow_engine_fallback: engines that may stand in for the one that was named, on the same target.
        allow_precision_fallback: precisions that may stand in for the one that was forced.
        allow_kernel_fallback: the engine's own kernel may stand in for one that a `KernelPolicy` forces or forbids.
        threads: compute threads; None = the planner's choice.
        max_relative_error: bound on the error against fp32; None = none.
        tuning_budget: how long may be measured: ``"10s"``, or seconds; None = not at all.
        batch_size: sizes to prepare of the batch axis, ``[1, 4, 8]``: each gets an executable of its own, and a run goes to the one
            of its inputs' size. The batch axis is the open first axis that the model's inputs share.
        shapes: the same for any open axis, by its symbol or place: ``{"seq": [16, 128], "x[0]": 4}``.

    """

    target: str | None = None
    precision: str | Iterable[str] | None = None
    static_shape: bool = False
    allow_fallback: str | Iterable[str] | None = None
    threads: int | None = None
    max_relative_error: float | None = None
    tuning_budget: str | float | None = None
    allow_engine_fallback: str | Iterable[str] | None = None
    allow_precision_fallback: str | Iterable[str] | None = None
    allow_kernel_fallback: bool = False
    batch_size: int | Iterable[int] | None = None
    shapes: Mapping[str, int | Iterable[int]] | None = None

    def sizes(self, inputs: Iterable[axle.IoSpec] | None) -> dict[str, list[int]]:
        """Give what is to be prepared, axis by axis, for a model of these inputs (None = not known).

        Raises:
            InvalidArgumentError: `batch_size` for a model whose inputs share no open first axis, or for one that is not known.

        """
        sizes = {axis: _sizes_of(wanted, f"shapes[{axis!r}]") for axis, wanted in (self.shapes or {}).items()}
        if self.batch_size is None:
            return sizes
        wanted = _sizes_of(self.batch_size, "batch_size")
        axis = _batch_axis(inputs, wanted)
        if axis is None:
            return sizes
        if sizes.get(axis, wanted) != wanted:
            raise axle.InvalidArgumentError(
                f"the sizes of {axis} are contradictory: batch_size={wanted}, shapes[{axis!r}]={sizes[axis]}", hint="name them once"
            )
        return {**sizes, axis: wanted}


def _sizes_of(wanted: int | Iterable[int], what: str) -> list[int]:
    sizes = [wanted] if isinstance(wanted, int) else list(wanted)
    if not sizes or any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes):
        raise axle.InvalidArgumentError(f"{what} is {wanted!r}", hint="a size of at least 1, or several: [1, 4, 8]")
    return sizes


def batch_axes(inputs: Iterable[axle.IoSpec]) -> list[str]:
    """Give the open first axes of the inputs, each once, by symbol or place: one is the batch axis, several are none."""
    first = [(spec.name, spec.shape[0]) for spec in inputs if spec.shape]
    return list(dict.fromkeys(f"{name}[0]" if axis is None else axis for name, axis in first if not isinstance(axis, int)))


def _batch_axis(inputs: Iterable[axle.IoSpec] | None, wanted: list[int]) -> str | None:
    """Give the open first axis that the inputs share; None where it is fixed at just the size that is wanted."""
    if inputs is None:
        raise axle.InvalidArgumentError(
            "batch_size says nothing without a model: which axis it is depends on it",
            hint='give the model too, or name the axis: shapes={"batch": [1, 4, 8]}',
        )
    specs = list(inputs)
    fixed = {spec.shape[0] for spec in specs if spec.shape and isinstance(spec.shape[0], int)}
    names = batch_axes(specs)
    if len(names) == 1:
        return names[0]
    if names:
        raise axle.InvalidArgumentError(
            f"batch_size: the model's inputs share no first axis, they have {', '.join(names)}",
            hint=f'name the sizes of each: shapes={{"{names[0]}": {wanted}, ...}}',
        )
    if fixed == set(wanted):
        return None
    sizes = " or ".join(map(str, sorted(fixed))) or "nothing: its inputs have no first axis"
    raise axle.InvalidArgumentError(
        f"batch_size is {wanted}, and the first axis of the model's inputs is fixed at {sizes}",
        hint="export the model with an open batch axis, or leave batch_size out",
    )
