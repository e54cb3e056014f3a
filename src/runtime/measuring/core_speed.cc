#include "runtime/measuring/core_speed.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "base/clock.h"

namespace axle {
namespace {

constexpr int kRuns = 2;
constexpr int kIterations = 20'000;
constexpr int kChains = 12;  // enough to fill the units: the sum is bound by throughput, not by latency

using Lanes = float __attribute__((vector_size(16)));

int64_t time_once() {
  const int64_t started = steady_ns();
  Lanes sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = Lanes{} + static_cast<float>(i);
  for (int i = 0; i < kIterations; ++i) {
    for (Lanes& sum : sums) sum = sum * 0.999F + 0.001F;
  }
  Lanes total = sums[0];
  for (int i = 1; i < kChains; ++i) total += sums[i];
  volatile float sink = total[0];
  (void)sink;
  return steady_ns() - started;
}

int64_t time_on(int32_t cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set) != 0) return 0;
  int64_t best_ns = time_once();
  for (int i = 1; i < kRuns; ++i) best_ns = std::min(best_ns, time_once());
  return best_ns;
}

}  // namespace

std::vector<int32_t> usable_cpus(size_t most) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return {};
  std::vector<int32_t> all;
  for (int32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) all.push_back(cpu);
  }
  if (all.size() <= most) return all;
  std::vector<int32_t> spread;
  for (size_t i = 0; i < most; ++i) spread.push_back(all[i * all.size() / most]);
  return spread;
}

std::vector<int64_t> time_cores(std::span<const int32_t> cpus) {
  std::vector<int64_t> times(cpus.size(), 0);
  std::thread visitor([&] { std::transform(cpus.begin(), cpus.end(), times.begin(), time_on); });
  visitor.join();
  return times;
}

CoreSpeeds CoreSpeeds::parse(std::string_view text) {
  CoreSpeeds speeds;
  std::istringstream in{std::string(text)};
  int32_t cpu = 0;
  int64_t least_ns = 0;
  while (in >> cpu >> least_ns) {
    if (cpu >= 0 && least_ns > 0) speeds.least_ns_[cpu] = least_ns;
  }
  return speeds;
}

std::string CoreSpeeds::text() const {
  std::string text;
  for (const auto& [cpu, least_ns] : least_ns_) text += std::to_string(cpu) + " " + std::to_string(least_ns) + "\n";
  return text;
}

bool CoreSpeeds::slow(std::span<const int32_t> cpus, std::span<const int64_t> times_ns, double slack) {
  bool any = false;
  for (size_t i = 0; i < cpus.size(); ++i) {
    if (times_ns[i] <= 0) continue;
    int64_t& least_ns = least_ns_.try_emplace(cpus[i], times_ns[i]).first->second;
    least_ns = std::min(least_ns, times_ns[i]);
    any = any || static_cast<double>(times_ns[i]) > slack * static_cast<double>(least_ns);
  }
  return any;
}

}  // namespace axle
