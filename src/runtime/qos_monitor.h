// QosMonitor: judges runs against the policy's constraints as they end. record() neither allocates, locks nor logs: each bound counts,
// in a ring, how many of its last runs were over the limit.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "axle/policy.h"
#include "axle/qos.h"

namespace axle {

class QosMonitor {
 public:
  using Report = std::function<void(const QosViolation&)>;

  // Null when the policy bounds neither latency nor throughput. `report`, unless empty, is called on a thread of the monitor.
  static std::unique_ptr<QosMonitor> create(const Constraints& constraints, Report report);
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
  explicit QosMonitor(const Constraints& constraints);
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
  std::atomic<uint32_t> raised_{0};  // changes with every violation; waited on
  std::jthread watcher_;  // last: ends before what it looks at
};

}  // namespace axle
