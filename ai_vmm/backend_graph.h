// The host's graph in the words of ComputeBackend.
#pragma once

#include "ai_vmm/compute_backend.hpp"
#include "axle/engine_kit.h"

namespace ai_vmm {

// `weights`: also their tensors, which keep the host's mappings alive. `onnx` reads `graph`, which must live as long.
ModelGraph graph_of(const axle::kit::Graph& graph, bool weights);
GraphNode node_of(const axle::kit::Node& node);
// A view of bound bytes, valid as long as they are.
Tensor view_of(const axle_tensor_t& tensor);

}  // namespace ai_vmm
