"""Writes modules in TPU-MLIR's top dialect (text, weights as npz, a calibration table) together with what numpy says they compute."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


def _tensor(value: np.ndarray) -> str:
    return f"tensor<{'x'.join([*map(str, value.shape), 'f32'])}>"


def _conv(x: np.ndarray, w: np.ndarray, b: np.ndarray, pad: int) -> np.ndarray:
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    rows, columns = x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1
    made = np.zeros((x.shape[0], w.shape[0], rows, columns), np.float32)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            made += np.einsum("oc,nchw->nohw", w[:, :, i, j], x[:, :, i : i + rows, j : j + columns])
    return made + b[None, :, None, None]


@dataclass
class TopModule:
    """A module in the making: each operator adds a line, and its value for the sample inputs."""

    name: str
    seed: int = 1
    lines: list[str] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)

    def _add(self, op: str, operands: list[int], attributes: str, label: str, value: np.ndarray) -> int:
        given = ", ".join(f"%{operand}" for operand in operands)
        types = ", ".join(_tensor(self.values[operand]) for operand in operands)
        self.lines.append(f'    %{len(self.values)} = "top.{op}"({given}){attributes} : ({types}) -> {_tensor(value)} loc("{label}")')
        self.values.append(value.astype(np.float32))
        self.labels.append(label)
        return len(self.values) - 1

    def input(self, *shape: int) -> int:
        """An input, with a random sample."""
        label = f"arg{len(self.inputs)}"
        value = self.generator.standard_normal(shape).astype(np.float32)
        self.inputs[label] = value
        self.lines.append(f'    %{len(self.values)} = "top.Input"(%{label}) : ({_tensor(value)}) -> {_tensor(value)} loc("{label}")')
        self.values.append(value)
        self.labels.append(label)
        return len(self.values) - 1

    def weight(self, *shape: int) -> int:
        """Random weights."""
        label = f"weight{len(self.weights)}"
        value = (self.generator.standard_normal(shape) * 0.2).astype(np.float32)
        self.weights[label] = value
        return self._add("Weight", [], "", label, value)

    def conv(self, x: int, channels: int, kernel: int = 3) -> int:
        """A convolution that keeps the size."""
        w, b = self.weight(channels, self.values[x].shape[1], kernel, kernel), self.weight(channels)
        pad = kernel // 2
        attributes = (
            f" {{dilations = [1, 1], do_relu = false, group = 1 : i64, kernel_shape = [{kernel}, {kernel}], "
            f"pads = [{pad}, {pad}, {pad}, {pad}], strides = [1, 1]}}"
        )
        return self._add("Conv", [x, w, b], attributes, f"conv{len(self.values)}", _conv(*(self.values[i] for i in (x, w, b)), pad))

    def relu(self, x: int) -> int:
        """Keep what is positive."""
        return self._add("Relu", [x], "", f"relu{len(self.values)}", np.maximum(self.values[x], 0))

    def pool(self, x: int) -> int:
        """The mean over height and width."""
        rows, columns = self.values[x].shape[2:]
        attributes = (
            f" {{count_include_pad = true, do_relu = false, kernel_shape = [{rows}, {columns}], keepdims = true, pads = [0, 0, 0, 0], "
            "strides = [1, 1]}"
        )
        return self._add("AvgPool", [x], attributes, f"pool{len(self.values)}", self.values[x].mean((2, 3), keepdims=True))

    def flatten(self, x: int) -> int:
        """All but the first axis in one."""
        value = self.values[x].reshape(self.values[x].shape[0], -1)
        return self._add("Reshape", [x], f" {{shape = [{value.shape[0]}, {value.shape[1]}]}}", f"flat{len(self.values)}", value)

    def dense(self, x: int, columns: int) -> int:
        """Multiply by weights and add more."""
        w, b = self.weight(self.values[x].shape[1], columns), self.weight(columns)
        value = self.values[x] @ self.values[w] + self.values[b]
        return self._add("MatMul", [x, w, b], " {do_relu = false}", f"dense{len(self.values)}", value)

    def add(self, a: int, b: int) -> int:
        """Sum of two values."""
        return self._add("Add", [a, b], "", f"add{len(self.values)}", self.values[a] + self.values[b])

    def multiply(self, a: int, b: int) -> int:
        """Product of two values."""
        return self._add("Mul", [a, b], " {do_relu = false}", f"mul{len(self.values)}", self.values[a] * self.values[b])

    def total(self, x: int) -> int:
        """The sum of all, as a scalar."""
        attributes = f' {{axes = {list(range(self.values[x].ndim))}, keepdims = false, mode = "ReduceSum"}}'
        return self._add("Reduce", [x], attributes, f"total{len(self.values)}", np.asarray(self.values[x].sum()))

    def unary(self, x: int, op: str, value: np.ndarray) -> int:
        """Any operator of one operand, with its value."""
        return self._add(op, [x], "", f"{op.lower()}{len(self.values)}", value)

    def unknown(self, x: int) -> int:
        """An operator that no dialect has."""
        return self._add("NoSuchOperator", [x], "", f"none{len(self.values)}", self.values[x])

    def expected(self) -> list[np.ndarray]:
        """The outputs for the sample inputs."""
        return [self.values[output] for output in self.outputs]

    def write(self, folder: Path, table: bool = False) -> Path:
        """NAME.mlir, NAME_weights.npz, NAME.cal on demand, and the sample inputs as in.npz."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / f"{self.name}_weights.npz", **self.weights)
        np.savez(folder / "in.npz", **self.inputs)
        arguments = ", ".join(f"%{label}: {_tensor(value)}" for label, value in self.inputs.items())
        types = ", ".join(_tensor(self.values[output]) for output in self.outputs)
        results = ", ".join(f"%{output}" for output in self.outputs)
        head = (
            f'module @{self.name} attributes {{module.chip = "ALL", module.platform = "ONNX", module.state = "TOP_F32", '
            f'module.top_run_mode = "STATIC", module.weight_file = "{self.name}_weights.npz"}} {{'
        )
        text = [head, f"  func.func @main({arguments}) -> {types if len(self.outputs) == 1 else f'({types})'} {{", *self.lines]
        text += [f"    return {results} : {types}", "  }", "}", ""]
        path = folder / f"{self.name}.mlir"
        path.write_text("\n".join(text), encoding="utf-8")
        if table:
            rows = ["# op_name    threshold    min    max"]
            for label, value in zip(self.labels, self.values, strict=True):
                if label not in self.weights:
                    rows.append(f"{label} {np.abs(value).max():.7f} {value.min():.7f} {value.max():.7f}")
            (folder / f"{self.name}.cal").write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path


def small_cnn() -> TopModule:
    """Convolution, relu, mean, dense."""
    module = TopModule("cnn")
    x = module.relu(module.conv(module.input(1, 3, 16, 16), 8))
    module.outputs = [module.dense(module.flatten(module.pool(module.relu(module.conv(x, 8)))), 10)]
    return module


def mlp() -> TopModule:
    """Three dense layers."""
    module = TopModule("mlp", seed=2)
    x = module.relu(module.dense(module.input(4, 32), 64))
    module.outputs = [module.dense(module.relu(module.dense(x, 64)), 8)]
    return module


def scalars() -> TopModule:
    """An input and an output without axes."""
    module = TopModule("scalars", seed=4)
    scaled = module.multiply(module.input(1, 8), module.input())
    module.outputs = [scaled, module.total(scaled)]
    return module


def two_by_two() -> TopModule:
    """Two inputs and two outputs of different shapes."""
    module = TopModule("two", seed=3)
    a, b = module.input(1, 4, 8, 8), module.input(1, 4, 8, 8)
    both = module.relu(module.conv(module.add(a, b), 6))
    module.outputs = [both, module.dense(module.flatten(module.pool(both)), 5)]
    return module
