// What is different between two plans or two locks, in words and with the reason. A value; pure functions.
#pragma once

#include <string>
#include <vector>

#include "axle/export.h"
#include "axle/lock.h"
#include "axle/plan.h"
#include "axle/status.h"

namespace axle {

struct PlanChange {
  // "model", "policy", "machine", "engine" (what it was made for), "schedule", "partition", "transfer", "substitution" (what
  // runs), "decision", "evidence", "note" (why).
  std::string area;
  std::string where;   // "partition 0 precision", "execution.threads", a candidate, ...
  std::string before;  // "" = not there
  std::string after;   // "" = not there
  std::string why;     // decision code and reason, where there is one
  friend bool operator==(const PlanChange&, const PlanChange&) = default;
};

struct PlanDiff {
  bool same_work = false;  // the same partitions, options and transfers: only reasons or figures differ, or nothing
  std::vector<PlanChange> changes;  // what it was made for, what runs, why; empty = equal
  friend bool operator==(const PlanDiff&, const PlanDiff&) = default;
};

AXLE_API PlanDiff diff_plans(const Plan& before, const Plan& after);
// Also field by field what differs in the facts: policy keys, machine, engines, evidence. INVALID_ARGUMENT when a lock's input
// cannot be read.
AXLE_API Result<PlanDiff> diff_locks(const Lock& before, const Lock& after);

}  // namespace axle
