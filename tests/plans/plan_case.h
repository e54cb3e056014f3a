// A golden case: planner input as short text (docs in README.md beside this file), and the text of what was planned.
#pragma once

#include <string>
#include <string_view>

#include "planner/planner.h"

namespace axle::testing {

struct PlanCase {
  std::string given;     // everything up to the expectation, as written
  std::string expected;  // what follows the line "=== expect"
  PlannerInput input;
};

// INVALID_ARGUMENT with the line. Machines are read from tests/machines.
Result<PlanCase> parse_plan_case(std::string_view text);

// The plan with every decision, or the error; digests and versions of the machine are left out.
std::string plan_text(const Result<PlannerOutput>& result);

inline constexpr std::string_view kExpectLine = "=== expect\n";

}  // namespace axle::testing
