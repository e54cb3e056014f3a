"""Vendors' contracts whose tools cannot be had: each description, as it stands, end to end on a FAKE kit that speaks the same contract.

What is changed for the test is who computes: the resource is simulated, and says FAKE."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import described
import numpy as np
import onnx
import pytest
import small_models
from onnx import TensorProto, helper, numpy_helper

KIT = Path(__file__).resolve().parents[1] / "fakevendor" / "contracts"
RUNS = ["rebellions", "furiosa", "openvino_npu", "hailo"]
COMPILES = ["rockchip"]


def as_fake(text: str) -> str:
    """The same contract, on a device that is not there."""
    lines = []
    for line in text.splitlines():
        if line.startswith("pci_ids = "):
            continue
        changed = line.replace("simulated = false", 'simulated = true\nbackend = "FAKE kit of axle\'s tests"')
        lines.append(changed.replace('vendor = "', 'vendor = "FAKE ').replace('timeout = "10m"', 'timeout = "5s"'))
    head, _, tail = "\n".join(lines).partition("[resource]")
    return head + "[resource]" + tail.replace('name = "', 'name = "FAKE ', 1)


@pytest.fixture
def kit(axle, tmp_path, monkeypatch):
    """Puts the FAKE kit where Python packages are looked for; gives a function that takes a description into use."""
    home = Path(os.environ["AXLE_COMMAND"]).resolve().parents[1] / "lib" / "axle" / "testing" / "fakenpu"
    if not (home / "bin" / "fakenpu-compile").exists():
        pytest.skip("the FAKE vendor is not built: target axle_fakenpu")
    site = tmp_path / "site"
    shutil.copytree(KIT, site, ignore=shutil.ignore_patterns("__pycache__"))
    (site / "home").write_text(str(home), encoding="utf-8")
    (tmp_path / "descriptions").mkdir()
    monkeypatch.setenv("AXLE_PYTHON_SITE", str(site))
    monkeypatch.setenv("PATH", f"{site / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("AXLE_ENGINE_DESCRIPTIONS", str(tmp_path / "descriptions"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def use(name: str) -> Path:
        text = (described.FOLDER / f"{name}.toml").read_text(encoding="utf-8")
        (tmp_path / "descriptions" / f"{name}.toml").write_text(as_fake(text), encoding="utf-8")
        return site

    return use


@pytest.fixture
def model(tmp_path) -> Path:
    """y = relu(x @ w + b), and z = x * x, of fixed shapes."""
    generator = np.random.default_rng(11)
    weights = small_models.dense_layer(generator, 6, 4)
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="gemm"),
        helper.make_node("Relu", ["h"], ["y"], name="relu"),
        helper.make_node("Mul", ["x", "x"], ["z"], name="square"),
    ]
    folder = tmp_path / "model"
    folder.mkdir()
    feeds = {"x": small_models.normal(generator, 2, 6)}
    return small_models.save(folder / "model.onnx", nodes, weights, feeds, {"y": [2, 4], "z": [2, 6]})


def expected(model: Path) -> dict[str, np.ndarray]:
    x = np.load(model.parent / "in.npz")["x"]
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(model).graph.initializer}
    return {"y": np.maximum(x @ weights["w"] + weights["b"], 0), "z": x * x}


def check(model: Path) -> None:
    for name, value in expected(model).items():
        np.testing.assert_allclose(np.load(model.parent / "out" / f"{name}.npy"), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", RUNS)
def test_compiled_once_and_run_by_another_process(axle, kit, model, tmp_path, name):
    kit(name)
    compiled = axle("compile", model, "--engine", name, "--device", "npu#sim", "--json")
    assert compiled.code == 0, compiled.out + compiled.err
    answer = described.run(axle, model, name)
    assert answer.code == 0, answer.out + answer.err
    partition = answer.json["plan"]["partitions"][0]
    assert (partition["cache"], partition["simulated"], partition["isolated"]) == ("hit", True, True)
    check(model)
    said = axle("engines", "check", tmp_path / "descriptions" / f"{name}.toml").out
    assert f"{name} by FAKE " in said
    assert ": FAKE " in said


@pytest.mark.parametrize("name", COMPILES)
def test_what_only_compiles_is_cached_and_runs_nothing(axle, kit, model, name):
    kit(name)
    for cache in ("miss", "hit"):
        compiled = axle("compile", model, "--engine", name, "--device", "npu#sim", "--json")
        assert compiled.code == 0, compiled.out + compiled.err
        assert compiled.json["plan"]["partitions"][0]["cache"] == cache
    answer = described.run(axle, model, name)
    assert answer.code != 0
    assert described.error_of(answer)["code"] == "UNIMPLEMENTED"
    assert f"{name} only compiles" in described.error_of(answer)["message"]


FAULTS = {
    "compile_crash": ("UNAVAILABLE", "was killed by signal 6"),
    "compile_no_space": ("RESOURCE_EXHAUSTED", "No space left on device"),
    "compile_no_output": ("UNKNOWN", ""),
    "run_crash": ("UNAVAILABLE", "was killed by signal 6"),
    "run_hang": ("DEADLINE_EXCEEDED", "took longer than"),
    "run_half": ("UNKNOWN", ""),
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_clear_status_and_the_next_run_is_well(axle, kit, model, name, fault):
    site = kit(name)
    (site / "fault").write_text(fault, encoding="utf-8")
    code, words = FAULTS[fault]
    answer = described.run(axle, model, name)
    assert answer.code != 0
    assert described.error_of(answer)["code"] == code, answer.out
    assert words in described.error_of(answer)["message"]
    (site / "fault").unlink()
    answer = described.run(axle, model, name)
    assert answer.code == 0, answer.out + answer.err
    check(model)


@pytest.mark.parametrize("name", RUNS + COMPILES)
def test_an_operator_that_the_vendor_lacks_is_told_in_its_words(axle, kit, tmp_path, name):
    kit(name)
    ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, [2]) for port in "xy"]
    graph = helper.make_graph([helper.make_node("Sin", ["x"], ["y"], name="sine")], "g", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "sin.onnx")
    answer = axle("compile", tmp_path / "sin.onnx", "--engine", name, "--device", "npu#sim", "--json")
    assert answer.code != 0
    assert described.error_of(answer)["code"] == "UNIMPLEMENTED", answer.out
    assert "Sin" in described.error_of(answer)["message"]


@pytest.mark.parametrize(
    ("machine", "engine", "precision"), [("furiosa-rngd", "furiosa", "bf16"), ("rebellions-atom", "rebellions", "f16")]
)
def test_a_what_if_on_the_vendors_machine_is_an_estimated_plan(axle, model, tmp_path, monkeypatch, machine, engine, precision):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("AXLE_PYTHON_SITE", "")
    answer = axle("plan", model, "--machine", machine, "--device", "npu", "--precision", precision, "--json")
    assert answer.code == 0, answer.out + answer.err
    (partition,) = answer.json["plan"]["partitions"]
    assert (partition["engine"], partition["resource_kind"], partition["precision"]) == (engine, "npu", precision)
    assert partition["expected_us"] > 0
    (chosen,) = [decision for decision in answer.json["decisions"] if decision["verdict"] == "chosen"]
    assert chosen["estimate_us"] > 0
    assert not chosen.get("evidence"), "nothing was measured there"
    assert any("what-if" in note for note in answer.json["plan"]["notes"]), answer.json["plan"]


@pytest.mark.parametrize("name", RUNS + COMPILES + ["sophgo", "sophgo_bm", "vela", "vgf"])
def test_without_its_tools_it_is_absent_with_reason_and_hint(axle, tmp_path, monkeypatch, name):
    """As it stands, nothing changed; and what comes with axle is listed without being added."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("AXLE_PYTHON_SITE", "")
    listed = next(engine for engine in axle("engines", "--json").json["engines"] if engine["name"] == name)
    assert listed["present"] is False
    assert listed["resources"] == []
    assert "was not found" in listed["reason"] or "not in use" in listed["reason"], listed
    assert listed["install_command"]
    assert any("axle engines add" in text for text in [*listed["notes"], listed["install_command"]])
