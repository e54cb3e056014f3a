"""Fixtures of the end-to-end tests: the built command, the folder of real models, a vendor that does not exist and a model for it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import small_models
from onnx import helper

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
    weights = small_models.dense_layer(generator, 8, 5)
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="gemm"),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("Mul", ["r", "scale"], ["y"], name="mul"),
    ]
    feeds = {"x": small_models.normal(generator, 3, 8), "scale": small_models.normal(generator, 3, 1)}
    return small_models.save(tmp_path / "model.onnx", nodes, weights, feeds, {"y": [3, 5]})
