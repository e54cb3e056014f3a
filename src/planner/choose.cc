// Long file: one choice, from the costs of the candidates to the word on each of them.
#include "planner/choose.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "base/text.h"
#include "planner/mixed_plan.h"
#include "planner/objective.h"
#include "planner/precision.h"

namespace axle {
namespace {

constexpr double kTieLow = 0.99, kTieHigh = 1.01;
constexpr double kUnpairedSlack = 1.1;
constexpr double kPresetGain = 1.02;

bool by_memory(const PlanningContext& context) { return context.input.policy.objective == Objective::kMemory; }

// A row without runs comes from a first look: its time was not taken side by side with the others'.
bool raced(const EvidenceRow& row) { return row.runs > 0; }

// What the objective orders by; the flags say whether it was measured, and in a race.
struct Cost {
  bool measured = false;
  int64_t value = 0;  // 0 = not known, worse than any other
  bool raced = false;
  bool simulated = false;
};

// Time per completed request. Who was measured with several callers goes before who was not.
Cost requests_cost(const Considered& c) {
  const BestRequests best = best_requests(c.evidence);
  if (best.request_ns == 0) return {false, c.estimate_ns};
  return {true, best.request_ns, !c.evidence.streams.empty()};
}

bool is_simulated(const Considered& c) {
  if (!c.mixed) return c.place.resource->simulated || c.place.facts->simulated;
  return std::any_of(c.mixed->parts.begin(), c.mixed->parts.end(),
                     [](const MixedPart& part) { return part.on.place.resource->simulated || part.on.place.facts->simulated; });
}

Cost cost_of(const PlanningContext& context, const Considered& c) {
  if (by_memory(context)) {
    if (c.evidence.memory != nullptr) return {true, static_cast<int64_t>(c.evidence.memory->peak_memory_bytes)};
    return {false, static_cast<int64_t>(c.estimate_bytes)};
  }
  if (const EvidenceRow* row = measured_energy(context, c)) return {true, row->energy_pj, true};
  if (by_rate(context)) {
    const EvidenceRow* row = c.evidence.timing;
    const int64_t value = taken(context, c, row != nullptr ? judged_ns(*row) : c.estimate_ns);
    return {row != nullptr && value > 0, value};
  }
  if (const EvidenceRow* row = c.evidence.timing; row != nullptr) return {true, judged_ns(*row), raced(*row)};
  return {false, c.estimate_ns};
}

// Simulated figures are never compared with real ones: what is real goes first.
bool cheaper(const Cost& a, const Cost& b) {
  if (a.simulated != b.simulated) return b.simulated;
  if (a.measured != b.measured) return a.measured;
  if (a.raced != b.raced) return a.raced;
  if ((a.value == 0) != (b.value == 0)) return a.value != 0;
  return a.value < b.value;
}

int preference(const std::vector<std::string>& order, const std::string& name) {
  const auto found = std::find(order.begin(), order.end(), name);
  return static_cast<int>(found - order.begin());
}

int preferred_by_pins(const PlanningContext& context, const Considered& c) {
  if (c.mixed) return c.mixed->preferences_met;
  return static_cast<int>(std::count_if(context.pins.begin(), context.pins.end(), [&](const SelectedPin& pin) {
    return pin.pin.prefer && (pin.whole || !pin.nodes.empty()) && meets(*pin.pin.prefer, c.candidate, *c.place.resource);
  }));
}

// How the policy's list of precisions orders this candidate.
int listed_at(const Demand& demand, const Considered& c) {
  return demand.precisions.size() < 2 ? 0 : preference(demand.precisions, c.candidate.precision);
}

auto resource_order(const Resource& resource) { return std::tuple(resource.kind, resource.index, resource.part, resource.id); }

std::string ratio_text(const TimeRatio& ratio) {
  if (ratio.paired)
    return fmt::format("{:.3f}x the time of the chosen one [{:.3f}, {:.3f}]", ratio.ratio, ratio.low, ratio.high);
  return fmt::format("{:.3f}x the time of the chosen one by separate medians", ratio.ratio);
}

class Chooser {
 public:
  Chooser(const PlanningContext& context, const Demand& demand, const std::vector<Considered>& admitted)
      : context_(context), demand_(demand), admitted_(admitted) {
    by_requests_ =
        context.input.policy.objective == Objective::kThroughput &&
        std::any_of(admitted.begin(), admitted.end(), [](const Considered& c) { return !c.evidence.streams.empty(); });
    for (const Considered& c : admitted) {
      costs_.push_back(by_requests_ ? requests_cost(c) : cost_of(context, c));
      costs_.back().simulated = is_simulated(c);
    }
  }

  Choice run() {
    std::vector<size_t> order(admitted_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return before(a, b); });
    keep_preferred_precision(order);
    choice_.chosen = costs_[order.front()].measured && !by_memory(context_) && !by_rate(context_) && !by_requests_
                         ? choose_measured(order)
                         : choose_by_cost(order);
    note_choice();
    for (size_t i = 0; i < admitted_.size(); ++i) choice_.decisions.push_back(decide(i));
    return std::move(choice_);
  }

 private:
  bool before(size_t a, size_t b) const {
    const int list_a = listed_at(demand_, admitted_[a]), list_b = listed_at(demand_, admitted_[b]);
    if (list_a != list_b) return list_a < list_b;
    if (cheaper(costs_[a], costs_[b])) return true;
    if (cheaper(costs_[b], costs_[a])) return false;
    return simpler(context_, admitted_[a], admitted_[b]);
  }

  // A list of precisions is an order of preference: only the first one that was admitted competes.
  void keep_preferred_precision(std::vector<size_t>& order) {
    preferred_ = listed_at(demand_, admitted_[order.front()]);
    std::erase_if(order, [&](size_t i) { return listed_at(demand_, admitted_[i]) != preferred_; });
    if (!costs_[order.front()].simulated) std::erase_if(order, [&](size_t i) { return costs_[i].simulated; });
  }

  const EvidenceRow& timing(size_t i) const { return *admitted_[i].evidence.timing; }

  // Paired measurements outrank separate medians: whoever beats the leader in a direct comparison takes its place.
  size_t choose_measured(const std::vector<size_t>& order) {
    size_t leader = order.front();
    for (const size_t i : order) {
      if (!costs_[i].measured) break;
      const TimeRatio ratio = time_ratio(timing(i), timing(leader));
      if (i != leader && ratio.paired && ratio.high < 1) leader = i;
    }
    size_t best = leader;
    for (const size_t i : order) {
      if (!costs_[i].measured || i == leader || !no_worse(time_ratio(timing(i), timing(leader)))) continue;
      if (simpler(context_, admitted_[i], admitted_[best])) best = i;
    }
    return without_preset(best);
  }

  // The best of many presets that differ in nothing but luck would always look a little faster than the default, and which one
  // it is would change from day to day: a preset has to win by more.
  size_t without_preset(size_t best) const {
    if (admitted_[best].mixed) return best;
    for (size_t i = 0; i < admitted_.size(); ++i) {
      if (!costs_[i].measured || admitted_[i].mixed || !is_default_of(admitted_[i].candidate, admitted_[best].candidate))
        continue;
      const TimeRatio ratio = time_ratio(timing(i), timing(best));
      if (ratio.paired && (ratio.low <= 1 || ratio.ratio <= kPresetGain)) return i;
    }
    return best;
  }

  // Without time measurements, what lies within 1 % is equal. Of a model whose cost is not known, all cores are the safer guess.
  size_t choose_by_cost(const std::vector<size_t>& order) {
    size_t best = order.front();
    const Cost least = costs_[best];
    for (const size_t i : order) {
      const bool known = costs_[i].value != 0;
      if (costs_[i].measured != least.measured || costs_[i].raced != least.raced || known != (least.value != 0) ||
          costs_[i].value - least.value > least.value / 100)
        continue;
      const int32_t more = known ? 0 : admitted_[i].candidate.threads - admitted_[best].candidate.threads;
      if (more > 0 || (more == 0 && simpler(context_, admitted_[i], admitted_[best]))) best = i;
    }
    return best;
  }

  void note_choice() {
    const Considered& chosen = admitted_[choice_.chosen];
    if (by_requests_ && !chosen.evidence.streams.empty()) {
      const BestRequests best = best_requests(chosen.evidence);
      const std::string joined = best.batch > 1 ? fmt::format(", up to {} rows together", best.batch) : "";
      choice_.notes.push_back(fmt::format("throughput is {:.1f} requests per second with {} caller{} at once{}, by measurement",
                                          best.per_s(), best.callers, best.callers == 1 ? "" : "s", joined));
    }
    if (by_rate(context_)) choice_.notes.push_back(rate_note(context_, chosen, costs_[choice_.chosen].value));
    if (chosen.evidence.timing == nullptr) {
      choice_.notes.push_back(
          chosen.learned.known()
              ? "chosen by estimate: nothing was measured here of this model on inputs of these shapes; `axle tune` measures"
          : chosen.estimate_ns > 0
              ? "chosen by estimate, which cannot tell engines apart: nothing was measured here; `axle tune` measures"
              : "chosen without measurement or estimate; `axle tune` measures");
    }
    if (chosen.evidence.timing != nullptr && context_.evidence.is_old(*chosen.evidence.timing)) {
      choice_.notes.push_back("the evidence is more than 90 days old; `axle tune` measures anew");
    }
  }

  std::string chosen_reason() const {
    const Considered& chosen = admitted_[choice_.chosen];
    const char* what = by_memory(context_)                                     ? "least memory"
                       : context_.input.policy.objective == Objective::kEnergy ? "least energy"
                       : context_.input.policy.objective == Objective::kCost   ? "lowest cost"
                       : by_requests_                                          ? "most requests per second"
                                                                               : "fastest";
    if (admitted_.size() == 1) return "the only candidate that passed every gate";
    if (costs_[choice_.chosen].measured) {
      const size_t all = admitted_.size(), measured = std::ranges::count(costs_, true, &Cost::measured);
      if (measured == all) return fmt::format("{} of {} candidates by measurement", what, all);
      if (measured == 1) return fmt::format("the only one measured of {} candidates", all);
      return fmt::format("{} of the {} that were measured, of {} candidates", what, measured, all);
    }
    if (chosen.estimate_ns == 0 && !by_memory(context_))
      return fmt::format("simplest of {} candidates; none was measured", admitted_.size());
    return fmt::format("{} of {} candidates by estimate; none was measured", what, admitted_.size());
  }

  Decision decide(size_t i) {
    const Considered& c = admitted_[i];
    Decision decision;
    decision.candidate = c.name();
    decision.estimate_ns = c.estimate_ns;
    decision.evidence = summarise(context_, c);
    if (i == choice_.chosen) {
      decision.verdict = DecisionVerdict::kChosen;
      decision.code = "CHOSEN";
      decision.reason = chosen_reason();
    } else if (listed_at(demand_, c) != preferred_) {
      decision.code = "PREFERENCE";
      decision.reason = fmt::format("the policy prefers {}, which passed", admitted_[choice_.chosen].candidate.precision);
    } else if (costs_[i].simulated && !costs_[choice_.chosen].simulated) {
      decision.code = "SIMULATED";
      decision.reason = "it is simulated: its figures are not compared with real ones";
    } else if (by_memory(context_)) {
      decide_by_memory(i, decision);
    } else if (by_rate(context_)) {
      decide_by_rate(i, decision);
    } else if (by_requests_) {
      decide_by_requests(i, decision);
    } else if (c.evidence.timing != nullptr && admitted_[choice_.chosen].evidence.timing != nullptr) {
      decide_measured(i, decision);
    } else {
      decide_unmeasured(i, decision);
    }
    return decision;
  }

  void decide_measured(size_t i, Decision& decision) {
    const TimeRatio ratio = time_ratio(timing(i), timing(choice_.chosen));
    if (ratio.paired) {
      decision.evidence->interval_low = ratio.low;
      decision.evidence->interval_high = ratio.high;
    }
    const std::string text = ratio_text(ratio);
    if (!ratio.paired && raced(timing(choice_.chosen)) && !raced(timing(i))) {
      decision.code = "SLOWER";
      decision.reason = "left behind in a first look, before the final comparison; an `axle tune` of its own may tell more";
    } else if (is_tie(ratio)) {
      decision.verdict = DecisionVerdict::kTie;
      decision.code = "TIE";
      decision.reason =
          fmt::format("a tie: {}, which is {}", text,
                      admitted_[choice_.chosen].name() == context_.input.incumbent ? "in use already" : "simpler");
      choice_.notes.push_back(fmt::format("{} is a tie: {}", decision.candidate, text));
    } else if (is_undecided(ratio)) {
      decision.code = "UNDECIDED";
      decision.reason = fmt::format("undecided: {}; a longer `axle tune` may decide it", text);
      choice_.notes.push_back(fmt::format("{} is undecided: {}", decision.candidate, text));
    } else if (ratio.paired && ratio.high < 1 && is_default_of(admitted_[choice_.chosen].candidate, admitted_[i].candidate)) {
      decision.code = "SMALL_GAIN";
      decision.reason = fmt::format("{}; a preset is taken when it gains more than {:.0f} %", text, (kPresetGain - 1) * 100);
    } else {
      decision.code = "SLOWER";
      decision.reason = text;
    }
  }

  void decide_by_memory(size_t i, Decision& decision) const {
    const auto size = [](const Cost& cost) { return format_size_bytes(cost.value) + (cost.measured ? "" : " by estimate"); };
    decision.verdict =
        costs_[i].measured || !costs_[choice_.chosen].measured ? DecisionVerdict::kRejected : DecisionVerdict::kNotMeasured;
    decision.code = "MORE_MEMORY";
    decision.reason = fmt::format("it needs {}, the chosen one {}", size(costs_[i]), size(costs_[choice_.chosen]));
    if (costs_[i].value <= costs_[choice_.chosen].value) {
      decision.reason += costs_[choice_.chosen].measured && !costs_[i].measured ? ", which was measured" : ", which is simpler";
    }
  }

  void decide_by_requests(size_t i, Decision& decision) const {
    const BestRequests best = best_requests(admitted_[i].evidence), most = best_requests(admitted_[choice_.chosen].evidence);
    decision.verdict = costs_[i].raced ? DecisionVerdict::kRejected : DecisionVerdict::kNotMeasured;
    decision.code = costs_[i].raced ? "SLOWER" : "NOT_MEASURED";
    if (!costs_[i].raced) {
      decision.reason = "not measured with several callers at once; candidates that were go first. `axle tune` measures it";
      return;
    }
    const std::string with = most.batch > 1 || best.batch > 1 ? most.callers_text() : std::to_string(most.callers);
    decision.reason = fmt::format("{:.1f} requests per second with {}, the chosen one {:.1f} with {}", best.per_s(),
                                  best.callers_text(), most.per_s(), with);
    if (costs_[i].value <= costs_[choice_.chosen].value + costs_[choice_.chosen].value / 100)
      decision.reason += ", which is simpler";
  }

  void decide_by_rate(size_t i, Decision& decision) const {
    const Cost &cost = costs_[i], &least = costs_[choice_.chosen];
    decision.verdict = cost.measured || !least.measured ? DecisionVerdict::kRejected : DecisionVerdict::kNotMeasured;
    const bool energy = context_.input.policy.objective == Objective::kEnergy;
    if (cost.value == 0) {
      decision.code = energy ? "NO_POWER" : "NO_PRICE";
      decision.reason = unknown_text(context_, admitted_[i]);
      return;
    }
    decision.code = energy ? "MORE_ENERGY" : "MORE_COST";
    if (least.raced && !cost.raced) {
      decision.code = "NOT_MEASURED";
      decision.verdict = DecisionVerdict::kNotMeasured;
      decision.reason = fmt::format(
          "its energy was not measured, by its profile it takes {}; candidates whose was go first. `axle tune` measures it",
          taken_text(context_, cost.value));
      return;
    }
    decision.reason = fmt::format("it takes {}, the chosen one {}{}", taken_text(context_, cost.value),
                                  taken_text(context_, least.value), least.measured ? "" : " by estimated times");
    if (cost.value <= least.value)
      decision.reason += least.measured && !cost.measured ? ", whose time was measured" : ", which is simpler";
  }

  void decide_unmeasured(size_t i, Decision& decision) const {
    decision.verdict = DecisionVerdict::kNotMeasured;
    const bool chosen_measured = costs_[choice_.chosen].measured;
    const Considered& chosen = admitted_[choice_.chosen];
    if (chosen_measured) {
      decision.code = "NOT_MEASURED";
      decision.reason = admitted_[i].evidence.outdated != nullptr
                            ? outdated_reason(context_, admitted_[i]) + "; `axle tune` measures it anew"
                            : "not measured here; candidates that were go first. `axle tune` measures it";
    } else if (admitted_[i].estimate_ns == chosen.estimate_ns && chosen.estimate_ns > 0) {
      decision.code = "NOT_MEASURED";
      decision.reason = "estimated equal to the chosen one, which is simpler; `axle tune` measures it";
    } else {
      decision.code = "ESTIMATE";
      decision.reason =
          chosen.estimate_ns > 0 && admitted_[i].estimate_ns > 0
              ? fmt::format("estimated {:.2f}x the time of the chosen one; `axle tune` measures it",
                            static_cast<double>(admitted_[i].estimate_ns) / static_cast<double>(chosen.estimate_ns))
              : "its cost cannot be estimated; `axle tune` measures it";
      if (admitted_[i].learned.known()) decision.reason += " (" + admitted_[i].learned.text() + ")";
    }
  }

  const PlanningContext& context_;
  const Demand& demand_;
  const std::vector<Considered>& admitted_;
  std::vector<Cost> costs_;
  int preferred_ = 0;
  bool by_requests_ = false;  // throughput, and somebody was measured with several callers
  Choice choice_;
};

}  // namespace

bool is_default_of(const Candidate& a, const Candidate& b) {
  return a.preset.starts_with("default") && !b.preset.starts_with("default") && a.engine == b.engine &&
         a.resource == b.resource && a.precision == b.precision && a.threads == b.threads;
}

bool is_tie(const TimeRatio& ratio) { return ratio.paired && ratio.low >= kTieLow && ratio.high <= kTieHigh; }

bool no_worse(const TimeRatio& ratio) { return is_tie(ratio) || (ratio.paired && ratio.low <= 1 && ratio.ratio <= kTieHigh); }

bool is_undecided(const TimeRatio& ratio) {
  if (is_tie(ratio)) return false;
  if (ratio.paired) return ratio.low <= 1 && ratio.high >= 1;
  return ratio.ratio < kUnpairedSlack && ratio.ratio > 1 / kUnpairedSlack;
}

bool simpler(const PlanningContext& context, const Considered& a, const Considered& b) {
  const auto rank = [&](const Considered& c) {
    return std::tuple(c.name() != context.input.incumbent, -preferred_by_pins(context, c), c.mixed != nullptr,
                      preference(context.input.policy.engines.prefer, c.candidate.engine),
                      c.place.resource->simulated || c.place.facts->simulated,
                      precision_distance(context.input.model, c.candidate.precision), !c.candidate.variant.empty(),
                      !c.candidate.preset.starts_with("default"), c.candidate.threads);
  };
  const auto rank_a = rank(a), rank_b = rank(b);
  if (rank_a != rank_b) return rank_a < rank_b;
  if (a.place.resource->id != b.place.resource->id)
    return resource_order(*a.place.resource) < resource_order(*b.place.resource);
  if (a.mixed || b.mixed) return a.name() < b.name();
  return std::tie(a.candidate.engine, a.candidate.precision, a.candidate.preset, a.candidate.variant) <
         std::tie(b.candidate.engine, b.candidate.precision, b.candidate.preset, b.candidate.variant);
}

Choice choose(const PlanningContext& context, const Demand& demand, const std::vector<Considered>& admitted) {
  return Chooser(context, demand, admitted).run();
}

}  // namespace axle
