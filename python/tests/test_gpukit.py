"""gpukit: the examples of its design document, and what ONNX Runtime's users call."""

import importlib

import numpy as np
import onnxruntime
import pytest

import axle
import gpukit as gk
import gpukit.inference


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


def test_the_fallback_does_not_lower_the_precision(model, x, monkeypatch):
    # int8 is forced, and the model is not quantised: the CPU may stand in with a copy in int8, f32 may not.
    asked = {"device": "npu", "backend": "qnn"}
    policy = gk.ExecutionPolicy(precision="int8", static_shape=True, allow_fallback="cpu")
    monkeypatch.setenv("AXLE_PYTHON", "/bin/false")
    with pytest.raises(axle.FailedPreconditionError, match="/bin/false"):
        gk.InferenceSession(model, **asked, exec_policy=policy, samples={"input": x})
    monkeypatch.delenv("AXLE_PYTHON")
    sess = gk.InferenceSession(model, **asked, exec_policy=policy, samples={"input": x})
    part = sess.plan.partitions[0]
    assert (part.candidate.precision, part.variant.kind) == ("int8", "qdq")
    assert {(taken.wanted, taken.got) for taken in sess.substitutions} >= {("npu", "cpu:0")}
    assert any(note.startswith("error of int8 against") for note in sess.plan.notes)
    assert sess.run({"input": x})["logits"].shape == (1, 1000)


def test_fp16_is_f16_or_an_error(model, x):
    sess = gk.InferenceSession(model, device="cpu", engine="onnxrt", fp16=True, samples={"input": x})
    assert sess.plan.partitions[0].candidate.precision == "f16"
    assert sess.run({"input": x})["logits"].dtype == np.float32
    named = gk.ExecutionPolicy(allow_precision_fallback="fp32")
    other = gk.InferenceSession(model, device="cpu", engine="onnxrt", fp16=True, exec_policy=named, samples={"input": x})
    assert [(taken.wanted, taken.got) for taken in other.substitutions] == [("f16", "f32")]


def test_execution_policy_as_in_the_document(quantised, x):
    policy = gk.ExecutionPolicy(
        target="npu",
        precision="int8",
        static_shape=True,
        allow_fallback="cpu",
    )
    sess = gk.InferenceSession(quantised, exec_policy=policy, samples={"input": x})
    assert sess.substitutions[0].wanted == "npu"
    assert sess.policy.execution.static_shape
    assert any("are prepared for batch=1; other shapes are refused" in note for note in sess.plan.notes)


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
    keywords = [{"output_names": None}, {"output_names": []}, {"output_names": ["logits"], "run_options": None}, {}]
    for results in (sess.run([], {"input": x}), *(sess.run(input_feed={"input": x}, **names) for names in keywords)):
        assert isinstance(results, list)
        np.testing.assert_allclose(results[0], expected[0], rtol=1e-4, atol=1e-4)
    with pytest.raises(TypeError, match="mapping"):
        sess.run()
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
        ({"engine": "cublasLt", "kernel_policy": gk.KernelPolicy(matmul="cublas")}, "contradictory"),
        ({"engine": "onnxrt", "partition": {"Add": "openvino"}}, "does not allow"),
        ({"engine": ["cublas", "onnxrt"]}, "not an engine alone"),
        ({"exec_policy": gk.ExecutionPolicy(allow_engine_fallback="cpu_fallback")}, "not an engine alone"),
        ({"exec_policy": gk.ExecutionPolicy(precision="int9")}, "int9"),
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


# ---- the other examples of the document


def test_the_training_example_says_that_it_is_not_here():
    with pytest.raises(ImportError, match=r"gpukit\.pytorch is not in this version") as caught:
        import gpukit.pytorch as gkt  # noqa: F401, PLC0415
    assert isinstance(caught.value, axle.UnimplementedError)
    assert "InferenceSession" in caught.value.hint


@pytest.mark.parametrize("part", ["training", "kernels", "llm"])
def test_later_parts_say_that_they_are_not_here(part):
    with pytest.raises(gk.NotInThisVersionError, match=rf"gpukit\.{part} is not in this version"):
        importlib.import_module(f"gpukit.{part}")


def test_the_tensorrt_example_takes_only_what_is_allowed_and_lists_it(models, model, x):
    policy = gk.KernelPolicy(matmul="cublasLt", attention="flash_v2")
    asked = {"model": model, "device": "cuda:0", "engine": "tensorrt", "kernel_policy": policy, "fp16": True}
    with pytest.raises(axle.FailedPreconditionError, match=r"kernels\.attention forces flash_v2"):
        gk.InferenceSession(**asked, exec_policy=gk.ExecutionPolicy(allow_fallback="cpu"))
    # f16 on the CPU, of a copy of the model that has it: slower than f32, but what was asked for.
    half = gk.InferenceSession(**asked, exec_policy=gk.ExecutionPolicy(allow_fallback="cpu", allow_kernel_fallback=True))
    assert half.plan.partitions[0].variant.kind == "f16"
    allowed = gk.ExecutionPolicy(allow_fallback="cpu", allow_kernel_fallback=True, allow_precision_fallback="fp32")
    sess = gk.InferenceSession(**asked, exec_policy=allowed)
    ledger = {taken.wanted: taken.allowed_by for taken in sess.substitutions}
    assert ledger == {
        "cuda:0": "fallback.resource",
        "tensorrt": "fallback.resource",
        "f16": "fallback.precision",
        "matmul = cublasLt": "fallback.kernel",
        "attention = flash_v2": "fallback.kernel",
    }
    said = sess.explain()
    assert all(wanted in said for wanted in ledger)
    out = sess.run({"input": x})
    expected = np.load(models / "efficientnet-lite0" / "expected.npz")["logits"][:1]
    np.testing.assert_allclose(out["logits"], expected, rtol=1e-3, atol=1e-3)


def test_the_kernel_policy_of_the_document_on_a_cpu(model):
    policy = gk.KernelPolicy(
        matmul="cublasLt",
        conv="cudnn",
        attention="flash_v2",
    )
    assert {op: choice.force for op, choice in policy.to_choices().items()} == policy.kernels
    with pytest.raises(axle.FailedPreconditionError, match="lets no kernel be chosen by name"):
        gk.InferenceSession(model, device="cpu", kernel_policy=policy)
    sess = gk.InferenceSession(model, device="cpu", kernel_policy=policy, exec_policy=gk.ExecutionPolicy(allow_kernel_fallback=True))
    assert len(sess.substitutions) == 3


def test_openvino_for_an_npu_may_fall_back_to_the_cpu_and_says_so(quantised, x):
    policy = gk.ExecutionPolicy(precision="int8", static_shape=True, allow_fallback="cpu")
    sess = gk.InferenceSession(quantised, device="npu", backend="openvino", exec_policy=policy, samples={"input": x})
    assert ("npu", "cpu:0") in {(taken.wanted, taken.got) for taken in sess.substitutions}
    assert sess.run({"input": x})["logits"].shape == (1, 1000)


def test_another_engine_stands_in_only_when_it_is_named(model):
    with pytest.raises(axle.UnavailableError, match="engine tensorrt is not installed"):
        gk.InferenceSession(model, device="cpu", engine="tensorrt")
    sess = gk.InferenceSession(model, device="cpu", engine="tensorrt", exec_policy=gk.ExecutionPolicy(allow_engine_fallback="onnxrt"))
    assert [(taken.wanted, taken.got) for taken in sess.substitutions] == [("tensorrt", "onnxruntime")]
    assert sess.get_providers() == ["onnxruntime@cpu:0"]


def test_two_engines_share_a_model_by_operator_and_the_plan_shows_it(models, model, x):
    sess = gk.InferenceSession(model, device="cpu", engine=["onnxrt", "openvino"], partition={"Conv": "onnxrt", "Gemm": "openvino"})
    assert [part.candidate.engine for part in sess.plan.partitions] == ["onnxruntime", "openvino"]
    assert sess.get_providers() == ["onnxruntime@cpu:0", "openvino@cpu:0"]
    assert sess.plan.partitions[1].nodes == ["/_fc/Gemm"]
    assert "hands over" in sess.explain()
    expected = np.load(models / "efficientnet-lite0" / "expected.npz")["logits"][:1]
    np.testing.assert_allclose(sess.run({"input": x})["logits"], expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(axle.FailedPreconditionError, match="engine tensorrt is not installed"):
        gk.InferenceSession(model, device="cpu", engine=["tensorrt", "onnxrt"], partition={"Conv": "tensorrt"})


def test_a_policy_that_mixes_no_engines_stays_in_force(model):
    never = {"schedule": {"mixing": "never"}}
    sess = gk.InferenceSession(model, device="cpu", engine=["onnxrt", "openvino"], policy=never)
    assert len(sess.plan.partitions) == 1
    with pytest.raises(axle.FailedPreconditionError, match="pin 2 requires engine openvino"):
        gk.InferenceSession(
            model, device="cpu", engine=["onnxrt", "openvino"], policy=never, partition={"Conv": "onnxrt", "Gemm": "openvino"}
        )
    sess = gk.InferenceSession(model, device="cpu", partition={"Conv": "onnxrt", "Gemm": "openvino"})
    assert {part.candidate.engine for part in sess.plan.partitions} == {"onnxruntime", "openvino"}


def test_both_words_for_an_engine_may_be_given_when_they_agree(add_model, feeds):
    sess = gk.InferenceSession(add_model, device="cpu", engine="onnxrt", backend="onnxruntime")
    np.testing.assert_array_equal(sess.run(feeds)["z"], [1, 2, 3, 4])
    assert gk.InferenceSession(add_model, engine="cpu_fallback").plan.partitions[0].candidate.resource == "cpu:0"


def test_a_policy_is_code_that_can_be_checked_in(add_model, tmp_path):
    choice = {"device": "cpu", "engine": ["onnxrt", "openvino"], "kernel_policy": gk.KernelPolicy(matmul=gk.prefer("onednn"))}
    choice["exec_policy"] = gk.ExecutionPolicy(
        precision=["bf16", "fp32"], static_shape=True, allow_fallback="npu", max_relative_error=0.01, threads=1,
        allow_engine_fallback="null", allow_precision_fallback=["fp16"], allow_kernel_fallback=True,
    )  # fmt: skip
    made = gk.make_policy(**choice, partition={"Add": "onnxrt"})
    (tmp_path / "policy.toml").write_text(made.to_toml())
    read = axle.make_policy(tmp_path / "policy.toml")
    assert read == made
    assert read.fallback.precision == ["f16"]
    assert (read.fallback.engine, read.fallback.kernel, read.fallback.resource) == (["null"], ["engine"], ["npu"])
    assert read.pins[0].require.engine == "onnxruntime"


def test_a_lock_runs_exactly_that_and_takes_no_other_choice(add_model, feeds, tmp_path):
    path = tmp_path / "axle.lock"
    first = gk.InferenceSession(add_model, device="cpu", engine="openvino", samples=feeds)
    first.lock(path)
    again = gk.InferenceSession(add_model, locked=path)
    assert again.plan.digest() == first.plan.digest()
    assert again.get_providers() == ["openvino@cpu:0"]
    np.testing.assert_array_equal(again.run(feeds)["z"], [1, 2, 3, 4])
    for more in ({"device": "cpu"}, {"partition": {"Add": "openvino"}}, {"fp16": True}):
        with pytest.raises(axle.InvalidArgumentError, match="a lock holds every choice"):
            gk.InferenceSession(add_model, locked=path, **more)


def test_inputs_are_copied_only_when_strided_and_never_cast(add_model, feeds):
    sess = gk.InferenceSession(add_model, device="cpu", engine="onnxrt")
    with pytest.warns(axle.CopyWarning):
        out = sess.run({"x": np.arange(8, dtype=np.float32)[::2], "y": feeds["y"]})
    np.testing.assert_array_equal(out["z"], [1, 3, 5, 7])
    assert sess.session.copies == 1
    with pytest.raises(axle.InvalidArgumentError, match=r"astype\(np.float32\)"):
        sess.run({"x": np.arange(4), "y": feeds["y"]})
    assert sess.run(feeds)["z"] is not sess.run(feeds)["z"]


def test_names_of_the_documents_packages():
    assert gpukit.inference.InferenceSession is gk.InferenceSession
    assert gpukit.policies.KernelPolicy is gk.KernelPolicy
    assert gpukit.runtime.devices is gk.devices


def test_the_emulator_of_an_npu_runs_what_asks_for_it(quantised, x, monkeypatch):
    state = next(engine for engine in axle.engines() if engine.name == "qnn")
    if not state.present:
        pytest.skip(f"qnn is absent: {state.reason}")
    policy = gk.ExecutionPolicy(target="npu", precision="int8", static_shape=True)
    with pytest.raises(axle.FailedPreconditionError, match="simulated"):
        gk.InferenceSession(quantised, exec_policy=policy, samples={"input": x})
    monkeypatch.setenv("AXLE_ALLOW_SIMULATED", "1")
    policy = gk.ExecutionPolicy(target="npu", precision="int8", static_shape=True, allow_fallback="cpu")
    sess = gk.InferenceSession(quantised, backend="qnn", exec_policy=policy, samples={"input": x})
    (part,) = sess.plan.partitions
    assert (part.candidate.engine, part.simulated) == ("qnn", True)
    assert sess.substitutions == []
    cpu = gk.InferenceSession(quantised, device="cpu", engine="onnxrt", samples={"input": x}).run({"input": x})["logits"]
    assert np.argmax(sess.run({"input": x})["logits"]) == np.argmax(cpu)
