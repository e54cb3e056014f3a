// What renderers say of a decision in one word.
#pragma once

#include <cstdint>
#include <string_view>

#include "axle/plan.h"

namespace axle {

// "chosen", "tie", "failed", "not measured", "slower", "undecided" or "rejected": rejected for speed is not rejected by a gate.
inline std::string_view decision_word(const Decision& decision) noexcept {
  switch (decision.verdict) {
    case DecisionVerdict::kChosen: return "chosen";
    case DecisionVerdict::kTie: return "tie";
    case DecisionVerdict::kFailed: return "failed";
    case DecisionVerdict::kNotMeasured: return "not measured";
    case DecisionVerdict::kRejected: break;
  }
  if (decision.code == "SLOWER") return "slower";
  return decision.code == "UNDECIDED" ? "undecided" : "rejected";
}

}  // namespace axle
