#include "policy/variant_precisions.h"

#include <algorithm>

#include "policy/policy_values.h"

namespace axle {

bool asks_for_variant(const Policy& policy, std::string_view precision) {
  const auto names = [&](const std::vector<std::string>& words) {
    const std::vector<std::string> normal = normal_precisions(words);
    return std::find(normal.begin(), normal.end(), precision) != normal.end();
  };
  if (names(policy.execution.precisions) || names(policy.fallback.precision)) return true;
  const bool pinned = std::any_of(policy.pins.begin(), policy.pins.end(),
                                  [&](const Pin& pin) { return pin.require && names({pin.require->precision}); });
  if (pinned) return true;
  return precision == "int8" && policy.accuracy.present() && policy.execution.precisions.empty() &&
         !policy.accuracy.calibration.empty();
}

}  // namespace axle
