// Blocks: how a candidate is timed. A block is a run of consecutive calls of one candidate; candidates take turns in ABBA
// order, so that drift hits all alike. A block during which the machine was busy elsewhere is disturbed and does not count.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "axle/status.h"
#include "probe/machine_state.h"
#include "probe/system_files.h"
#include "runtime/measuring/core_speed.h"

namespace axle {

struct BlockLimits {
  int64_t min_ns = 50'000'000;
  int64_t min_calls = 5;
};

struct Block {
  std::vector<int64_t> call_ns;
  int64_t median_ns = 0;
  int64_t calls = 0;  // with those that only woke the engine
  bool disturbed = false;
};

// Runs `call` until both limits are met. The failure of a call ends the block. The first two calls wake what slept while others took
// their turns and do not count, unless one takes a tenth of the block or more: waking does not show in it.
Result<Block> run_block(const std::function<Status()>& call, const BlockLimits& limits);

// Sleeps until this process uses no CPU, at most 300 ms: an engine's threads may spin for 40 ms after its last call, and what
// is timed in that time shares the cores with them. Threads of the program itself that are busy cost the whole time.
void wait_until_quiet();
// The same by another clock of CPU time, in ns.
void wait_until_quiet(const std::function<int64_t()>& cpu_ns);

// What a sentinel reads.
struct SentinelSources {
  SystemFiles files;
  std::vector<int32_t> cpus;
  std::function<std::vector<int64_t>(std::span<const int32_t>)> core_times;  // as time_cores
  std::function<int64_t()> cpu_ns;  // CPU time of this process and of its workers
  std::function<int64_t()> now_ns;

  static SentinelSources of_this_machine();
};

// Says whether the machine was ours during a block: a fixed piece of arithmetic is timed on each core around it, and the time
// that the hypervisor or other processes took from our threads is read.
class Sentinel {
 public:
  // Calibrates: the best of a few runs is what an undisturbed core needs, or what is `known` of it if that is less.
  explicit Sentinel(CoreSpeeds known = {}, SentinelSources sources = SentinelSources::of_this_machine());
  // Before a block; waits until the process is quiet.
  void start();
  // After it; waits as well. True when a core took more than 1.25 times its best, more than 3 % of the time was stolen, or our
  // threads waited more than 3 % of the time for a CPU while other processes ran (waiting for each other alone is how a
  // program is).
  bool disturbed();
  // With what this one saw.
  const CoreSpeeds& speeds() const { return speeds_; }

 private:
  bool cores_slow();
  bool others_took_cpus(const std::optional<CpuTimes>& after) const;
  SentinelSources sources_;
  CoreSpeeds speeds_;
  bool slow_before_ = false;
  std::optional<CpuTimes> times_;
  std::optional<int64_t> waiting_ns_;
  int64_t started_ns_ = 0;
  int64_t own_cpu_ns_ = 0;
};

}  // namespace axle
