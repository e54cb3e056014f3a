// Whatever policy is accepted is written as TOML that reads back to an equal policy.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "axle/policy.h"
#include "policy/variant_precisions.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto policy = axle::parse_policy({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!policy.has_value()) return 0;
  const auto again = axle::parse_policy(axle::format_policy(*policy), "again");
  if (!again.has_value() || !(*again == *policy)) std::abort();
  if (axle::policy_digest(*policy).empty()) std::abort();
  (void)axle::check_calibration(*policy);
  return 0;
}
