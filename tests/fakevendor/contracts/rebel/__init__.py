"""FAKE: the contract of Rebellions' package rebel."""

from __future__ import annotations

from pathlib import Path

import fake_npu

__version__ = fake_npu.VERSION


class Compiled:
    """What compile_from_onnx gives."""

    def __init__(self, model: str) -> None:
        self.model = model

    def save(self, path: str) -> None:
        """Write the .rbln file."""
        fake_npu.compile_file(self.model, path)


def compile_from_onnx(model: str, target: str, optimization_level: int) -> Compiled:
    """Compile an ONNX file."""
    print(f"FAKE rebel: {target}, level {optimization_level}")
    return Compiled(model)


class Runtime:
    """A loaded .rbln file."""

    def __init__(self, path: str, tensor_type: str = "np") -> None:
        assert tensor_type == "np"
        self.program = Path(path).read_bytes()

    def run(self, *values):
        """One result, or a list of them."""
        made = fake_npu.run(self.program, list(values))
        return made[0] if len(made) == 1 else made
