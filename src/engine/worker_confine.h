// What an axle-worker gives up before it opens a vendor's code, where the kernel permits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axle/engine.h"
#include "axle/status.h"

namespace axle {

// This process from now on, and what it starts: stays on the CPUs (empty = as it is), allocates no more than the limit (0 = none), leaves
// no core file, gains no privileges by programs it starts, and is refused system calls that no engine needs: tracing and reading
// other processes, mounting, loading into the kernel, other namespaces and keys. The last two are left out where the kernel has them
// not. Before there is a second thread. UNAVAILABLE: the CPUs or the limit.
Status confine_this_process(const std::vector<int32_t>& cpu_set, uint64_t memory_limit_bytes);

// The same as doctor tells it: what holds for a worker started here.
std::vector<WorkerSafeguard> worker_safeguards();

}  // namespace axle
