"""Models and inputs of the benchmarks: small ONNX files written by hand, and inputs in the form that the programs read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

# ONNX TensorProto.DataType
NUMBERS = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "int32": 6,
    "int64": 7,
    "bool": 9,
}


def varint(value: int) -> bytes:
    """A base-128 integer of the Protocol Buffers wire format."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """An integer field."""
    return varint(field << 3) + varint(value)


def chunk(field: int, value: bytes | str) -> bytes:
    """A string, bytes or message field."""
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def value_info(name: str, shape: Sequence[int]) -> bytes:
    """A ValueInfoProto of f32."""
    dims = b"".join(chunk(1, number(1, size)) for size in shape)
    return chunk(1, name) + chunk(2, chunk(1, number(1, 1) + chunk(2, dims)))


def node(op: str, inputs: Sequence[str], output: str) -> bytes:
    """A NodeProto without attributes."""
    return b"".join(chunk(1, name) for name in inputs) + chunk(2, output) + chunk(3, output) + chunk(4, op)


def weight(name: str, values: np.ndarray) -> bytes:
    """A TensorProto of f32 with its bytes inside."""
    dims = b"".join(number(1, size) for size in values.shape)
    return dims + number(2, 1) + chunk(8, name) + chunk(9, values.astype("<f4").tobytes())


def model(nodes: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes], weights: Sequence[bytes] = ()) -> bytes:
    """A ModelProto, IR version 8, opset 17."""
    graph = b"".join(chunk(1, item) for item in nodes) + chunk(2, "benchmark")
    graph += b"".join(chunk(5, item) for item in weights)
    graph += b"".join(chunk(11, item) for item in inputs) + b"".join(chunk(12, item) for item in outputs)
    return number(1, 8) + chunk(2, "axle benchmarks") + chunk(7, graph) + chunk(8, number(2, 17))


def write_add(path: Path) -> dict[str, np.ndarray]:
    """One Add of 4 floats: what is left is the cost of a call. Returns inputs."""
    path.write_bytes(model([node("Add", ["x", "w"], "y")], [value_info("x", [4])], [value_info("y", [4])], [weight("w", np.ones(4))]))
    return {"x": np.arange(4, dtype=np.float32)}


def write_mlp(path: Path, sizes: Sequence[int], batch: int) -> dict[str, np.ndarray]:
    """Dense layers with ReLU between them; random weights of fixed seed. Returns inputs."""
    random = np.random.default_rng(7)
    nodes, weights, at = [], [], "x"
    for i in range(len(sizes) - 1):
        values = random.standard_normal((sizes[i], sizes[i + 1])) / np.sqrt(sizes[i])
        weights += [weight(f"w{i}", values), weight(f"b{i}", np.zeros(sizes[i + 1]))]
        nodes += [node("MatMul", [at, f"w{i}"], f"m{i}"), node("Add", [f"m{i}", f"b{i}"], f"a{i}")]
        at = f"a{i}"
        if i < len(sizes) - 2:
            nodes.append(node("Relu", [at], f"r{i}"))
            at = f"r{i}"
    path.write_bytes(model(nodes, [value_info("x", [batch, sizes[0]])], [value_info(at, [batch, sizes[-1]])], weights))
    return {"x": random.standard_normal((batch, sizes[0])).astype(np.float32)}


def write_flat(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Write `arrays` as flat_tensor.h reads them."""
    with path.open("wb") as out:
        out.write(b"axle-flat\n")
        for name, array in arrays.items():
            data = np.ascontiguousarray(array)
            shape = " ".join(map(str, array.shape))
            out.write(f"{name}\t{NUMBERS[array.dtype.name]}\t{data.nbytes}\t{shape}\n".encode())
            out.write(data.tobytes())
    return path
