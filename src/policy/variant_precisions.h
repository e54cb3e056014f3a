// Which precisions a policy asks for that may need a copy of the model (a variant, axle/plan.h).
#pragma once

#include <string_view>

#include "axle/policy.h"

namespace axle {

// True when the policy names the precision (execution, fallback, a pin). int8 also where it leaves the choice of precision to an
// accuracy bound and gives calibration data: quantising costs time and is not tried uninvited.
bool asks_for_variant(const Policy& policy, std::string_view precision);

// INVALID_ARGUMENT: calibration data for a policy that does not admit int8.
Status check_calibration(const Policy& policy);

}  // namespace axle
