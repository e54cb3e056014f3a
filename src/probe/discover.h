// Composes all sources into one Machine. discover_machine() (axle/device.h) calls this with the real surroundings.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "axle/device.h"
#include "probe/system_files.h"

namespace axle {

// What is not a file: asked from the kernel in production, given in tests.
struct ProbeSurroundings {
  std::string architecture;                         // uname -m
  std::optional<std::vector<int32_t>> affinity;     // sched_getaffinity; absent = every CPU
  std::optional<std::string> cuda_visible_devices;  // the environment variable
};

ProbeSurroundings real_surroundings();
// UNAVAILABLE when neither /proc/cpuinfo nor /sys tells of a CPU.
Result<Machine> discover(const SystemFiles& files, const ProbeSurroundings& surroundings);

}  // namespace axle
