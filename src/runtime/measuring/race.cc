#include "runtime/measuring/race.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/measuring/paired_stats.h"

namespace axle {
namespace {

constexpr double kClearlyBehind = 1.2;  // slower than that in every pair: leaves the race
constexpr size_t kPairsToSendHome = 6;
constexpr double kWorthRecalling = 3;   // behind by less: comes back once, when the others are decided
constexpr size_t kPairsToDecide = 8;
constexpr int kMostRounds = 200;

}  // namespace

std::vector<Contender*> racing(std::vector<Contender>& contenders) {
  std::vector<Contender*> list;
  for (Contender& contender : contenders) {
    if (contender.measured() && !contender.dropped && !contender.sent_home) list.push_back(&contender);
  }
  return list;
}

// Picojoules, of the block that has just ended.
std::optional<double> drawn_per_call(const Contender& contender, int64_t calls) {
  if (!contender.meter || calls == 0) return std::nullopt;
  const std::optional<int64_t> microjoules = contender.meter->microjoules();
  if (!microjoules) return std::nullopt;
  return static_cast<double>(*microjoules) * 1e6 / static_cast<double>(calls);
}

// One block of every contender that races, there or back. A disturbed block makes the whole round uncounted, so that pairs stay pairs.
bool Race::round(std::vector<Contender*>& racing) {
  std::vector<Block> blocks;
  std::vector<std::optional<double>> drawn;
  bool disturbed = false;
  const int64_t share = std::max<int64_t>(1'000'000, rules_.left_ns() / static_cast<int64_t>(4 * racing.size()));
  for (Contender* contender : racing) {
    sentinel_.start();
    if (contender->meter) contender->meter->start();
    auto block = run_block([&] { return contender->binding->run(); }, {std::min<int64_t>(50'000'000, share), 5});
    if (!block) {
      contender->failure = block.error();
      return false;
    }
    drawn.push_back(drawn_per_call(*contender, block->calls));
    block->disturbed = sentinel_.disturbed();
    contender->disturbed += block->disturbed ? 1 : 0;
    disturbed = disturbed || block->disturbed;
    blocks.push_back(std::move(*block));
  }
  for (Contender& contender : contenders_) (disturbed ? contender.disturbed_timings : contender.timings).block_ns.push_back(0);
  for (size_t i = 0; i < racing.size(); ++i) {
    Timings& timings = disturbed ? racing[i]->disturbed_timings : racing[i]->timings;
    timings.block_ns.back() = static_cast<double>(blocks[i].median_ns);
    timings.call_ns.insert(timings.call_ns.end(), blocks[i].call_ns.begin(), blocks[i].call_ns.end());
    if (drawn[i]) timings.call_pj.push_back(*drawn[i]);
  }
  return !disturbed;
}

// A machine that is never quiet: figures from disturbed blocks, taken in turns all the same, are better than none, and said.
void Race::settle_for_disturbed() {
  const std::vector<Contender*> list = racing(contenders_);
  const bool lacking = std::any_of(list.begin(), list.end(), [](const Contender* c) { return c->timings.call_ns.empty(); });
  const bool noise_only = std::all_of(list.begin(), list.end(),
                                      [](const Contender* c) { return c->sent_home || !c->disturbed_timings.call_ns.empty(); });
  if (!lacking || !noise_only || list.empty()) return;
  for (Contender* contender : list) {
    if (contender->timings.call_ns.empty()) contender->timings = contender->disturbed_timings;
  }
  noisy_ = settled_ = true;
}

const Contender* fastest(const std::vector<Contender>& contenders) {
  const Contender* best = nullptr;
  for (const Contender& contender : contenders) {
    if (!contender.measured() || contender.dropped) continue;
    if (best == nullptr || contender.typical_ns() < best->typical_ns()) best = &contender;
  }
  return best;
}

// What is clearly behind in every pair so far has lost; the time is better spent on the others.
void Race::send_home() {
  const Contender* winner = fastest(contenders_);
  if (winner == nullptr) return;
  for (Contender& rival : contenders_) {
    if (&rival == winner || rival.sent_home || rival.dropped) continue;
    size_t pairs = 0;
    size_t behind = 0;
    for (size_t i = rival.judged_from; i < rival.timings.block_ns.size(); ++i) {
      const double ours = winner->timings.block_ns[i], theirs = rival.timings.block_ns[i];
      if (ours <= 0 || theirs <= 0) continue;
      ++pairs;
      behind += theirs > kClearlyBehind * ours ? 1 : 0;
    }
    rival.sent_home = pairs >= kPairsToSendHome && behind == pairs;
  }
}

// A machine may be slow for seconds in a way that hits one engine more than another (a neighbour on the core's other thread):
// who was sent home without being hopeless gets a second match later, judged by itself. True when somebody came back.
bool Race::recall() {
  if (std::exchange(recalled_, true)) return false;
  const Contender* winner = fastest(contenders_);
  if (winner == nullptr) return false;
  bool any = false;
  for (Contender& contender : contenders_) {
    if (!contender.sent_home || contender.typical_ns() > kWorthRecalling * winner->typical_ns()) continue;
    contender.sent_home = false;
    contender.judged_from = contender.timings.block_ns.size();
    any = true;
  }
  return any;
}

// Nothing left to learn: every rival is slower for sure or a tie.
bool Race::decided() const {
  const Contender* winner = fastest(contenders_);
  if (winner == nullptr || winner->timings.taken().size() < kPairsToDecide) return false;
  for (const Contender& rival : contenders_) {
    if (&rival == winner || !rival.measured() || rival.dropped || rival.sent_home) continue;
    if (compare(paired_ratio(winner->timings.block_ns, rival.timings.block_ns)) == Comparison::kUndecided) return false;
  }
  return true;
}

bool Race::enough_runs(const std::vector<Contender*>& racing) const {
  return std::all_of(racing.begin(), racing.end(),
                     [&](const Contender* contender) { return contender->timings.call_ns.size() >= rules_.runs_wanted; });
}

void Race::run() {
  std::vector<Contender*> order = racing(contenders_);
  const int64_t budget_ns = rules_.left_ns();
  int counted = 0;
  int uncounted = 0;
  for (int i = 0; i < kMostRounds && !order.empty() && !rules_.over(); ++i) {
    if (round(order))
      ++counted;
    else
      ++uncounted;
    std::reverse(order.begin(), order.end());
    send_home();
    std::erase_if(order, [](const Contender* c) { return !c->failure.ok() || c->sent_home; });
    rules_.show();
    const bool over_soon = rules_.left_ns() < budget_ns / 3;
    if ((decided() || over_soon) && recall())
      order = racing(contenders_);
    else if (decided() && enough_runs(order))
      break;
  }
  noisy_ = uncounted > counted;
  settle_for_disturbed();
}

}  // namespace axle
