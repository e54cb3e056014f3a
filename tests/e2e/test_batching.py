"""`schedule.batch`: requests of several callers are computed together, where the model's rows do not touch each other."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_models import normal

ENGINES = ["onnxruntime", "openvino"]
POLICY = '[objective]\nminimize = "throughput"\n[schedule]\nbatch = {batch}\nbatch_wait = "2ms"\n'


def network(path, *, axis: str = "batch", mixing: bool = False):
    """Two dense layers over [batch, 32]; with `mixing` a softmax over the batch at the end."""
    generator = np.random.default_rng(7)
    weights = [numpy_helper.from_array(normal(generator, 32, 64), "w1"), numpy_helper.from_array(normal(generator, 64, 8), "w2")]
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w2"], ["c" if mixing else "y"]),
    ]
    if mixing:
        nodes.append(helper.make_node("Softmax", ["c"], ["y"], axis=0))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 32])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [axis, 8])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    np.savez(path.parent / "in.npz", x=normal(generator, 1, 32))
    return path


@pytest.fixture
def policy(tmp_path):
    def write(batch: object = 4, more: str = ""):
        path = tmp_path / "batch.toml"
        path.write_text(POLICY.format(batch=json.dumps(batch)) + more)
        return path

    return write


def skip_absent(answer, engine: str) -> None:
    if answer.code == 6:
        pytest.skip(f"{engine} is not here")
    assert answer.code == 0, answer.out + answer.err


@pytest.mark.parametrize("engine", ENGINES)
def test_callers_are_computed_together_as_planned_and_locked(axle, tmp_path, policy, engine):
    model, lock = network(tmp_path / "net.onnx"), tmp_path / "batch.lock"
    arguments = (model, "--inputs", tmp_path / "in.npz", "--engine", engine, "--policy", policy())
    planned = axle("plan", *arguments, "-o", lock, "--json")
    skip_absent(planned, engine)
    batching = planned.json["plan"]["batching"]
    assert {key: batching[key] for key in ("rows", "wait_ns", "axis")} == {"rows": 4, "wait_ns": 2_000_000, "axis": "batch"}
    assert batching["runs"] >= 1
    assert "up to 4 rows of axis batch" in axle("explain", *arguments).out
    timed = axle("bench", *arguments, "--threads", "8", "--duration", "300ms", "--json")
    assert timed.code == 0, timed.out + timed.err
    assert timed.json["batching"]["joined"] > 0
    assert timed.json["batching"]["runs"] < timed.json["batching"]["requests"]
    assert timed.json["batching"]["redone"] == 0
    assert 1 < timed.json["batching"]["most_rows"] <= 4
    ran = axle("run", model, "--inputs", tmp_path / "in.npz", "--locked", lock, "--output-dir", tmp_path / "out", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["plan"]["batching"] == batching
    plain = axle("run", model, "--inputs", tmp_path / "in.npz", "--engine", engine, "--output-dir", tmp_path / "plain", "--json")
    assert plain.code == 0, plain.out + plain.err
    assert "batching" not in plain.json["plan"]
    np.testing.assert_allclose(
        np.load(tmp_path / "out" / "outputs.npz")["y"], np.load(tmp_path / "plain" / "outputs.npz")["y"], rtol=1e-5, atol=1e-5
    )
    alone = tmp_path / "alone.lock"
    assert axle("plan", model, "--inputs", tmp_path / "in.npz", "--engine", engine, "-o", alone).code == 0
    compared = axle("plan", "--diff", lock, alone)
    assert "Each request is computed alone now; before, together: up to 4 rows" in compared.out, compared.out + compared.err


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_touch_each_other_are_refused_with_the_figures(axle, tmp_path, policy, engine):
    model = network(tmp_path / "mixing.onnx", mixing=True)
    arguments = (model, "--inputs", tmp_path / "in.npz", "--engine", engine, "--policy", policy())
    skip_absent(axle("plan", *arguments), engine)
    answer = axle("run", *arguments)
    assert answer.code != 0
    assert "the rows of this model touch each other: output 'y' of 4 requests" in answer.err
    assert "max relative error" in answer.err


def test_what_stands_in_the_way_is_named(axle, tmp_path, policy):
    model = network(tmp_path / "net.onnx", axis="N")
    answer = axle("plan", model, "--inputs", tmp_path / "in.npz", "--policy", policy())
    assert answer.code != 0
    assert "the first axis of output 'y' is N, of input 'x' it is batch" in answer.err
    assert "dim_param" in answer.err
    auto = axle("plan", model, "--inputs", tmp_path / "in.npz", "--policy", policy("auto"), "--json")
    assert auto.code == 0, auto.out + auto.err
    assert any("one by one: " in note and "'y' is N" in note for note in auto.json["plan"]["notes"])


def test_tuning_measures_joined_requests(axle, tmp_path, policy):
    model = network(tmp_path / "net.onnx")
    arguments = (model, "--inputs", tmp_path / "in.npz", "--engine", "onnxruntime", "--policy", policy(8, "[execution]\nthreads = 1\n"))
    tuned = axle("tune", *arguments, "--budget", "6s", "--json")
    skip_absent(tuned, "onnxruntime")
    assert any(row.get("batch") == 8 for row in tuned.json["candidates"]), tuned.out
    planned = axle("plan", *arguments, "--json")
    assert any("up to 8 rows together, by measurement" in note for note in planned.json["plan"]["notes"]), planned.out
