// Constant nodes: what they compute hangs on weights alone. Every part that reads such a result may compute it for itself: engines fold it into
// their own form when they load, while a tensor that crosses is handed over in every run and can never be folded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "spec/planner_input.h"

namespace axle {

class ConstantNodes {
 public:
  // Of the standard operators, without those that draw random numbers or hold subgraphs. `model` outlives this.
  explicit ConstantNodes(const ModelFacts& model);

  bool holds(int32_t node) const { return constant_[static_cast<size_t>(node)]; }
  // A constant node and those that it is computed from, ascending.
  std::vector<int32_t> chain(int32_t node) const;
  // Of the nodes of a part, ascending, without the constant ones that neither the part nor the reader of one of its `outputs` needs.
  std::vector<int32_t> needed(const std::vector<int32_t>& nodes, const std::vector<std::string>& outputs) const;

 private:
  const ModelFacts& model_;
  std::vector<bool> constant_;
  std::vector<std::vector<int32_t>> makes_;  // per node: tensors
  std::vector<std::vector<int32_t>> from_;  // per node: whose results it reads
};

}  // namespace axle
