// The JSON of a variant of a model, in plans and in the planner's input.
#pragma once

#include <string>

#include "axle/plan.h"
#include "base/json.h"

namespace axle {

Json variant_to_json(const Variant& variant);
// Strict. INVALID_ARGUMENT also for a kind that is no word or a digest that names nothing.
Result<Variant> read_variant(const Json& json, const std::string& where);

}  // namespace axle
