"""What plans make of described engines: sizes of an open batch, and a compiler that runs nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

BOTH = ["fakenpu", "fakenpu_cli"]
WEIGHTS = np.random.default_rng(3).standard_normal((8, 5)).astype(np.float32)
ONLY_COMPILES = '[runtime]\nkind = "none"\nreason = "the FAKE device is somewhere else"\n'


def test_what_only_compiles_is_never_chosen_for_running(axle, vendor, model):
    """Two engines have a resource of one id; the one that only compiles comes first by name."""
    path = vendor("fakenpu") / "fakenpu.toml"
    path.write_text(path.read_text(encoding="utf-8").partition("[runtime]")[0] + ONLY_COMPILES, encoding="utf-8")
    alone = axle("plan", model, "--device", "npu", "--allow-simulated", "--json")
    assert alone.code != 0
    assert "fakenpu only compiles for fakenpu:0: it runs nothing" in alone.json["error"]["message"]
    assert "--engine fakenpu" in alone.json["error"]["hint"]
    unnamed = axle("plan", model, "--allow-simulated", "--json")
    assert unnamed.code == 0, unnamed.err
    assert all(part["engine"] not in BOTH for part in unnamed.json["plan"]["partitions"])
    vendor("fakenpu_cli")
    both = axle("run", model, "--inputs", model.parent / "in.npz", "--device", "npu", "--allow-simulated", "--json")
    assert both.code == 0, both.out + both.err
    assert [part["engine"] for part in both.json["plan"]["partitions"]] == ["fakenpu_cli"]
    assert {d["code"] for d in both.json["decisions"] if d["candidate"].startswith("fakenpu@")} == {"COMPILE_ONLY"}
    compiled = axle("compile", model, "--engine", "fakenpu", "--device", "npu", "--allow-simulated", "--json")
    assert compiled.code == 0, compiled.err


@pytest.fixture
def batched(tmp_path) -> Path:
    """y = relu(x @ w) of an open batch."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="product"), helper.make_node("Relu", ["h"], ["y"], name="relu")]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name, size in (("x", 8), ("y", 5))]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [numpy_helper.from_array(WEIGHTS, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "batched.onnx")
    return tmp_path / "batched.onnx"


def test_an_open_batch_axis_is_refused_with_the_line_to_write(axle, vendor, batched, tmp_path):
    vendor("fakenpu")
    (tmp_path / "policy.toml").write_text("[execution]\nstatic_shape = true\n", encoding="utf-8")
    for more in ((), ("--allow-fallback", "cpu")):
        answer = axle("plan", batched, "--device", "npu#sim", "--policy", tmp_path / "policy.toml", "--json", *more)
        assert answer.code == 4
        assert "the model leaves axis batch open, and nothing gives its size" in answer.json["error"]["message"]
        assert "[shapes] batch = [1]" in answer.json["error"]["hint"]


def test_each_batch_size_is_compiled_once_and_chosen_by_the_call(axle, vendor, batched, tmp_path):
    vendor("fakenpu")
    (tmp_path / "policy.toml").write_text(
        '[execution]\ntarget = "npu#sim"\nstatic_shape = true\n[shapes]\nbatch = [1, 4, 8]\n', encoding="utf-8"
    )
    cached = []
    for batch in (4, 1, 8, 3):
        x = np.random.default_rng(batch).standard_normal((batch, 8)).astype(np.float32)
        np.savez(tmp_path / "in.npz", x=x)
        answer = axle("run", batched, "--inputs", tmp_path / "in.npz", "--policy", tmp_path / "policy.toml", "--json",
                      "--output-dir", tmp_path / "out")  # fmt: skip
        if batch == 3:
            assert answer.code == 3
            assert "batch=3" in answer.json["error"]["message"]
            assert "1, 4, 8" in answer.json["error"]["message"]
            break
        assert answer.code == 0, answer.out + answer.err
        parts = answer.json["plan"]["partitions"]
        assert sorted(part["axes"]["batch"] for part in parts) == [1, 4, 8]
        assert parts[0]["axes"] == {"batch": batch}
        assert {part["engine"] for part in parts} == {"fakenpu"}
        cached.append({part["cache"] for part in parts})
        np.testing.assert_allclose(np.load(tmp_path / "out" / "y.npy"), np.maximum(x @ WEIGHTS, 0), rtol=1e-5, atol=1e-6)
    assert cached == [{"miss"}, {"hit"}, {"hit"}]
    assert len(axle("cache", "ls", "--json").json["entries"]) == 3
