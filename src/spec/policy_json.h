// The canonical JSON form of a policy: every field, units in the key names (docs/formats/policy.md). Digests and locks use it.
#pragma once

#include "axle/policy.h"
#include "base/json.h"

namespace axle {

Json policy_to_json_value(const Policy& policy);
// Strict: INVALID_ARGUMENT for an unknown or missing key, or a value outside its range. Does not run check_policy.
Result<Policy> read_policy_json(const Json& json, const std::string& where);

}  // namespace axle
