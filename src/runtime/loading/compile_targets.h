// Engines that compile for devices which are not here answer for them where a plan is made for the machine that has them.
#pragma once

#include <vector>

#include "axle/runtime.h"
#include "spec/planner_input.h"

namespace axle {

// Adds what each engine can do on resources of `machine`, a recorded one, that it compiles for.
Status add_compile_targets(Runtime& runtime, const Machine& machine, std::vector<EngineFacts>& engines);

}  // namespace axle
