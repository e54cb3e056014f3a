"""Fixtures of the end-to-end tests: the built command, and the folder of real models."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

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
