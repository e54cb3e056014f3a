// Constraints of this front door as axle's policy.
#pragma once

#include "ai_vmm/types.hpp"
#include "axle/policy.h"

namespace ai_vmm {

// INVALID_ARGUMENT for bounds and selectors that make no sense. What axle does not execute yet is refused by the planner.
axle::Result<axle::Policy> policy_of(const DeploymentConstraints& constraints);

}  // namespace ai_vmm
