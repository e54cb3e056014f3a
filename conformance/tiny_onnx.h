// Writes a hand-made Graph (GraphBuilder's) as an ONNX ModelProto with inline weights, and gives the graph that can be written.
#pragma once

#include <memory>
#include <string>

#include "model/graph.h"

namespace axle::conformance {

// Element types f32 and i64; attributes int, float, text, ints, floats.
std::string tiny_onnx_bytes(const Graph& graph);
// The same graph, with onnx_bytes and a digest of its own.
std::shared_ptr<const Graph> with_onnx_bytes(const std::shared_ptr<const Graph>& graph);

}  // namespace axle::conformance
