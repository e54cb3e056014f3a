// The canonical JSON form of the planner's input: what a lock embeds (docs/formats/lock.md).
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "spec/planner_input.h"

namespace axle {

Json planner_input_to_json_value(const PlannerInput& input);
// Strict and bounded. Also refuses two engines of one name, verdicts of nodes that do not exist, and candidates that do not parse.
Result<PlannerInput> read_planner_input_json(const Json& json, const std::string& where);

// One engine's facts, as they stand in the list above.
Json engine_facts_to_json(const EngineFacts& facts);
Result<EngineFacts> read_engine_facts(const Json& json, const std::string& where);

Result<std::string> planner_input_to_json(const PlannerInput& input);
Result<PlannerInput> parse_planner_input(std::string_view json);

}  // namespace axle
