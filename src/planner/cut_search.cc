#include "planner/cut_search.h"

#include <algorithm>

namespace axle {
namespace {

constexpr size_t kMostPartsToMerge = 64;

bool has_several_places(const CutPlan& plan) {
  return std::any_of(plan.parts.begin(), plan.parts.end(),
                     [&](const CutPart& part) { return part.place != plan.parts.front().place; });
}

// reaches[a][b]: part b reads, directly or not, what part a makes. Parts are in execution order.
std::vector<std::vector<bool>> reachability(const CutProblem& problem, const std::vector<CutPart>& parts) {
  std::vector<size_t> part_of(static_cast<size_t>(problem.units));
  for (size_t p = 0; p < parts.size(); ++p) {
    for (const int32_t unit : parts[p].units) part_of[static_cast<size_t>(unit)] = p;
  }
  std::vector<std::vector<bool>> reaches(parts.size(), std::vector<bool>(parts.size(), false));
  for (const CutTensor& tensor : problem.tensors) {
    if (tensor.producer < 0) continue;
    for (const int32_t unit : tensor.consumers)
      reaches[part_of[static_cast<size_t>(tensor.producer)]][part_of[static_cast<size_t>(unit)]] = true;
  }
  for (size_t a = parts.size(); a-- > 0;) {
    for (size_t b = a + 1; b < parts.size(); ++b) {
      for (size_t c = b + 1; reaches[a][b] && c < parts.size(); ++c) reaches[a][c] = reaches[a][c] || reaches[b][c];
    }
  }
  return reaches;
}

// Parts a < b as one, at a place in the order where everything it reads has run; nothing when that cannot be.
std::optional<std::vector<CutPart>> merged(const std::vector<CutPart>& parts, const std::vector<std::vector<bool>>& reaches,
                                           size_t a, size_t b) {
  std::vector<CutPart> before(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(a)), after;
  CutPart both = parts[a];
  both.units.insert(both.units.end(), parts[b].units.begin(), parts[b].units.end());
  std::sort(both.units.begin(), both.units.end());
  for (size_t between = a + 1; between < b; ++between) {
    const bool follows = reaches[a][between], precedes = reaches[between][b];
    if (follows && precedes) return std::nullopt;
    (follows ? after : before).push_back(parts[between]);
  }
  before.push_back(std::move(both));
  before.insert(before.end(), after.begin(), after.end());
  before.insert(before.end(), parts.begin() + static_cast<std::ptrdiff_t>(b) + 1, parts.end());
  return before;
}

bool merge_once(const CutProblem& problem, CutPlan& plan) {
  const auto reaches = reachability(problem, plan.parts);
  for (size_t a = 0; a < plan.parts.size(); ++a) {
    for (size_t b = a + 1; b < plan.parts.size(); ++b) {
      if (plan.parts[a].place != plan.parts[b].place) continue;
      auto parts = merged(plan.parts, reaches, a, b);
      if (!parts) continue;
      const int64_t ns = cost_of(problem, *parts);
      if (ns > plan.cost_ns || !is_executable(problem, *parts)) continue;
      plan = {std::move(*parts), ns, plan.exact};
      return true;
    }
  }
  return false;
}

void keep_better(std::optional<CutPlan>& known, std::optional<CutPlan> plan) {
  if (!plan) return;
  const auto key = [](const CutPlan& p) { return std::pair(p.cost_ns, p.parts.size()); };
  if (!known || key(*plan) < key(*known)) known = std::move(plan);
}

}  // namespace

void merge_parts(const CutProblem& problem, CutPlan& plan) {
  if (plan.parts.size() > kMostPartsToMerge) return;
  while (merge_once(problem, plan)) {
  }
}

std::vector<int32_t> uncovered_units(const CutProblem& problem) {
  std::vector<int32_t> uncovered;
  for (int32_t unit = 0; unit < problem.units; ++unit) {
    bool taken = false;
    for (int32_t place = 0; place < problem.places && !taken; ++place) taken = problem.takes(unit, place);
    if (!taken) uncovered.push_back(unit);
  }
  return uncovered;
}

CutFound search_cuts(const CutProblem& problem, const CutLimits& limits) {
  CutFound found;
  if (problem.units == 0 || problem.places == 0 || problem.places > 32) return found;
  const CutUses uses(problem);
  if (search_ideals(problem, uses, limits, found)) return found;
  found = {};
  for (const auto& order : support_orders(problem, uses)) {
    CutFound along = search_intervals(problem, uses, order, limits);
    for (auto* plan : {&along.best, &along.mixed}) {
      if (*plan) merge_parts(problem, **plan);
      if (*plan && has_several_places(**plan)) keep_better(found.mixed, *plan);
    }
    keep_better(found.best, std::move(along.best));
  }
  keep_better(found.best, found.mixed);
  return found;
}

}  // namespace axle
