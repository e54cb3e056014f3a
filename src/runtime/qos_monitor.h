// QosMonitor: judges runs against the policy's constraints as they end, and gauges ten times a second. end() neither allocates, locks nor
// logs: each bound counts, in a ring, how many of its last runs were over the limit.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "axle/policy.h"
#include "axle/qos.h"
#include "runtime/qos_gauges.h"

namespace axle {

class QosMonitor {
 public:
  using Report = std::function<void(const QosViolation&)>;

  // Null when the policy bounds neither latency nor throughput and there is no gauge. `report`, unless empty, is called on a thread of
  // the monitor. Gauges are read on another, and in snapshot() and wait(); never two at once.
  static std::unique_ptr<QosMonitor> create(const Constraints& constraints, Report report, std::vector<QosGauge> gauges = {});
  ~QosMonitor();
  QosMonitor(const QosMonitor&) = delete;
  QosMonitor& operator=(const QosMonitor&) = delete;

  // Around a run; any thread.
  int64_t begin() noexcept;
  void end(int64_t started_ns, bool succeeded) noexcept;

  QosReport snapshot() const;
  // Violations since `seen` (one count per bound; empty = from the beginning), which it brings up to date. Waits at most `timeout_ns`
  // for one.
  std::vector<QosViolation> wait(std::vector<uint64_t>& seen, int64_t timeout_ns) const;

 private:
  struct Bound;
  struct Gauge {
    QosGauge of;
    double value = 0;
    bool violated = false;
    uint64_t violations = 0;
  };
  QosMonitor(const Constraints& constraints, std::vector<QosGauge> gauges);
  void sample() const;
  void keep_sampling(const std::stop_token& stop) const;
  void raise() const noexcept;
  void judge(Bound& bound, bool broken) noexcept;
  void watch(const std::stop_token& stop, const Report& report);
  std::vector<QosViolation> since(std::vector<uint64_t>& seen) const;
  double value_of(const Bound& bound, int64_t& runs) const;

  std::vector<std::unique_ptr<Bound>> bounds_;
  std::unique_ptr<std::atomic<int64_t>[]> latency_ns_;  // of the last kWindow runs
  std::atomic<uint64_t> runs_{0};
  std::atomic<uint64_t> failures_{0};
  // Time in which at least one run was under way: what throughput is counted over, so that nobody calling is no violation.
  std::atomic<int32_t> in_flight_{0};
  std::atomic<int64_t> busy_since_ns_{0};
  std::atomic<int64_t> busy_ns_{0};
  mutable std::mutex gauges_mutex_;
  mutable std::vector<Gauge> gauges_;
  mutable std::condition_variable_any sampling_;  // only ever woken to stop
  mutable std::atomic<uint32_t> raised_{0};  // changes with every violation; waited on
  std::jthread watcher_, sampler_;  // last: end before what they look at
};

}  // namespace axle
