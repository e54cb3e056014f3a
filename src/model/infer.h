// Type and shape inference over a graph, by onnx's operator schemas.
#pragma once

#include <map>
#include <string>

#include "model/graph.h"

namespace axle {

// Fills in unknown types, ranks and axes of interior values and outputs. What the file declares stays unless it is a symbol for
// which a size is found. Failures are issues, not errors. `sizes` = size of each symbol that is known by now.
void infer_values(Graph& graph, const std::map<std::string, int64_t>& sizes = {});

// Operators that ONNX does not define in the imported opset, and nodes that break their schema: into graph.issues.
void check_operators(Graph& graph);

}  // namespace axle
