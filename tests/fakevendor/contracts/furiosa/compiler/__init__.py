"""FAKE: the contract of FuriosaAI's compiler."""

from __future__ import annotations

import tempfile
from pathlib import Path

import fake_npu

__version__ = fake_npu.VERSION


def compile(model: str, target: str, batch_size: int) -> bytes:
    """Compile an ONNX file; gives the bytes of the ENF file."""
    print(f"FAKE furiosa compiler: {target}, batch {batch_size}")
    with tempfile.TemporaryDirectory() as folder:
        fake_npu.compile_file(model, f"{folder}/model.enf")
        return Path(f"{folder}/model.enf").read_bytes()
