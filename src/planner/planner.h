// The planner: recorded facts in, a plan with a reason for every candidate out. Pure functions: no files, clocks, threads,
// engine calls or floating-point costs, so that equal facts give equal bytes everywhere.
#pragma once

#include <vector>

#include "axle/plan.h"
#include "axle/status.h"
#include "spec/planner_input.h"

namespace axle {

struct PlannerOutput {
  Plan plan;  // with the decision on everything that was looked at, best first
};

// INVALID_ARGUMENT: the policy contradicts itself, or gives an engine an option outside its domain.
// UNIMPLEMENTED: the policy asks for what this version does not execute.
// UNAVAILABLE: nothing stands in the way but engines that are not installed (the hint is the install command).
// FAILED_PRECONDITION: the policy cannot be satisfied by these facts; nothing was substituted. The message holds the
// nearest reasons, the detail "decisions" all of them as JSON.
Result<PlannerOutput> make_plan(const PlannerInput& input);

// What tuning measures: every candidate that only lacks evidence (or has it), mixed plans too where the policy wants them, as a
// plan that a session can load, the likely best first. plan_name() and plan_library_digest() (mixed_plan.h) key their evidence.
// Errors as make_plan; empty when all were rejected for other reasons.
Result<std::vector<Plan>> measurable_plans(const PlannerInput& input);

// What errors are measured against: the model's own precision, default preset, one thread, on a CPU when there is one.
// FAILED_PRECONDITION when no engine can run the model that way.
Result<Partition> reference_partition(const PlannerInput& input);

}  // namespace axle
