// Streams: how many requests per second a candidate completes when several callers run it at once. Candidates and numbers of callers
// take turns in blocks, as in a race.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "runtime/blocks.h"
#include "runtime/contender.h"
#include "runtime/race.h"
#include "runtime/turn.h"

namespace axle {

// Numbers of callers that are worth measuring on a machine with so many cores: 2, 4, and one per core up to 16.
std::vector<int32_t> stream_counts(int32_t cores);

class StreamRace {
 public:
  StreamRace(std::vector<Contender>& contenders, const std::vector<NamedTensor>& samples, std::vector<int32_t> counts,
             Sentinel& sentinel, RaceRules rules, const CancelToken& cancel)
      : contenders_(contenders), samples_(samples), counts_(std::move(counts)), sentinel_(sentinel), rules_(std::move(rules)),
        cancel_(cancel) {}

  // Fills Contender::streams of those that come near the best. A contender that fails with several callers keeps its other figures:
  // the reason is in failures().
  void run();
  bool noisy() const { return noisy_; }
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  struct Lane {
    Contender* contender;
    int32_t callers;
    std::vector<Binding> bindings;
    double best_per_s = 0;
    std::vector<double> request_ns, disturbed_ns;  // per block: its time over the requests completed
    std::vector<int64_t> call_ns, disturbed_call_ns;
    bool out = false;
  };
  void prepare();
  bool take(Lane& lane);
  void leave_behind();
  void keep();

  std::vector<Contender>& contenders_;
  const std::vector<NamedTensor>& samples_;
  const std::vector<int32_t> counts_;
  Sentinel& sentinel_;
  RaceRules rules_;
  const CancelToken& cancel_;
  std::vector<Lane> lanes_;
  std::vector<std::string> failures_;
  bool noisy_ = false;
};

}  // namespace axle
