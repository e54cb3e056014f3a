#include "runtime/qos_monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/clock.h"
#include "base/text.h"

namespace axle {
namespace {

constexpr int64_t kWindow = 1000;  // the longest
constexpr int64_t kPollNs = 20'000'000;
constexpr auto kSampleEvery = std::chrono::milliseconds(100);

enum class Kind : uint8_t { kPercentile, kMean, kThroughput };

}  // namespace

// A ring of the last `size` runs. What a slot held before is taken back when it is written anew.
struct QosMonitor::Bound {
  Bound(std::string bound_name, Kind bound_kind, double bound_limit, int64_t window, double allowed_share)
      : name(std::move(bound_name)), kind(bound_kind), limit(bound_limit), size(window),
        allowed(static_cast<int64_t>(allowed_share * static_cast<double>(window) + 1e-9)),
        ring(std::make_unique<std::atomic<int64_t>[]>(static_cast<size_t>(window))) {}

  const std::string name;
  const Kind kind;
  const double limit;
  const int64_t size;
  const int64_t allowed;  // runs over the limit that a full window may hold
  // Percentile: 1 = over the limit. Mean: nanoseconds. Throughput: busy time of the session when the run ended.
  std::unique_ptr<std::atomic<int64_t>[]> ring;
  std::atomic<int64_t> sum{0};
  std::atomic<int64_t> newest{0};
  std::atomic<bool> violated{false};
  std::atomic<uint64_t> violations{0};
};

QosMonitor::QosMonitor(const Constraints& c, std::vector<QosGauge> gauges)
    : latency_ns_(std::make_unique<std::atomic<int64_t>[]>(kWindow)) {
  for (QosGauge& gauge : gauges) gauges_.push_back({.of = std::move(gauge)});
  const auto add = [&](const char* name, Kind kind, double limit, int64_t size, double allowed) {
    if (limit > 0) bounds_.push_back(std::make_unique<Bound>(name, kind, limit, size, allowed));
  };
  add("latency_p50", Kind::kPercentile, static_cast<double>(c.latency_p50_ns), 100, 0.5);
  add("latency_p95", Kind::kPercentile, static_cast<double>(c.latency_p95_ns), 200, 0.05);
  add("latency_p99", Kind::kPercentile, static_cast<double>(c.latency_p99_ns), kWindow, 0.01);
  add("latency_mean", Kind::kMean, static_cast<double>(c.latency_mean_ns), 100, 0);
  add("throughput_min", Kind::kThroughput, c.throughput_min_per_s, 100, 0);
}

std::unique_ptr<QosMonitor> QosMonitor::create(const Constraints& constraints, Report report, std::vector<QosGauge> gauges) {
  std::unique_ptr<QosMonitor> monitor(new QosMonitor(constraints, std::move(gauges)));
  if (monitor->bounds_.empty() && monitor->gauges_.empty()) return nullptr;
  if (report) {
    monitor->watcher_ = std::jthread(
        [made = monitor.get(), report = std::move(report)](const std::stop_token& stop) { made->watch(stop, report); });
  }
  // After the watcher, which it wakes.
  if (std::ranges::any_of(monitor->gauges_, [](const Gauge& gauge) { return gauge.of.read != nullptr; }))
    monitor->sampler_ = std::jthread([made = monitor.get()](const std::stop_token& stop) { made->keep_sampling(stop); });
  return monitor;
}

QosMonitor::~QosMonitor() {
  watcher_.request_stop();
  raised_.fetch_add(1, std::memory_order_release);
  raised_.notify_all();
}

int64_t QosMonitor::begin() noexcept {
  const int64_t now = steady_ns();
  if (in_flight_.fetch_add(1, std::memory_order_acq_rel) == 0) busy_since_ns_.store(now, std::memory_order_release);
  return now;
}

void QosMonitor::end(int64_t started_ns, bool succeeded) noexcept {
  const int64_t now = steady_ns();
  const int64_t since = busy_since_ns_.load(std::memory_order_acquire);
  const int64_t busy = busy_ns_.load(std::memory_order_acquire) + std::max<int64_t>(now - since, 0);
  if (in_flight_.fetch_sub(1, std::memory_order_acq_rel) == 1)
    busy_ns_.fetch_add(std::max<int64_t>(now - since, 0), std::memory_order_acq_rel);
  if (!succeeded) {
    failures_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const int64_t took = now - started_ns;
  const auto number = static_cast<int64_t>(runs_.fetch_add(1, std::memory_order_acq_rel));
  latency_ns_[static_cast<size_t>(number % kWindow)].store(took, std::memory_order_relaxed);
  for (const auto& bound : bounds_) {
    std::atomic<int64_t>& slot = bound->ring[static_cast<size_t>(number % bound->size)];
    const bool full = number + 1 >= bound->size;
    switch (bound->kind) {
      case Kind::kPercentile: {
        const int64_t over = static_cast<double>(took) > bound->limit ? 1 : 0;
        const int64_t change = over - slot.exchange(over, std::memory_order_acq_rel);
        judge(*bound, bound->sum.fetch_add(change, std::memory_order_acq_rel) + change > bound->allowed);
        break;
      }
      case Kind::kMean: {
        const int64_t change = took - slot.exchange(took, std::memory_order_acq_rel);
        const int64_t sum = bound->sum.fetch_add(change, std::memory_order_acq_rel) + change;
        if (full) judge(*bound, static_cast<double>(sum) > bound->limit * static_cast<double>(bound->size));
        break;
      }
      case Kind::kThroughput: {
        const int64_t before = slot.exchange(busy, std::memory_order_acq_rel);
        if (number >= bound->size)
          judge(*bound, static_cast<double>(bound->size) * 1e9 <
                            bound->limit * static_cast<double>(std::max<int64_t>(busy - before, 1)));
        bound->newest.store(busy, std::memory_order_relaxed);
        break;
      }
    }
  }
}

void QosMonitor::judge(Bound& bound, bool broken) noexcept {
  bool was = !broken;
  if (bound.violated.load(std::memory_order_relaxed) == broken) return;
  if (!bound.violated.compare_exchange_strong(was, broken, std::memory_order_acq_rel) || !broken) return;
  bound.violations.fetch_add(1, std::memory_order_acq_rel);
  raise();
}

void QosMonitor::raise() const noexcept {
  raised_.fetch_add(1, std::memory_order_release);
  if (watcher_.joinable()) raised_.notify_all();
}

void QosMonitor::sample() const {
  const std::lock_guard lock(gauges_mutex_);
  for (Gauge& gauge : gauges_) {
    const std::optional<double> now = gauge.of.read ? gauge.of.read() : std::nullopt;
    if (!now) continue;
    gauge.value = *now;
    const bool was = std::exchange(gauge.violated, *now > gauge.of.limit);
    if (was || !gauge.violated) continue;
    ++gauge.violations;
    raise();
  }
}

void QosMonitor::keep_sampling(const std::stop_token& stop) const {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    sample();
    sampling_.wait_for(lock, stop, kSampleEvery, [] { return false; });
  }
}

double QosMonitor::value_of(const Bound& bound, int64_t& runs) const {
  const auto total = static_cast<int64_t>(runs_.load(std::memory_order_acquire));
  runs = std::min(total, bound.size);
  if (runs == 0) return 0;
  if (bound.kind == Kind::kThroughput) {
    // A full ring's oldest entry is the one that is written next.
    const bool full = total > bound.size;
    const int64_t oldest = full ? bound.ring[static_cast<size_t>(total % bound.size)].load(std::memory_order_relaxed) : 0;
    const int64_t busy = std::max<int64_t>(bound.newest.load(std::memory_order_relaxed) - oldest, 1);
    return static_cast<double>(full ? bound.size - 1 : runs) * 1e9 / static_cast<double>(busy);
  }
  std::vector<int64_t> last;
  for (int64_t i = total - runs; i < total; ++i)
    last.push_back(latency_ns_[static_cast<size_t>(i % kWindow)].load(std::memory_order_relaxed));
  if (bound.kind == Kind::kMean) {
    double sum = 0;
    for (const int64_t ns : last) sum += static_cast<double>(ns);
    return sum / static_cast<double>(runs);
  }
  std::sort(last.begin(), last.end());
  const int64_t beyond = bound.allowed * runs / bound.size;
  return static_cast<double>(last[static_cast<size_t>(std::max<int64_t>(runs - 1 - beyond, 0))]);
}

QosReport QosMonitor::snapshot() const {
  sample();
  QosReport report;
  report.runs = runs_.load(std::memory_order_acquire);
  report.failures = failures_.load(std::memory_order_acquire);
  for (const auto& bound : bounds_) {
    QosBound& row = report.bounds.emplace_back();
    row.constraint = bound->name;
    row.limit = bound->limit;
    row.window_size = bound->size;
    row.value = value_of(*bound, row.window_runs);
    row.violated = bound->violated.load(std::memory_order_acquire);
    row.violations = bound->violations.load(std::memory_order_acquire);
  }
  const std::lock_guard lock(gauges_mutex_);
  for (const Gauge& gauge : gauges_) {
    QosBound& row = report.bounds.emplace_back();
    row.constraint = gauge.of.constraint;
    row.limit = gauge.of.limit;
    row.value = gauge.value;
    row.violated = gauge.violated;
    row.violations = gauge.violations;
    row.not_measured = gauge.of.not_measured;
  }
  return report;
}

std::vector<QosViolation> QosMonitor::since(std::vector<uint64_t>& seen) const {
  seen.resize(bounds_.size() + gauges_.size(), 0);
  std::vector<QosViolation> found;
  for (size_t i = 0; i < bounds_.size(); ++i) {
    const Bound& bound = *bounds_[i];
    const uint64_t count = bound.violations.load(std::memory_order_acquire);
    if (count == seen[i]) continue;
    seen[i] = count;
    QosViolation& violation = found.emplace_back();
    violation.constraint = bound.name;
    violation.limit = bound.limit;
    int64_t runs = 0;
    violation.value = value_of(bound, runs);
    violation.number = count;
    violation.runs = runs_.load(std::memory_order_acquire);
    violation.text = bound.kind == Kind::kThroughput
                         ? fmt::format("{} is {:.1f} runs per second over the last {} runs, the policy wants {:.1f}",
                                       bound.name, violation.value, runs, bound.limit)
                         : fmt::format("{} is {} over the last {} runs, the policy allows {}", bound.name,
                                       format_duration_ns(static_cast<int64_t>(violation.value)), runs,
                                       format_duration_ns(static_cast<int64_t>(bound.limit)));
  }
  const std::lock_guard lock(gauges_mutex_);
  for (size_t i = 0; i < gauges_.size(); ++i) {
    const Gauge& gauge = gauges_[i];
    if (gauge.violations == std::exchange(seen[bounds_.size() + i], gauge.violations)) continue;
    const bool bytes = gauge.of.constraint == "memory";
    const auto figure = [&](double value) {
      return bytes ? format_size_bytes(static_cast<int64_t>(value)) : fmt::format("{:.1f} W", value);
    };
    found.push_back(
        {gauge.of.constraint, gauge.of.limit, gauge.value, gauge.violations, runs_.load(std::memory_order_acquire),
         fmt::format("{} is {}, the policy allows {}", gauge.of.constraint, figure(gauge.value), figure(gauge.of.limit))});
  }
  return found;
}

std::vector<QosViolation> QosMonitor::wait(std::vector<uint64_t>& seen, int64_t timeout_ns) const {
  const int64_t until = checked_add(steady_ns(), std::max<int64_t>(timeout_ns, 0)).value_or(INT64_MAX);
  for (;;) {
    sample();
    std::vector<QosViolation> found = since(seen);
    const int64_t left = until - steady_ns();
    if (!found.empty() || left <= 0) return found;
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(left, kPollNs)));
  }
}

void QosMonitor::watch(const std::stop_token& stop, const Report& report) {
  std::vector<uint64_t> seen;
  while (!stop.stop_requested()) {
    const uint32_t raised = raised_.load(std::memory_order_acquire);
    for (const QosViolation& violation : since(seen)) report(violation);
    if (!stop.stop_requested()) raised_.wait(raised, std::memory_order_acquire);
  }
}

}  // namespace axle
