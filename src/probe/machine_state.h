// How busy the machine is at this moment, for judging measurements.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "axle/device.h"
#include "probe/system_files.h"

namespace axle {

// Ticks since boot, over all CPUs.
struct CpuTimes {
  uint64_t total = 0;
  uint64_t steal = 0;
  uint64_t busy = 0;  // neither idle, nor waiting for a disk, nor stolen
};

// Absent when /proc/stat cannot be read.
std::optional<CpuTimes> read_cpu_times(const SystemFiles& files);
// Share of the time between two readings that the hypervisor gave to others; -1 when no time went by.
double steal_percent(const CpuTimes& before, const CpuTimes& after);
// How long the threads of this process, together, have been ready to run without a CPU; absent when the kernel does not
// count it. A thread that has ended takes its share away.
std::optional<int64_t> read_waiting_ns(const SystemFiles& files);
// PSI: percent of the last 10 s in which some task waited for a CPU; -1 when not readable.
double cpu_pressure_some_10s(const SystemFiles& files);
// steal_percent counts from `since`, or from boot without it. Reads at most a few files: about 0.1 ms.
MachineState read_machine_state(const SystemFiles& files, const std::vector<int32_t>& allowed_cpus,
                                const std::optional<CpuTimes>& since = std::nullopt);

}  // namespace axle
