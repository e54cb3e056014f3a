// Streams: how many requests per second a candidate completes when several callers run it at once, each request alone or joined with
// others. Candidates and numbers of callers take turns in blocks, as in a race.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/measuring/blocks.h"
#include "runtime/measuring/contender.h"
#include "runtime/measuring/race.h"
#include "runtime/measuring/turn.h"

namespace axle {

// Numbers of callers that are worth measuring on a machine with so many cores: 2, 4, and one per core up to 16.
std::vector<int32_t> stream_counts(int32_t cores);
// The same where so many rows are computed together: as many callers as fill one run, and another while it is under way.
std::vector<int32_t> joined_counts(int32_t rows);

// A contender's session that joins requests in one way, or none.
struct StreamSession {
  Session session;
  Batching batching;
};

// The contender's own session, and those that join requests in the ways that the policy of `input` asks about.
std::vector<Result<StreamSession>> open_streams(Runtime& runtime, const Model& model, const PlannerInput& input,
                                                const Contender& contender, const std::vector<NamedTensor>& samples,
                                                const CancelToken& cancel);

class StreamRace {
 public:
  // The sessions that are measured of a contender; what cannot be loaded is its failure.
  using Open = std::function<std::vector<Result<StreamSession>>(const Contender& contender)>;
  StreamRace(std::vector<Contender>& contenders, const std::vector<NamedTensor>& samples, std::vector<int32_t> counts,
             Open open, Sentinel& sentinel, RaceRules rules, const CancelToken& cancel)
      : contenders_(contenders), samples_(samples), counts_(std::move(counts)), open_(std::move(open)), sentinel_(sentinel),
        rules_(std::move(rules)), cancel_(cancel) {}

  // Fills Contender::streams of those that come near the best. A contender that fails with several callers keeps its other figures:
  // the reason is in failures().
  void run();
  bool noisy() const { return noisy_; }
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  struct Lane {
    Contender* contender;
    int32_t batch;  // rows computed together at most
    int32_t callers;
    std::vector<Binding> bindings;
    double best_per_s = 0;
    std::vector<double> request_ns, disturbed_ns;  // per block: its time over the requests completed
    std::vector<int64_t> call_ns, disturbed_call_ns;
    bool out = false;
  };
  void prepare();
  void enter(Contender& contender, const StreamSession& opened);
  bool take(Lane& lane);
  void leave_behind();
  void keep();

  std::vector<Contender>& contenders_;
  const std::vector<NamedTensor>& samples_;
  const std::vector<int32_t> counts_;
  const Open open_;
  Sentinel& sentinel_;
  RaceRules rules_;
  const CancelToken& cancel_;
  std::vector<Lane> lanes_;
  std::vector<std::string> failures_;
  bool noisy_ = false;
};

}  // namespace axle
