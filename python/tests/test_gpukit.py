"""gpukit: the examples of its design document, and what ONNX Runtime's users call."""

import numpy as np
import onnxruntime
import pytest

import axle
import gpukit as gk


@pytest.fixture(scope="module")
def model(models):
    return str(models / "efficientnet-lite0" / "model.onnx")


@pytest.fixture(scope="module")
def quantised(models):
    return str(models / "efficientnet-lite0" / "model.qdq.onnx")


@pytest.fixture(scope="module")
def x(models):
    return np.load(models / "efficientnet-lite0" / "input.npz")["input"][:1]


def test_tensorrt_with_kernels_in_fp16_names_what_is_missing(model):
    policy = gk.KernelPolicy(
        matmul="cublasLt",
        attention="flash_v2",
    )
    with pytest.raises(axle.FailedPreconditionError) as caught:
        gk.InferenceSession(
            model=model,
            device="cuda:0",
            engine="tensorrt",
            kernel_policy=policy,
            fp16=True,
        )
    assert "no resource of this machine matches cuda:0" in str(caught.value)
    assert "engine tensorrt is not installed" in str(caught.value)
    assert "allow_fallback" in caught.value.hint


def test_onnxrt_on_a_missing_gpu_does_not_end_on_the_cpu(model):
    with pytest.raises(axle.FailedPreconditionError, match="cuda:0"):
        gk.InferenceSession(model=model, device="cuda:0", engine="onnxrt")


def test_openvino_on_a_missing_npu_does_not_end_on_the_cpu(model):
    with pytest.raises(axle.FailedPreconditionError, match="no resource of this machine matches npu"):
        gk.InferenceSession(
            model,
            device="npu",
            backend="openvino",
            exec_policy=gk.ExecutionPolicy(precision="int8", static_shape=True),
        )


def test_qnn_may_fall_back_to_the_cpu_and_says_so(quantised, x):
    sess = gk.InferenceSession(
        quantised,
        device="npu",
        backend="qnn",
        exec_policy=gk.ExecutionPolicy(precision="int8", static_shape=True, allow_fallback="cpu"),
        samples={"input": x},
    )
    out = sess.run({"input": x})
    assert out["logits"].shape == (1, 1000)
    assert sess.plan.partitions[0].candidate.precision == "int8"
    assert {(taken.wanted, taken.got) for taken in sess.substitutions} >= {("npu", "cpu:0")}
    assert all(taken.allowed_by == "fallback.resource" for taken in sess.substitutions)
    assert "npu" in sess.explain()


def test_the_fallback_does_not_lower_the_precision(model):
    # int8 is forced, and the model is not quantised: the CPU may stand in, f32 may not.
    with pytest.raises(axle.FailedPreconditionError, match="qnn"):
        gk.InferenceSession(
            model, device="npu", backend="qnn", exec_policy=gk.ExecutionPolicy(precision="int8", static_shape=True, allow_fallback="cpu")
        )


def test_execution_policy_as_in_the_document(quantised, x):
    policy = gk.ExecutionPolicy(
        target="npu",
        precision="int8",
        static_shape=True,
        allow_fallback="cpu",
    )
    sess = gk.InferenceSession(quantised, exec_policy=policy, samples={"input": x})
    assert sess.substitutions[0].wanted == "npu"
    assert sess.session.policy.execution.static_shape


@pytest.mark.parametrize("engine", ["onnxrt", "onnxruntime", "openvino"])
def test_runs_on_the_cpu_like_the_reference(models, model, engine):
    sess = gk.InferenceSession(model, device="cpu", engine=engine)
    inputs = dict(np.load(models / "efficientnet-lite0" / "input.npz"))
    expected = dict(np.load(models / "efficientnet-lite0" / "expected.npz"))
    out = sess.run(inputs)
    np.testing.assert_allclose(out["logits"], expected["logits"], rtol=1e-3, atol=1e-3)
    assert not sess.substitutions
    assert sess.get_providers() == [f"{'openvino' if engine == 'openvino' else 'onnxruntime'}@cpu:0"]


def test_the_calls_of_onnx_runtime(model, x):
    reference = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    sess = gk.InferenceSession(model, device="cpu", engine="onnxrt")
    for ours, theirs in zip(sess.get_inputs() + sess.get_outputs(), reference.get_inputs() + reference.get_outputs(), strict=True):
        assert (ours.name, ours.type, ours.shape) == (theirs.name, theirs.type, theirs.shape)
    expected = reference.run(None, {"input": x})
    for names in (None, ["logits"]):
        results = sess.run(names, {"input": x})
        assert isinstance(results, list)
        np.testing.assert_allclose(results[0], expected[0], rtol=1e-4, atol=1e-4)
    with pytest.raises(axle.InvalidArgumentError, match="no output 'nope'"):
        sess.run(["nope"], {"input": x})
    with pytest.raises(NotImplementedError):
        sess.run(None, {"input": x}, object())


def test_a_forced_kernel_that_cannot_be_had_is_an_error_and_a_preferred_one_is_not(add_model, feeds):
    with pytest.raises(axle.FailedPreconditionError, match="none to be had for matmul"):
        gk.InferenceSession(add_model, device="cpu", kernel_policy=gk.KernelPolicy(matmul="onednn"))
    with pytest.raises(axle.FailedPreconditionError, match="forbids naive"):
        gk.InferenceSession(add_model, device="cpu", kernel_policy=gk.KernelPolicy(matmul=gk.prefer("onednn") | gk.forbid("naive")))
    sess = gk.InferenceSession(add_model, device="cpu", kernel_policy=gk.KernelPolicy(matmul=gk.prefer("onednn")))
    assert sess.session.policy.kernels["matmul"].prefer == ["onednn"]
    np.testing.assert_array_equal(sess.run(feeds)["z"], [1, 2, 3, 4])


def test_kernel_policies_are_values():
    assert gk.KernelPolicy(matmul="a", conv=gk.prefer("b")) == gk.KernelPolicy(conv=gk.prefer("b"), matmul="a")
    assert hash(gk.KernelPolicy(matmul="a", conv="b")) == hash(gk.KernelPolicy(conv="b", matmul="a"))
    assert gk.KernelPolicy(matmul="a") != gk.KernelPolicy(matmul=gk.prefer("a"))
    with pytest.raises(TypeError, match="prefer"):
        gk.KernelPolicy(matmul=3).to_choices()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"device": "cpu", "exec_policy": gk.ExecutionPolicy(target="npu")}, "contradictory"),
        ({"engine": "onnxrt", "backend": "openvino"}, "contradictory"),
        ({"fp16": True, "exec_policy": gk.ExecutionPolicy(precision="int8")}, "fp16=True"),
        ({"engine": "nccl"}, "runs no model"),
    ],
)
def test_contradictions_are_refused(add_model, arguments, words):
    with pytest.raises(axle.InvalidArgumentError, match=words):
        gk.InferenceSession(add_model, **arguments)


def test_names_of_engines_and_devices_are_translated():
    policy = gk.make_policy(device="cuda:1", engine="cublasLt", kernel_policy=gk.KernelPolicy(conv="cudnn"), fp16=True)
    assert policy.execution.targets == ["cuda:1"]
    assert policy.execution.precisions == ["f16"]
    assert policy.engines.allow == ["cuda"]
    assert {op: choice.force for op, choice in policy.kernels.items()} == {"matmul": "cublasLt", "conv": "cudnn"}
    assert gk.make_policy(engine="cpu_fallback").execution.targets == ["cpu"]


def test_explain_profile_plan_and_lock(add_model, feeds, tmp_path):
    sess = gk.InferenceSession(add_model, device="cpu", engine="onnxrt", profile=True)
    sess.run(feeds)
    assert "onnxruntime" in sess.explain()
    assert sess.profile()["traceEvents"]
    lock = sess.lock(tmp_path / "axle.lock")
    assert axle.load_lock(str(tmp_path / "axle.lock")).digest() == lock.digest()
    assert sess.plan.digest() == lock.plan.digest()
