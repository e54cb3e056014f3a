// Finding the cut of a graph into parts that run one after the other, each on a resource of its own and within its memory: what
// counts is the time of one request.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "planner/cut_problem.h"

namespace axle {

// What parts hold, and what there is room for.
struct SplitMemory {
  std::vector<uint64_t> unit_bytes;  // [unit * places + place]: weights of the unit there
  std::vector<uint64_t> capacity_bytes;  // per resource; 0 = not known, which bounds nothing
};

// `resource_of`: per place, which of the resources (numbered from 0) it takes; the first six of them are looked at, each for one part
// at most. Cuts along the orders of support_orders() at up to 128 points, where the fewest tensors cross. Of cuts that take at most
// 1 % longer than the quickest, the one whose fullest resource is the least full wins. CutPlan::cost_ns is the sum of the parts.
// Two parts at least; nothing when they cannot be had.
std::optional<CutPlan> search_split(const CutProblem& problem, const std::vector<int32_t>& resource_of,
                                    const SplitMemory& memory);

}  // namespace axle
