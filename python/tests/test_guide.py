"""The Python guide does what it says."""

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, save_model
from onnx import TensorProto, helper, numpy_helper

GUIDE = ROOT / "docs" / "guides" / "python.md"


@pytest.fixture
def beside_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = numpy_helper.from_array(np.random.default_rng(0).random((8, 4), np.float32), "weights")
    nodes = [helper.make_node("MatMul", ["input", "weights"], ["product"]), helper.make_node("Relu", ["product"], ["scores"])]
    inputs, outputs = [("input", TensorProto.FLOAT, ["batch", 8])], [("scores", TensorProto.FLOAT, ["batch", 4])]
    save_model(Path("model.onnx"), nodes, inputs, outputs, [weights])


def test_every_block_runs_in_order(beside_a_model, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(GUIDE), "exec"), namespace)
    said = capsys.readouterr().out
    assert "no resource of this machine matches npu" in said
    assert "onnxruntime@cpu:0" in said
