// Gauges: what a loaded plan holds and draws, read now and then where the policy bounds it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "axle/device.h"
#include "axle/policy.h"

namespace axle {

struct QosGauge {
  std::string constraint;  // "memory", "power"
  double limit = 0;        // bytes, watts
  // The figure that the bound is about; nothing where it could not be read this time. One thread at a time. Empty: it cannot be read here.
  std::function<std::optional<double>()> read;
  std::string not_measured;  // why `read` is empty
};

// Of the processes that parts run in: the most that each held so far, together; nothing where every part runs in this process.
using WorkersPeak = std::function<std::optional<uint64_t>()>;

// Memory: the most that this process grew by since it held `resident_before`, as far as it was looked at, where a part runs in it
// (`in_process`); and what the parts' own processes held.
QosGauge memory_gauge(uint64_t limit_bytes, uint64_t resident_before, bool in_process, WorkersPeak workers);

// Power: what the counters of these resources say was drawn, over a second at least; of all that draws from them.
QosGauge power_gauge(double limit_watts, const Machine& machine, const std::set<std::string>& resources);

// Resident memory of this process; 0 = the system does not tell.
uint64_t resident_bytes() noexcept;

}  // namespace axle
