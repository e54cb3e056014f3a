#include "planner/pipeline_search.h"

#include <algorithm>
#include <limits>

#include "planner/cut_search.h"

namespace axle {
namespace {

// How far a set of resources gets, and how.
struct Reach {
  int32_t end = -1;    // units of the order that are done; -1 = not possible
  int32_t place = -1;  // of the last stage
  size_t before = 0;   // the set without it
};

class StageSearch {
 public:
  StageSearch(const CutProblem& problem, const CutUses& uses, const std::vector<int32_t>& order,
              const std::vector<int32_t>& resource_of)
      : problem_(problem), order_(order), resource_of_(resource_of), part_(problem, uses) {
    for (const int32_t resource : resource_of) resources_ = std::max(resources_, static_cast<size_t>(resource) + 1);
    resources_ = std::min(resources_, kMostStages);
  }

  // The least time of the slowest stage, and its cut.
  std::optional<CutPlan> run() {
    int64_t high = 0;
    for (int32_t p = 0; p < problem_.places; ++p) high = std::max(high, whole_ns(p));
    if (!stages_within(high)) return std::nullopt;
    for (int64_t low = 0; high - low > high / 1000 + 1;) {
      const int64_t middle = low + (high - low) / 2;
      (stages_within(middle) ? high : low) = middle;
    }
    CutPlan plan;
    plan.parts = *stages_within(high);
    for (const CutPart& part : plan.parts) plan.cost_ns = std::max(plan.cost_ns, cost_of_stage(part));
    return plan;
  }

 private:
  // Bound from above: every unit at its dearest here, where it is taken at all.
  int64_t whole_ns(int32_t place) const {
    int64_t ns = problem_.launch_ns[static_cast<size_t>(place)];
    for (int32_t u = 0; u < problem_.units; ++u) ns += problem_.takes(u, place) ? problem_.unit_ns[problem_.cell(u, place)] : 0;
    for (size_t t = 0; t < problem_.tensors.size(); ++t) {
      const size_t cell = problem_.cell(static_cast<int32_t>(t), place);
      if (problem_.in_ns[cell] < kNoWay) ns += problem_.in_ns[cell];
      if (problem_.out_ns[cell] < kNoWay) ns += problem_.out_ns[cell];
    }
    return ns;
  }

  // The farthest end of a stage that begins at `begin`, within the time and not beyond `most`.
  int32_t farthest(int32_t begin, int32_t place, int32_t most, int64_t within_ns) {
    part_.start(place);
    int32_t end = begin;
    int64_t units_ns = 0;
    for (int32_t i = begin; i < most; ++i) {
      const int32_t unit = order_[static_cast<size_t>(i)];
      if (!problem_.takes(unit, place)) break;
      units_ns += problem_.unit_ns[problem_.cell(unit, place)];
      if (units_ns > within_ns) break;
      part_.add(unit);
      if (part_.cost_ns() <= within_ns) end = i + 1;
    }
    return end;
  }

  std::optional<std::vector<CutPart>> stages_within(int64_t within_ns) {
    std::vector<Reach> reach(size_t{1} << resources_);
    reach[0].end = 0;
    for (size_t set = 0; set < reach.size(); ++set) {
      if (reach[set].end < 0) continue;
      if (reach[set].end == problem_.units) return stages_of(reach, set);
      for (int32_t p = 0; p < problem_.places; ++p) {
        const auto resource = static_cast<size_t>(resource_of_[static_cast<size_t>(p)]);
        if (resource >= resources_ || (set >> resource & 1) != 0) continue;
        const size_t larger = set | size_t{1} << resource;
        const int32_t end = farthest(reach[set].end, p, set == 0 ? problem_.units - 1 : problem_.units, within_ns);
        if (end > reach[set].end && end > reach[larger].end) reach[larger] = {end, p, set};
      }
    }
    return std::nullopt;
  }

  std::vector<CutPart> stages_of(const std::vector<Reach>& reach, size_t set) const {
    std::vector<CutPart> parts;
    for (; set != 0; set = reach[set].before) {
      CutPart part{reach[set].place, {}};
      for (int32_t i = reach[reach[set].before].end; i < reach[set].end; ++i)
        part.units.push_back(order_[static_cast<size_t>(i)]);
      std::sort(part.units.begin(), part.units.end());
      parts.push_back(std::move(part));
    }
    std::reverse(parts.begin(), parts.end());
    return parts;
  }

  int64_t cost_of_stage(const CutPart& part) {
    part_.start(part.place);
    for (const int32_t unit : order_) {
      if (std::binary_search(part.units.begin(), part.units.end(), unit)) part_.add(unit);
    }
    return part_.cost_ns();
  }

  const CutProblem& problem_;
  const std::vector<int32_t>& order_;
  const std::vector<int32_t>& resource_of_;
  GrowingPart part_;
  size_t resources_ = 0;
};

}  // namespace

std::optional<CutPlan> search_pipeline(const CutProblem& problem, const std::vector<int32_t>& resource_of) {
  const CutUses uses(problem);
  std::optional<CutPlan> best;
  for (const std::vector<int32_t>& order : support_orders(problem, uses)) {
    std::optional<CutPlan> plan = StageSearch(problem, uses, order, resource_of).run();
    if (!plan || plan->parts.size() < 2) continue;
    const auto rank = [](const CutPlan& p) { return std::pair(p.cost_ns, p.parts.size()); };
    if (!best || rank(*plan) < rank(*best)) best = std::move(plan);
  }
  return best;
}

}  // namespace axle
