"""FAKE: what the packages beside this file have in common.

They speak the contracts of vendors whose tools cannot be had, over the FAKE vendor's own programs. The file `home` beside this one says
where those are; `fault` beside it says what is to go wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
VERSION = "0.0 FAKE"


def tool(name: str, *arguments: str) -> None:
    """Run a program of the FAKE vendor; what ends it ends this process, too."""
    home = Path((FOLDER / "home").read_text(encoding="utf-8").strip())
    environment = {**os.environ, "FAKENPU_FAULT_FILE": str(FOLDER / "fault")}
    done = subprocess.run([home / "bin" / name, *arguments], env=environment, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    if done.returncode < 0:
        os.kill(os.getpid(), -done.returncode)
    if done.returncode != 0:
        raise RuntimeError(f"FAKE: {done.stderr.strip()}")


def compile_file(model: str, output: str) -> None:
    """Translate an ONNX file into a program of the FAKE NPU."""
    tool("fakenpu-compile", "--model", str(model), "--output", str(output))


def ports(program: bytes) -> tuple[list[tuple[str, list[int]]], list[tuple[str, list[int]]]]:
    """Names and shapes of inputs and outputs, from the lines that a program begins with."""
    found: dict[str, list[tuple[str, list[int]]]] = {"input": [], "output": []}
    lines = program.split(b"\n")
    if lines[0] != b"FAKENPU 1":
        raise RuntimeError("FAKE: corrupt artefact")
    for line in lines[1:]:
        words = line.split()
        if len(words) < 3 or words[0] not in (b"input", b"output"):
            break
        found[words[0].decode()].append((words[1].decode(), [int(word) for word in words[3:]]))
    return found["input"], found["output"]


def run(program: bytes, values: list[np.ndarray]) -> list[np.ndarray]:
    """Compute by the FAKE vendor's runner: raw files in, raw files out."""
    inputs, outputs = ports(program)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "program").write_bytes(program)
        arguments = ["--program", str(path / "program")]
        for (name, shape), value in zip(inputs, values, strict=True):
            if list(value.shape) != shape:
                raise RuntimeError(f"FAKE: {name} has the shape {list(value.shape)}, not {shape}")
            np.ascontiguousarray(value, np.float32).tofile(path / f"in-{name}")
            arguments += ["--input", f"{name}={path / f'in-{name}'}"]
        for name, _ in outputs:
            arguments += ["--output", f"{name}={path / f'out-{name}'}"]
        tool("fakenpu-run", *arguments)
        return [np.fromfile(path / f"out-{name}", np.float32).reshape(shape) for name, shape in outputs]
