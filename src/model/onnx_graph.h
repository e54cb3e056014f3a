// ModelProto -> Graph: constants become weights, nodes get unique names and a topological order, names become indices.
#pragma once

#include <map>
#include <string>

#include "axle/status.h"
#include "model/graph.h"
#include "model/onnx_tensor.h"

namespace onnx {
class ModelProto;
}

namespace axle {

// Weights that the caller already has, by name: used instead of the initialiser of that name (its data may be absent).
using KnownWeights = std::map<std::string, std::shared_ptr<const Weight>>;

// Consumes `model`, which must have passed check_structure. `lifted` may be null. The result has neither digest nor path and is
// not sealed. INVALID_ARGUMENT: a cycle, a name defined twice or not at all.
Result<Graph> build_graph(onnx::ModelProto model, const LiftedModel* lifted, const TensorContext& context,
                          const KnownWeights& known_weights = {});

}  // namespace axle
