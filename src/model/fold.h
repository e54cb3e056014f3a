// Evaluation of the small integer tensors that shapes are computed from: exporters write paddings and targets of reshapes as
// chains of nodes over constants, which onnx's own data propagation follows only in part.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "model/graph.h"

namespace axle {

struct FoldedTensor {
  DataType dtype = DataType::kInt64;  // i64 or i32
  Shape shape;
  std::vector<int64_t> values;
};

using FoldedValues = std::unordered_map<ValueId, FoldedTensor>;

// Adds every single-output node of `graph` whose result follows from weights, known shapes and what is folded already. Results of
// more than 1,024 elements, of other types and of unknown operators are left alone; nothing fails.
void fold_integers(const Graph& graph, FoldedValues& folded);

}  // namespace axle
