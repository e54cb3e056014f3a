// Graph -> ONNX bytes.
#pragma once

#include <memory>

#include "model/graph.h"

namespace axle {

// Weights that came from external files stay there; everything else is inline. FAILED_PRECONDITION: an input of unknown type,
// or a graph that is not ONNX. RESOURCE_EXHAUSTED: more than 2 GiB inline.
Result<Graph::OnnxBytes> write_onnx(const Graph& graph);

// Makes `graph` shareable: fills onnx_bytes, which afterwards speaks of the returned object.
std::shared_ptr<const Graph> seal_graph(Graph graph);

}  // namespace axle
