// The JSON form of a plan as a value (docs/formats/plan.md); plan_to_json and parse_plan are the text forms.
#pragma once

#include "axle/plan.h"
#include "base/json.h"

namespace axle {

Json plan_to_json_value(const Plan& plan);
Json decision_to_json(const Decision& decision);
Json node_reason_to_json(const NodeReason& reason);
Result<NodeReason> read_node_reason(const Json& json, const std::string& where);
// Strict. Also checks what makes a plan executable: at least one partition, ids in order, transfers between partitions that exist.
Result<Plan> read_plan_json(const Json& json, const std::string& where);

std::optional<DecisionVerdict> parse_decision_verdict(std::string_view name) noexcept;

}  // namespace axle
