// Prepared shapes: which executables a plan prepares where the policy fixes open axes of the model ([shapes], execution.static_shape).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "spec/planner_input.h"

namespace axle {

inline constexpr size_t kMostPreparedShapes = 64;

using AxisSizes = std::map<std::string, int64_t>;  // open axis -> size; empty = all stay open

// INVALID_ARGUMENT: an axis that the model does not leave open, or more than kMostPreparedShapes combinations.
// UNIMPLEMENTED: for a model that is handed over whole.
Status check_shapes(const PlannerInput& input);

// What execution.static_shape demands, once something could run the model at all. FAILED_PRECONDITION: an axis whose size nobody gives.
// INVALID_ARGUMENT: samples of a size that is not prepared.
Status check_static_shape(const PlannerInput& input);

// One entry per executable: first what the plan is judged on (the sizes of the samples, else the first of each list), last, unless
// execution.static_shape is set, an empty one for all other shapes. A single empty entry where the policy fixes nothing.
std::vector<AxisSizes> prepared_shapes(const PlannerInput& input);

// What to write so that no axis stays open: the line of [shapes] for each one whose size nobody gives.
std::string missing_sizes_hint(const PlannerInput& input);

// True when no executable keeps an open axis: an engine that takes fixed shapes only can serve.
bool fixes_all_axes(const PlannerInput& input);

// What is prepared, as a sentence for the plan's notes; "" where the policy fixes nothing.
std::string prepared_note(const PlannerInput& input);

}  // namespace axle
