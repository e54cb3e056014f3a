// What bind_plan.cc shares with those that say where a plan runs.
#pragma once

#include <string>

#include "axle/plan.h"

namespace axle::python {

// "pim@pim:0/f32/t1/default (simulated)": the words of the command line.
inline std::string place_of(const Partition& part) { return part.candidate.format() + (part.simulated ? " (simulated)" : ""); }

}  // namespace axle::python
