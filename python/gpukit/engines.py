"""The names that gpukit's users know engines by."""

from __future__ import annotations

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


def engine_choice(name: str | None) -> EngineChoice:
    """Give what `name` stands for; a name that is not known here is taken as an axle engine's own."""
    if name is None:
        return EngineChoice()
    if name.lower() == "nccl":
        raise axle.InvalidArgumentError("nccl moves tensors between GPUs: it runs no model", hint=f"engines: {', '.join(_NAMES)}")
    return _NAMES.get(name.lower(), EngineChoice(engine=name))
