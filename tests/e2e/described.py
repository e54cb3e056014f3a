"""What the tests of engine descriptions share: taking one into use, and running a model by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "descriptions"


def use(axle, tmp_path: Path, monkeypatch, name: str) -> None:
    """Add descriptions/NAME.toml for this test, or skip and say what is missing."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    checked = axle("engines", "check", FOLDER / f"{name}.toml")
    assert checked.code in (0, 6), checked.err
    if checked.code == 6:
        pytest.skip(checked.err.splitlines()[0])
    shutil.copy(FOLDER / f"{name}.toml", tmp_path / f"{name}.toml")
    assert axle("engines", "add", tmp_path / f"{name}.toml").code == 0


def run(axle, model: Path, engine: str, *more, **environment):
    """`axle run` of a model with its in.npz beside it; outputs go to out/."""
    common = ("run", model, "--inputs", model.parent / "in.npz", "--engine", engine, "--device", "npu#sim", "--json")
    return axle(*common, "--output-dir", model.parent / "out", *more, **environment)


def outputs(model: Path, count: int) -> list[np.ndarray]:
    """What the last run left, in order, for models whose outputs have no names."""
    return [np.load(model.parent / "out" / f"output{index}.npy") for index in range(count)]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """1 for the same direction."""
    return float(np.dot(a.ravel(), b.ravel()) / (np.linalg.norm(a) * np.linalg.norm(b)))


def blobs(cache: Path) -> list[Path]:
    """The files of a cache folder that hold artefacts' contents, largest first."""
    files = [file for file in cache.rglob("*") if file.is_file() and "objects" in file.parts]
    return sorted(files, key=lambda file: -file.stat().st_size)


def error_of(answer) -> dict:
    """The error of a failed call with --json."""
    return json.loads(answer.out)["error"]
