// A topological order that keeps the given one where it already is one.
#pragma once

#include <cstdint>
#include <vector>

namespace axle {

struct TopologicalOrder {
  std::vector<int32_t> order;  // complete unless there is a cycle
  std::vector<int32_t> cycle;  // nodes of one cycle in edge order; empty when there is none
};

// `uses[i]` = the nodes whose results node i uses (duplicates allowed). Linear for sorted graphs, n log n else.
TopologicalOrder order_topologically(const std::vector<std::vector<int32_t>>& uses);

}  // namespace axle
