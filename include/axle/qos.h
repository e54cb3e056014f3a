// QoS: how a loaded plan keeps the constraints of its policy while it runs. A session whose policy bounds latency or throughput watches
// its own runs over a sliding window; one whose policy bounds memory or power looks at both ten times a second, on a thread of its own.
// One whose policy bounds none of them measures nothing. Values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace axle {

// One bound of [constraints]: on the last runs, or on what the plan holds and draws.
struct QosBound {
  std::string constraint;  // "latency_p50", "latency_p95", "latency_p99", "latency_mean", "throughput_min", "memory", "power"
  double limit = 0;  // nanoseconds; runs per second for throughput_min, bytes for memory, watts for power
  // The same of the window; 0 = no run yet. Memory: the most so far, of the processes that parts run in, and what this process grew by
  // since the session began to load (whatever else the program does in it included), where a part runs here. Power: over the last
  // second, by the counters of the plan's resources, which count all that draws from them.
  double value = 0;
  int64_t window_runs = 0;  // in the window so far; 0 for memory and power
  int64_t window_size =
      0;  // runs that it judges: 1,000 for latency_p99, 200 for latency_p95, 100 for the others, 0 for memory and power
  bool violated = false;  // now
  uint64_t violations = 0;  // how often it came to be
  std::string
      not_measured;  // why this bound cannot be watched here; then value stays 0 and it is never violated. "" = it is watched
};

struct QosReport {
  std::vector<QosBound> bounds;  // empty: the policy sets none
  uint64_t runs = 0;  // that succeeded since loading
  uint64_t failures = 0;
  bool violated() const noexcept {
    for (const QosBound& bound : bounds) {
      if (bound.violated) return true;
    }
    return false;
  }
};

// A bound that came to be violated.
struct QosViolation {
  std::string constraint;
  double limit = 0;
  double value = 0;  // over the window, when it was reported
  uint64_t number = 0;  // of this bound's violations; gaps: some came and went before they could be reported
  uint64_t runs = 0;  // of the session by then
  // "latency_p99 is 12.3 ms over the last 1000 runs, the policy allows 8.00 ms".
  std::string text;
};

}  // namespace axle
