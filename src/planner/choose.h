// Choosing among the admitted: objective first, then what a tie prefers, always in the same way.
#pragma once

#include <string>
#include <vector>

#include "planner/enumerate.h"

namespace axle {

struct Choice {
  size_t chosen = 0;                 // index into the admitted
  std::vector<Decision> decisions;   // one per admitted candidate
  std::vector<std::string> notes;    // near ties, undecided, estimates
};

// `admitted` must not be empty. Candidates that were measured go before those that were only estimated.
Choice choose(const PlanningContext& context, const Demand& demand, const std::vector<Considered>& admitted);

// The order among equals: in use already, preferred by a pin or the policy, real before simulated, nearest to the model's own
// precision, the model itself before a copy of it, default preset, fewer threads, then by name.
bool simpler(const PlanningContext& context, const Considered& a, const Considered& b);

// Whether `a` is `b` without its preset.
bool is_default_of(const Candidate& a, const Candidate& b);

// The 95 % interval of the paired ratio lies within [0.99, 1.01].
bool is_tie(const TimeRatio& ratio);
// A tie, or undecided at a typical ratio within 1 %: no reason to prefer the less simple one.
bool no_worse(const TimeRatio& ratio);
// Neither a tie nor a clear difference: the interval holds 1, or there is none and the medians are within 10 %.
bool is_undecided(const TimeRatio& ratio);

}  // namespace axle
