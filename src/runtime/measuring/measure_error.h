// The error of one plan, where a policy forces a precision that nobody has measured.
#pragma once

#include "axle/plan.h"
#include "axle/runtime.h"

namespace axle {

// Runs the plan and the reference once on the policy's samples, the request's, or generated ones, and stores the error as evidence
// without times. OK also where there is no reference or nothing to keep it in: the plan then says that the error is not known.
// A plan that cannot be loaded by the engine's own answer is stored as a failure. Fails when it cannot be loaded otherwise, or run.
Status measure_error(Runtime& runtime, const Model& model, const PlanRequest& request, const Plan& plan);

}  // namespace axle
