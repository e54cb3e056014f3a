// What measurements of other candidates and models say of an estimate: engines reach different shares of a roofline, and an
// engine reaches about the same share again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spec/planner_input.h"

namespace axle {

struct Learned {
  int64_t permille = 1000;  // of measured over estimated time
  int32_t candidates = 0;   // measured, behind it; 0 = nothing was learned
  int32_t models = 0;
  bool known() const { return candidates > 0; }
  int64_t apply(int64_t estimate_ns) const;
  // "scaled by 3.1, learned from 12 measurements of 5 models", "not scaled: ..." where models disagree; "" when nothing was learned.
  std::string text() const;
};

// This model's own ratio where there is one, else as far from 1 as three of four of the other models are, the nearer to 1 the fewer they
// are. Where neither
// was measured at that precision, this model's own at another one of the same engine on that kind of resource; what other models take
// there says nothing of it.
Learned learned(const PlannerInput& input, std::string_view engine, ResourceKind kind, std::string_view precision);

}  // namespace axle
