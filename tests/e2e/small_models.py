"""Models of a few nodes, in f32 and of fixed shapes, with inputs for them in in.npz beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
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


def batch_of(path: Path, name: str, features: int, batch: int) -> Path:
    """Write inputs of that many rows as FOLDER/batch-N.npz; the same numbers each time."""
    file = path / f"batch-{batch}.npz"
    np.savez(file, **{name: normal(np.random.default_rng(batch), batch, features)})
    return file


def compare_runs(axle, model: Path, inputs: Path, out: Path, ways: dict[str, tuple], *flags) -> dict[str, dict]:
    """Run the model once for each of `ways` (name -> flags), compare the outputs of all with the last's, give the plans by name.

    Skips where the engine is not here.
    """
    plans, outputs = {}, {}
    for way, more in ways.items():
        folder = out / f"{way}-{inputs.stem}"
        answer = axle("run", model, "--inputs", inputs, "--output-dir", folder, "--json", *flags, *more)
        if answer.code == 6:
            pytest.skip(answer.json["error"]["message"])
        assert answer.code == 0, answer.out + answer.err
        plans[way], outputs[way] = answer.json["plan"], dict(np.load(folder / "outputs.npz"))
    wanted = outputs[list(ways)[-1]]
    for made in outputs.values():
        for key, value in wanted.items():
            np.testing.assert_allclose(made[key], value, rtol=1e-5, atol=1e-6)
    return plans
