// Blocks: how a candidate is timed. A block is a run of consecutive calls of one candidate; candidates take turns in ABBA
// order, so that drift hits all alike. A block during which the machine was busy elsewhere is disturbed and does not count.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "axle/status.h"
#include "probe/machine_state.h"

namespace axle {

struct BlockLimits {
  int64_t min_ns = 50'000'000;
  int64_t min_calls = 5;
};

struct Block {
  std::vector<int64_t> call_ns;
  int64_t median_ns = 0;
  bool disturbed = false;
};

// Runs `call` until both limits are met. The failure of a call ends the block.
Result<Block> run_block(const std::function<Status()>& call, const BlockLimits& limits);

// Says whether the machine was ours during a block: a fixed piece of arithmetic is timed around it, and the time that the
// hypervisor gave to others is read.
class Sentinel {
 public:
  // Calibrates: the best of a few runs is what an undisturbed machine needs.
  Sentinel();
  // Before a block.
  void start();
  // After it: true when the sentinel took more than 1.25 times its best, or more than 3 % of the time was stolen.
  bool disturbed();

 private:
  int64_t time_once() const;
  int64_t best_ns_ = 0;
  int64_t before_ns_ = 0;
  SystemFiles files_;
  std::optional<CpuTimes> times_;
};

}  // namespace axle
