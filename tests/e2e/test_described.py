"""A vendor that axle never heard of becomes an engine by one file, and what its tools do wrong hurts nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

BOTH = ["fakenpu", "fakenpu_cli"]


def expected(model: Path) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime")
    feeds = dict(np.load(model.parent / "in.npz"))
    return onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"]).run(None, feeds)[0]


def run(axle, model: Path, engine: str, *more, **environment):
    common = ("run", model, "--inputs", model.parent / "in.npz", "--engine", engine, "--device", "npu#sim", "--json")
    return axle(*common, "--output-dir", model.parent / "out", *more, **environment)


def set_fault(folder: Path, word: str) -> None:
    (folder / "fault").write_text(word, encoding="utf-8")


def entries(axle) -> int:
    return sum(entry["made_from"]["engine"].startswith("fakenpu") for entry in axle("cache", "ls", "--json").json["entries"])


@pytest.mark.parametrize("engine", BOTH)
def test_compiled_once_and_run_by_another_process(axle, vendor, model, engine):
    vendor(engine)
    compiled = axle("compile", model, "--engine", engine, "--device", "npu#sim", "--json")
    assert compiled.code == 0, compiled.out + compiled.err
    answer = run(axle, model, engine)
    assert answer.code == 0, answer.out + answer.err
    partition = answer.json["plan"]["partitions"][0]
    assert partition["engine"] == engine
    assert partition["simulated"] is True
    assert partition["isolated"] is True
    assert partition["cache"] == "hit"
    np.testing.assert_allclose(np.load(model.parent / "out" / "y.npy"), expected(model), rtol=1e-5, atol=1e-6)


OWN_MEMORY = """[runtime]
kind = "library"
library = "runtime"
[runtime.functions]
load = [
  { symbol = "fakenpu_own_open", signature = "status(&device, 0)" },
  { symbol = "fakenpu_own_create", signature = "handle(@device:i32)" },
  { symbol = "fakenpu_own_load", signature = "bool(handle, path)" },
  { symbol = "fakenpu_own_tensors", signature = "status(handle, &first, &count, &made, &made_count)" },
]
run = { symbol = "fakenpu_own_forward", signature = "status(handle, @first, @count:i32, @made, @made_count:i32)" }
unload = [
  { symbol = "fakenpu_own_destroy", signature = "void(handle)" },
  { symbol = "fakenpu_own_close", signature = "void(@device:i32)" },
]
[runtime.tensors]
inputs = "first"
outputs = "made"
input_count = "count"
output_count = "made_count"
stride = 64
data = { symbol = "fakenpu_own_data", signature = "handle(tensor)" }
size = { symbol = "fakenpu_own_size", signature = "size(tensor)" }
"""
TOLD_SHAPES = """[runtime]
kind = "library"
library = "runtime"
[runtime.functions]
load = [
  { symbol = "fakenpu_own_open", library = "runtime", signature = "status(&device, 0)" },
  { symbol = "fakenpu_own_create", signature = "handle(@device:i32)" },
  { symbol = "fakenpu_own_load", signature = "bool(handle, path)" },
  { symbol = "fakenpu_own_names", signature = "void(handle, &names)" },
]
run.symbol = "fakenpu_own_launch"
run.signature = "bool(handle, @names[0], inputs, input_shapes, input_count:i32, outputs, output_shapes, output_count:i32)"
unload = { symbol = "fakenpu_own_destroy", signature = "void(handle)" }
"""


def with_runtime(folder: Path, runtime: str) -> None:
    path = folder / "fakenpu.toml"
    path.write_text(path.read_text(encoding="utf-8").partition("[runtime]")[0] + runtime, encoding="utf-8")


@pytest.mark.parametrize("runtime", [OWN_MEMORY, TOLD_SHAPES], ids=["own_memory", "told_shapes"])
def test_runtimes_with_memory_of_their_own_or_that_are_told_shapes(axle, vendor, model, runtime):
    with_runtime(vendor("fakenpu"), runtime)
    for cache in ("miss", "hit"):
        answer = run(axle, model, "fakenpu")
        assert answer.code == 0, answer.out + answer.err
        assert answer.json["plan"]["partitions"][0]["cache"] == cache
        np.testing.assert_allclose(np.load(model.parent / "out" / "y.npy"), expected(model), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("stride = 64", "stride = 32", ""),
        ('"fakenpu_own_size"', '"fakenpu_own_data"', "bytes; the model's has"),
        ("(&device, 0)", "(&device, 1)", "fakenpu_own_open failed with 1"),
        ('"fakenpu_own_forward"', '"fakenpu_own_backward"', "fakenpu_own_backward"),
        ("@count:i32, @made,", "@made_count:i32, @made,", "fakenpu_own_forward failed with 9"),
    ],
)
def test_a_wrong_contract_is_an_error_and_no_numbers(axle, vendor, model, before, after, words):
    with_runtime(vendor("fakenpu"), OWN_MEMORY.replace(before, after))
    answer = run(axle, model, "fakenpu")
    assert answer.code != 0
    assert words in answer.json["error"]["message"], answer.out
    assert not (model.parent / "out").exists() or not list((model.parent / "out").iterdir())


def test_a_compiler_without_a_runtime_compiles_and_says_why_it_runs_nothing(axle, vendor, model):
    with_runtime(vendor("fakenpu"), '[runtime]\nkind = "none"\nreason = "the FAKE device is somewhere else"\n')
    for cache in ("miss", "hit"):
        compiled = axle("compile", model, "--engine", "fakenpu", "--device", "npu#sim", "--json")
        assert compiled.code == 0, compiled.out + compiled.err
        assert compiled.json["plan"]["partitions"][0]["cache"] == cache
    answer = run(axle, model, "fakenpu")
    assert answer.code != 0
    assert answer.json["error"]["code"] == "UNIMPLEMENTED"
    assert "fakenpu only compiles: the FAKE device is somewhere else" in answer.json["error"]["message"]


def test_a_simulated_device_is_never_chosen_by_itself(axle, vendor, model):
    vendor("fakenpu")
    answer = axle("plan", model, "--json")
    assert answer.code == 0, answer.out + answer.err
    assert all(partition["engine"] != "fakenpu" for partition in answer.json["plan"]["partitions"])
    reasons = [decision["reason"] for decision in answer.json["decisions"] if decision["candidate"].startswith("fakenpu")]
    assert reasons
    assert all("simulated" in reason for reason in reasons), reasons


COMPILE_FAULTS = {
    "compile_crash": ("UNAVAILABLE", "was killed by signal 6"),
    "compile_hang": ("DEADLINE_EXCEEDED", "took longer than"),
    "compile_half": ("DATA_LOSS", "step 'check' failed"),
    "compile_no_output": ("UNKNOWN", "its output program.fnpu is not there"),
    "compile_lie": ("UNKNOWN", "/npu_operators is 0, at least 1 is wanted"),
    "compile_leak": ("RESOURCE_EXHAUSTED", "bad_alloc"),
    "compile_no_space": ("RESOURCE_EXHAUSTED", "No space left on device"),
    "compile_fails_after_output": ("UNKNOWN", "ended with exit code 1"),
}


@pytest.mark.parametrize("fault", COMPILE_FAULTS)
def test_a_compiler_that_fails_leaves_nothing(axle, vendor, model, fault):
    folder = vendor("fakenpu", ('timeout = "5s"\nmemory = "1GiB"', 'timeout = "1s"\nmemory = "256MiB"'))
    set_fault(folder, fault)
    code, words = COMPILE_FAULTS[fault]
    answer = run(axle, model, "fakenpu")
    assert answer.code != 0
    assert answer.json["error"]["code"] == code, answer.out
    assert words in answer.json["error"]["message"]
    assert entries(axle) == 0
    set_fault(folder, "")
    answer = run(axle, model, "fakenpu")
    assert answer.code == 0, answer.out + answer.err
    np.testing.assert_allclose(np.load(model.parent / "out" / "y.npy"), expected(model), rtol=1e-5, atol=1e-6)


RUN_FAULTS = [
    ("fakenpu", "load_crash", "UNAVAILABLE", "signal 11"),
    ("fakenpu", "load_busy", "UNAVAILABLE", "device busy"),
    ("fakenpu", "run_crash", "UNAVAILABLE", "signal 11"),
    ("fakenpu", "run_busy", "UNAVAILABLE", "device busy"),
    ("fakenpu_cli", "run_crash", "UNAVAILABLE", "signal 6"),
    ("fakenpu_cli", "run_half", "UNKNOWN", "bytes"),
    ("fakenpu_cli", "run_hang", "DEADLINE_EXCEEDED", "took longer than"),
]


@pytest.mark.parametrize(("engine", "fault", "code", "words"), RUN_FAULTS)
def test_a_runtime_that_fails_is_an_error_of_this_run_only(axle, vendor, model, engine, fault, code, words):
    changes = [] if engine == "fakenpu" else [('timeout = "5s"\n\n[runtime.success]', 'timeout = "1s"\n\n[runtime.success]')]
    folder = vendor(engine, *changes)
    set_fault(folder, fault)
    answer = run(axle, model, engine)
    assert answer.code != 0
    assert answer.json["error"]["code"] == code, answer.out
    assert words in answer.json["error"]["message"]
    set_fault(folder, "")
    answer = run(axle, model, engine)
    assert answer.code == 0, answer.out + answer.err
    np.testing.assert_allclose(np.load(model.parent / "out" / "y.npy"), expected(model), rtol=1e-5, atol=1e-6)


def test_a_library_that_hangs_or_hoards_is_ended_at_the_limits_of_the_environment(axle, vendor, model):
    folder = vendor("fakenpu")
    assert run(axle, model, "fakenpu", AXLE_WORKER_TIMEOUT="20s", AXLE_WORKER_MEMORY="1GiB").code == 0
    set_fault(folder, "run_hang")
    hung = run(axle, model, "fakenpu", AXLE_WORKER_TIMEOUT="1s")
    assert hung.code == 6, hung.out + hung.err
    assert "did not answer within 1000 ms" in hung.json["error"]["message"]
    set_fault(folder, "run_leak")
    hoarder = run(axle, model, "fakenpu", AXLE_WORKER_MEMORY="24MiB")
    assert hoarder.code == 7, hoarder.out + hoarder.err
    assert "bad_alloc" in hoarder.json["error"]["message"]
    for variable, word in (("AXLE_WORKER_TIMEOUT", "soon"), ("AXLE_WORKER_MEMORY", "0")):
        refused = axle("plan", model, "--json", **{variable: word})
        assert refused.code == 3, refused.out + refused.err
        assert variable in refused.json["error"]["message"]


def test_a_changed_artefact_is_noticed_before_the_vendor_sees_it(axle, vendor, model, tmp_path):
    vendor("fakenpu")
    assert run(axle, model, "fakenpu").code == 0
    files = [file for file in (tmp_path / "cache").rglob("*") if file.is_file() and b"FAKENPU 1" in file.read_bytes()[:4096]]
    assert files
    for file in files:
        file.chmod(0o600)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0x40
        file.write_bytes(content)
    answer = run(axle, model, "fakenpu", "--verify")
    assert answer.code == 0, answer.out + answer.err
    assert answer.json["plan"]["partitions"][0]["cache"] == "miss"
    np.testing.assert_allclose(np.load(model.parent / "out" / "y.npy"), expected(model), rtol=1e-5, atol=1e-6)


def test_an_operator_that_the_vendor_lacks_is_named(axle, vendor, tmp_path):
    vendor("fakenpu")
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Sin", ["x"], ["y"], name="sine")], "g", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "sin.onnx")
    answer = axle("plan", tmp_path / "sin.onnx", "--engine", "fakenpu", "--device", "npu#sim")
    assert answer.code == 4
    assert "Sin is not in the description's list of operators" in answer.out + answer.err


def test_an_option_outside_its_domain_never_reaches_the_vendor(axle, vendor, model, tmp_path):
    vendor("fakenpu")
    for value, code in (("3", 0), ("4", 3)):
        (tmp_path / "policy.toml").write_text(f"[engines.fakenpu]\nlevel = {value}\n", encoding="utf-8")
        answer = run(axle, model, "fakenpu", "--policy", tmp_path / "policy.toml")
        assert (answer.code == 0) == (code == 0), answer.out + answer.err
    assert "level" in answer.out


def test_another_version_of_the_tool_is_refused(axle, vendor, model):
    folder = vendor("fakenpu")
    set_fault(folder, "wrong_version")
    answer = run(axle, model, "fakenpu")
    assert answer.code in (4, 6)
    assert "is version 9.0.0; this description accepts >=1.2, <2" in answer.out


def test_a_changed_description_is_another_engine_to_the_cache(axle, vendor, model):
    vendor("fakenpu")
    assert run(axle, model, "fakenpu").json["plan"]["partitions"][0]["cache"] == "miss"
    assert run(axle, model, "fakenpu").json["plan"]["partitions"][0]["cache"] == "hit"
    vendor("fakenpu", ('timeout = "5s"', 'timeout = "6s"'))
    assert run(axle, model, "fakenpu").json["plan"]["partitions"][0]["cache"] == "miss"


def test_a_broken_description_is_an_absent_engine_with_the_place(axle, vendor, model):
    vendor("fakenpu", ("deterministic = true", "deterministc = true"))
    engines = {engine["name"]: engine for engine in axle("engines", "--json").json["engines"]}
    assert engines["fakenpu"]["present"] is False
    assert 'fakenpu.toml:13:1: unknown key "deterministc" in [engine]' in engines["fakenpu"]["reason"]
    assert axle("plan", model).code == 0


def test_a_taken_name_is_refused(axle, vendor):
    vendor("fakenpu", ('name = "fakenpu"', 'name = "null"'))
    answer = axle("engines", "--json")
    assert [engine["description"] for engine in answer.json["engines"] if engine["name"] == "null"] == [""]
    assert "fakenpu.toml is not used" in answer.err


def test_add_check_and_remove(axle, vendor, model, tmp_path):
    folder = vendor("fakenpu_cli")
    file = tmp_path / "npu.toml"
    shutil.move(folder / "fakenpu_cli.toml", file)
    checked = axle("engines", "check", file)
    assert checked.code == 0, checked.err
    assert "version 1.4.2" in checked.out or "1.4.2" in checked.out
    assert f"next: axle engines add {file}" in checked.out
    added = axle("engines", "add", file, "--json")
    assert added.code == 0, added.err
    assert added.json["added"] == str(tmp_path / "config" / "axle" / "engines" / "fakenpu_cli.toml")
    assert added.json["engines"][0]["simulated"] is True
    assert run(axle, model, "fakenpu_cli").code == 0
    missing = axle("engines", "check", file, "--json", FAKENPU_HOME="/nonexistent")
    assert missing.code == 6
    assert "fakenpu-compile" in missing.json["error"]["message"]
    assert "libaxle_engine_described" not in missing.json["error"]["message"]
    assert "FAKENPU_HOME" in missing.json["error"]["hint"]
    removed = axle("engines", "remove", "fakenpu_cli", "--json")
    assert removed.json["removed"] == added.json["added"]
    assert axle("engines", "remove", "fakenpu_cli").code == 3
    file.write_text("format = 1\n[engine\n", encoding="utf-8")
    broken = axle("engines", "check", file, "--json")
    assert broken.code == 3
    assert broken.json["error"]["message"].startswith(str(file) + ":2:")


COPYING_VENDOR = """
format = 1
[engine]
name = "copier"
vendor = "Copy Works"
licence = "as the system's cp"
install = "apt install coreutils"
simulated = true
backend = "cp"
[resource]
name = "FAKE copier"
[[tool]]
name = "cp"
file = "cp"
version_argv = ["--version"]
version_pattern = "coreutils. ([0-9.]+)"
[capability]
formats = ["tosa-mlir"]
dtypes = ["f32"]
[[compile]]
name = "copy"
argv = ["${tool.cp}", "${model}", "${out}/model.bin"]
outputs = ["${out}/model.bin"]
[artefact]
files = ["model.bin"]
[runtime]
kind = "command"
argv = ["${tool.cp}", "${input.0}", "${output.0}"]
"""


def test_a_format_handed_over_whole_by_a_description_written_here(axle, vendor, tmp_path):
    """A vendor made of a system program, a TOSA model, npy files in and out."""
    (tmp_path / "descriptions" / "copier.toml").write_text(COPYING_VENDOR, encoding="utf-8")
    model = tmp_path / "same.mlir"
    model.write_text(
        "func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {\n  %0 = tosa.identity %x : (tensor<2x3xf32>) -> tensor<2x3xf32>\n"
        "  return %0 : tensor<2x3xf32>\n}\n",
        encoding="utf-8",
    )
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.savez(tmp_path / "in.npz", x=values)
    answer = run(axle, model, "copier")
    assert answer.code == 0, answer.out + answer.err
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "output0.npy"), values)
    assert answer.json["model"]["format"] == "tosa-mlir"


def test_weights_outside_the_model_file_are_handed_over_too(axle, vendor, tmp_path):
    text = COPYING_VENDOR.replace('"tosa-mlir"', '"onnx"').replace("[capability]", '[[tool]]\nname = "sh"\nfile = "sh"\n[capability]')
    script = "test $(stat -c %s '${model.folder}/weights.bin') = 4096 && cp '${model}' '${out}/model.bin'"
    text = text.replace('["${tool.cp}", "${model}", "${out}/model.bin"]', f'["${{tool.sh}}", "-c", "{script.replace("$(", "$$(")}"]')
    (tmp_path / "descriptions" / "copier.toml").write_text(text, encoding="utf-8")
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1024]) for name in "xy"]
    weight = numpy_helper.from_array(np.zeros(1024, np.float32), "w")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"], name="add")], "g", ports[:1], ports[1:], [weight])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, tmp_path / "outside.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    values = np.arange(1024, dtype=np.float32)
    np.savez(tmp_path / "in.npz", x=values)
    answer = run(axle, tmp_path / "outside.onnx", "copier")
    assert answer.code == 0, answer.out + answer.err
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "y.npy"), values)
