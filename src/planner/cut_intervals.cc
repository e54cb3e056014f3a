// The search along one topological order: parts are intervals of it.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "planner/cut_search.h"

namespace axle {
namespace {

class IntervalSearch {
 public:
  IntervalSearch(const CutProblem& problem, const CutUses& uses, const std::vector<int32_t>& order, const CutLimits& limits)
      : problem_(problem), order_(order), limits_(limits), count_(order.size()), part_(problem, uses), position_(count_, 0),
        reach_(count_ * static_cast<size_t>(problem.places), 0), is_cut_(count_ + 1, false), ways_((count_ + 1) * tags()) {
    for (size_t i = 0; i < count_; ++i) position_[static_cast<size_t>(order[i])] = i;
  }

  CutFound run() {
    find_reach();
    if (!choose_cuts()) return {};
    ways_[0] = {0, 0, 0, 0, -1};
    for (size_t start = 0; start < count_; ++start) {
      if (!is_cut_[start] || !reached(start)) continue;
      for (int32_t place = 0; place < problem_.places; ++place) extend(start, place);
    }
    CutFound found;
    size_t best = tags();
    for (size_t tag = 0; tag < tags(); ++tag) {
      const Way& way = ways_[count_ * tags() + tag];
      if (way.ns < kNoWay && (best == tags() || better(way, ways_[count_ * tags() + best]))) best = tag;
    }
    if (best < tags()) found.best = plan_of(best);
    if (ways_[count_ * tags() + tags() - 1].ns < kNoWay) found.mixed = plan_of(tags() - 1);
    return found;
  }

 private:
  struct Way {
    int64_t ns = kNoWay;
    int32_t parts = 0;
    size_t from = 0;
    size_t from_tag = 0;
    int32_t place = -1;
  };
  static bool better(const Way& a, const Way& b) { return a.ns != b.ns ? a.ns < b.ns : a.parts < b.parts; }
  size_t tags() const { return static_cast<size_t>(problem_.places) + 1; }
  bool reached(size_t at) const {
    return std::any_of(ways_.begin() + static_cast<std::ptrdiff_t>(at * tags()),
                       ways_.begin() + static_cast<std::ptrdiff_t>((at + 1) * tags()),
                       [](const Way& way) { return way.ns < kNoWay; });
  }
  size_t& reach(size_t start, int32_t place) {
    return reach_[start * static_cast<size_t>(problem_.places) + static_cast<size_t>(place)];
  }

  // How far a part that starts at a position can go on each place.
  void find_reach() {
    for (size_t at = count_; at-- > 0;) {
      for (int32_t place = 0; place < problem_.places; ++place) {
        if (!problem_.takes(order_[at], place))
          reach(at, place) = at;
        else
          reach(at, place) = at + 1 < count_ && problem_.takes(order_[at + 1], place) ? reach(at + 1, place) : at + 1;
      }
    }
  }

  // What cutting before each position hands over, at the dearest place.
  std::vector<int64_t> crossing_ns() const {
    std::vector<int64_t> change(count_ + 1, 0);
    for (size_t t = 0; t < problem_.tensors.size(); ++t) {
      const CutTensor& tensor = problem_.tensors[t];
      if (tensor.producer < 0 || tensor.consumers.empty()) continue;
      int64_t ns = 1;
      for (int32_t place = 0; place < problem_.places; ++place) {
        const size_t cell = problem_.cell(static_cast<int32_t>(t), place);
        ns = std::max(ns, std::min(problem_.in_ns[cell] + problem_.out_ns[cell], kNoWay / 4096));
      }
      size_t last = 0;
      for (const int32_t unit : tensor.consumers) last = std::max(last, position_[static_cast<size_t>(unit)]);
      const size_t made = position_[static_cast<size_t>(tensor.producer)];
      change[made + 1] += ns;
      change[last + 1 <= count_ ? last + 1 : count_] -= ns;
    }
    std::partial_sum(change.begin(), change.end(), change.begin());
    return change;
  }

  bool support_changes(size_t at) const {
    for (int32_t place = 0; place < problem_.places; ++place) {
      if (problem_.takes(order_[at - 1], place) != problem_.takes(order_[at], place)) return true;
    }
    return false;
  }

  // Orders positions so that any number of the first lie spread over the whole.
  static uint64_t scattered(size_t at) {
    uint64_t reversed = 0;
    for (int bit = 0; bit < 32; ++bit) reversed |= (static_cast<uint64_t>(at) >> bit & 1) << (31 - bit);
    return reversed;
  }

  // All positions where they can be afforded; else those that any plan needs, then where support changes, then where least
  // crosses.
  bool choose_cuts() {
    is_cut_[0] = is_cut_[count_] = true;
    size_t steps = 0;
    const auto steps_from = [&](size_t start) {
      size_t sum = 0;
      for (int32_t place = 0; place < problem_.places; ++place) sum += reach(start, place) - start;
      return sum;
    };
    for (size_t at = 0; at < count_;) {
      size_t furthest = at;
      for (int32_t place = 0; place < problem_.places; ++place) furthest = std::max(furthest, reach(at, place));
      if (furthest == at) return false;  // nothing takes this unit
      is_cut_[at] = true;
      steps += steps_from(at);
      at = furthest;
    }
    const std::vector<int64_t> crossing = crossing_ns();
    std::vector<size_t> others;
    for (size_t at = 1; at < count_; ++at) {
      if (!is_cut_[at]) others.push_back(at);
    }
    std::sort(others.begin(), others.end(), [&](size_t a, size_t b) {
      const auto key = [&](size_t at) { return std::tuple(!support_changes(at), crossing[at], scattered(at), at); };
      return key(a) < key(b);
    });
    for (const size_t at : others) {
      steps += steps_from(at);
      if (steps > limits_.interval_steps) break;
      is_cut_[at] = true;
    }
    return true;
  }

  void extend(size_t start, int32_t place) {
    part_.start(place);
    for (size_t at = start; at < reach(start, place); ++at) {
      part_.add(order_[at]);
      if (!is_cut_[at + 1]) continue;
      const int64_t ns = part_.cost_ns();
      if (ns >= kNoWay) continue;
      for (size_t tag = 0; tag < tags(); ++tag) {
        const Way& before = ways_[start * tags() + tag];
        if (before.ns >= kNoWay) continue;
        const bool alone = start == 0 || tag == static_cast<size_t>(place);
        const size_t new_tag = alone ? static_cast<size_t>(place) : tags() - 1;
        const Way way{before.ns + ns, before.parts + 1, start, tag, place};
        Way& known = ways_[(at + 1) * tags() + new_tag];
        if (way.ns < kNoWay && better(way, known)) known = way;
      }
    }
  }

  CutPlan plan_of(size_t tag) const {
    CutPlan plan;
    plan.cost_ns = ways_[count_ * tags() + tag].ns;
    for (size_t at = count_; at > 0;) {
      const Way& way = ways_[at * tags() + tag];
      CutPart part{way.place,
                   {order_.begin() + static_cast<std::ptrdiff_t>(way.from), order_.begin() + static_cast<std::ptrdiff_t>(at)}};
      std::sort(part.units.begin(), part.units.end());
      plan.parts.push_back(std::move(part));
      at = way.from;
      tag = way.from_tag;
    }
    std::reverse(plan.parts.begin(), plan.parts.end());
    return plan;
  }

  const CutProblem& problem_;
  const std::vector<int32_t>& order_;
  const CutLimits& limits_;
  size_t count_;
  GrowingPart part_;
  std::vector<size_t> position_;
  std::vector<size_t> reach_;
  std::vector<bool> is_cut_;
  std::vector<Way> ways_;  // [position * tags + tag]; tag = the place that ran all before, or the last for several
};

}  // namespace

CutFound search_intervals(const CutProblem& problem, const CutUses& uses, const std::vector<int32_t>& order,
                          const CutLimits& limits) {
  return IntervalSearch(problem, uses, order, limits).run();
}

}  // namespace axle
