// Peak memory of a candidate: measured in a process of its own, where nothing else is counted.
#pragma once

#include <cstdint>
#include <vector>

#include "axle/session.h"

namespace axle {

// Most memory that was resident in an axle-worker that did nothing but load the plan's engine and model and run it a few times
// (VmHWM; shared memory included, a device's own memory not). Of a plan of several parts: their processes together. Codes as
// Session::load; FAILED_PRECONDITION: the engine is no plugin file; UNAVAILABLE: the process did not tell.
Result<uint64_t> measure_peak_memory(Runtime& runtime, const Model& model, Plan plan, const std::vector<NamedTensor>& samples,
                                     const CancelToken& cancel);

}  // namespace axle
