"""What the command line's verbs are in Python."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import save_model
from onnx import TensorProto, helper

import axle


def test_what_this_build_is():
    info = axle.build_info()
    assert axle.__version__ == info.version
    assert info.engine_abi >= 1


def test_machine_devices_and_engines(tmp_path):
    machine = axle.machine()
    cpu = axle.devices()[0]
    assert (cpu.id, cpu.kind) == ("cpu:0", "cpu")
    assert machine.select("cpu") == ["cpu:0"]
    with pytest.raises(axle.InvalidArgumentError):
        machine.select("cpu:x")
    machine.save(str(tmp_path / "here.json"))
    again = axle.load_machine(str(tmp_path / "here.json"))
    assert again.fingerprint() == machine.fingerprint()
    assert axle.parse_machine(machine.to_json()).fingerprint() == machine.fingerprint()
    engines = {engine.name: engine for engine in axle.engines()}
    assert engines["onnxruntime"].present
    assert engines["onnxruntime"].info.library.version
    assert any(precision.name == "f32" for precision in engines["onnxruntime"].capabilities["cpu:0"].precisions)


def test_inspect_says_what_a_model_is(add_model):
    seen = axle.inspect(add_model)
    assert seen.model.format == "onnx"
    assert seen.summary.node_count == 1
    assert seen.summary.op_counts == {"Add": 1}
    assert {opinion.engine for opinion in seen.opinions} >= {"onnxruntime", "openvino"}
    assert seen.to_dict()["format"] == "onnx"
    assert "Add" in str(seen)


def test_plan_decides_without_running(add_model, tmp_path):
    planned = axle.plan(add_model, engine="onnxruntime", threads=1)
    assert str(planned.partitions[0].candidate) == "onnxruntime@cpu:0/f32/t1/default"
    assert planned.decisions[0].verdict == "chosen"
    assert all(decision.reason for decision in planned.decisions)
    assert "onnxruntime@cpu:0/f32/t1/default" in str(planned)
    assert planned.to_dict()["plan"]["partitions"][0]["engine"] == "onnxruntime"
    assert axle.Plan.parse(planned.plan.to_json()).digest() == planned.digest()
    with pytest.raises(AttributeError):
        planned.no_such_field  # noqa: B018


def test_a_plan_for_another_machine(add_model, tmp_path):
    record = json.loads(axle.machine().to_json())
    (tmp_path / "other.json").write_text(json.dumps(record))
    planned = axle.plan(add_model, machine=tmp_path / "other.json")
    assert planned.machine.recorded_name == "other"
    with pytest.raises(axle.FailedPreconditionError):
        axle.plan(add_model, machine=tmp_path / "other.json", device="npu")


def test_a_lock_is_loaded_as_it_is(add_model, feeds, tmp_path):
    path = tmp_path / "axle.lock"
    made = axle.plan(add_model, engine="onnxruntime", threads=1).lock(path)
    made.check_replans()
    lock = axle.load_lock(str(path))
    assert lock.digest() == made.digest()
    assert lock.policy().execution.threads == 1
    for given in (lock, path, lock.plan):
        session = axle.Session.load(add_model, given)
        assert session.plan.digest() == lock.plan.digest()
        np.testing.assert_array_equal(session.run(feeds)["z"], [1, 2, 3, 4])
    assert axle.Session.load(add_model, lock).lock().digest() == lock.digest()
    path.write_text(path.read_text().replace('"t', '"u', 1))
    with pytest.raises(axle.Error):
        axle.load_lock(str(path))


def test_a_lock_for_another_model_or_machine_is_refused(add_model, make_session, tmp_path):
    lock = axle.plan(add_model, engine="onnxruntime", threads=1).lock()
    node = helper.make_node("Neg", ["x"], ["y"])
    other = make_session([node], [("x", TensorProto.FLOAT, [4])], [("y", TensorProto.FLOAT, [4])])
    with pytest.raises(axle.AbortedError):
        axle.Session.load(other.model, lock)


def test_a_session_locks_what_it_runs(add_session, tmp_path):
    path = tmp_path / "session.lock"
    lock = add_session.lock(path)
    assert axle.load_lock(str(path)).plan.digest() == add_session.plan.digest() == lock.plan.digest()


def test_a_session_explains_and_profiles_itself(add_model, feeds, tmp_path):
    session = axle.Session.create(add_model, engine="onnxruntime", threads=1, profile=True)
    session.run(feeds)
    assert "onnxruntime@cpu:0/f32/t1/default" in session.explain()
    assert len(session.explain(verbose=True)) >= len(session.explain())
    assert session.to_dict()["plan"]["digest"] == session.plan.digest()
    assert session.timing.load_ns > 0
    assert json.loads(session.effective_json[0])
    trace = session.profile(tmp_path / "trace.json")
    assert trace["traceEvents"]
    assert json.loads((tmp_path / "trace.json").read_text()) == trace
    with pytest.raises(axle.FailedPreconditionError):
        axle.Session.create(add_model, engine="onnxruntime", threads=1).profile()


def test_tune_measures_and_plans_use_it(tmp_path):
    script = """
import sys, axle
seen = []
report = axle.tune(sys.argv[1], engine="onnxruntime", threads=1, budget=1.0, progress=seen.append)
assert report.rows[0].verdict == "winner", report.rows
assert report.rows[0].p50_ns > 0
assert all(isinstance(partial, axle.TuneReport) for partial in seen)
assert report.rows[0].candidate in str(report)
rows = axle.Runtime.default().evidence().find()
assert rows and rows[0].key.candidate
store = axle.EvidenceStore.open()
assert store.stats().rows == len(rows)
assert store.import_json(store.export_json()) == 0
planned = axle.plan(sys.argv[1], engine="onnxruntime", threads=1, samples=None)
print(planned.decisions[0].evidence is not None or planned.notes)
"""
    specs = [(name, TensorProto.FLOAT, [4]) for name in "xyz"]
    model = save_model(tmp_path / "add.onnx", [helper.make_node("Add", ["x", "y"], ["z"])], specs[:2], specs[2:])
    environment = {**os.environ, "AXLE_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", script, model], capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert done.returncode == 0, done.stderr


def test_generated_inputs_fit_the_model(add_model, add_session):
    inputs = axle.generate_inputs(add_model, seed=3)
    assert {name: (array.dtype, array.shape) for name, array in inputs.items()} == {"x": (np.float32, (4,)), "y": (np.float32, (4,))}
    np.testing.assert_array_equal(axle.generate_inputs(add_model, seed=3)["x"], inputs["x"])
    np.testing.assert_allclose(add_session.run(inputs)["z"], inputs["x"] + inputs["y"])


def test_the_cache_can_be_looked_at(private_cache, add_session):
    cache = axle.Cache.open()
    assert cache.path == str(private_cache)
    assert axle.Cache.default_folder() == str(private_cache)
    assert cache.stats().entries == len(cache.ls())
    assert cache.verify().problems == []
    assert all(json.loads(entry.key_json) for entry in cache.ls())
    with pytest.raises(axle.NotFoundError):
        cache.rm("sha256:0000")


def test_a_runtime_of_ones_own(add_model, feeds, tmp_path):
    runtime = axle.Runtime.create(use_cache=False, engines=["onnxruntime"])
    assert [engine.name for engine in axle.engines(runtime)] == ["onnxruntime"]
    assert runtime.cache() is None
    session = axle.Session.create(add_model, threads=1, runtime=runtime)
    np.testing.assert_array_equal(session.run(feeds)["z"], [1, 2, 3, 4])
