#include "runtime/measuring/streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "planner/batching.h"

namespace axle {
namespace {

constexpr int32_t kMostStreams = 16;
constexpr int32_t kMostJoinedCallers = 64;
constexpr int kMostRounds = 60;
constexpr size_t kEnoughBlocks = 12;
constexpr size_t kLanes = 6;         // that go on after the first round
constexpr double kNearEnough = 0.5;  // of the best rate: what is below has lost
constexpr size_t kFewestBlocks = 3;

}  // namespace

std::vector<int32_t> stream_counts(int32_t cores) {
  std::set<int32_t> counts = {2, 4, std::clamp(cores, 2, kMostStreams)};
  return {counts.begin(), counts.end()};
}

std::vector<int32_t> joined_counts(int32_t rows) {
  const std::set<int32_t> counts = {std::min(rows, kMostJoinedCallers), std::min(2 * rows, kMostJoinedCallers)};
  return {counts.begin(), counts.end()};
}

std::vector<Result<StreamSession>> open_streams(Runtime& runtime, const Model& model, const PlannerInput& input,
                                                const Contender& contender, const std::vector<NamedTensor>& samples,
                                                const CancelToken& cancel) {
  std::vector<Result<StreamSession>> sessions;
  const auto batchings = measurable_batchings(input, contender.plan);
  if (!batchings) return {batchings.error()};
  for (const Batching& batching : *batchings) {
    if (!batching.on()) {
      sessions.emplace_back(StreamSession{*contender.session, batching});
      continue;
    }
    Plan plan = contender.plan;
    plan.batching = batching;
    SessionOptions options;
    options.policy = input.policy;
    options.policy.constraints = {};  // watching costs time
    options.samples = samples;
    options.runtime = std::shared_ptr<Runtime>(&runtime, [](Runtime*) {});
    options.cancel = cancel;
    auto session = Session::load(model, plan, std::move(options));
    if (session)
      sessions.emplace_back(StreamSession{*std::move(session), batching});
    else
      sessions.emplace_back(session.error());
  }
  return sessions;
}

void StreamRace::enter(Contender& contender, const StreamSession& opened) {
  const int32_t rows = opened.batching.rows;
  for (const int32_t count : opened.batching.on() ? joined_counts(rows) : counts_) {
    if (rules_.over()) return;
    auto bindings = make_callers(opened.session, samples_, count);
    if (!bindings) {
      failures_.push_back(fmt::format("{} with {} callers: {}", contender.name, count, bindings.error().message()));
      return;
    }
    Lane& lane = lanes_.emplace_back();
    lane.contender = &contender;
    lane.batch = rows;
    lane.callers = count;
    lane.bindings = *std::move(bindings);
    take(lane);
  }
}

void StreamRace::prepare() {
  for (Contender& contender : contenders_) {
    if (!contender.measured() || !contender.session || rules_.over()) continue;
    for (const Result<StreamSession>& opened : open_(contender)) {
      if (opened)
        enter(contender, *opened);
      else
        failures_.push_back(fmt::format("{}: {}", contender.name, opened.error().message()));
    }
    leave_behind();
  }
}

// One block. False when the machine was busy elsewhere meanwhile.
bool StreamRace::take(Lane& lane) {
  const int64_t share =
      std::max<int64_t>(1'000'000, rules_.left_ns() / static_cast<int64_t>(4 * std::max<size_t>(lanes_.size(), 1)));
  sentinel_.start();
  auto turn = take_turn(lane.bindings, {std::min<int64_t>(50'000'000, share), 3}, cancel_);
  if (!turn) {
    lane.out = true;
    if (!cancel_.cancelled())
      failures_.push_back(fmt::format("{} with {} callers: {}", lane.contender->name, lane.callers, turn.error().message()));
    return true;
  }
  const bool disturbed = sentinel_.disturbed();
  lane.best_per_s = std::max(lane.best_per_s, turn->calls_per_s);
  (disturbed ? lane.disturbed_ns : lane.request_ns).push_back(1e9 / std::max(turn->calls_per_s, 1e-9));
  auto& calls = disturbed ? lane.disturbed_call_ns : lane.call_ns;
  calls.insert(calls.end(), turn->block.call_ns.begin(), turn->block.call_ns.end());
  return !disturbed;
}

void StreamRace::leave_behind() {
  std::vector<Lane*> order;
  for (Lane& lane : lanes_) {
    if (!lane.out) order.push_back(&lane);
  }
  std::stable_sort(order.begin(), order.end(), [](const Lane* a, const Lane* b) { return a->best_per_s > b->best_per_s; });
  for (size_t rank = 0; rank < order.size(); ++rank)
    order[rank]->out = rank >= kLanes || order[rank]->best_per_s < kNearEnough * order.front()->best_per_s;
  // What has lost need not stay loaded.
  for (Lane& lane : lanes_) {
    if (lane.out) lane.bindings.clear();
  }
}

// What came near the best is evidence; a first look alone is none. A machine that is never quiet gives disturbed figures or nothing.
void StreamRace::keep() {
  for (Lane& lane : lanes_) {
    const bool calm = lane.request_ns.size() >= kFewestBlocks;
    const std::vector<double>& blocks = calm ? lane.request_ns : lane.disturbed_ns;
    if (lane.out || blocks.size() < kFewestBlocks) continue;
    noisy_ = noisy_ || !calm;
    Timings& timings = lane.contender->streams[{lane.batch, lane.callers}];
    timings.block_ns = blocks;
    timings.call_ns = calm ? lane.call_ns : lane.disturbed_call_ns;
  }
}

void StreamRace::run() {
  prepare();
  bool backwards = false;
  for (int i = 0; i < kMostRounds && !rules_.over(); ++i, backwards = !backwards) {
    bool wanting = false;
    for (size_t place = 0; place < lanes_.size() && !rules_.over(); ++place) {
      Lane& lane = lanes_[backwards ? lanes_.size() - 1 - place : place];
      if (lane.out) continue;
      take(lane);
      wanting = wanting || lane.request_ns.size() < kEnoughBlocks;
    }
    rules_.show();
    if (!wanting) break;
  }
  keep();
}

}  // namespace axle
