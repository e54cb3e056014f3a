// The text form of a graph, for tests and for people: onnx's own syntax (onnx/docs/Syntax.md) with one addition, weights without
// their content: `float[64,3,7,7] w = ["fill": "zero"]`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "model/graph.h"

namespace axle {

struct TextOptions {
  size_t max_weight_elements = 64;  // larger weights are written without content
};

// FAILED_PRECONDITION for a graph that is not ONNX. parse_graph_text(format_graph(g)) gives g again, up to the content of
// larger weights (zero afterwards) and inferred interior types (found again).
Result<std::string> format_graph(const Graph& graph, const TextOptions& options = {});

// An analysed, sealed graph; its digest is that of the text. The header `<ir_version: 10, opset_import: ["" : 21]>` may be left
// out. INVALID_ARGUMENT with line and column.
Result<std::shared_ptr<const Graph>> parse_graph_text(std::string_view text);

}  // namespace axle
