"""A memory that computes, as a functional model: nothing runs on it unasked, it computes exactly, and its times are modelled ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

MODEL = "pim functional model (simulated)"
PIM = ("--device", "pim", "--allow-simulated", "--allow-fallback", "cpu")


@pytest.fixture(autouse=True)
def engines(axle):
    present = {e["name"] for e in axle("engines", "--json").json["engines"] if e["present"]}
    missing = {"pim", "onnxruntime"} - present
    if missing:
        pytest.skip(f"not installed: {', '.join(sorted(missing))}")


def save(path: Path, nodes, inputs, outputs, weights) -> Path:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, [numpy_helper.from_array(array, name) for name, array in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def small_recommender(path: Path, batch=4) -> Path:
    """Make two embeddings, their product, two dense layers and a sigmoid, as neural collaborative filtering has them."""
    random = np.random.default_rng(5)

    def weight(*shape):
        return (random.standard_normal(shape) * 0.2).astype(np.float32)

    nodes = [
        helper.make_node("Gather", ["users", "user"], ["u"], name="user_table"),
        helper.make_node("Gather", ["items", "item"], ["i"], name="item_table"),
        helper.make_node("Mul", ["u", "i"], ["ui"], name="match"),
        helper.make_node("Concat", ["u", "i", "ui"], ["all"], name="concat", axis=1),
        helper.make_node("Gemm", ["all", "w1", "b1"], ["h1"], name="dense1", transB=1),
        helper.make_node("Relu", ["h1"], ["r1"], name="relu"),
        helper.make_node("Gemm", ["r1", "w2", "b2"], ["h2"], name="dense2", transB=1),
        helper.make_node("Sigmoid", ["h2"], ["score"], name="sigmoid"),
    ]
    weights = {
        "users": weight(500, 16),
        "items": weight(800, 16),
        "w1": weight(32, 48),
        "b1": weight(32),
        "w2": weight(1, 32),
        "b2": weight(1),
    }
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, [batch]) for name in ("user", "item")]
    np.savez(path.parent / "samples.npz", user=random.integers(-500, 500, batch), item=random.integers(0, 800, batch))
    return save(path, nodes, inputs, [helper.make_tensor_value_info("score", TensorProto.FLOAT, [batch, 1])], weights)


@pytest.fixture
def recommender(tmp_path) -> Path:
    return small_recommender(tmp_path / "recommender.onnx")


def run(axle, model: Path, *flags, inputs="samples.npz", **environment):
    """Give the document of a run and its outputs by name."""
    out = model.parent / "out"
    answer = axle("run", model, "--inputs", model.parent / inputs, "--output-dir", out, "--json", *flags, **environment)
    assert answer.code == 0, answer.out + answer.err
    with np.load(out / "outputs.npz") as outputs:
        return answer.json, {name: outputs[name] for name in outputs.files}


def on_cpu(axle, model: Path):
    return run(axle, model, "--device", "cpu", "--engine", "onnxruntime")[1]


def pim_parts(document):
    return [part for part in document["plan"]["partitions"] if part["engine"] == "pim"]


def test_devices_name_the_model(axle):
    resources = {r["id"]: r for r in axle("devices", "--json").json["resources"]}
    assert resources["pim:0"]["simulated"] is True
    assert MODEL in resources["pim:0"]["name"]
    assert resources["pim:0"]["tags"] == ["sim"]
    assert resources["pim:0"]["attributes"]["banks"] == "2556"


def test_nothing_runs_on_it_unasked(axle, recommender):
    answer = axle("run", recommender, "--inputs", recommender.parent / "samples.npz", "--device", "pim")
    assert answer.code == 4, answer.out + answer.err
    assert MODEL in answer.err
    assert "--allow-simulated" in answer.err
    document, _ = run(axle, recommender)
    assert not pim_parts(document)


@pytest.mark.parametrize("how", ["flag", "environment", "tag"])
def test_a_recommender_is_shared_with_the_processor(axle, recommender, how):
    flags, environment = ("--device", "pim", "--allow-fallback", "cpu"), {}
    if how == "flag":
        flags = PIM
    elif how == "environment":
        environment = {"AXLE_ALLOW_SIMULATED": "1"}
    else:
        flags = ("--device", "pim#sim", "--allow-fallback", "cpu")
    document, outputs = run(axle, recommender, *flags, **environment)
    parts = pim_parts(document)
    placed = {node for part in parts for node in part["nodes"]}
    assert placed == {"user_table", "item_table", "match", "dense1", "relu", "dense2"}
    assert all(part["simulated"] and part["resource"] == "pim:0" for part in parts)
    others = [part for part in document["plan"]["partitions"] if part["engine"] != "pim"]
    assert {node for part in others for node in part["nodes"]} == {"concat", "sigmoid"}
    assert not any(part["simulated"] for part in others)
    ledger = document["substitutions"]
    assert all("fallback.resource" in taken["allowed_by"] for taken in ledger)
    assert "concat" in json.dumps(ledger)
    assert "sigmoid" in json.dumps(ledger)
    np.testing.assert_allclose(outputs["score"], on_cpu(axle, recommender)["score"], rtol=1e-5, atol=1e-6)


def test_what_it_counts_is_modelled(axle, recommender):
    document, _ = run(axle, recommender, *PIM)
    for part in pim_parts(document):
        counters = part["counters"]
        assert counters["simulated"] == 1
        assert counters["runs"] == 1
        assert counters["modelled_us"] >= 20, "each step starts the processors"
        assert counters["bytes_from_banks"] > 0
        assert all(MODEL in kernel["kernel"] for kernel in part["effective"]["kernels"])
    held = sum(part["counters"]["weight_bytes_to_banks"] for part in pim_parts(document))
    assert held >= 4 * (500 * 16 + 800 * 16 + 32 * 48 + 32)
    text = axle("run", recommender, "--inputs", recommender.parent / "samples.npz", *PIM).out
    assert "(simulated)" in text
    assert "modelled, not measured" in text


def test_lookups_are_exact(axle, tmp_path):
    random = np.random.default_rng(2)
    table = random.standard_normal((1000, 7)).astype(np.float16)
    nodes = [helper.make_node("Gather", ["table", "rows"], ["y"], name="lookup")]
    rows = helper.make_tensor_value_info("rows", TensorProto.INT64, ["n", "m"])
    model = save(
        tmp_path / "lookup.onnx", nodes, [rows], [helper.make_tensor_value_info("y", TensorProto.FLOAT16, ["n", "m", 7])], {"table": table}
    )
    asked = random.integers(-1000, 1000, (33, 3))
    np.savez(tmp_path / "samples.npz", rows=asked)
    _, outputs = run(axle, model, "--device", "pim#sim")
    np.testing.assert_array_equal(outputs["y"], table[asked])
    np.savez(tmp_path / "outside.npz", rows=np.array([[1000]]))
    answer = axle("run", model, "--inputs", tmp_path / "outside.npz", "--device", "pim#sim")
    assert answer.code == 3, answer.out + answer.err
    assert "row 1000 of a table of 1000" in answer.err


def test_products_of_bytes_are_exact(axle, tmp_path):
    random = np.random.default_rng(8)
    weight = random.integers(-128, 128, (300, 77)).astype(np.int8)
    nodes = [helper.make_node("MatMulInteger", ["x", "w", "xz"], ["y"], name="product")]
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [3, 300])
    y = helper.make_tensor_value_info("y", TensorProto.INT32, [3, 77])
    model = save(tmp_path / "bytes.onnx", nodes, [x], [y], {"w": weight, "xz": np.array(131, np.uint8)})
    given = random.integers(0, 256, (3, 300)).astype(np.uint8)
    np.savez(tmp_path / "samples.npz", x=given)
    _, outputs = run(axle, model, "--device", "pim#sim")
    np.testing.assert_array_equal(outputs["y"], (given.astype(np.int32) - 131) @ weight.astype(np.int32))


def test_a_matrix_product_is_refused_by_name(axle, tmp_path):
    model = small_recommender(tmp_path / "large.onnx", batch=64)
    answer = axle("run", model, "--inputs", tmp_path / "samples.npz", "--device", "pim#sim", "--engine", "pim")
    assert answer.code == 4, answer.out + answer.err
    assert "pim@pim:0 cannot run 4 of 8 nodes" in answer.err
    planned = axle("plan", model, *PIM, "--json").json
    refused = {
        n["name"]: n["reason"] for decision in planned["decisions"] if decision["candidate"] == "pim@pim:0/f32" for n in decision["nodes"]
    }
    assert "a product of 64 vectors" in refused["dense1"]
    assert {"concat", "sigmoid", "dense1", "dense2"} == set(refused)


def test_its_evidence_stays_simulated(axle, recommender):
    tuned = axle("tune", recommender, *PIM, "--budget", "1s")
    assert tuned.code == 0, tuned.err
    rows = axle("evidence", "ls", "--json").json["rows"]
    with_pim = [row for row in rows if "pim@" in row["key"]["candidate"]]
    assert with_pim
    assert all(row["simulated"] for row in with_pim)
    document, _ = run(axle, recommender)
    assert not pim_parts(document)


def test_what_if_asks_the_model_and_says_so(axle, tmp_path):
    """Weights of a product in bytes go to the banks; the nodes around it stay on the processor."""
    random = np.random.default_rng(1)
    size = 4096
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"], name="quantise"),
        helper.make_node("MatMulInteger", ["xq", "w", "xz"], ["h"], name="product"),
        helper.make_node("Cast", ["h"], ["y"], name="cast", to=TensorProto.FLOAT),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, size])
    weight = random.integers(-128, 128, (size, size)).astype(np.int8)
    model = save(tmp_path / "product.onnx", nodes, [x], [y], {"w": weight})
    policy = tmp_path / "policy.toml"
    policy.write_text('[[pin]]\nop_types = ["MatMulInteger"]\nrequire = { resource = "pim:0" }\n')
    answer = axle("plan", model, "--machine", "upmem-pim-4215", "--policy", policy, "--json")
    assert answer.code == 0, answer.err
    (part,) = pim_parts(answer.json)
    assert part["nodes"] == ["product"]
    assert any("which nodes it takes is what its model here says" in note for note in answer.json["plan"]["notes"])
    assert any("weights stay in 2556 banks" in note for note in answer.json["plan"]["notes"])
    plain = axle("plan", model, "--machine", "upmem-pim", "--json").json
    refused = next(d for d in plain["decisions"] if d["candidate"].startswith("pim@pim:0/f32"))
    assert {n["name"] for n in refused["nodes"]} == {"quantise", "cast"}
    assert not pim_parts(plain)


def test_a_real_recommender(axle, models, tmp_path):
    model = models / "ncf-recommender" / "model.onnx"
    with np.load(models / "ncf-recommender" / "input.npz") as inputs:
        np.savez(tmp_path / "samples.npz", **{name: inputs[name][:8] for name in inputs.files})
    with np.load(models / "ncf-recommender" / "expected.npz") as expected:
        wanted = expected["score"][:8]
    policy = tmp_path / "policy.toml"
    policy.write_text(
        '[execution]\ntarget = "pim"\nallow_fallback = ["cpu"]\nstatic_shape = true\n'
        "[shapes]\nbatch = [8]\n[resources]\nallow_simulated = true\n"
    )
    answer = axle("run", model, "--inputs", tmp_path / "samples.npz", "--policy", policy, "--output-dir", tmp_path / "out", "--json")
    assert answer.code == 0, answer.out + answer.err
    placed = {node for part in pim_parts(answer.json) for node in part["nodes"]}
    assert {"/u/Gather", "/i/Gather", "/h/h.0/Gemm", "/h/h.2/Gemm"} <= placed
    with np.load(tmp_path / "out" / "outputs.npz") as outputs:
        np.testing.assert_allclose(outputs["score"], wanted, rtol=1e-4, atol=1e-5)
