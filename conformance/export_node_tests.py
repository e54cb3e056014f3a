"""Writes the backend node tests of the installed onnx package as folders that the conformance suite reads.

usage: export_node_tests.py FOLDER

Each test becomes FOLDER/<name>/model.onnx and io.npz, whose arrays are named "in:<input>" and "out:<output>", with
"tolerance" = [relative, absolute]. Tests whose
inputs or outputs are not tensors (sequences, optionals) and types that npz does not hold are left out, and counted.
Source: onnx.backend.test.case.node (Apache-2.0).
"""

import pathlib
import sys
import warnings

import numpy
from onnx.backend.test.case.node import collect_testcases


def as_arrays(prefix, infos, values):
    """Give the values as arrays by "prefix:name", or None where one is no plain array."""
    arrays = {}
    for info, value in zip(infos, values, strict=True):
        if not isinstance(value, numpy.ndarray | numpy.generic) or value.dtype.kind not in "biufUSO":
            return None
        array = numpy.asarray(value)
        if array.dtype.kind in "SO":
            array = array.astype("U")
        arrays[f"{prefix}:{info.name}"] = array
    return arrays


def export(case, folder):
    """Write model.onnx and io.npz of one case; False when it cannot be written down that way."""
    if case.model is None or not case.data_sets:
        return False
    inputs, outputs = case.data_sets[0]
    graph = case.model.graph
    if len(inputs) != len(graph.input) or len(outputs) != len(graph.output):
        return False
    given, wanted = as_arrays("in", graph.input, inputs), as_arrays("out", graph.output, outputs)
    if given is None or wanted is None:
        return False
    target = folder / case.name
    target.mkdir(parents=True, exist_ok=True)
    (target / "model.onnx").write_bytes(case.model.SerializeToString())
    tolerance = {}
    if case.rtol is not None and case.atol is not None:
        tolerance["tolerance"] = numpy.array([case.rtol, case.atol], dtype=numpy.float64)
    numpy.savez(target / "io.npz", **given, **wanted, **tolerance)
    return True


def main():
    """Export every node test into the folder that is named."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    warnings.simplefilter("ignore")
    written = left_out = 0
    for case in collect_testcases(None):
        if export(case, folder):
            written += 1
        else:
            left_out += 1
    print(f"{written} node tests written to {folder}, {left_out} left out")


if __name__ == "__main__":
    main()
