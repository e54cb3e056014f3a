"""descriptions/vgf.toml on Arm's own tools, where they are installed: exact results by an artefact that another process made."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

DESCRIPTION = Path(__file__).resolve().parents[2] / "descriptions" / "vgf.toml"
MODEL = """module {
  func.func @main(%arg0: tensor<1x4x4x1xi8>) -> tensor<1x2x2x1xi8> {
    %0 = tosa.max_pool2d %arg0 {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>}
      : (tensor<1x4x4x1xi8>) -> tensor<1x2x2x1xi8>
    return %0 : tensor<1x2x2x1xi8>
  }
}
"""


@pytest.fixture
def vgf(axle, tmp_path, monkeypatch):
    """The description in use, or a skip that says what is missing."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    checked = axle("engines", "check", DESCRIPTION)
    assert checked.code in (0, 6), checked.err
    if checked.code == 6:
        pytest.skip(checked.err.splitlines()[0])
    shutil.copy(DESCRIPTION, tmp_path / "vgf.toml")
    assert axle("engines", "add", tmp_path / "vgf.toml").code == 0


def test_max_pool_is_exact_and_compiled_once(axle, vgf, tmp_path):
    model = tmp_path / "pool.mlir"
    model.write_text(MODEL, encoding="utf-8")
    values = np.random.default_rng(3).integers(-128, 127, (1, 4, 4, 1)).astype(np.int8)
    np.savez(tmp_path / "in.npz", arg0=values)
    common = (model, "--engine", "vgf", "--device", "npu#sim", "--json")
    compiled = axle("compile", *common)
    assert compiled.code == 0, compiled.out + compiled.err
    answer = axle("run", *common, "--inputs", tmp_path / "in.npz", "--output-dir", tmp_path / "out")
    assert answer.code == 0, answer.out + answer.err
    partition = answer.json["plan"]["partitions"][0]
    assert partition["cache"] == "hit"
    assert partition["simulated"] is True
    expected = values.reshape(1, 2, 2, 2, 2, 1).max(axis=(2, 4))
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "output0.npy"), expected)


def test_what_the_converter_refuses_is_told_in_its_words(axle, vgf, tmp_path):
    model = tmp_path / "bad.mlir"
    model.write_text(MODEL.replace("tosa.max_pool2d", "tosa.no_such_operator"), encoding="utf-8")
    answer = axle("run", model, "--engine", "vgf", "--device", "npu#sim", "--random", "1", "--json")
    assert answer.code != 0
    assert answer.json["error"]["code"] == "UNIMPLEMENTED"
    assert "the converter does not take this model" in answer.json["error"]["message"]
