// Reductions over nothing, for which the library gives something else than ONNX says, and does not say so: the least or largest finite number
// for infinity (ReduceMax, ReduceMin), what happened to be in memory (ArgMax, ArgMin), a number where there is none (pooling).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axle/engine_kit.h"

namespace axle::openvino {

// A node that reduces an axis of the size that `symbol` names on a graph input.
struct OpenReduction {
  std::string node, op, symbol;
};

struct Reductions {
  std::vector<uint32_t> of_nothing;  // nodes that reduce an axis of size 0 whatever the inputs
  std::vector<OpenReduction> open;  // one for each symbol
};

// Axes whose size no input names are not found: those that hang on values (what NonZero found), or whose size nothing infers.
Reductions reductions_of(const kit::Graph& graph);

}  // namespace axle::openvino
