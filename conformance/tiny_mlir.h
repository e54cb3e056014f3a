// Writes a hand-made Graph (GraphBuilder's) as a file for engines that do not read ONNX: MLIR text in the dialect that they take.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/graph.h"

namespace axle::conformance {

// The first of an engine's formats that graphs can be written in: "onnx", "tosa-mlir" (Arm) or "top-mlir" (Sophgo, weights beside it as
// npz); "onnx" when it has none of them.
std::string writable_format(const std::vector<std::string>& formats);

// Add, Mul and Relu on f32; any other operator is written under its own name, which no dialect has. The file lives as long as the graph
// that is returned, which has the inputs and outputs of `graph` and no nodes: such models are handed over whole.
std::shared_ptr<const Graph> with_mlir_file(const std::shared_ptr<const Graph>& graph, const std::string& format);

}  // namespace axle::conformance
