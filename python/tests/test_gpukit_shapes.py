"""gpukit on models whose batch is open: sizes that are named, and none that is guessed."""

import json

import numpy as np
import pytest
from conftest import save_model
from onnx import TensorProto, helper, numpy_helper

import axle
import gpukit as gk


@pytest.fixture
def batched(tmp_path):
    """scores = relu(input @ weights) of an open batch N."""
    weights = numpy_helper.from_array(np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32), "weights")
    nodes = [helper.make_node("MatMul", ["input", "weights"], ["product"]), helper.make_node("Relu", ["product"], ["scores"])]
    ports = [("input", TensorProto.FLOAT, ["N", 8])], [("scores", TensorProto.FLOAT, ["N", 4])]
    return save_model(tmp_path / "batched.onnx", nodes, *ports, [weights])


def test_each_batch_size_has_an_executable_of_its_own(batched):
    policy = gk.ExecutionPolicy(static_shape=True, batch_size=[1, 4, 8])
    sess = gk.InferenceSession(batched, device="cpu", engine="onnxrt", exec_policy=policy)
    assert [part.axes for part in sess.plan.partitions] == [{"N": 1}, {"N": 4}, {"N": 8}]
    assert any("are prepared for N=1; N=4; N=8" in note for note in sess.plan.notes)
    assert sess.policy.shapes == {"N": [1, 4, 8]}
    whole = gk.InferenceSession(batched, device="cpu", engine="onnxrt")
    for batch in (1, 4, 8):
        x = np.random.default_rng(batch).standard_normal((batch, 8)).astype(np.float32)
        np.testing.assert_allclose(sess.run({"input": x})["scores"], whole.run({"input": x})["scores"], rtol=1e-6)
    with pytest.raises(axle.InvalidArgumentError, match="prepared for N=3: prepared are N=1; N=4; N=8"):
        sess.run({"input": np.zeros((3, 8), np.float32)})


def test_an_open_batch_axis_without_a_size_is_refused_with_the_line_to_write(batched):
    policy = gk.ExecutionPolicy(static_shape=True)
    with pytest.raises(axle.FailedPreconditionError, match="leaves axis N open") as caught:
        gk.InferenceSession(batched, device="cpu", engine="onnxrt", exec_policy=policy)
    assert 'ExecutionPolicy(batch_size=1 or shapes={"N": 1}, ...)' in caught.value.hint
    assert "[shapes]" not in str(caught.value)
    with pytest.raises(axle.FailedPreconditionError) as dispatched:
        gk.runtime.Dispatcher().dispatch(batched, device="cpu", engine="onnxrt", exec_policy=policy)
    assert dispatched.value.hint == caught.value.hint
    for sizes in ({"batch_size": 1}, {"shapes": {"N": 1}}):
        sess = gk.InferenceSession(batched, device="cpu", exec_policy=gk.ExecutionPolicy(static_shape=True, **sizes))
        assert [part.axes for part in sess.plan.partitions] == [{"N": 1}]


def test_the_sizes_of_several_axes_are_named_as_arguments(tmp_path):
    specs = [(name, TensorProto.FLOAT, [None, 'odd "axis" \\', "N"]) for name in "xyz"]
    model = save_model(tmp_path / "open.onnx", [helper.make_node("Add", ["x", "y"], ["z"])], specs[:2], specs[2:])
    with pytest.raises(axle.FailedPreconditionError, match="leaves axes") as caught:
        gk.InferenceSession(model, device="cpu", exec_policy=gk.ExecutionPolicy(static_shape=True, shapes={"N": 2}))
    assert "batch_size" not in caught.value.hint
    sizes = json.loads(caught.value.hint.split("shapes=")[1].split(", ...)")[0])
    assert sizes == {"x[0]": 1, "y[0]": 1, 'odd "axis" \\': 1}
    gk.InferenceSession(model, device="cpu", exec_policy=gk.ExecutionPolicy(static_shape=True, shapes={**sizes, "N": 2}))


def test_a_dispatcher_knows_the_batch_axis_of_its_model(batched):
    policy = gk.ExecutionPolicy(batch_size=[1, 4])
    planned = gk.runtime.Dispatcher().dispatch(batched, device="cpu", engine="onnxrt", exec_policy=policy)
    assert [part.axes for part in planned.partitions] == [{"N": 1}, {"N": 4}, {}]
    sess = gk.InferenceSession(batched, device="cpu", engine="onnxrt", exec_policy=policy)
    assert planned.plan.digest() == sess.plan.digest()


def test_batch_sizes_that_make_no_sense_are_refused(batched, add_model, tmp_path):
    with pytest.raises(axle.InvalidArgumentError, match="without a model"):
        gk.make_policy(exec_policy=gk.ExecutionPolicy(batch_size=4))
    for wrong in (0, [], [True], "14", [1, -4]):
        with pytest.raises(axle.InvalidArgumentError, match="batch_size is"):
            gk.InferenceSession(batched, exec_policy=gk.ExecutionPolicy(batch_size=wrong))
    with pytest.raises(axle.InvalidArgumentError, match="contradictory"):
        gk.InferenceSession(batched, exec_policy=gk.ExecutionPolicy(batch_size=4, shapes={"N": [1]}))
    with pytest.raises(axle.InvalidArgumentError, match="is fixed at 4"):
        gk.InferenceSession(add_model, exec_policy=gk.ExecutionPolicy(batch_size=[1, 4]))
    assert gk.InferenceSession(add_model, device="cpu", exec_policy=gk.ExecutionPolicy(batch_size=4)).policy.shapes == {}
    ports = [(name, TensorProto.FLOAT, [axis, 2]) for name, axis in (("x", "rows"), ("y", "columns"))]
    nodes = [helper.make_node("Relu", ["x"], ["u"]), helper.make_node("Relu", ["y"], ["v"])]
    two = save_model(tmp_path / "two.onnx", nodes, ports, [("u", TensorProto.FLOAT, ["rows", 2]), ("v", TensorProto.FLOAT, ["columns", 2])])
    with pytest.raises(axle.InvalidArgumentError, match="share no first axis, they have rows, columns"):
        gk.InferenceSession(two, exec_policy=gk.ExecutionPolicy(batch_size=[1, 4]))


def test_batch_sizes_of_the_document_on_the_emulator_of_an_npu(batched, monkeypatch):
    state = next(engine for engine in axle.engines() if engine.name == "qnn")
    if not state.present:
        pytest.skip(f"qnn is absent: {state.reason}")
    monkeypatch.setenv("AXLE_ALLOW_SIMULATED", "1")
    policy = gk.ExecutionPolicy(precision="int8", static_shape=True, allow_fallback="cpu", batch_size=[1, 4, 8])
    sess = gk.InferenceSession(batched, device="npu", backend="qnn", exec_policy=policy)
    assert [part.axes for part in sess.plan.partitions] == [{"N": 1}, {"N": 4}, {"N": 8}]
    assert {(part.candidate.engine, part.candidate.precision, part.simulated) for part in sess.plan.partitions} == {("qnn", "int8", True)}
    assert sess.substitutions == []
    assert any(note.startswith("error of int8 against") for note in sess.plan.notes)
    cpu = gk.InferenceSession(batched, device="cpu", engine="onnxrt")
    for batch in (8, 1, 4):
        x = np.random.default_rng(batch).uniform(-1, 1, (batch, 8)).astype(np.float32)
        wanted = cpu.run({"input": x})["scores"]
        assert np.abs(sess.run({"input": x})["scores"] - wanted).max() < 0.1 * np.abs(wanted).max()
    with pytest.raises(axle.InvalidArgumentError, match="prepared for N=3"):
        sess.run({"input": np.zeros((3, 8), np.float32)})
