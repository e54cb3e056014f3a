// The hybrid objective: two plans in one, of which the first answers soonest while few requests are in flight and the second completes
// most of them while many are.
#pragma once

#include "planner/planner.h"

namespace axle {

// A plan under another objective, and how it serves many requests.
struct PlannedRequests {
  Plan plan;
  int64_t request_ns = 0;  // time per completed request, with as many callers as pay; 0 = not known
  int64_t answer_ns = 0;  // what each of them waits then
  uint64_t memory_bytes = 0;  // of all that is loaded
};

// Plans under the input's own objective, which is not hybrid. `pipelines`: "auto" may take one; not for a load that switches. Codes as
// make_plan.
Result<PlannedRequests> plan_requests(const PlannerInput& input, bool pipelines);

// The same facts under another objective.
PlannerInput with_objective(const PlannerInput& input, Objective objective);

// INVALID_ARGUMENT, UNIMPLEMENTED: what does not go together with this objective; else as make_plan.
Result<PlannerOutput> plan_hybrid(const PlannerInput& input);

}  // namespace axle
