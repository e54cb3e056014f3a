#include "runtime/blocks.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "runtime/paired_stats.h"

namespace axle {
namespace {

constexpr double kSlowSentinel = 1.25;
constexpr double kStolenPercent = 3;
constexpr double kWaitedShare = 0.03;
constexpr int kCalibrations = 5;
constexpr int64_t kMostQuietNs = 300'000'000;
constexpr int64_t kLookNs = 3'000'000;

int64_t process_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Result<Block> run_block(const std::function<Status()>& call, const BlockLimits& limits) {
  Block block;
  const int64_t started = steady_ns();
  int64_t last = started;
  while (last - started < limits.min_ns || static_cast<int64_t>(block.call_ns.size()) < limits.min_calls) {
    AXLE_RETURN_IF_ERROR(call());
    const int64_t now = steady_ns();
    block.call_ns.push_back(now - last);
    last = now;
  }
  block.median_ns = quantile(block.call_ns, 0.5);
  return block;
}

Sentinel::Sentinel() : files_("/") {
  best_ns_ = time_once();
  for (int i = 1; i < kCalibrations; ++i) best_ns_ = std::min(best_ns_, time_once());
}

int64_t Sentinel::time_once() const {
  const int64_t started = steady_ns();
  // A dependent chain: about half a millisecond whatever the caches hold.
  volatile uint64_t sink = 0;
  uint64_t value = 88172645463325252ULL;
  for (int i = 0; i < 250'000; ++i) {
    value ^= value << 13;
    value ^= value >> 7;
    value ^= value << 17;
  }
  sink = value;
  (void)sink;
  return steady_ns() - started;
}

void wait_until_quiet() {
  const int64_t limit_ns = steady_ns() + kMostQuietNs;
  while (steady_ns() < limit_ns) {
    const int64_t before_ns = process_cpu_ns();
    std::this_thread::sleep_for(std::chrono::nanoseconds(kLookNs));
    if (process_cpu_ns() - before_ns < kLookNs / 5) return;
  }
}

void Sentinel::start() {
  wait_until_quiet();
  before_ns_ = time_once();
  times_ = read_cpu_times(files_);
  waiting_ns_ = read_waiting_ns(files_);
  own_cpu_ns_ = process_cpu_ns();
  started_ns_ = steady_ns();
}

bool Sentinel::others_took_cpus(const std::optional<CpuTimes>& after) const {
  const int64_t length_ns = steady_ns() - started_ns_;
  const int64_t own_ns = process_cpu_ns() - own_cpu_ns_;
  const auto waiting_ns = read_waiting_ns(files_);
  if (!times_ || !after || !waiting_ns_ || !waiting_ns) return false;
  const auto allowed_ns = static_cast<int64_t>(kWaitedShare * static_cast<double>(length_ns));
  const int64_t tick_ns = 1'000'000'000 / std::max<int64_t>(1, ::sysconf(_SC_CLK_TCK));
  const auto busy_ns = static_cast<int64_t>(after->busy - times_->busy) * tick_ns;
  // One tick is what the kernel's counting may be off.
  return *waiting_ns - *waiting_ns_ > allowed_ns && busy_ns - own_ns > allowed_ns + tick_ns;
}

bool Sentinel::disturbed() {
  const auto after = read_cpu_times(files_);
  const bool stolen = times_ && after && steal_percent(*times_, *after) > kStolenPercent;
  const bool others = others_took_cpus(after);
  const int64_t after_ns = time_once();
  best_ns_ = std::min({best_ns_, before_ns_, after_ns});
  const auto limit = static_cast<int64_t>(static_cast<double>(best_ns_) * kSlowSentinel);
  return stolen || others || before_ns_ > limit || after_ns > limit;
}

}  // namespace axle
