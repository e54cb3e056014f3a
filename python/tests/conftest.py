"""Fixtures: small models made on the spot, and the folder of real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import axle

ROOT = Path(__file__).resolve().parents[2]


def save_model(path: Path, nodes, inputs, outputs, initializers=(), opset=17) -> str:
    """Write an ONNX model; inputs and outputs are (name, element type, shape)."""
    infos = [[helper.make_tensor_value_info(*spec) for spec in specs] for specs in (inputs, outputs)]
    graph = helper.make_graph(nodes, path.stem, *infos, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.save(model, path)
    return str(path)


def python(script: str, *arguments: str, **environment: str) -> str:
    """Run a script in a process of its own; what it prints."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env={**os.environ, **environment}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory):
    """Nothing that was measured or compiled elsewhere decides here."""
    folder = tmp_path_factory.mktemp("cache")
    folder.chmod(0o700)
    os.environ["AXLE_CACHE_DIR"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def add_model(tmp_path_factory) -> str:
    """z = x + y over 4 floats."""
    specs = [(name, TensorProto.FLOAT, [4]) for name in "xyz"]
    return save_model(tmp_path_factory.mktemp("models") / "add.onnx", [helper.make_node("Add", ["x", "y"], ["z"])], specs[:2], specs[2:])


@pytest.fixture(scope="session")
def add_session(add_model, private_cache) -> axle.Session:
    return axle.Session.create(add_model, engine="onnxruntime", threads=1)


@pytest.fixture
def feeds():
    return {"x": np.arange(4, dtype=np.float32), "y": np.ones(4, np.float32)}


@pytest.fixture
def make_session(tmp_path):
    """Make a session over nodes on ONNX Runtime with one thread."""

    def make(nodes, inputs, outputs, initializers=(), opset=17, **choices) -> axle.Session:
        path = save_model(tmp_path / "model.onnx", nodes, inputs, outputs, initializers, opset)
        return axle.Session.create(path, **{"engine": "onnxruntime", "threads": 1, **choices})

    return make


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of real models with inputs and expected outputs; tests that want it skip without it."""
    folder = Path(os.environ.get("AXLE_SHARED_MODELS", ROOT.parent / "shared" / "models"))
    if not folder.is_dir():
        pytest.skip(f"no real models at {folder}: set AXLE_SHARED_MODELS")
    return folder
