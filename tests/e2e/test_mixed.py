"""Mixed plans with real engines: one session on several of them computes what each computes alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

ENGINES = ("onnxruntime", "openvino")
TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def both_engines(axle):
    present = {e["name"] for e in axle("engines", "--json").json["engines"] if e["present"]}
    missing = [name for name in ENGINES if name not in present]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def write_policy(path: Path, text: str) -> Path:
    path.write_text("[execution]\nthreads = 1\n" + text)
    return path


def run(axle, model, inputs, folder: Path, policy: str = "", *flags):
    """Give the document of a run and its outputs by name."""
    folder.mkdir(parents=True, exist_ok=True)
    rules = write_policy(folder / "policy.toml", policy)
    answer = axle("run", model, "--inputs", inputs, "--policy", rules, "--output-dir", folder, "--json", *flags)
    assert answer.code == 0, answer.out + answer.err
    with np.load(folder / "outputs.npz") as outputs:
        return answer.json, {name: outputs[name] for name in outputs.files}


def engines_of(document) -> list[str]:
    return [part["engine"] for part in document["plan"]["partitions"]]


def assert_close(got, wanted):
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        assert got[name].shape == value.shape, name
        scale = max(float(np.max(np.abs(value), initial=0)), 1e-30)
        worst = float(np.max(np.abs(got[name].astype(np.float64) - value.astype(np.float64)), initial=0))
        assert worst / scale <= TOLERANCE, f"{name}: {worst / scale}"


def random_model(seed: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Make a graph of element-wise operators, matrix products and reductions over [4, 8] tensors, with branches."""
    random = np.random.default_rng(seed)
    nodes, weights, values, unread = [], [], ["x", "z"], set()
    for i in range(int(random.integers(6, 20))):
        kind = random.choice(["Add", "Mul", "Sub", "MatMul", "Relu", "Tanh", "Softmax", "Sigmoid"])
        recent = values[-5:]
        inputs = [str(random.choice(recent))]
        if kind == "MatMul":
            weights.append(numpy_helper.from_array((random.standard_normal((8, 8)) / 3).astype(np.float32), f"w{i}"))
            inputs.append(f"w{i}")
        elif kind in ("Add", "Mul", "Sub"):
            inputs.append(str(random.choice(recent)))
        nodes.append(helper.make_node(kind, inputs, [f"v{i}"], f"n{i}"))
        unread -= set(inputs)
        unread.add(f"v{i}")
        values.append(f"v{i}")
    shape = ["n", 8]
    graph = helper.make_graph(
        nodes,
        "random",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "z")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in sorted(unread)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    feeds = {name: random.standard_normal((4, 8)).astype(np.float32) for name in ("x", "z")}
    return model, feeds


@pytest.mark.parametrize("seed", range(8))
def test_random_pins_on_generated_graphs_change_nothing(axle, tmp_path, seed):
    model, feeds = random_model(seed)
    path, inputs = tmp_path / "model.onnx", tmp_path / "in.npz"
    onnx.save(model, path)
    np.savez(inputs, **feeds)
    random = np.random.default_rng(100 + seed)
    names = [node.name for node in model.graph.node]
    to = {name: str(random.choice(ENGINES)) for name in names}
    pins = ""
    for engine in ENGINES:
        mine = [name for name in names if to[name] == engine]
        if mine:
            pins += f'[[pin]]\nnodes = {mine}\nrequire = {{ engine = "{engine}" }}\n'.replace("'", '"')
    document, mixed = run(axle, path, inputs, tmp_path / "mixed", pins)
    placed = {node: part["engine"] for part in document["plan"]["partitions"] for node in part["nodes"]}
    assert placed == to
    for engine in ENGINES:
        _, alone = run(axle, path, inputs, tmp_path / engine, "", "--engine", engine)
        assert_close(mixed, alone)


def custom_model(path: Path) -> None:
    """Write MatMul, Relu, com.microsoft.CDist, MatMul, Softmax."""
    random = np.random.default_rng(3)
    weights = [numpy_helper.from_array(random.standard_normal((16, 16)).astype(np.float32) / 4, name) for name in ("w1", "w2", "w3")]
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], "first"),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("CDist", ["b", "w3"], ["c"], "custom", domain="com.microsoft", metric="euclidean"),
        helper.make_node("MatMul", ["c", "w2"], ["d"], "second"),
        helper.make_node("Softmax", ["d"], ["y"], "softmax"),
    ]
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 16]) for name in ("x", "y", "c")]
    graph = helper.make_graph(nodes, "custom", info[:1], info[1:2], weights, value_info=info[2:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


@pytest.fixture
def custom(tmp_path):
    path, inputs = tmp_path / "custom.onnx", tmp_path / "in.npz"
    custom_model(path)
    np.savez(inputs, x=np.random.default_rng(4).standard_normal((3, 16)).astype(np.float32))
    return path, inputs


REST = '[[pin]]\nop_types = ["MatMul", "Relu", "Softmax"]\nrequire = { engine = "openvino" }\n'


def test_a_custom_operator_runs_with_the_rest_on_another_engine(axle, custom, tmp_path):
    path, inputs = custom
    policy = '[[pin]]\nop_types = ["com.microsoft:CDist"]\nrequire = { engine = "onnxruntime" }\n' + REST
    document, mixed = run(axle, path, inputs, tmp_path / "mixed", policy)
    assert engines_of(document) == ["openvino", "onnxruntime", "openvino"]
    assert document["plan"]["partitions"][1]["nodes"] == ["custom"]
    assert document["substitutions"] == []
    _, alone = run(axle, path, inputs, tmp_path / "alone", "", "--engine", "onnxruntime")
    assert_close(mixed, alone)


def test_a_recorded_run_has_a_span_for_each_part(axle, custom, tmp_path):
    path, inputs = custom
    trace = tmp_path / "trace.json"
    document, _ = run(axle, path, inputs, tmp_path / "mixed", REST, "--profile", trace)
    events = json.loads(trace.read_text())["traceEvents"]
    parts = [event for event in events if event.get("cat") == "partition"]
    calls = [event for event in events if event.get("cat") == "run"]
    assert [part["name"] for part in parts[-3:]] == [part["candidate"] for part in document["plan"]["partitions"]]
    assert sum(part["dur"] for part in parts[-3:]) <= calls[-1]["dur"]
    kernels = document["kernels"]
    assert {kernel["partition"] for kernel in kernels} == {0, 1, 2}
    assert sum(kernel["us"] for kernel in kernels) <= calls[-1]["dur"]
    shown = axle("run", path, "--inputs", inputs, "--engine", "onnxruntime", "--profile", trace).out
    assert "share" in shown
    assert "custom" in shown


def test_a_forced_engine_that_lacks_it_needs_a_fallback_by_name(axle, custom, tmp_path):
    path, inputs = custom
    refused = axle("run", path, "--inputs", inputs, "--engine", "openvino")
    assert refused.code != 0
    assert "CDist" in refused.out + refused.err
    document, mixed = run(axle, path, inputs, tmp_path / "mixed", '[fallback]\nengine = ["onnxruntime"]\n', "--engine", "openvino")
    assert sorted(set(engines_of(document))) == ["onnxruntime", "openvino"]
    taken = document["substitutions"]
    assert [(t["got"], t["allowed_by"]) for t in taken] == [("onnxruntime", "fallback.engine")]
    assert "custom" in taken[0]["wanted"]
    _, alone = run(axle, path, inputs, tmp_path / "alone", "", "--engine", "onnxruntime")
    assert_close(mixed, alone)


def test_a_mixed_lock_runs_as_written(axle, custom, tmp_path):
    path, inputs = custom
    policy = write_policy(tmp_path / "policy.toml", REST)
    lock = tmp_path / "model.lock"
    made = axle("plan", path, "--policy", policy, "-o", lock)
    assert made.code == 0, made.out + made.err
    assert "hands over" in made.out
    ran = axle("run", path, "--inputs", inputs, "--locked", lock, "--json")
    assert ran.code == 0, ran.out + ran.err
    assert engines_of(ran.json) == ["openvino", "onnxruntime", "openvino"]


def test_parts_are_cached_by_what_they_hold(axle, custom, tmp_path):
    path, inputs = custom
    first, _ = run(axle, path, inputs, tmp_path / "first", REST)
    second, outputs = run(axle, path, inputs, tmp_path / "second", REST)
    assert second["timing"]["cache"] == "hit", (first["timing"], second["timing"])
    _, alone = run(axle, path, inputs, tmp_path / "alone", "", "--engine", "onnxruntime")
    assert_close(outputs, alone)


def test_pins_that_cannot_be_met_say_what_could(axle, custom):
    path, inputs = custom
    folder = path.parent
    policy = write_policy(folder / "p.toml", '[[pin]]\nnodes = "custom"\nrequire = { engine = "openvino" }\n')
    refused = axle("run", path, "--inputs", inputs, "--policy", policy)
    assert refused.code != 0
    text = refused.out + refused.err
    assert "pin 1: it requires engine openvino" in text
    assert "onnxruntime@cpu:0/f32 could" in text
    policy = write_policy(folder / "p.toml", '[[pin]]\nnodes = "custum"\nrequire = { engine = "onnxruntime" }\n')
    refused = axle("run", path, "--inputs", inputs, "--policy", policy)
    assert 'did you mean "custom"?' in refused.out + refused.err


REAL = [
    ("breast-cancer-mlp/model.onnx", "breast-cancer-mlp/input.npz", "breast-cancer-mlp/expected.npz"),
    ("magika/model.onnx", "magika/input.npz", "magika/expected.npz"),
    ("ultraface-rfb-320/model.onnx", "ultraface-rfb-320/input.npz", "ultraface-rfb-320/expected.npz"),
    ("all-minilm-l6-v2/model.onnx", "all-minilm-l6-v2/input.npz", "all-minilm-l6-v2/expected.npz"),
]


@pytest.mark.parametrize(("model", "inputs", "expected"), REAL, ids=lambda value: Path(value).parent.name)
def test_real_models_give_the_recorded_outputs_when_divided(axle, models, tmp_path, model, inputs, expected):
    path = models / model
    if not path.is_file():
        pytest.skip(f"no model at {path}")
    graph = onnx.load(path, load_external_data=False).graph
    types = sorted({node.op_type for node in graph.node} & {"MatMul", "Gemm", "Conv", "Relu"})
    assert types
    policy = f'[[pin]]\nop_types = {types[:1]}\nrequire = {{ engine = "openvino" }}\n'.replace("'", '"')
    policy += f'[[pin]]\nop_types = {types[1:] or ["Softmax"]}\nrequire = {{ engine = "onnxruntime" }}\n'.replace("'", '"')
    document, outputs = run(axle, path, models / inputs, tmp_path / "mixed", policy)
    assert set(engines_of(document)) <= set(ENGINES)
    with np.load(models / expected) as wanted:
        assert_close(outputs, {name: wanted[name] for name in wanted.files if name in outputs})
    print(model, len(document["plan"]["partitions"]), "parts")


@pytest.mark.parametrize("name", ["f64_island", "nonzero_dynamic_island"])
def test_islands_run_on_the_engine_that_has_them(axle, models, tmp_path, name):
    path, io = models / f"partition/{name}.onnx", models / f"partition/{name}.io.npz"
    if not path.is_file():
        pytest.skip(f"no model at {path}")
    with np.load(io) as recorded:
        arrays = {key: recorded[key] for key in recorded.files}
    session = onnx.load(path)
    inputs = tmp_path / "in.npz"
    np.savez(inputs, **{value.name: arrays["in:" + value.name] for value in session.graph.input})
    document, outputs = run(
        axle,
        path,
        inputs,
        tmp_path / "mixed",
        '[[pin]]\nop_types = ["MatMul"]\nrequire = { engine = "openvino" }\n'
        '[[pin]]\nop_types = ["Sin", "NonZero"]\n'
        'require = { engine = "onnxruntime" }\n',
    )
    assert set(engines_of(document)) == set(ENGINES)
    assert_close(outputs, {value.name: arrays["out:" + value.name] for value in session.graph.output})


def test_no_cut_where_a_type_is_not_known(axle, models, tmp_path):
    path = models / "partition/island_scaler_ml.onnx"
    if not path.is_file():
        pytest.skip(f"no model at {path}")
    policy = write_policy(tmp_path / "policy.toml", REST)
    refused = axle("plan", path, "--policy", policy)
    assert refused.code != 0
    assert "what must stay together with its nodes does not run there" in refused.out + refused.err


@pytest.mark.parametrize("name", ["model.onnx", "model-1.onnx", "weights named otherwise.onnx"])
def test_parts_read_large_weights_from_the_models_own_file(axle, tmp_path, name):
    """Weights stand at odd offsets there, two parts read the same one, and what an engine writes beside it has another name."""
    random, size = np.random.default_rng(3), 256
    weights = {f"w{i}": (random.standard_normal((size, size)) / 16).astype(np.float32) for i in range(3)}
    initializers = []
    for i, (weight, values) in enumerate(weights.items()):
        initializers += [
            numpy_helper.from_array(values, weight),
            helper.make_tensor("odd" * (i + 1), TensorProto.UINT8, [i + 1], bytes(i + 1), raw=True),
        ]
    steps = [("w0", "a"), ("w1", "b"), ("w2", "c"), ("w0", "y")]
    nodes, before = [], "x"
    for weight, after in steps:
        nodes += [
            helper.make_node("MatMul", [before, weight], [f"{after}_"], name=f"mm_{after}"),
            helper.make_node("Tanh", [f"{after}_"], [after], name=after),
        ]
        before = after
    io = [helper.make_tensor_value_info(value, TensorProto.FLOAT, [1, size]) for value in ("x", "y")]
    graph = helper.make_graph(nodes, "large", io[:1], io[1:], initializers)
    model = tmp_path / "models" / name
    model.parent.mkdir()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), model)
    content = model.read_bytes()
    x = random.standard_normal((1, size)).astype(np.float32)
    wanted = x
    for weight, _ in steps:
        wanted = np.tanh(wanted @ weights[weight])
    np.savez(tmp_path / "in.npz", x=x)
    for first, second in (ENGINES, ENGINES[::-1]):
        policy = "".join(
            f'[[pin]]\nnodes = {json.dumps([n for s in part for n in (f"mm_{s}", s)])}\nrequire = {{ engine = "{engine}" }}\n'
            for part, engine in ((("a", "b"), first), (("c", "y"), second))
        )
        document, outputs = run(axle, model, tmp_path / "in.npz", tmp_path / first, policy)
        assert engines_of(document) == [first, second]
        assert_close(outputs, {"y": wanted})
        assert model.read_bytes() == content, "the model is the user's"
    assert [entry.name for entry in model.parent.iterdir()] == [name]
