"""Open batches on Qualcomm's emulator: a context for each size that the policy names, chosen by the call; other sizes are refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from npu_models import NPU, layers, qnn, reference, rules, run, save  # noqa: F401  (qnn skips)
from onnx import TensorProto, helper


def test_open_axes_need_sizes(axle, tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"], name="relu")],
        "open",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "open.onnx")
    np.savez(tmp_path / "samples.npz", x=np.array([[-1, 2, -3, 4], [5, -6, 7, -8]], np.float32))
    refused = axle("plan", tmp_path / "open.onnx", *NPU)
    assert refused.code == 4
    assert "fixed shapes" in refused.err
    policy = rules(tmp_path, "[execution]\nstatic_shape = true\n[shapes]\nbatch = [2]\n")
    document, outputs = run(axle, tmp_path / "open.onnx", *NPU, "--policy", policy)
    assert document["plan"]["partitions"][0]["engine"] == "qnn"
    np.testing.assert_array_equal(outputs["y"], [[0, 2, 0, 4], [5, 0, 7, 0]])


@pytest.fixture
def batched(tmp_path) -> Path:
    """Save the layers over an open batch, with inputs of four sizes."""
    nodes, weights = layers(np.random.default_rng(0))
    random = np.random.default_rng(1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 9])
    model = helper.make_model(helper.make_graph(nodes, "small", [image], [scores], weights), opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "batched.onnx")
    for batch in (1, 3, 4, 8, 16):
        np.savez(tmp_path / f"{batch}.npz", image=random.standard_normal((batch, 3, 32, 32)).astype(np.float32))
    return tmp_path / "batched.onnx"


BATCHES = """[execution]
target = "npu"
precision = {precision}
static_shape = true
[resources]
allow_simulated = true
[shapes]
batch = [1, 4, 8]
[accuracy]
calibration = "{folder}/16.npz"
{bound}
"""


def run_batch(axle, model: Path, batch: int, *flags):
    (model.parent / "samples.npz").write_bytes((model.parent / f"{batch}.npz").read_bytes())
    return run(axle, model, *flags)


def test_each_batch_size_has_a_context_of_its_own_in_int8(axle, batched):
    """`batch_size: [1, 4, 8]` of the seed: compiled once each, chosen by the call, in int8 by the vendor's rules."""
    folder = batched.parent
    policy = rules(folder, BATCHES.format(precision='"int8"', folder=folder, bound=""))
    caches = []
    for batch in (4, 1, 8):
        document, outputs = run_batch(axle, batched, batch, "--policy", policy)
        parts = document["plan"]["partitions"]
        assert sorted(part["axes"]["batch"] for part in parts) == [1, 4, 8]
        assert parts[0]["axes"] == {"batch": batch}
        assert all(re.match(r"qnn@npu:0/int8~qdq-[0-9a-f]+/", part["candidate"]) for part in parts)
        assert {part["effective"]["precision"] for part in parts} == {"int8"}
        assert {part["simulated"] for part in parts} == {True}
        caches.append({part["cache"] for part in parts})
        notes = document["plan"]["notes"]
        assert any("other shapes are refused" in note for note in notes), notes
        assert any(note.startswith("error of int8 against") for note in notes), notes
        assert document["substitutions"] == []
        wanted = reference(axle, batched)["scores"]
        assert outputs["scores"].shape == (batch, 9)
        assert 0 < np.abs(outputs["scores"] - wanted).max() < 0.05 * np.abs(wanted).max()
    assert caches[-1] == {"hit"}
    refused = axle("run", batched, "--inputs", folder / "3.npz", "--policy", policy, "--json")
    assert refused.code == 3, "bad input, as on engines whose shapes may vary"
    assert "batch=3" in refused.json["error"]["message"]
    assert "1, 4, 8" in refused.json["error"]["message"]


@pytest.mark.parametrize(("bound", "precision"), [("1e-1", "int8"), ("1e-6", "f32")])
def test_batch_sizes_pass_the_accuracy_gate_by_the_error_of_the_judged_one(axle, batched, bound, precision):
    folder = batched.parent
    policy = rules(folder, BATCHES.format(precision='["int8", "f32"]', folder=folder, bound=f"max_relative_error = {bound}"))
    tuned = axle("tune", batched, "--policy", policy, "--inputs", folder / "4.npz", "--budget", "3s", "--json")
    assert tuned.code == 0, tuned.err
    document, _ = run_batch(axle, batched, 4, "--policy", policy)
    parts = document["plan"]["partitions"]
    assert {part["precision"] for part in parts} == {precision}
    assert sorted(part["axes"]["batch"] for part in parts) == [1, 4, 8]


def test_an_open_batch_is_refused_with_the_line_to_write(axle, batched):
    policy = rules(batched.parent, "[execution]\nstatic_shape = true\n")
    for more in ((), ("--allow-fallback", "cpu")):
        refused = axle("plan", batched, *NPU, "--policy", policy, "--json", *more)
        assert refused.code == 4
        assert "leaves axis batch open, and nothing gives its size" in refused.json["error"]["message"]
        assert "[shapes] batch = [1]" in refused.json["error"]["hint"]
