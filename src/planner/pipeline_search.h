// Finding the cut of a graph into stages that work at the same time, each on a resource of its own: the time of the slowest
// stage is what counts.
#pragma once

#include <optional>
#include <vector>

#include "planner/cut_problem.h"

namespace axle {

inline constexpr size_t kMostStages = 6;

// `resource_of`: per place, which of the resources (numbered from 0) it takes; at most kMostStages of them are used. Cuts along
// the orders of support_orders(): of each, the stages with the least time of the slowest, by bisection over that time and the
// farthest reach of each set of resources. Of equal times fewer stages win. CutPlan::cost_ns is the slowest stage's time.
// Two stages at least; nothing when they cannot be had.
std::optional<CutPlan> search_pipeline(const CutProblem& problem, const std::vector<int32_t>& resource_of);

}  // namespace axle
