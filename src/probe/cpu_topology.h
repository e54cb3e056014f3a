// Logical CPUs, cores, sockets, NUMA nodes and caches from /sys/devices/system, with /proc/cpuinfo as the fallback.
#pragma once

#include <vector>

#include "axle/device.h"
#include "probe/cpu_model.h"
#include "probe/system_files.h"

namespace axle {

// Online CPUs, ascending. `core` is dense over the machine, in the order of each core's first CPU.
std::vector<LogicalCpu> read_cpus(const SystemFiles& files, const std::vector<CpuinfoBlock>& cpuinfo);
// Also sets numa_node of `cpus`. One node with every CPU when the kernel tells of none.
std::vector<NumaNode> read_numa_nodes(const SystemFiles& files, std::vector<LogicalCpu>& cpus, uint64_t memory_bytes);
// The distinct kinds of cache, by level.
std::vector<CpuCache> read_caches(const SystemFiles& files, const std::vector<LogicalCpu>& cpus);

}  // namespace axle
