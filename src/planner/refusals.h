// Refusals: the order in which decisions are told, and what is said when no candidate remains.
#pragma once

#include <vector>

#include "axle/status.h"
#include "planner/enumerate.h"

namespace axle {

// Best first; within a verdict the measured time, then the estimate, then the name.
void sort_decisions(std::vector<Decision>& decisions);

// A fallback looks again at what the demand as written refused: what it decides replaces what was said of the same name,
// except where it only says that something else is asked for now.
void merge_decisions(std::vector<Decision>& into, std::vector<Decision> more);

// A demand, and all that was decided under it.
struct Attempt {
  Demand demand;
  std::vector<Decision> decisions;
};

// The nearest reasons of the demand as written, then of its fallbacks; all decisions are in the detail "decisions". UNAVAILABLE when
// nothing but engines that are not installed stands in the way, else FAILED_PRECONDITION.
Status nothing_remains(const PlanningContext& context, std::vector<Attempt> attempts);

}  // namespace axle
