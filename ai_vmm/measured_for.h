// Whether a plan stands on measurements of what its constraints are judged by, not only on measurements.
#pragma once

#include "axle/plan.h"
#include "axle/policy.h"
#include "axle/runtime.h"

namespace ai_vmm {

// True when what is recorded here says of the plan what its policy judges by: for throughput what several callers get at once, for memory
// the peak of all that was timed, else times alone (energy is read along with them). Figures made for another profile may lack it. What
// measuring could not give is not asked for again in this process: see note_measured_for.
bool measured_for(axle::Runtime& runtime, const axle::Plan& plan, const axle::Policy& policy);

// Remembers, until the process ends, that this model was measured under this policy's objective.
void note_measured_for(const axle::Plan& plan, const axle::Policy& policy);

}  // namespace ai_vmm
