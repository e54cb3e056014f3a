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

Status check_calibration(const Policy& policy) {
  // Data for something that will not happen: most likely the precision was forgotten.
  if (!policy.accuracy.calibration.empty() && !asks_for_variant(policy, "int8"))
    return invalid_argument_error("accuracy.calibration is for int8, which this policy does not admit")
        .with_hint("list int8 in execution.precision, or set a bound in [accuracy]");
  return ok_status();
}

}  // namespace axle
