// How far estimates were off where something was measured: what the planner learns efficiencies from.
#pragma once

#include "axle/runtime.h"
#include "spec/planner_input.h"

namespace axle {

// Remembers what this model takes to estimate it again, and fills estimate_ratios from all that was measured here.
void add_estimate_ratios(Runtime& runtime, const Machine& here, PlannerInput& input);

}  // namespace axle
