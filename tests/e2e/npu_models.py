"""What the tests on Qualcomm's emulator share: a model of a few layers, policies, runs and their reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

NPU = ("--device", "npu", "--allow-simulated")


@pytest.fixture(autouse=True)
def qnn(axle):
    """Skip, saying why, where the vendor's package is not installed."""
    engine = next((e for e in axle("engines", "--json").json["engines"] if e["name"] == "qnn"), None)
    if engine is None:
        pytest.skip("the qnn engine is not built")
    if not engine["present"]:
        pytest.skip(f"{engine['reason']} ({engine['install_command']})")
    return engine


def weight(random, name, *shape):
    """Normally distributed weights of that name."""
    return numpy_helper.from_array((random.standard_normal(shape) * 0.3).astype(np.float32), name)


def save(folder: Path, nodes, weights, outputs, name="model.onnx") -> Path:
    """Save a model of one image and one set of inputs for it beside it."""
    random = np.random.default_rng(1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])
    model = helper.make_model(helper.make_graph(nodes, "small", [image], outputs, weights), opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, folder / name)
    np.savez(folder / "samples.npz", image=random.standard_normal((1, 3, 32, 32)).astype(np.float32))
    np.savez(folder / "calibration.npz", image=random.standard_normal((16, 3, 32, 32)).astype(np.float32))
    return folder / name


def layers(random, tail=()):
    """Nodes and weights of two convolutions and a classifier, with more nodes behind them."""
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], name="conv1", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu1"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], name="depthwise", group=8, pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"], name="relu2"),
        helper.make_node("GlobalAveragePool", ["r2"], ["pooled"], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["flat"], name="flatten"),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["scores"], name="fc"),
        *tail,
    ]
    weights = [
        weight(random, "w1", 8, 3, 3, 3),
        weight(random, "b1", 8),
        weight(random, "w2", 8, 1, 3, 3),
        weight(random, "b2", 8),
        weight(random, "w3", 8, 9),
        weight(random, "b3", 9),
    ]
    return nodes, weights


def rules(folder: Path, text: str) -> Path:
    """Write a policy."""
    path = folder / "policy.toml"
    path.write_text(text)
    return path


def run(axle, model: Path, *flags, **environment):
    """Give the document of a run and its outputs by name."""
    out = model.parent / "out"
    answer = axle("run", model, "--inputs", model.parent / "samples.npz", "--output-dir", out, "--json", *flags, **environment)
    assert answer.code == 0, answer.out + answer.err
    with np.load(out / "outputs.npz") as outputs:
        return answer.json, {name: outputs[name] for name in outputs.files}


def reference(axle, model: Path):
    """Outputs on the CPU."""
    return run(axle, model, "--device", "cpu", "--engine", "onnxruntime")[1]
