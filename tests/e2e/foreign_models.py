"""Small models in TensorFlow's three formats, written byte by byte: no TensorFlow is needed to make or to check them.

A TFLite file is a FlatBuffer (tensorflow/lite/schema/schema.fbs); a frozen graph and a SavedModel are protobuf messages
(tensorflow/core/framework/graph.proto, tensorflow/core/protobuf/{saved_model,meta_graph}.proto). `expected` computes in numpy what
each model should give.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# ---- the network: 1x6x6x2 -> convolution, ReLU -> max pool -> matrix product -> softmax


@dataclass
class Weights:
    """Weights of the network that every format here holds; the layouts are TensorFlow's."""

    kernel: np.ndarray = field(default_factory=lambda: _random(1, (3, 3, 2, 4)))  # height, width, in, out
    bias: np.ndarray = field(default_factory=lambda: _random(2, (4,)))
    dense: np.ndarray = field(default_factory=lambda: _random(3, (36, 5)))  # in, out
    dense_bias: np.ndarray = field(default_factory=lambda: _random(4, (5,)))


def _random(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * 0.5).astype(np.float32)


def sample(batch: int = 1) -> np.ndarray:
    """An input of the network."""
    return _random(10 + batch, (batch, 6, 6, 2))


def expected(x: np.ndarray, weights: Weights) -> np.ndarray:
    """What the network makes of `x`."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # n, y, x, channel, 3, 3
    maps = np.maximum(np.einsum("nyxcij,ijco->nyxo", windows, weights.kernel) + weights.bias, 0)
    pooled = maps.reshape(len(x), 3, 2, 3, 2, 4).max(axis=(2, 4))
    scores = pooled.reshape(len(x), 36) @ weights.dense + weights.dense_bias
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# ---- TFLite


class Flat:
    """A FlatBuffer under construction: every object is written where it is met, its children after it."""

    def __init__(self, identifier: bytes) -> None:
        self.data = bytearray(4) + identifier

    def finish(self, root: dict) -> bytes:
        """The whole buffer; `root` is a table: field number -> (kind, value)."""
        struct.pack_into("<I", self.data, 0, self._table(root))
        return bytes(self.data)

    def _align(self, size: int, ahead: int = 0) -> None:
        while (len(self.data) + ahead) % size:
            self.data.append(0)

    def _table(self, fields: dict) -> int:
        sizes = {number: struct.calcsize(kind) if len(kind) == 1 else 4 for number, (kind, _) in fields.items()}
        places, end = {}, 4
        for number in sorted(fields, key=lambda n: -sizes[n]):
            end += -end % sizes[number]
            places[number] = end
            end += sizes[number]
        self._align(4)
        table_of_places = len(self.data)
        count = max(fields, default=-1) + 1
        self.data += struct.pack("<HH", 4 + 2 * count, end) + b"".join(struct.pack("<H", places.get(n, 0)) for n in range(count))
        self._align(4)
        table = len(self.data)
        self.data += struct.pack("<i", table - table_of_places) + bytes(end - 4)
        for number, (kind, value) in fields.items():
            at = table + places[number]
            if len(kind) == 1:
                struct.pack_into("<" + kind, self.data, at, value)
            else:
                child = self._child(kind, value)
                struct.pack_into("<I", self.data, at, child - at)
        return table

    def _child(self, kind: str, value) -> int:
        if kind == "table":
            return self._table(value)
        if kind == "tables":
            return self._tables(value)
        element = {"text": "B", "bytes": "B", "ints": "i", "floats": "f", "longs": "q"}[kind]
        raw = value.encode() if kind == "text" else bytes(value) if kind == "bytes" else struct.pack(f"<{len(value)}{element}", *value)
        self._align(16 if kind == "bytes" else max(4, struct.calcsize(element)), ahead=4)
        position = len(self.data)
        self.data += struct.pack("<I", len(raw) // struct.calcsize(element)) + raw + (b"\0" if kind == "text" else b"")
        return position

    def _tables(self, tables: list[dict]) -> int:
        self._align(4)
        position = len(self.data)
        self.data += struct.pack("<I", len(tables)) + bytes(4 * len(tables))
        for index, table in enumerate(tables):
            at = position + 4 + 4 * index
            struct.pack_into("<I", self.data, at, self._table(table) - at)
        return position


FLOAT32, INT32 = 0, 2  # TensorType
MAX_POOL_2D, CONV_2D, FULLY_CONNECTED, RESHAPE, SOFTMAX = 17, 3, 9, 22, 25  # BuiltinOperator
CONV_OPTIONS, POOL_OPTIONS, DENSE_OPTIONS, SOFTMAX_OPTIONS, RESHAPE_OPTIONS = 1, 5, 8, 9, 17  # BuiltinOptions


def tflite(weights: Weights, *, any_batch: bool = False) -> bytes:
    """The network as a TFLite file. `any_batch`: its first axis may be resized."""
    tensors, buffers = [], [{}]

    def tensor(name: str, shape: list[int], values: np.ndarray | None = None, kind: int = FLOAT32) -> int:
        if values is not None:
            buffers.append({0: ("bytes", np.ascontiguousarray(values).tobytes())})
        fields = {0: ("ints", shape), 1: ("b", kind), 2: ("I", len(buffers) - 1 if values is not None else 0), 3: ("text", name)}
        if any_batch and values is None:
            fields[7] = ("ints", [-1, *shape[1:]])
        tensors.append(fields)
        return len(tensors) - 1

    image = tensor("image", [1, 6, 6, 2])
    kernel = tensor("kernel", [4, 3, 3, 2], weights.kernel.transpose(3, 0, 1, 2))
    bias = tensor("bias", [4], weights.bias)
    maps = tensor("maps", [1, 6, 6, 4])
    pooled = tensor("pooled", [1, 3, 3, 4])
    flat_shape = tensor("flat/shape", [2], np.array([-1, 36], np.int32), INT32)
    flat = tensor("flat", [1, 36])
    dense = tensor("dense", [5, 36], weights.dense.T)
    dense_bias = tensor("dense/bias", [5], weights.dense_bias)
    scores = tensor("scores", [1, 5])
    probabilities = tensor("probabilities", [1, 5])

    codes = [CONV_2D, MAX_POOL_2D, RESHAPE, FULLY_CONNECTED, SOFTMAX]
    relu, valid = 1, 1
    operators = [
        ([image, kernel, bias], maps, CONV_OPTIONS, {0: ("b", 0), 1: ("i", 1), 2: ("i", 1), 3: ("b", relu), 4: ("i", 1), 5: ("i", 1)}),
        ([maps], pooled, POOL_OPTIONS, {0: ("b", valid), 1: ("i", 2), 2: ("i", 2), 3: ("i", 2), 4: ("i", 2)}),
        ([pooled, flat_shape], flat, RESHAPE_OPTIONS, {0: ("ints", [-1, 36])}),
        ([flat, dense, dense_bias], scores, DENSE_OPTIONS, {0: ("b", 0)}),
        ([scores], probabilities, SOFTMAX_OPTIONS, {0: ("f", 1.0)}),
    ]
    graph = {
        0: ("tables", tensors),
        1: ("ints", [image]),
        2: ("ints", [probabilities]),
        3: (
            "tables",
            [
                {0: ("I", index), 1: ("ints", reads), 2: ("ints", [makes]), 3: ("B", kind), 4: ("table", options)}
                for index, (reads, makes, kind, options) in enumerate(operators)
            ],
        ),
        4: ("text", "main"),
    }
    model = {
        0: ("I", 3),
        1: ("tables", [{0: ("b", code), 2: ("i", 1), 3: ("i", code)} for code in codes]),
        2: ("tables", [graph]),
        3: ("text", "written by a test"),
        4: ("tables", buffers),
    }
    return Flat(b"TFL3").finish(model)


# ---- protobuf


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _message(*fields: tuple[int, object]) -> bytes:
    """Fields in order: text, bytes (also of messages), whole numbers, floats."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, float):
            out += _varint(number << 3 | 5) + struct.pack("<f", value)
        elif isinstance(value, int):
            out += _varint(number << 3) + _varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else bytes(value)
            out += _varint(number << 3 | 2) + _varint(len(raw)) + raw
    return bytes(out)


DT_FLOAT, DT_INT32 = 1, 3
TYPE = (6, DT_FLOAT)


def _shape(axes: list[int]) -> bytes:
    return _message(*[(2, _message((1, axis))) for axis in axes])


def _node(name: str, op: str, inputs: tuple[str, ...] = (), **attributes: tuple[int, object]) -> tuple[int, bytes]:
    """A NodeDef as a field of a GraphDef; attributes are the one field that each AttrValue has."""
    attrs = [(5, _message((1, key), (2, _message(value)))) for key, value in attributes.items()]
    return 1, _message((1, name), (2, op), *[(3, source) for source in inputs], *attrs)


def _constant(name: str, values: np.ndarray) -> tuple[int, bytes]:
    kind = DT_INT32 if values.dtype == np.int32 else DT_FLOAT
    tensor = _message((1, kind), (2, _shape(list(values.shape))), (4, values.tobytes()))
    return _node(name, "Const", dtype=(6, kind), value=(8, tensor))


def graph_def(weights: Weights, *, any_batch: bool = False) -> bytes:
    """The network as a GraphDef: what a frozen graph's file holds."""
    batch = -1 if any_batch else 1
    ones, twos = ((1, _message(*[(3, n) for n in sizes])) for sizes in ((1, 1, 1, 1), (1, 2, 2, 1)))
    nodes = [
        _node("image", "Placeholder", dtype=TYPE, shape=(7, _shape([batch, 6, 6, 2]))),
        _constant("kernel", weights.kernel),
        _constant("bias", weights.bias),
        _constant("dense", weights.dense),
        _constant("dense/bias", weights.dense_bias),
        _constant("flat/shape", np.array([-1, 36], np.int32)),
        _node("conv", "Conv2D", ("image", "kernel"), T=TYPE, strides=ones, padding=(2, "SAME"), data_format=(2, "NHWC"), dilations=ones),
        _node("maps", "BiasAdd", ("conv", "bias"), T=TYPE, data_format=(2, "NHWC")),
        _node("relu", "Relu", ("maps",), T=TYPE),
        _node("pooled", "MaxPool", ("relu",), T=TYPE, ksize=twos, strides=twos, padding=(2, "VALID"), data_format=(2, "NHWC")),
        _node("flat", "Reshape", ("pooled", "flat/shape"), T=TYPE, Tshape=(6, DT_INT32)),
        _node("product", "MatMul", ("flat", "dense"), T=TYPE, transpose_a=(5, 0), transpose_b=(5, 0)),
        _node("scores", "BiasAdd", ("product", "dense/bias"), T=TYPE, data_format=(2, "NHWC")),
        _node("probabilities", "Softmax", ("scores",), T=TYPE),
    ]
    return _message(*nodes, (4, _message((1, 1087))))


def saved_model(folder: Path, weights: Weights, *, any_batch: bool = False) -> Path:
    """The network as a SavedModel folder: constants instead of variables, and a serving signature."""
    batch = -1 if any_batch else 1

    def info(name: str, axes: list[int]) -> bytes:
        return _message((1, name), (2, DT_FLOAT), (3, _shape(axes)))

    def entry(number: int, key: str, value: bytes) -> tuple[int, bytes]:
        return number, _message((1, key), (2, value))

    signature = _message(
        entry(1, "pixels", info("image:0", [batch, 6, 6, 2])),
        entry(2, "classes", info("probabilities:0", [batch, 5])),
        (3, "tensorflow/serving/predict"),
    )
    meta = _message(
        (1, _message((4, "serve"), (5, "2.17.0"))),
        (2, graph_def(weights, any_batch=any_batch)),
        entry(5, "serving_default", signature),
    )
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(_message((1, 1), (2, meta)))
    return folder
