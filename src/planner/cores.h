// Threads and core sets of CPU resources.
#pragma once

#include <cstdint>
#include <vector>

#include "axle/device.h"

namespace axle {

// Distinct physical cores behind the CPUs of `resource`, at least 1; no more than the machine's CPU quota.
int32_t usable_cores(const Machine& machine, const Resource& resource);
// Thread counts worth a look, ascending: 1, ..., a quarter, half and all of the usable cores. Other kinds: {1}.
std::vector<int32_t> thread_counts(const Machine& machine, const Resource& resource);
// One CPU per physical core first, then their other hardware threads; `threads` of them, ascending. Empty for other kinds.
std::vector<int32_t> pick_cpus(const Machine& machine, const Resource& resource, int32_t threads);
// A split of the CPU resource's cores into `parts` even sets, whole cores each; empty when there are fewer cores than parts.
std::vector<std::vector<int32_t>> even_split(const Machine& machine, const Resource& resource, int32_t parts);

}  // namespace axle
