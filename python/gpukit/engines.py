"""The names that gpukit's users know engines by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import axle


@dataclass(frozen=True)
class EngineChoice:
    """What a name stands for: an engine, a device, kernels, or some of these."""

    engine: str | None = None
    device: str | None = None
    kernels: dict[str, str] = field(default_factory=dict)


_NAMES = {
    "tensorrt": EngineChoice(engine="tensorrt"),
    "onnxrt": EngineChoice(engine="onnxruntime"),
    "onnxruntime": EngineChoice(engine="onnxruntime"),
    "openvino": EngineChoice(engine="openvino"),
    "qnn": EngineChoice(engine="qnn"),
    "cuda_raw": EngineChoice(engine="cuda"),
    "cublas": EngineChoice(engine="cuda", kernels={"matmul": "cublas"}),
    "cublaslt": EngineChoice(engine="cuda", kernels={"matmul": "cublasLt"}),
    "cudnn": EngineChoice(engine="cuda", kernels={"conv": "cudnn"}),
    "cpu_fallback": EngineChoice(device="cpu"),
}


def engine_names() -> list[str]:
    """Give gpukit's own words for engines, in lower case."""
    return list(_NAMES)


def engine_choice(name: str | None) -> EngineChoice:
    """Give what `name` stands for; a name that is not known here is taken as an axle engine's own.

    Raises:
        InvalidArgumentError: ``"nccl"``, which moves tensors and runs no model.

    """
    if name is None:
        return EngineChoice()
    if name.lower() == "nccl":
        raise axle.InvalidArgumentError("nccl moves tensors between GPUs: it runs no model", hint=f"engines: {', '.join(_NAMES)}")
    return _NAMES.get(name.lower(), EngineChoice(engine=name))


def engine_of(name: str, where: str) -> str:
    """Give the axle engine that `name` stands for, where nothing but an engine can stand.

    Raises:
        InvalidArgumentError: a word for a device or for kernels.

    """
    choice = engine_choice(name)
    if choice.engine is None or choice.kernels:
        raise axle.InvalidArgumentError(
            f"{where}: {name} is not an engine alone", hint="engines: tensorrt, onnxrt, openvino, qnn, cuda_raw, or an engine's own name"
        )
    return choice.engine


def engines_of(names: Iterable[str]) -> tuple[list[str], EngineChoice]:
    """Give the axle engines for one name or several, and the device and kernels that come with one.

    Raises:
        InvalidArgumentError: several names, of which one is not an engine alone.

    """
    words = list(names)
    if len(words) > 1:
        return list(dict.fromkeys(engine_of(word, "several engines") for word in words)), EngineChoice()
    choice = engine_choice(words[0]) if words else EngineChoice()
    return [] if choice.engine is None else [choice.engine], choice
