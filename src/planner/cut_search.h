// Finding the cheapest cut. Two searches over the same costs:
// - over the order ideals of the graph (sets of units that are closed under "runs before"): every way to cut a graph into parts
//   that can run one after the other is a chain of ideals, so this finds the optimum. Their number is small for deep, narrow
//   graphs and explodes for wide ones; work is counted and the search gives up. (Tarnawski et al., Efficient algorithms for
//   device placement of DNN graph operators, NeurIPS 2020, place graphs over ideals in the same way.)
// - over the intervals of a few topological orders that keep units of equal support together: linear in the units for a bounded
//   number of cut points, never better than the first.
// Deterministic: work is counted, not timed; of equal costs fewer parts win, then the earlier place.
#pragma once

#include <optional>

#include "planner/cut_problem.h"

namespace axle {

struct CutLimits {
  size_t exact_units = 64;  // at most 64
  size_t exact_steps = 100'000;  // sets looked at before the exact search gives up
  size_t interval_steps = 20'000'000;  // units added to intervals, per order
};

struct CutFound {
  std::optional<CutPlan> best;
  std::optional<CutPlan> mixed;  // the cheapest with two places or more
};

// At most 32 places. Nothing is found when some unit is taken by no place, or no cut is allowed where one is needed.
CutFound search_cuts(const CutProblem& problem, const CutLimits& limits = {});

// Units that no place takes, ascending.
std::vector<int32_t> uncovered_units(const CutProblem& problem);

// ---- the steps, for tests

// False when it gave up: `found` is then empty.
bool search_ideals(const CutProblem& problem, const CutUses& uses, const CutLimits& limits, CutFound& found);
CutFound search_intervals(const CutProblem& problem, const CutUses& uses, const std::vector<int32_t>& order,
                          const CutLimits& limits);
// Topological orders to cut along: as given, by support, and for each place what it takes first. Each once.
std::vector<std::vector<int32_t>> support_orders(const CutProblem& problem, const CutUses& uses);
// Puts parts of one place together where the rest stays acyclic and it costs less.
void merge_parts(const CutProblem& problem, CutPlan& plan);

}  // namespace axle
