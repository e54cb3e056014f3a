"""The model of the rm_abstract tests, and what it computes."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture(name="model")
def gemm_model(tmp_path) -> str:
    """Y = relu(x @ w + b), of fixed shapes."""
    generator = np.random.default_rng(3)
    weights = [
        numpy_helper.from_array(generator.standard_normal(shape).astype(np.float32), name) for name, shape in (("w", (4, 3)), ("b", 3))
    ]
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="gemm"), helper.make_node("Relu", ["h"], ["y"], name="relu")]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [2, 4]), ("y", [2, 3]))]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "model.onnx")
    return str(tmp_path / "model.onnx")


def expected(model: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What the model makes of `inputs`."""
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(model).graph.initializer}
    return np.maximum(inputs["x"] @ weights["w"] + weights["b"], 0)


INPUTS = {"x": np.arange(8, dtype=np.float32).reshape(2, 4) / 7}
