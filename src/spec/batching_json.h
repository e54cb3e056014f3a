// How a plan joins requests, as JSON.
#pragma once

#include <string>

#include "axle/plan.h"
#include "base/json.h"

namespace axle {

Json batching_to_json(const Batching& batching);
Result<Batching> read_batching(const Json& json, const std::string& where);

}  // namespace axle
