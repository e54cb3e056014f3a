"""Fixtures of the end-to-end tests: the built command, the folder of real models, a vendor that does not exist and a model for it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Answer:
    """Exit code and output of one call of the command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


@pytest.fixture
def axle(tmp_path):
    """Call the built command; the cache is private to the test unless `AXLE_CACHE_DIR` is passed."""
    command = os.environ["AXLE_COMMAND"]

    def call(*arguments, **environment) -> Answer:
        env = {**os.environ, "AXLE_CACHE_DIR": str(tmp_path / "cache"), **environment}
        done = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, env=env, timeout=300, check=False)
        return Answer(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of real models with inputs and expected outputs; tests that want it skip without it."""
    folder = Path(os.environ.get("AXLE_SHARED_MODELS", ROOT.parent / "shared" / "models"))
    if not folder.is_dir():
        pytest.skip(f"no real models at {folder}: set AXLE_SHARED_MODELS")
    return folder


@pytest.fixture
def vendor(axle, tmp_path, monkeypatch):
    """Where the FAKE vendor is installed, and a folder for descriptions; gives a function that adds one."""
    home = Path(os.environ["AXLE_COMMAND"]).resolve().parents[1] / "lib" / "axle" / "testing" / "fakenpu"
    if not (home / "bin" / "fakenpu-compile").exists():
        pytest.skip("the FAKE vendor is not built: target axle_fakenpu")
    folder = tmp_path / "descriptions"
    folder.mkdir()
    monkeypatch.setenv("FAKENPU_HOME", str(home))
    monkeypatch.setenv("FAKENPU_FAULT_FILE", str(folder / "fault"))
    monkeypatch.setenv("AXLE_ENGINE_DESCRIPTIONS", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def add(name: str, *changes: tuple[str, str]) -> Path:
        text = (ROOT / "tests" / "fakevendor" / f"{name}.toml").read_text(encoding="utf-8")
        for before, after in changes:
            assert before in text, before
            text = text.replace(before, after)
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        return folder

    return add


@pytest.fixture
def model(tmp_path) -> Path:
    """y = relu(x @ w + b) * x2, of fixed shapes."""
    generator = np.random.default_rng(7)
    weights = [
        numpy_helper.from_array(generator.standard_normal((8, 5)).astype(np.float32), "w"),
        numpy_helper.from_array(generator.standard_normal(5).astype(np.float32), "b"),
    ]
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="gemm"),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("Mul", ["r", "scale"], ["y"], name="mul"),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [3, 8]), ("scale", [3, 1]))]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 5])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    feeds = {"x": generator.standard_normal((3, 8)).astype(np.float32), "scale": generator.standard_normal((3, 1)).astype(np.float32)}
    np.savez(tmp_path / "in.npz", **feeds)
    return path
