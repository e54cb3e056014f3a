// Static shapes: the graph with open axes of its inputs fixed.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "model/graph.h"

namespace axle {

// A copy of `graph` in which each open axis that `sizes` names ("batch" by its symbol, or "x[0]" by input and number) has that
// size, and everything that follows from it is known. It has no path, and a digest of its own: engines are handed its bytes.
// INVALID_ARGUMENT: no such open axis, or a size below 1. FAILED_PRECONDITION: a format that is handed over whole.
Result<std::shared_ptr<const Graph>> bind_axes(const Graph& graph, const std::map<std::string, int64_t>& sizes);

}  // namespace axle
