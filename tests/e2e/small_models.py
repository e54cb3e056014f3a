"""Models of a few nodes, in f32 and of fixed shapes, with inputs for them in in.npz beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.random import Generator
from onnx import NodeProto, TensorProto, helper, numpy_helper


def normal(generator: Generator, *shape: int) -> np.ndarray:
    """Normally distributed numbers."""
    return generator.standard_normal(shape).astype(np.float32)


def dense_layer(generator: Generator, rows: int, columns: int) -> list[TensorProto]:
    """Weights "w" and "b" of a Gemm."""
    return [numpy_helper.from_array(normal(generator, rows, columns), "w"), numpy_helper.from_array(normal(generator, columns), "b")]


def save(
    path: Path, nodes: list[NodeProto], weights: list[TensorProto], feeds: dict[str, np.ndarray], outputs: dict[str, list[int]]
) -> Path:
    """Write the model, whose inputs are those of `feeds`, and in.npz."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(value.shape)) for name, value in feeds.items()]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    graph = helper.make_graph(nodes, "g", inputs, made, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    np.savez(path.parent / "in.npz", **feeds)
    return path
