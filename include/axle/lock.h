// Lock: a plan with the planner's whole input, in one file (docs/formats/lock.md). It says what runs and on which facts that
// was decided, so that another machine can run exactly that, refuse, or say what is different. A value.
// check_lock (axle/lock_check.h) compares it with what is here, Session::load runs it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "axle/export.h"
#include "axle/plan.h"
#include "axle/policy.h"
#include "axle/status.h"

namespace axle {

struct Lock {
  Plan plan;
  std::string input_json;  // the planner's input, canonical JSON (PlanReport::input_json)
  // "sha256:..." over the plan and its input, without the time at which the input was collected.
  AXLE_API std::string digest() const;
  friend bool operator==(const Lock&, const Lock&) = default;
};

// A measurement behind a lock that was taken more than 90 days ago.
struct OldEvidence {
  std::string candidate;
  int64_t recorded_unix_s = 0;
  int64_t age_days = 0;
  friend bool operator==(const OldEvidence&, const OldEvidence&) = default;
};

// From what make_plan reports. INVALID_ARGUMENT when the input cannot be read or does not lead to this plan.
AXLE_API Result<Lock> make_lock(const Plan& plan, const std::string& input_json);

// Canonical JSON, and back. Strict: INVALID_ARGUMENT for anything unknown or missing, and for a lock that was changed after
// it was written.
AXLE_API Result<std::string> lock_to_json(const Lock& lock);
AXLE_API Result<Lock> parse_lock(std::string_view json);
// Files: the lock is complete or absent. NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED as usual.
AXLE_API Status save_lock(const std::string& path, const Lock& lock);
AXLE_API Result<Lock> load_lock(const std::string& path);

// Plans again from the embedded input alone: the same bytes on every machine with the version of axle that wrote the lock.
// Fails as make_plan when this build finds no plan in those facts.
AXLE_API Result<Lock> replan(const Lock& lock);
// The same, compared. ABORTED when the plan is another one: this build decides differently.
AXLE_API Status check_replans(const Lock& lock);
// The policy the lock was made under.
AXLE_API Result<Policy> locked_policy(const Lock& lock);

}  // namespace axle
