#include "planner/split_search.h"

#include <algorithm>

#include "planner/cut_search.h"
#include "planner/pipeline_search.h"

namespace axle {
namespace {

constexpr size_t kMostCuts = 128;
constexpr uint64_t kFull = 1'000'000'000'000;  // a resource whose memory is used up
constexpr uint64_t kAnyFill = UINT64_MAX;
__extension__ typedef unsigned __int128 Wide;

struct Segment {
  int64_t ns = kNoWay;
  uint64_t fill = kAnyFill;  // share of the resource's memory, in parts of kFull
};

// The quickest way to get so far with a set of resources.
struct Reached {
  int64_t ns = kNoWay;
  size_t from = 0;  // cut point where the last part begins
  int32_t place = -1;
};

class SplitSearch {
 public:
  SplitSearch(const CutProblem& problem, const CutUses& uses, const std::vector<int32_t>& order,
              const std::vector<int32_t>& resource_of, const SplitMemory& memory)
      : problem_(problem), order_(order), resource_of_(resource_of), memory_(memory) {
    for (const int32_t resource : resource_of) resources_ = std::max(resources_, static_cast<size_t>(resource) + 1);
    resources_ = std::min(resources_, kMostStages);
    for (int32_t u = 0; u < problem.units; ++u) all_bytes_ += bytes_of(u, 0);
    choose_cuts();
    measure_segments(uses);
  }

  // The quickest split whose resources are at most so full.
  std::optional<CutPlan> run(uint64_t most_fill) const {
    std::vector<std::vector<Reached>> reached(size_t{1} << resources_, std::vector<Reached>(cuts_.size()));
    reached[0][0].ns = 0;
    for (size_t set = 0; set < reached.size(); ++set) {
      for (size_t from = 0; from + 1 < cuts_.size(); ++from) {
        if (reached[set][from].ns < kNoWay) extend(reached, set, from, most_fill);
      }
    }
    size_t best = 0;
    for (size_t set = 1; set < reached.size(); ++set) {
      const bool single = (set & (set - 1)) == 0;
      if (!single && reached[set].back().ns < (best == 0 ? kNoWay : reached[best].back().ns)) best = set;
    }
    if (best == 0) return std::nullopt;
    return plan_of(reached, best);
  }

  uint64_t fill_of(const CutPlan& plan) const {
    uint64_t fill = 0;
    for (const CutPart& part : plan.parts) {
      uint64_t bytes = 0;
      for (const int32_t unit : part.units) bytes += bytes_of(unit, part.place);
      fill = std::max(fill, fill_of(bytes, part.place));
    }
    return fill;
  }

 private:
  uint64_t bytes_of(int32_t unit, int32_t place) const { return memory_.unit_bytes[problem_.cell(unit, place)]; }
  size_t resource(int32_t place) const { return static_cast<size_t>(resource_of_[static_cast<size_t>(place)]); }

  // Of a resource whose size is not known: the share of the model.
  uint64_t fill_of(uint64_t bytes, int32_t place) const {
    const uint64_t known = memory_.capacity_bytes[resource(place)];
    const uint64_t whole = std::max<uint64_t>(known > 0 ? known : std::max(all_bytes_, bytes), 1);
    return static_cast<uint64_t>(static_cast<Wide>(bytes) * kFull / whole);
  }

  // Points between the units at which parts may end: all of them, or in each stretch the one that the fewest tensors cross.
  void choose_cuts() {
    const auto count = static_cast<size_t>(problem_.units);
    std::vector<size_t> place_of(count);
    for (size_t i = 0; i < count; ++i) place_of[static_cast<size_t>(order_[i])] = i;
    std::vector<int64_t> crossing(count + 2, 0);  // as differences first
    for (const CutTensor& tensor : problem_.tensors) {
      if (tensor.producer < 0 || tensor.consumers.empty()) continue;
      size_t last = 0;
      for (const int32_t unit : tensor.consumers) last = std::max(last, place_of[static_cast<size_t>(unit)]);
      ++crossing[place_of[static_cast<size_t>(tensor.producer)] + 1];
      --crossing[last + 1];
    }
    for (size_t i = 1; i <= count; ++i) crossing[i] += crossing[i - 1];
    const size_t stretches = std::min(kMostCuts, count);
    cuts_ = {0};
    for (size_t s = 0; s < stretches; ++s) {
      const size_t begin = 1 + s * (count - 1) / stretches, end = 1 + (s + 1) * (count - 1) / stretches;
      if (begin >= end) continue;
      const auto from = crossing.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto least = std::min_element(from, crossing.begin() + static_cast<std::ptrdiff_t>(end));
      cuts_.push_back(static_cast<size_t>(least - crossing.begin()));
    }
    cuts_.push_back(count);
  }

  size_t segment_index(size_t from, size_t to, int32_t place) const {
    return (from * cuts_.size() + to) * static_cast<size_t>(problem_.places) + static_cast<size_t>(place);
  }

  void measure_segments(const CutUses& uses) {
    segments_.assign(cuts_.size() * cuts_.size() * static_cast<size_t>(problem_.places), {});
    GrowingPart part(problem_, uses);
    for (size_t from = 0; from + 1 < cuts_.size(); ++from) {
      for (int32_t place = 0; place < problem_.places; ++place) {
        if (resource(place) >= resources_) continue;
        part.start(place);
        measure_from(part, from, place);
      }
    }
  }

  // All parts that begin there on that place, for as long as it takes the units and has room for them.
  void measure_from(GrowingPart& part, size_t from, int32_t place) {
    uint64_t bytes = 0;
    for (size_t to = from + 1; to < cuts_.size(); ++to) {
      for (size_t i = cuts_[to - 1]; i < cuts_[to]; ++i) {
        if (!problem_.takes(order_[i], place)) return;
        part.add(order_[i]);
        bytes += bytes_of(order_[i], place);
      }
      const uint64_t fill = fill_of(bytes, place);
      if (fill > kFull) return;
      segments_[segment_index(from, to, place)] = {part.cost_ns(), fill};
    }
  }

  void extend(std::vector<std::vector<Reached>>& reached, size_t set, size_t from, uint64_t most_fill) const {
    for (int32_t place = 0; place < problem_.places; ++place) {
      const size_t at = resource(place);
      if (at >= resources_ || (set >> at & 1) != 0) continue;
      const size_t larger = set | size_t{1} << at;
      for (size_t to = from + 1; to < cuts_.size(); ++to) {
        const Segment& segment = segments_[segment_index(from, to, place)];
        if (segment.ns >= kNoWay || segment.fill > most_fill) continue;
        const int64_t ns = reached[set][from].ns + segment.ns;
        if (ns < reached[larger][to].ns) reached[larger][to] = {ns, from, place};
      }
    }
  }

  CutPlan plan_of(const std::vector<std::vector<Reached>>& reached, size_t set) const {
    CutPlan plan;
    plan.cost_ns = reached[set].back().ns;
    for (size_t to = cuts_.size() - 1; set != 0;) {
      const Reached& last = reached[set][to];
      CutPart part{last.place, {}};
      for (size_t i = cuts_[last.from]; i < cuts_[to]; ++i) part.units.push_back(order_[i]);
      std::sort(part.units.begin(), part.units.end());
      plan.parts.push_back(std::move(part));
      to = last.from;
      set &= ~(size_t{1} << resource(last.place));
    }
    std::reverse(plan.parts.begin(), plan.parts.end());
    return plan;
  }

  const CutProblem& problem_;
  const std::vector<int32_t>& order_;
  const std::vector<int32_t>& resource_of_;
  const SplitMemory& memory_;
  size_t resources_ = 0;
  uint64_t all_bytes_ = 0;
  std::vector<size_t> cuts_;       // numbers of units before each cut point; the first is 0, the last all
  std::vector<Segment> segments_;  // between two cut points, per place
};

}  // namespace

std::optional<CutPlan> search_split(const CutProblem& problem, const std::vector<int32_t>& resource_of,
                                    const SplitMemory& memory) {
  const CutUses uses(problem);
  const std::vector<std::vector<int32_t>> orders = support_orders(problem, uses);
  std::optional<CutPlan> best;
  const std::vector<int32_t>* best_order = nullptr;
  for (const std::vector<int32_t>& order : orders) {
    std::optional<CutPlan> plan = SplitSearch(problem, uses, order, resource_of, memory).run(kAnyFill);
    if (!plan || (best && plan->cost_ns >= best->cost_ns)) continue;
    best = std::move(plan);
    best_order = &order;
  }
  if (!best) return best;
  // The quickest may put one unit on one resource and all others on the other: within 1 % the load is spread.
  const SplitSearch search(problem, uses, *best_order, resource_of, memory);
  const int64_t most_ns = best->cost_ns + best->cost_ns / 100;
  uint64_t high = search.fill_of(*best);
  for (uint64_t low = 0; high - low > high / 64 + 1;) {
    const uint64_t middle = low + (high - low) / 2;
    std::optional<CutPlan> plan = search.run(middle);
    const bool within = plan && plan->cost_ns <= most_ns;
    (within ? high : low) = middle;
    if (within) best = std::move(plan);
  }
  return best;
}

}  // namespace axle
