// A lock and its facts, read once: checking one is a matter of milliseconds, and reading is most of them.
#pragma once

#include <string>
#include <string_view>

#include "axle/lock.h"
#include "spec/planner_input.h"

namespace axle {

struct LockParts {
  Lock lock;
  PlannerInput input;  // what lock.input_json says
};

// Errors as parse_lock and load_lock.
Result<LockParts> parse_lock_parts(std::string_view json);
Result<LockParts> load_lock_parts(const std::string& path);

}  // namespace axle
