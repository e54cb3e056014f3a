#include "runtime/measuring/blocks.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "engine/worker_channel.h"
#include "runtime/measuring/core_speed.h"
#include "runtime/measuring/paired_stats.h"

namespace axle {
namespace {

constexpr double kSlowCore = 1.25;
constexpr double kStolenPercent = 3;
constexpr double kWaitedShare = 0.03;
constexpr int kCalibrations = 5;
constexpr size_t kMostCores = 16;
constexpr int64_t kMostQuietNs = 300'000'000;
constexpr int64_t kLookNs = 3'000'000;
constexpr int64_t kWakingCalls = 2;

// Engines in processes of their own are ours too.
int64_t process_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec + worker_cpu_ns();
}

}  // namespace

Result<Block> run_block(const std::function<Status()>& call, const BlockLimits& limits) {
  Block block;
  int64_t started = steady_ns();
  int64_t last = started;
  while (last - started < limits.min_ns || static_cast<int64_t>(block.call_ns.size()) < limits.min_calls) {
    AXLE_RETURN_IF_ERROR(call());
    const int64_t now = steady_ns();
    const bool wakes = ++block.calls <= kWakingCalls && now - last < limits.min_ns / 10;
    if (!wakes) block.call_ns.push_back(now - last);
    last = now;
    if (wakes) started = now;
  }
  block.median_ns = quantile(block.call_ns, 0.5);
  return block;
}

void wait_until_quiet(const std::function<int64_t()>& cpu_ns) {
  const int64_t limit_ns = steady_ns() + kMostQuietNs;
  while (steady_ns() < limit_ns) {
    const int64_t before_ns = cpu_ns();
    std::this_thread::sleep_for(std::chrono::nanoseconds(kLookNs));
    if (cpu_ns() - before_ns < kLookNs / 5) return;
  }
}

void wait_until_quiet() { wait_until_quiet(process_cpu_ns); }

SentinelSources SentinelSources::of_this_machine() {
  return {SystemFiles("/"), usable_cpus(kMostCores), time_cores, process_cpu_ns, steady_ns};
}

Sentinel::Sentinel(CoreSpeeds known, SentinelSources sources) : sources_(std::move(sources)), speeds_(std::move(known)) {
  for (int i = 0; i < kCalibrations; ++i) cores_slow();
}

bool Sentinel::cores_slow() { return speeds_.slow(sources_.cpus, sources_.core_times(sources_.cpus), kSlowCore); }

void Sentinel::start() {
  wait_until_quiet(sources_.cpu_ns);
  slow_before_ = cores_slow();
  times_ = read_cpu_times(sources_.files);
  waiting_ns_ = read_waiting_ns(sources_.files);
  own_cpu_ns_ = sources_.cpu_ns();
  started_ns_ = sources_.now_ns();
}

bool Sentinel::others_took_cpus(const std::optional<CpuTimes>& after) const {
  const int64_t length_ns = sources_.now_ns() - started_ns_;
  const int64_t own_ns = sources_.cpu_ns() - own_cpu_ns_;
  const auto waiting_ns = read_waiting_ns(sources_.files);
  if (!times_ || !after || !waiting_ns_ || !waiting_ns) return false;
  const auto allowed_ns = static_cast<int64_t>(kWaitedShare * static_cast<double>(length_ns));
  const int64_t tick_ns = 1'000'000'000 / std::max<int64_t>(1, ::sysconf(_SC_CLK_TCK));
  const auto busy_ns = static_cast<int64_t>(after->busy - times_->busy) * tick_ns;
  // One tick is what the kernel's counting may be off.
  return *waiting_ns - *waiting_ns_ > allowed_ns && busy_ns - own_ns > allowed_ns + tick_ns;
}

bool Sentinel::disturbed() {
  const auto after = read_cpu_times(sources_.files);
  const bool stolen = times_ && after && steal_percent(*times_, *after) > kStolenPercent;
  const bool others = others_took_cpus(after);
  if (slow_before_ || stolen || others) return true;
  // The engine's own threads may still spin.
  wait_until_quiet(sources_.cpu_ns);
  return cores_slow();
}

}  // namespace axle
