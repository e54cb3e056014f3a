// QoS: how a loaded plan keeps the constraints of its policy while it runs. A session whose policy bounds latency or throughput watches
// its own runs over a sliding window; one whose policy does not, measures nothing. Values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace axle {

// One bound of [constraints] over the last runs.
struct QosBound {
  std::string constraint;  // "latency_p50", "latency_p95", "latency_p99", "latency_mean", "throughput_min"
  double limit = 0;  // nanoseconds; runs per second for throughput_min
  double value = 0;  // the same of the window; 0 = no run yet
  int64_t window_runs = 0;  // in the window so far
  int64_t window_size = 0;  // runs that it judges: 1,000 for latency_p99, 200 for latency_p95, 100 for the others
  bool violated = false;  // now
  uint64_t violations = 0;  // how often it came to be
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
