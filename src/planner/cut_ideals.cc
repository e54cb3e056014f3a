// The exact search, over ideals held as bit sets.
#include <algorithm>
#include <array>
#include <bit>
#include <unordered_map>
#include <utility>

#include "planner/cut_search.h"

namespace axle {
namespace {

using Set = uint64_t;

// The cheapest way to a state. A state is an ideal and a tag: which single place ran all of it, or `places` for several.
struct Way {
  int64_t ns = kNoWay;
  int32_t parts = 0;
  int32_t from = -1;      // ideal before the last part
  int32_t from_tag = -1;
  int32_t place = -1;     // of the last part
};

class IdealSearch {
 public:
  IdealSearch(const CutProblem& problem, const CutUses& uses, const CutLimits& limits)
      : problem_(problem), limits_(limits), part_(problem, uses), levels_(static_cast<size_t>(problem.units) + 1) {
    for (const auto& before : uses.predecessors) {
      Set set = 0;
      for (const int32_t unit : before) set |= Set{1} << unit;
      predecessors_.push_back(set);
    }
  }

  bool run(CutFound& found) {
    const int32_t empty = state_of(0);
    ways(empty)[0] = {0, 0, -1, -1, -1};
    // Indices, not iterators: growing a part adds states to higher levels.
    for (size_t level = 0; level + 1 < levels_.size(); ++level) {
      for (size_t i = 0; i < levels_[level].size(); ++i) {
        for (int32_t place = 0; place < problem_.places; ++place) {
          if (only_ends_on(levels_[level][i], place)) continue;
          part_.start(place);
          ++generation_;
          if (!grow(levels_[level][i], ideals_[static_cast<size_t>(levels_[level][i])], place)) return false;
        }
      }
    }
    const auto whole = index_.find(all());
    if (whole == index_.end()) return true;
    int32_t best = -1;
    for (int32_t tag = 0; tag <= problem_.places; ++tag) {
      const Way& way = ways(whole->second)[tag];
      if (way.ns < kNoWay && (best < 0 || better(way, ways(whole->second)[best]))) best = tag;
    }
    if (best >= 0) found.best = plan_of(whole->second, best);
    if (ways(whole->second)[problem_.places].ns < kNoWay) found.mixed = plan_of(whole->second, problem_.places);
    return true;
  }

 private:
  static bool better(const Way& a, const Way& b) { return a.ns != b.ns ? a.ns < b.ns : a.parts < b.parts; }
  Set all() const { return problem_.units == 64 ? ~Set{0} : (Set{1} << problem_.units) - 1; }
  // The empty ideal has one way, at tag 0.
  Way* ways(int32_t state) { return ways_.data() + static_cast<size_t>(state) * (static_cast<size_t>(problem_.places) + 1); }

  int32_t state_of(Set ideal) {
    const auto [at, fresh] = index_.emplace(ideal, static_cast<int32_t>(ideals_.size()));
    if (fresh) {
      ideals_.push_back(ideal);
      ways_.resize(ways_.size() + static_cast<size_t>(problem_.places) + 1);
      levels_[static_cast<size_t>(std::popcount(ideal))].push_back(at->second);
    }
    return at->second;
  }

  void relax(int32_t from, Set to, int32_t place) {
    const int64_t ns = part_.cost_ns();
    if (ns >= kNoWay) return;
    const int32_t state = state_of(to);
    const bool first = ideals_[static_cast<size_t>(from)] == 0;
    for (int32_t tag = 0; tag <= problem_.places; ++tag) {
      const Way& before = ways(from)[tag];
      if (before.ns >= kNoWay) continue;
      const int32_t new_tag = first || tag == place ? place : problem_.places;
      const Way way{before.ns + ns, before.parts + 1, from, tag, place};
      if (way.ns < kNoWay && better(way, ways(state)[new_tag])) ways(state)[new_tag] = way;
    }
  }

  // Two parts in a row on one place never cost less than one, which was looked at when the first began.
  bool only_ends_on(int32_t state, int32_t place) {
    const Way* all_ways = ways(state);
    return std::all_of(all_ways, all_ways + problem_.places + 1,
                       [&](const Way& way) { return way.ns >= kNoWay || way.place == place; });
  }

  // Adds to the part every unit that can come next, in all orders; each set is looked at once.
  bool grow(int32_t from, Set done, int32_t place) {
    for (int32_t unit = 0; unit < problem_.units; ++unit) {
      const Set bit = Set{1} << unit;
      if ((done & bit) != 0 || (predecessors_[static_cast<size_t>(unit)] & ~done) != 0 || !problem_.takes(unit, place))
        continue;
      uint32_t& seen = seen_[done | bit];
      if (std::exchange(seen, generation_) == generation_) continue;
      if (++steps_ > limits_.exact_steps) return false;
      part_.add(unit);
      relax(from, done | bit, place);
      const bool finished = grow(from, done | bit, place);
      part_.remove_last();
      if (!finished) return false;
    }
    return true;
  }

  CutPlan plan_of(int32_t state, int32_t tag) {
    CutPlan plan;
    plan.cost_ns = ways(state)[tag].ns;
    plan.exact = true;
    while (ideals_[static_cast<size_t>(state)] != 0) {
      const Way way = ways(state)[tag];
      CutPart part{way.place, {}};
      const Set units = ideals_[static_cast<size_t>(state)] & ~ideals_[static_cast<size_t>(way.from)];
      for (int32_t unit = 0; unit < problem_.units; ++unit) {
        if ((units >> unit & 1) != 0) part.units.push_back(unit);
      }
      plan.parts.push_back(std::move(part));
      state = way.from;
      tag = way.from_tag;
    }
    std::reverse(plan.parts.begin(), plan.parts.end());
    return plan;
  }

  const CutProblem& problem_;
  const CutLimits& limits_;
  GrowingPart part_;
  std::vector<Set> predecessors_;
  std::vector<std::vector<int32_t>> levels_;  // states by size of their ideal
  std::vector<Set> ideals_;
  std::vector<Way> ways_;
  std::unordered_map<Set, int32_t> index_;
  std::unordered_map<Set, uint32_t> seen_;  // when a set was last looked at: clearing a large set costs more than a search
  uint32_t generation_ = 0;
  size_t steps_ = 0;
};

}  // namespace

bool search_ideals(const CutProblem& problem, const CutUses& uses, const CutLimits& limits, CutFound& found) {
  if (static_cast<size_t>(problem.units) > std::min<size_t>(limits.exact_units, 64)) return false;
  return IdealSearch(problem, uses, limits).run(found);
}

}  // namespace axle
