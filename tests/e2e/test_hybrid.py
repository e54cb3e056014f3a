"""`objective.minimize = "hybrid"`: one plan for few requests in flight, one for many, where two are worth it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HYBRID = ("--objective", "hybrid")


def loads_of(plan: dict) -> list[str]:
    return [part.get("load", "any") for part in plan["partitions"]]


def test_both_loads_are_planned_locked_and_run(axle, models, tmp_path):
    model = models / "ultraface-rfb-320"
    arguments = (model / "model.onnx", "--inputs", model / "input.npz", *HYBRID)
    tuned = axle("tune", *arguments, "--budget", "8s", "--json")
    assert tuned.code == 0, tuned.out + tuned.err
    planned = axle("plan", *arguments, "-o", tmp_path / "hybrid.lock", "--json")
    assert planned.code == 0, planned.out + planned.err
    plan = planned.json["plan"]
    if plan["schedule"] == "hybrid":
        assert plan["switch_at"] >= 2
        assert loads_of(plan) == sorted(loads_of(plan), key=["low", "high"].index)
        assert any("requests are in flight" in note for note in plan["notes"])
    else:
        assert "switch_at" not in plan
        assert any(note.startswith("one plan serves every load: ") for note in plan["notes"]), plan["notes"]
    checked = axle("plan", model / "model.onnx", "--check", tmp_path / "hybrid.lock", "--json")
    assert checked.code == 0, checked.out + checked.err
    ran = axle(
        "run", model / "model.onnx", "--inputs", model / "input.npz", "--locked", tmp_path / "hybrid.lock",
        "--output-dir", tmp_path / "out", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["plan"]["digest"] == plan["digest"]
    made, want = np.load(tmp_path / "out" / "outputs.npz"), np.load(model / "expected.npz")
    for name in set(made.files) & set(want.files):
        np.testing.assert_allclose(made[name], want[name], rtol=1e-3, atol=1e-3)


def test_a_schedule_contradicts_it(axle, models, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('[objective]\nminimize = "hybrid"\n[schedule]\nkind = "pipeline"\n')
    answer = axle("plan", models / "breast-cancer-mlp" / "model.onnx", "--policy", policy)
    assert answer.code == 3, answer.out + answer.err
    assert "schedule.kind" in answer.err
    assert "leave out" in answer.err


def test_fixed_shapes_go_with_it(axle, tmp_path):
    random = np.random.default_rng(5)
    weight = (random.standard_normal((64, 64)) / 8).astype(np.float32)
    io = [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["batch", 64]) for value in ("x", "y")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="mm"), helper.make_node("Softmax", ["h"], ["y"], name="soft")]
    graph = helper.make_graph(nodes, "rows", io[:1], io[1:], [numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "model.onnx")
    policy = tmp_path / "policy.toml"
    policy.write_text('[objective]\nminimize = "hybrid"\n[shapes]\nbatch = [1, 4]\n')
    for rows in (1, 4, 3):
        x = random.standard_normal((rows, 64)).astype(np.float32)
        np.savez(tmp_path / "in.npz", x=x)
        ran = axle(
            "run", tmp_path / "model.onnx", "--inputs", tmp_path / "in.npz", "--policy", policy, "--output-dir", tmp_path / "out", "--json"
        )
        assert ran.code == 0, ran.out + ran.err
        parts = ran.json["plan"]["partitions"]
        loads = {part.get("load", "any") for part in parts}
        for load in loads:
            sizes = [part.get("axes", {}).get("batch") for part in parts if part.get("load", "any") == load]
            assert set(sizes) == {1, 4, None}
        with np.load(tmp_path / "out" / "outputs.npz") as made:
            h = np.exp(x @ weight)
            np.testing.assert_allclose(made["y"], h / h.sum(axis=1, keepdims=True), rtol=1e-4)
