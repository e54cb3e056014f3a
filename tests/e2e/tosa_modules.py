"""Small TOSA modules as MLIR text, with what numpy says they compute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

TYPES = {"int8": "i8", "int32": "i32", "float32": "f32"}


@dataclass
class TosaModule:
    """A function of one line per operator."""

    name: str
    inputs: list[np.ndarray]
    expected: np.ndarray
    body: list[str]

    def write(self, folder: Path) -> Path:
        """NAME.mlir and the sample inputs as in.npz."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "in.npz", **{f"arg{index}": value for index, value in enumerate(self.inputs)})
        arguments = ", ".join(f"%arg{index}: {tensor(value)}" for index, value in enumerate(self.inputs))
        made = tensor(self.expected)
        lines = ["module {", f"  func.func @main({arguments}) -> {made} {{", *(f"    {line}" for line in self.body)]
        path = folder / f"{self.name}.mlir"
        path.write_text("\n".join([*lines, f"    return %{len(self.body) - 1} : {made}", "  }", "}", ""]), encoding="utf-8")
        return path


def tensor(value: np.ndarray) -> str:
    """Type of a value, as MLIR writes it."""
    return f"tensor<{'x'.join(map(str, value.shape))}x{TYPES[value.dtype.name]}>"


def max_pool() -> TosaModule:
    """2x2, bytes."""
    x = np.random.default_rng(3).integers(-128, 127, (1, 8, 8, 4)).astype(np.int8)
    y = x.reshape(1, 4, 2, 4, 2, 4).max((2, 4))
    line = "tosa.max_pool2d %arg0 {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>}"
    return TosaModule("max_pool", [x], y, [f"%0 = {line} : ({tensor(x)}) -> {tensor(y)}"])


def add_and_clamp() -> TosaModule:
    """max(x + y, 0) in f32."""
    generator = np.random.default_rng(5)
    x, y = (generator.standard_normal((2, 64)).astype(np.float32) for _ in range(2))
    made = np.maximum(x + y, 0)
    kind = tensor(x)
    clamp = f"%1 = tosa.clamp %0 {{min_val = 0.0 : f32, max_val = 3.4e38 : f32}} : ({kind}) -> {kind}"
    return TosaModule("add_and_clamp", [x, y], made, [f"%0 = tosa.add %arg0, %arg1 : ({kind}, {kind}) -> {kind}", clamp])


def reduce_sum() -> TosaModule:
    """Sums over the last axis, int32."""
    x = np.random.default_rng(6).integers(-1000, 1000, (4, 32)).astype(np.int32)
    made = x.sum(1, keepdims=True).astype(np.int32)
    return TosaModule("reduce_sum", [x], made, [f"%0 = tosa.reduce_sum %arg0 {{axis = 1 : i32}} : ({tensor(x)}) -> {tensor(made)}"])


def no_such_operator() -> TosaModule:
    """What no converter takes."""
    x = np.zeros((1, 4), np.int8)
    return TosaModule("no_such_operator", [x], x, [f"%0 = tosa.no_such_operator %arg0 : ({tensor(x)}) -> {tensor(x)}"])
