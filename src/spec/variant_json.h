// The JSON of a variant of a model, in plans and in the planner's input.
#pragma once

#include <string>

#include "axle/plan.h"
#include "base/json.h"
#include "spec/planner_input.h"

namespace axle {

Json variant_to_json(const Variant& variant);
// Strict. INVALID_ARGUMENT also for a kind that is no word or a digest that names nothing.
Result<Variant> read_variant(const Json& json, const std::string& where);

Json variant_facts_to_json(const VariantFacts& facts);
// Strict. INVALID_ARGUMENT also for a variant that has both a digest and a reason for having none, or neither.
Result<VariantFacts> read_variant_facts(const Json& json, const std::string& where);

Json variant_verdict_to_json(const VariantVerdict& verdict);
Result<VariantVerdict> read_variant_verdict(const Json& json, const std::string& where);

}  // namespace axle
