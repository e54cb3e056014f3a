"""FAKE: the part of OpenVINO's interface that reaches an NPU."""

from __future__ import annotations

import tempfile
from pathlib import Path

import fake_npu

__version__ = fake_npu.VERSION


class CompiledModel:
    """A model on the FAKE NPU."""

    def __init__(self, program: bytes) -> None:
        self.program = program

    def export_model(self) -> bytes:
        """The blob."""
        return self.program

    def __call__(self, inputs):
        """Results by their number, in the model's order."""
        return dict(enumerate(fake_npu.run(self.program, list(inputs))))


class Core:
    """The library."""

    def compile_model(self, model: str, device: str) -> CompiledModel:
        """Compile an ONNX file."""
        assert device == "NPU"
        with tempfile.TemporaryDirectory() as folder:
            fake_npu.compile_file(model, f"{folder}/model.blob")
            return CompiledModel(Path(f"{folder}/model.blob").read_bytes())

    def import_model(self, blob: bytes, device: str) -> CompiledModel:
        """Load a blob."""
        assert device == "NPU"
        fake_npu.ports(blob)
        return CompiledModel(blob)
