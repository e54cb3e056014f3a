#include "planner/cut_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>

namespace axle {
namespace {

using Random = std::mt19937;

int64_t below(Random& random, int64_t bound) { return static_cast<int64_t>(random() % static_cast<uint64_t>(bound)); }

struct Shape {
  int32_t units = 6;
  int32_t places = 2;
  int64_t refused_percent = 25;   // of unit and place pairs
  int64_t blocked_percent = 3;    // of tensor and place pairs, each way
};

// A random graph: every unit reads up to three earlier results or inputs of the caller.
CutProblem random_problem(Random& random, const Shape& shape) {
  CutProblem problem;
  problem.units = shape.units;
  problem.places = shape.places;
  std::vector<CutTensor> tensors(2);  // inputs of the caller
  for (int32_t unit = 0; unit < shape.units; ++unit) {
    for (int64_t reads = 1 + below(random, 3); reads > 0; --reads) {
      const auto known = static_cast<int64_t>(tensors.size());
      const int64_t recent = std::max<int64_t>(0, known - 6);
      tensors[static_cast<size_t>(recent + below(random, known - recent))].consumers.push_back(unit);
    }
    for (int64_t makes = 1 + below(random, 2); makes > 0; --makes) {
      CutTensor tensor;
      tensor.producer = unit;
      tensor.is_output = below(random, 6) == 0;
      tensors.push_back(tensor);
    }
  }
  for (CutTensor& tensor : tensors) {
    auto& list = tensor.consumers;
    std::erase(list, tensor.producer);
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  problem.tensors = std::move(tensors);
  const auto cost = [&](int64_t most, int64_t refused) { return below(random, 100) < refused ? kNoWay : below(random, most); };
  for (int32_t i = 0; i < problem.units * problem.places; ++i) problem.unit_ns.push_back(cost(1000, shape.refused_percent));
  for (size_t i = 0; i < problem.tensors.size() * static_cast<size_t>(problem.places); ++i) {
    problem.in_ns.push_back(cost(200, shape.blocked_percent));
    problem.out_ns.push_back(cost(200, shape.blocked_percent));
  }
  for (int32_t place = 0; place < problem.places; ++place) problem.launch_ns.push_back(below(random, 150));
  return problem;
}

// Under a sanitizer, unoptimised, the search takes thirty times as long.
#ifdef AXLE_SANITIZED
constexpr int kFewer = 8;
#else
constexpr int kFewer = 1;
#endif

// ---- brute force, written without what it checks

using Set = uint32_t;

int64_t part_cost(const CutProblem& problem, Set units, int32_t place) {
  int64_t total = problem.launch_ns[static_cast<size_t>(place)];
  for (int32_t unit = 0; unit < problem.units; ++unit) {
    if ((units >> unit & 1) != 0) total += problem.unit_ns[problem.cell(unit, place)];
  }
  for (size_t t = 0; t < problem.tensors.size(); ++t) {
    const CutTensor& tensor = problem.tensors[t];
    Set readers = 0;
    for (const int32_t unit : tensor.consumers) readers |= Set{1} << unit;
    const bool made_here = tensor.producer >= 0 && (units >> tensor.producer & 1) != 0;
    const size_t cell = problem.cell(static_cast<int32_t>(t), place);
    if (!made_here && (readers & units) != 0) total += problem.in_ns[cell];
    if (made_here && (tensor.is_output || (readers & ~units) != 0)) total += problem.out_ns[cell];
    total = std::min(total, kNoWay * 2);
  }
  return std::min(total, kNoWay);
}

bool is_acyclic(const CutProblem& problem, const std::vector<int32_t>& label, int32_t labels) {
  std::vector<Set> after(static_cast<size_t>(labels), 0);
  for (const CutTensor& tensor : problem.tensors) {
    for (const int32_t unit : tensor.consumers) {
      if (tensor.producer < 0) continue;
      const int32_t from = label[static_cast<size_t>(tensor.producer)], to = label[static_cast<size_t>(unit)];
      if (from != to) after[static_cast<size_t>(from)] |= Set{1} << to;
    }
  }
  Set done = 0;
  for (int32_t round = 0; round < labels; ++round) {
    for (int32_t part = 0; part < labels; ++part) {
      if ((after[static_cast<size_t>(part)] & ~done) == 0) done |= Set{1} << part;
    }
  }
  return done == (Set{1} << labels) - 1;
}

struct Least {
  int64_t any = kNoWay;
  int64_t mixed = kNoWay;
};

// The cheapest places for given parts: one place for all, or several.
void judge(const std::vector<std::vector<int64_t>>& cost, const std::vector<Set>& parts, int32_t places, Least& least) {
  std::vector<int64_t> one(static_cast<size_t>(places), 0);
  int64_t several = kNoWay;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto& here = cost[parts[i]];
    int64_t next = kNoWay;
    for (int32_t p = 0; p < places; ++p) {
      next = std::min(next, several + here[static_cast<size_t>(p)]);
      for (int32_t q = 0; q < places; ++q) {
        if (i > 0 && q != p) next = std::min(next, one[static_cast<size_t>(q)] + here[static_cast<size_t>(p)]);
      }
    }
    for (int32_t p = 0; p < places; ++p)
      one[static_cast<size_t>(p)] = std::min(one[static_cast<size_t>(p)] + here[static_cast<size_t>(p)], kNoWay);
    several = std::min(next, kNoWay);
  }
  least.mixed = std::min(least.mixed, several);
  least.any = std::min({least.any, several, *std::min_element(one.begin(), one.end())});
}

// Every way to divide the units into parts that can run one after the other.
Least brute_force(const CutProblem& problem) {
  std::vector<std::vector<int64_t>> cost(size_t{1} << problem.units);
  for (Set set = 1; set < cost.size(); ++set) {
    for (int32_t place = 0; place < problem.places; ++place) cost[set].push_back(part_cost(problem, set, place));
  }
  Least least;
  std::vector<int32_t> label(static_cast<size_t>(problem.units), 0);
  const std::function<void(int32_t, int32_t)> divide = [&](int32_t unit, int32_t labels) {
    if (unit == problem.units) {
      if (!is_acyclic(problem, label, labels)) return;
      std::vector<Set> parts(static_cast<size_t>(labels), 0);
      for (int32_t u = 0; u < problem.units; ++u) parts[static_cast<size_t>(label[static_cast<size_t>(u)])] |= Set{1} << u;
      judge(cost, parts, problem.places, least);
      return;
    }
    for (int32_t l = 0; l <= labels; ++l) {
      label[static_cast<size_t>(unit)] = l;
      divide(unit + 1, std::max(labels, l + 1));
    }
  };
  divide(0, 0);
  return least;
}

// Every way to cut one order into intervals.
Least brute_force_along(const CutProblem& problem, const std::vector<int32_t>& order) {
  Least least;
  for (Set cuts = 0; cuts < Set{1} << (problem.units - 1); ++cuts) {
    std::vector<std::vector<int64_t>> cost;
    std::vector<Set> parts;
    Set part = 0;
    for (int32_t i = 0; i < problem.units; ++i) {
      part |= Set{1} << order[static_cast<size_t>(i)];
      if (i + 1 < problem.units && (cuts >> i & 1) == 0) continue;
      cost.emplace_back();
      for (int32_t place = 0; place < problem.places; ++place) cost.back().push_back(part_cost(problem, part, place));
      parts.push_back(static_cast<Set>(cost.size() - 1));
      part = 0;
    }
    judge(cost, parts, problem.places, least);
  }
  return least;
}

int64_t cost_or_no_way(const std::optional<CutPlan>& plan) { return plan ? plan->cost_ns : kNoWay; }

void expect_sound(const CutProblem& problem, const std::optional<CutPlan>& plan, bool mixed) {
  if (!plan) return;
  EXPECT_TRUE(is_executable(problem, plan->parts));
  EXPECT_EQ(cost_of(problem, plan->parts), plan->cost_ns);
  const bool several = std::any_of(plan->parts.begin(), plan->parts.end(),
                                   [&](const CutPart& part) { return part.place != plan->parts.front().place; });
  EXPECT_TRUE(several || !mixed);
}

TEST(CutSearch, FindsWhatBruteForceOverAllCutsFinds) {
  Random random(1);
  int found = 0, none = 0;
  for (int round = 0; round < 400; ++round) {
    Shape shape;
    shape.units = 1 + static_cast<int32_t>(below(random, 7));
    shape.places = 1 + static_cast<int32_t>(below(random, 3));
    const CutProblem problem = random_problem(random, shape);
    const Least least = brute_force(problem);
    const CutFound cuts = search_cuts(problem);
    ASSERT_EQ(cost_or_no_way(cuts.best), least.any) << "round " << round;
    ASSERT_EQ(cost_or_no_way(cuts.mixed), least.mixed) << "round " << round;
    expect_sound(problem, cuts.best, false);
    expect_sound(problem, cuts.mixed, true);
    ++(cuts.best ? found : none);
  }
  EXPECT_GT(found, 100);
  EXPECT_GT(none, 10);
}

TEST(CutSearch, FindsWhatBruteForceFindsOnTenUnits) {
  Random random(2);
  for (int round = 0; round < 8 / kFewer; ++round) {
    const CutProblem problem = random_problem(random, {10, 3, 15, 2});
    const Least least = brute_force(problem);
    const CutFound cuts = search_cuts(problem);
    EXPECT_EQ(cost_or_no_way(cuts.best), least.any) << "round " << round;
    EXPECT_EQ(cost_or_no_way(cuts.mixed), least.mixed) << "round " << round;
  }
}

TEST(CutSearch, FindsTheBestCutOfAnOrder) {
  Random random(3);
  for (int round = 0; round < 150; ++round) {
    const CutProblem problem = random_problem(random, {2 + static_cast<int32_t>(below(random, 9)), 3, 20, 3});
    const CutUses uses(problem);
    for (const auto& order : support_orders(problem, uses)) {
      const Least least = brute_force_along(problem, order);
      const CutFound cuts = search_intervals(problem, uses, order, {});
      ASSERT_EQ(cost_or_no_way(cuts.best), least.any);
      ASSERT_EQ(cost_or_no_way(cuts.mixed), least.mixed);
      expect_sound(problem, cuts.best, false);
      expect_sound(problem, cuts.mixed, true);
    }
  }
}

TEST(CutSearch, PlansOfLargeGraphsAreSoundAndNeverBeatTheOptimum) {
  Random random(4);
  int exact = 0, searched = 0;
  for (int round = 0; round < 60 / kFewer; ++round) {
    const CutProblem problem = random_problem(random, {5 + static_cast<int32_t>(below(random, 50)), 3, 20, 0});
    CutLimits limits;
    limits.exact_units = 0;
    const CutFound along = search_cuts(problem, limits);
    expect_sound(problem, along.best, false);
    expect_sound(problem, along.mixed, true);
    CutFound all;
    if (!search_ideals(problem, CutUses(problem), {}, all)) continue;
    ++searched;
    ASSERT_LE(cost_or_no_way(all.best), cost_or_no_way(along.best));
    expect_sound(problem, all.best, false);
    exact += cost_or_no_way(all.best) == cost_or_no_way(along.best) ? 1 : 0;
  }
  RecordProperty("searched_exactly", searched);
  RecordProperty("order_search_was_exact", exact);
  EXPECT_GT(searched, 5 / kFewer);
}

TEST(CutSearch, OrdersAreTopological) {
  Random random(5);
  for (int round = 0; round < 40; ++round) {
    const CutProblem problem = random_problem(random, {40, 3, 40, 0});
    const CutUses uses(problem);
    const auto orders = support_orders(problem, uses);
    ASSERT_FALSE(orders.empty());
    for (const auto& order : orders) {
      std::vector<int32_t> position(static_cast<size_t>(problem.units), -1);
      for (size_t i = 0; i < order.size(); ++i) position[static_cast<size_t>(order[i])] = static_cast<int32_t>(i);
      for (int32_t unit = 0; unit < problem.units; ++unit) {
        ASSERT_GE(position[static_cast<size_t>(unit)], 0);
        for (const int32_t before : uses.predecessors[static_cast<size_t>(unit)])
          EXPECT_LT(position[static_cast<size_t>(before)], position[static_cast<size_t>(unit)]);
      }
    }
  }
}

TEST(CutSearch, SaysWhatNoPlaceTakes) {
  Random random(6);
  CutProblem problem = random_problem(random, {5, 2, 0, 0});
  problem.unit_ns[problem.cell(3, 0)] = problem.unit_ns[problem.cell(3, 1)] = kNoWay;
  EXPECT_EQ(uncovered_units(problem), std::vector<int32_t>{3});
  EXPECT_FALSE(search_cuts(problem).best);
  EXPECT_FALSE(search_cuts({}).best);
}

// Many units that do not depend on each other: the exact search gives up after its steps, and the other finds a plan.
TEST(CutSearch, GivesUpOnWideGraphs) {
  CutProblem problem;
  problem.units = 40;
  problem.places = 2;
  problem.tensors.resize(40);
  for (int32_t unit = 0; unit < 40; ++unit) {
    problem.tensors[static_cast<size_t>(unit)].producer = unit;
    problem.tensors[static_cast<size_t>(unit)].is_output = true;
    problem.unit_ns.insert(problem.unit_ns.end(), {unit % 3 == 0 ? kNoWay : 10, unit % 3 == 1 ? kNoWay : 10});
  }
  problem.in_ns.assign(80, 1);
  problem.out_ns.assign(80, 1);
  problem.launch_ns = {100, 100};
  CutFound exact;
  EXPECT_FALSE(search_ideals(problem, CutUses(problem), {}, exact));
  const CutFound found = search_cuts(problem);
  ASSERT_TRUE(found.best);
  EXPECT_FALSE(found.best->exact);
  EXPECT_EQ(found.best->parts.size(), 2u);
  EXPECT_TRUE(is_executable(problem, found.best->parts));
}

// input -> unit 0 -> unit 1 -> ... ; place 0 takes all but those in `gaps`, place 1 takes all.
CutProblem chain(int32_t units, const std::vector<int32_t>& gaps, int64_t fast_ns, int64_t slow_ns, int64_t crossing_ns) {
  CutProblem problem;
  problem.units = units;
  problem.places = 2;
  problem.tensors.resize(static_cast<size_t>(units) + 1);
  for (int32_t unit = 0; unit < units; ++unit) {
    const bool gap = std::find(gaps.begin(), gaps.end(), unit) != gaps.end();
    problem.unit_ns.insert(problem.unit_ns.end(), {gap ? kNoWay : fast_ns, slow_ns});
    problem.tensors[static_cast<size_t>(unit)].consumers = {unit};
    problem.tensors[static_cast<size_t>(unit) + 1].producer = unit;
  }
  problem.tensors.back().is_output = true;
  for (size_t t = 0; t < problem.tensors.size(); ++t) {
    problem.in_ns.insert(problem.in_ns.end(), {crossing_ns, 0});
    problem.out_ns.insert(problem.out_ns.end(), {crossing_ns, 0});
  }
  problem.launch_ns = {10, 10};
  return problem;
}

TEST(CutSearch, CutsAroundAGapWhenCrossingIsCheap) {
  const CutFound cuts = search_cuts(chain(9, {4}, 10, 100, 20));
  ASSERT_TRUE(cuts.best);
  ASSERT_EQ(cuts.best->parts.size(), 3u);
  EXPECT_EQ(cuts.best->parts[1], (CutPart{1, {4}}));
  EXPECT_TRUE(cuts.best->exact);
}

TEST(CutSearch, StaysOnOnePlaceWhenCrossingIsDear) {
  const CutFound cuts = search_cuts(chain(9, {4}, 10, 100, 2000));
  ASSERT_TRUE(cuts.best && cuts.mixed);
  EXPECT_EQ(cuts.best->parts.size(), 1u);
  EXPECT_EQ(cuts.best->parts[0].place, 1);
  EXPECT_GT(cuts.mixed->cost_ns, cuts.best->cost_ns);
}

// Two branches, one supported each: parts of one place that are not neighbours in the order become one.
TEST(CutSearch, MergesPartsThatDoNotDependOnEachOther) {
  CutProblem problem = chain(2, {}, 10, 10, 0);
  problem.units = 4;
  problem.tensors.clear();
  problem.tensors.resize(5);
  problem.tensors[0].consumers = {0, 1};
  for (int32_t unit = 0; unit < 4; ++unit) {
    problem.tensors[static_cast<size_t>(unit) + 1].producer = unit;
    if (unit < 2)
      problem.tensors[static_cast<size_t>(unit) + 1].consumers = {unit + 2};
    else
      problem.tensors[static_cast<size_t>(unit) + 1].is_output = true;
  }
  problem.unit_ns = {10, kNoWay, kNoWay, 10, 10, kNoWay, kNoWay, 10};  // 0 and 2 on the first place, 1 and 3 on the second
  problem.in_ns.assign(10, 1);
  problem.out_ns.assign(10, 1);
  CutPlan plan{{{0, {0}}, {1, {1}}, {0, {2}}, {1, {3}}}, 0, false};
  plan.cost_ns = cost_of(problem, plan.parts);
  merge_parts(problem, plan);
  EXPECT_EQ(plan.parts, (std::vector<CutPart>{{0, {0, 2}}, {1, {1, 3}}}));
  EXPECT_TRUE(is_executable(problem, plan.parts));
}

TEST(CutSearch, CutsFiftyThousandUnitsWithBoundedWork) {
  constexpr int32_t kUnits = 50'000 / kFewer;
  std::vector<int32_t> gaps(kUnits / 2);
  for (size_t i = 0; i < gaps.size(); ++i) gaps[i] = static_cast<int32_t>(2 * i);
  CutProblem problem = chain(kUnits, {}, 10, 10, 1);
  for (const int32_t unit : gaps) problem.unit_ns[problem.cell(unit, 0)] = kNoWay;
  for (int32_t unit = 1; unit < kUnits; unit += 2) problem.unit_ns[problem.cell(unit, 1)] = kNoWay;
  const CutFound forced = search_cuts(problem);
  ASSERT_TRUE(forced.best);
  EXPECT_EQ(forced.best->parts.size(), static_cast<size_t>(kUnits));
  const CutFound free = search_cuts(chain(kUnits, {kUnits / 2}, 10, 100, 1));
  ASSERT_TRUE(free.best);
  EXPECT_EQ(free.best->parts.size(), 3u);
}

}  // namespace
}  // namespace axle
