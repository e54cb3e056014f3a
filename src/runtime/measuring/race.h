// Race: the finals of a tuning run. Contenders take turns in blocks, there and back, until it is decided who is fastest.
#pragma once

#include <functional>
#include <vector>

#include "runtime/measuring/blocks.h"
#include "runtime/measuring/contender.h"

namespace axle {

// Those that were measured and are neither dropped nor sent home.
std::vector<Contender*> racing(std::vector<Contender>& contenders);
// By the median of its blocks; null when nobody was measured.
const Contender* fastest(const std::vector<Contender>& contenders);

struct RaceRules {
  std::function<int64_t()> left_ns;  // of the budget
  std::function<bool()> over;
  std::function<void()> show;        // after each round
  size_t runs_wanted = 0;            // of each that races, before it may be over: what the policy's percentiles need
};

class Race {
 public:
  Race(std::vector<Contender>& contenders, Sentinel& sentinel, RaceRules rules)
      : contenders_(contenders), sentinel_(sentinel), rules_(std::move(rules)) {}

  void run();
  // More rounds were disturbed than counted; every round was, and disturbed figures stand for want of others.
  bool noisy() const { return noisy_; }
  bool settled() const { return settled_; }

 private:
  bool round(std::vector<Contender*>& racing);
  void send_home();
  bool recall();
  bool decided() const;
  bool enough_runs(const std::vector<Contender*>& racing) const;
  void settle_for_disturbed();

  std::vector<Contender>& contenders_;
  Sentinel& sentinel_;
  RaceRules rules_;
  bool noisy_ = false;
  bool settled_ = false;
  bool recalled_ = false;
};

}  // namespace axle
