#include "runtime/blocks.h"

#include <algorithm>

#include "base/clock.h"
#include "runtime/paired_stats.h"

namespace axle {
namespace {

constexpr double kSlowSentinel = 1.25;
constexpr double kStolenPercent = 3;
constexpr int kCalibrations = 5;

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

void Sentinel::start() {
  before_ns_ = time_once();
  times_ = read_cpu_times(files_);
}

bool Sentinel::disturbed() {
  const auto after = read_cpu_times(files_);
  const bool stolen = times_ && after && steal_percent(*times_, *after) > kStolenPercent;
  const int64_t after_ns = time_once();
  best_ns_ = std::min({best_ns_, before_ns_, after_ns});
  const auto limit = static_cast<int64_t>(static_cast<double>(best_ns_) * kSlowSentinel);
  return stolen || before_ns_ > limit || after_ns > limit;
}

}  // namespace axle
