// What the nested graphs of If, Loop and Scan hold. Numbers for explaining and costing; planning never looks inside.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "model/graph.h"

namespace axle {

struct BodyCensus {
  std::map<std::string, uint64_t> op_counts;  // without the main graph's own nodes
  uint64_t parameter_count = 0;
  uint64_t weight_bytes = 0;
};

BodyCensus count_bodies(const Graph& graph);

}  // namespace axle
