// What the grammar of a policy can say and this version does not do yet: refused by name, never ignored.
#pragma once

#include "axle/policy.h"

namespace axle {

// UNIMPLEMENTED naming the first such part and what to do without it. (Kernels are the planner's: engines may offer some.)
Status refuse_unexecuted(const Policy& policy);

// In fallback.kernel: the engine's own choice of kernel may stand in.
inline constexpr const char* kEngineKernel = "engine";

}  // namespace axle
