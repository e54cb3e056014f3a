"""descriptions/vela.toml on Arm's own compiler, where it is installed: it compiles and estimates, and never runs."""

from __future__ import annotations

import importlib

import described
import numpy as np
import pytest


@pytest.fixture
def vela(axle, tmp_path, monkeypatch):
    """The description in use, or a skip that says what is missing; gives the compiler's own classes of the TFLite schema."""
    described.use(axle, tmp_path, monkeypatch, "vela")
    state = next(engine for engine in axle("engines", "--json").json["engines"] if engine["name"] == "vela")
    site = state["library"].split("/ethosu/")[0]
    monkeypatch.syspath_prepend(site)
    pytest.importorskip("flatbuffers")
    return lambda name: importlib.import_module(f"ethosu.vela.tflite.{name}")


def vector(builder, start, items, add) -> int:
    start(builder, len(items))
    for item in reversed(items):
        add(item)
    return builder.EndVector()


def convolution(schema, quantised: bool) -> bytes:  # noqa: PLR0915  a flatbuffer is built from the inside out
    """One 3x3 convolution, 1x8x8x4 to 1x8x8x8, as a TFLite file."""
    flatbuffers = importlib.import_module("flatbuffers")

    m = {
        name: schema(name)
        for name in ("Model", "SubGraph", "Tensor", "Buffer", "Operator", "OperatorCode", "Conv2DOptions", "QuantizationParameters")
    }
    builder = flatbuffers.Builder(4096)
    generator = np.random.default_rng(4)
    kind = np.int8 if quantised else np.float32
    weights = (generator.integers(-100, 100, (8, 3, 3, 4)) / (1 if quantised else 100)).astype(kind)
    bias = np.zeros(8, np.int32 if quantised else np.float32)
    shapes = {"input": (1, 8, 8, 4), "weights": weights.shape, "bias": bias.shape, "output": (1, 8, 8, 8)}
    types = {"input": 9, "weights": 9, "bias": 2, "output": 9} if quantised else dict.fromkeys(shapes, 0)
    scales = {"input": 0.05, "weights": 0.01, "bias": 0.0005, "output": 0.1}

    def buffer(data: bytes) -> int:
        place = builder.CreateByteVector(data) if data else 0
        m["Buffer"].BufferStart(builder)
        if data:
            m["Buffer"].BufferAddData(builder, place)
        return m["Buffer"].BufferEnd(builder)

    buffers = [buffer(data) for data in (b"", b"", weights.tobytes(), bias.tobytes(), b"")]

    def tensor(index: int, name: str) -> int:
        text = builder.CreateString(name)
        shape = builder.CreateNumpyVector(np.array(shapes[name], np.int32))
        scale = builder.CreateNumpyVector(np.array([scales[name]], np.float32))
        zero = builder.CreateNumpyVector(np.array([0], np.int64))
        q = m["QuantizationParameters"]
        q.QuantizationParametersStart(builder)
        q.QuantizationParametersAddScale(builder, scale)
        q.QuantizationParametersAddZeroPoint(builder, zero)
        parameters = q.QuantizationParametersEnd(builder)
        t = m["Tensor"]
        t.TensorStart(builder)
        t.TensorAddShape(builder, shape)
        t.TensorAddType(builder, types[name])
        t.TensorAddBuffer(builder, index + 1)
        t.TensorAddName(builder, text)
        if quantised:
            t.TensorAddQuantization(builder, parameters)
        return t.TensorEnd(builder)

    tensors = [tensor(index, name) for index, name in enumerate(shapes)]
    o = m["Conv2DOptions"]
    o.Conv2DOptionsStart(builder)
    o.Conv2DOptionsAddStrideW(builder, 1)
    o.Conv2DOptionsAddStrideH(builder, 1)
    options = o.Conv2DOptionsEnd(builder)
    given = builder.CreateNumpyVector(np.array([0, 1, 2], np.int32))
    made = builder.CreateNumpyVector(np.array([3], np.int32))
    op = m["Operator"]
    op.OperatorStart(builder)
    op.OperatorAddOpcodeIndex(builder, 0)
    op.OperatorAddInputs(builder, given)
    op.OperatorAddOutputs(builder, made)
    op.OperatorAddBuiltinOptionsType(builder, 1)  # Conv2DOptions
    op.OperatorAddBuiltinOptions(builder, options)
    operator = op.OperatorEnd(builder)
    g = m["SubGraph"]
    add = builder.PrependUOffsetTRelative
    tensor_list = vector(builder, g.SubGraphStartTensorsVector, tensors, add)
    operator_list = vector(builder, g.SubGraphStartOperatorsVector, [operator], add)
    graph_in = builder.CreateNumpyVector(np.array([0], np.int32))
    graph_out = builder.CreateNumpyVector(np.array([3], np.int32))
    g.SubGraphStart(builder)
    g.SubGraphAddTensors(builder, tensor_list)
    g.SubGraphAddInputs(builder, graph_in)
    g.SubGraphAddOutputs(builder, graph_out)
    g.SubGraphAddOperators(builder, operator_list)
    graph = g.SubGraphEnd(builder)
    c = m["OperatorCode"]
    c.OperatorCodeStart(builder)
    c.OperatorCodeAddDeprecatedBuiltinCode(builder, 3)  # CONV_2D
    c.OperatorCodeAddVersion(builder, 3 if quantised else 1)
    c.OperatorCodeAddBuiltinCode(builder, 3)
    code = c.OperatorCodeEnd(builder)
    model = m["Model"]
    codes = vector(builder, model.ModelStartOperatorCodesVector, [code], add)
    graphs = vector(builder, model.ModelStartSubgraphsVector, [graph], add)
    buffer_list = vector(builder, model.ModelStartBuffersVector, buffers, add)
    text = builder.CreateString("a convolution")
    model.ModelStart(builder)
    model.ModelAddVersion(builder, 3)
    model.ModelAddOperatorCodes(builder, codes)
    model.ModelAddSubgraphs(builder, graphs)
    model.ModelAddDescription(builder, text)
    model.ModelAddBuffers(builder, buffer_list)
    builder.Finish(model.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


COMMON = ("--engine", "vela", "--device", "npu#sim", "--json")


def test_it_compiles_estimates_and_runs_nothing(axle, vela, tmp_path):
    model = tmp_path / "net.tflite"
    model.write_bytes(convolution(vela, quantised=True))
    for cache in ("miss", "hit"):
        answer = axle("compile", model, *COMMON)
        assert answer.code == 0, answer.out + answer.err
        assert answer.json["plan"]["partitions"][0]["cache"] == cache
    files = [file.read_bytes() for file in described.blobs(tmp_path / "cache")]
    summary = next(content for content in files if content.startswith(b"experiment,"))
    assert b"inferences_per_second" in summary
    assert any(b"ethos-u" in content and content[4:8] == b"TFL3" for content in files)
    answer = axle("run", model, *COMMON, "--random", "1")
    assert answer.code != 0
    assert described.error_of(answer)["code"] == "UNIMPLEMENTED"
    assert "vela only compiles: an Ethos-U sits in a microcontroller" in described.error_of(answer)["message"]


def test_it_is_never_a_candidate_by_itself(axle, vela, tmp_path):
    model = tmp_path / "net.tflite"
    model.write_bytes(convolution(vela, quantised=True))
    answer = axle("plan", model, "--json")
    assert all(partition["engine"] != "vela" for partition in answer.json.get("plan", {}).get("partitions", []))


def test_each_target_has_its_own_artefact(axle, vela, tmp_path):
    model = tmp_path / "net.tflite"
    model.write_bytes(convolution(vela, quantised=True))
    systems = {
        "ethos-u55-128": "Ethos_U55_High_End_Embedded",
        "ethos-u55-256": "Ethos_U55_High_End_Embedded",
        "ethos-u65-256": "Ethos_U65_High_End",
    }
    made = set()
    for target, system in systems.items():
        memory = "Shared_Sram" if "u55" in target else "Dedicated_Sram"
        policy = f'[engines.vela]\ntarget = "{target}"\nsystem = "{system}"\nmemory = "{memory}"\n'
        (tmp_path / "policy.toml").write_text(policy, encoding="utf-8")
        answer = axle("compile", model, *COMMON, "--policy", tmp_path / "policy.toml", AXLE_CACHE_DIR=str(tmp_path / target))
        assert answer.code == 0, answer.out + answer.err
        made.add(next(file.read_bytes() for file in described.blobs(tmp_path / target) if b"ethos-u" in file.read_bytes()))
    assert len(made) == len(systems)


def test_a_float_model_is_no_success_although_it_exits_well(axle, vela, tmp_path):
    model = tmp_path / "float.tflite"
    model.write_bytes(convolution(vela, quantised=False))
    answer = axle("compile", model, *COMMON)
    assert answer.code != 0
    assert described.error_of(answer)["code"] == "UNIMPLEMENTED", answer.out
    assert "no operator of this model runs on the NPU" in described.error_of(answer)["message"]


def test_a_damaged_model_is_refused_whatever_the_compiler_does(axle, vela, tmp_path):
    whole = convolution(vela, quantised=True)
    codes = set()
    for keep in range(len(whole) - 8, 200, -max(1, len(whole) // 12)):
        model = tmp_path / "half.tflite"
        model.write_bytes(whole[:keep])
        answer = axle("compile", model, *COMMON)
        if answer.code == 0:
            continue  # nothing that matters was cut off
        codes.add(described.error_of(answer)["code"])
    assert codes
    assert codes <= {"DATA_LOSS", "INVALID_ARGUMENT", "UNKNOWN", "UNIMPLEMENTED"}, codes


def test_a_system_that_does_not_fit_is_told(axle, vela, tmp_path):
    model = tmp_path / "net.tflite"
    model.write_bytes(convolution(vela, quantised=True))
    (tmp_path / "policy.toml").write_text(
        '[engines.vela]\ntarget = "ethos-u65-256"\nsystem = "Ethos_U55_High_End_Embedded"\nmemory = "Shared_Sram"\n'
    )
    answer = axle("compile", model, *COMMON, "--policy", tmp_path / "policy.toml")
    assert (answer.code == 0) or described.error_of(answer)["code"] == "INVALID_ARGUMENT", answer.out
