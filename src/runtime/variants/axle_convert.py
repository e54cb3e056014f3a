"""Makes a copy of an ONNX model at a lower precision. Started by axle itself, in a process of its own; not for calling by hand.

``--probe`` prints one line that names what converts. ``REQUEST.json`` converts: ``kind`` ("qdq" or "f16"), ``model`` and ``output``
(paths), ``options`` and ``calibration`` (.npz files, one set of inputs each). Inputs and outputs keep names, types and shapes.
Fails with an exit status and the reason on stderr; what it wrote until then is thrown away by axle, which also checks the result.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnx.version_converter
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize, quantize_static
    from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.quantization.shape_inference import quant_pre_process
    from onnxruntime.transformers.float16 import convert_float_to_float16
except ImportError as missing:
    sys.exit(str(missing))

VERSION = 1  # of what is done below: part of what a copy is found by
PER_CHANNEL_OPSET = 13  # the first in which DequantizeLinear has an axis
FREE_WEIGHTS_IR_VERSION = 4  # the first in which weights need not be inputs
LARGEST_INLINE = 2**31 - 1  # bytes of a protobuf message


class Calibration(CalibrationDataReader):
    """Hands the calibration files to the quantiser, one set of inputs at a time."""

    def __init__(self, files: list[str]):
        self._files = list(files)
        self._next = 0

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Give the next set, None after the last."""
        if self._next == len(self._files):
            return None
        with np.load(self._files[self._next], allow_pickle=False) as arrays:
            feeds = {name: arrays[name] for name in arrays.files}
        self._next += 1
        return feeds


def foldable(model: str, folder: str, opset: int) -> str:
    """Give the path of the model at that opset or a later one, without weights among its inputs: those are never folded."""
    loaded = onnx.load(model)
    weights = {weight.name for weight in loaded.graph.initializer}
    inputs = [value for value in loaded.graph.input if value.name not in weights]
    has = next((imported.version for imported in loaded.opset_import if imported.domain in ("", "ai.onnx")), opset)
    if has >= opset and len(inputs) == len(loaded.graph.input):
        return model
    loaded.ir_version = max(loaded.ir_version, FREE_WEIGHTS_IR_VERSION)
    del loaded.graph.input[:]
    loaded.graph.input.extend(inputs)
    if has < opset:
        loaded = onnx.version_converter.convert_version(loaded, opset)
    path = str(Path(folder) / "foldable.onnx")
    onnx.save(loaded, path)
    return path


def rename_inputs(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Give tensors that nodes read other names, in subgraphs too, unless those have a tensor of that name themselves."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        for attribute in node.attribute:
            for body in [attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else attribute.graphs:
                own = {value.name for value in [*body.input, *body.initializer]} | {name for inner in body.node for name in inner.output}
                rename_inputs(body, {old: new for old, new in names.items() if old not in own})


def with_plain_names(model: str, folder: str) -> str:
    """Give the path of the model with weights named so that a digit at the end makes no other tensor's name of them.

    The quantiser names the second copy of a bias "x2" that several nodes share, whatever else is called that.
    """
    loaded = onnx.load(model)
    kept = {value.name for value in [*loaded.graph.input, *loaded.graph.output]}
    names = {weight.name: f"weight_{i}_" for i, weight in enumerate(loaded.graph.initializer) if weight.name not in kept}
    for weight in loaded.graph.initializer:
        weight.name = names.get(weight.name, weight.name)
    rename_inputs(loaded.graph, names)
    path = str(Path(folder) / "named.onnx")
    onnx.save(loaded, path)
    return path


def quantise_for_qnn(model: str, output: str, options: dict[str, str], calibration: list[str]) -> None:
    """Write a copy by the rules that Qualcomm's provider has beyond the format's: per tensor where it knows no channels, and such.

    Every operator is quantised: what stays in floats is f16 on the processor.
    """
    config = get_qnn_qdq_config(
        model,
        Calibration(calibration),
        calibrate_method=CalibrationMethod[options["calibrate_method"]],
        activation_type=QuantType[options["activation_type"]],
        weight_type=QuantType[options["weight_type"]],
        per_channel=options["per_channel"] == "true",
    )
    config.use_external_data_format = False  # a copy is one file; too large a one fails when it is written
    quantize(model, output, config)


def quantise(model: str, output: str, options: dict[str, str], calibration: list[str], folder: str) -> None:
    """Write a copy with QuantizeLinear and DequantizeLinear around what runs in integers."""
    model = foldable(model, folder, PER_CHANNEL_OPSET)
    # Folds constants and drops dead code first: what is folded need not be quantised. Where that fails the model is taken as it is.
    prepared = str(Path(folder) / "prepared.onnx")
    try:
        quant_pre_process(model, prepared, skip_symbolic_shape=True)
        model = prepared
    except Exception as error:  # whatever its optimiser and its shape inference raise
        print(f"axle-convert: not simplified before: {error}", file=sys.stderr)
    recipe = options.get("recipe", "")
    if recipe not in ("", "qnn"):
        raise ValueError(f"no such recipe for copies in integers: {recipe}")
    if recipe == "qnn":
        quantise_for_qnn(with_plain_names(model, folder), output, options, calibration)
        return
    quantize_static(
        with_plain_names(model, folder),
        output,
        Calibration(calibration),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=None if options["op_types"] == "all" else options["op_types"].split(","),
        per_channel=options["per_channel"] == "true",
        reduce_range=options["reduce_range"] == "true",
        activation_type=QuantType[options["activation_type"]],
        weight_type=QuantType[options["weight_type"]],
        calibrate_method=CalibrationMethod[options["calibrate_method"]],
    )


def halve(model: str, output: str, options: dict[str, str]) -> None:
    """Write a copy that computes in f16."""
    converted = convert_float_to_float16(onnx.load(model), keep_io_types=options["keep_io_types"] == "true")
    ONNXModel(converted).topological_sort()  # casts of inputs and outputs stand at the end
    if converted.ByteSize() > LARGEST_INLINE:
        raise ValueError("the copy would be larger than 2 GiB")
    onnx.save(converted, output)


def main() -> int:
    """Answer one request."""
    logging.disable(logging.WARNING)  # advice to people who call the library
    onnxruntime.set_default_logger_severity(3)
    if sys.argv[1:] == ["--probe"]:
        print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}, axle-convert {VERSION}")
        return 0
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    kind, output = request["kind"], request["output"]
    with tempfile.TemporaryDirectory(dir=Path(output).parent) as folder:
        if kind == "qdq":
            quantise(request["model"], output, request["options"], request["calibration"], folder)
        elif kind == "f16":
            halve(request["model"], output, request["options"])
        else:
            raise ValueError(f"no such kind of copy: {kind}")
    onnx.checker.check_model(output, full_check=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:  # one line for axle to tell, not a trace
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
