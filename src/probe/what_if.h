// What a plan for a machine that is not here rests on: the profiles of its resources and the engines that they name.
#pragma once

#include "spec/planner_input.h"

namespace axle {

// Fills the profiles of input.machine. For a what-if, adds to the engines what the profiles say of resources that no engine
// here can be asked about, marked as assumed.
void assume_machine(PlannerInput& input, bool what_if);

}  // namespace axle
