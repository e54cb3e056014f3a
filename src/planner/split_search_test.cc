#include "planner/split_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "planner/cut_search.h"
#include "planner/testing/random_problem.h"

namespace axle {
namespace {

using testing::Random;

CutProblem random_problem(Random& random, int32_t units, int32_t places, int64_t crossing_ns) {
  return testing::random_problem(random, units, places, {.refused_percent = 10, .launch_ns = 500, .crossing_ns = crossing_ns});
}

// Units in a row, each costing and weighing the same on every place.
CutProblem chain(int32_t units, int32_t places) {
  CutProblem problem;
  problem.units = units;
  problem.places = places;
  for (int32_t unit = 0; unit < units; ++unit) {
    CutTensor made;
    made.producer = unit;
    if (unit + 1 < units) made.consumers = {unit + 1};
    made.is_output = unit + 1 == units;
    problem.tensors.push_back(made);
  }
  problem.unit_ns.assign(static_cast<size_t>(units * places), 1'000);
  problem.in_ns.assign(static_cast<size_t>(units * places), 0);
  problem.out_ns = problem.in_ns;
  problem.launch_ns.assign(static_cast<size_t>(places), 1);
  return problem;
}

std::vector<int32_t> one_resource_each(int32_t places) {
  std::vector<int32_t> resources;
  for (int32_t p = 0; p < places; ++p) resources.push_back(p);
  return resources;
}

SplitMemory weights_of(const CutProblem& problem, uint64_t each, std::vector<uint64_t> capacity) {
  return {std::vector<uint64_t>(problem.unit_ns.size(), each), std::move(capacity)};
}

std::vector<size_t> sizes_of(const CutPlan& plan) {
  std::vector<size_t> sizes;
  for (const CutPart& part : plan.parts) sizes.push_back(part.units.size());
  return sizes;
}

// The least total over all ways to cut along the order into parts on places of their own, two parts at least.
int64_t brute_force(const CutProblem& problem, const std::vector<int32_t>& order) {
  const CutUses uses(problem);
  int64_t best = kNoWay;
  const std::function<void(int32_t, std::set<int32_t>, int64_t)> extend = [&](int32_t begin, std::set<int32_t> used,
                                                                              int64_t total) {
    if (total >= best) return;
    if (begin == problem.units) {
      if (used.size() >= 2) best = total;
      return;
    }
    for (int32_t place = 0; place < problem.places; ++place) {
      if (used.contains(place)) continue;
      std::set<int32_t> more = used;
      more.insert(place);
      GrowingPart part(problem, uses);
      part.start(place);
      for (int32_t end = begin; end < problem.units; ++end) {
        const int32_t unit = order[static_cast<size_t>(end)];
        if (!problem.takes(unit, place)) break;
        part.add(unit);
        if (part.cost_ns() < kNoWay) extend(end + 1, more, total + part.cost_ns());
      }
    }
  };
  extend(0, {}, 0);
  return best;
}

TEST(SplitSearch, IsWithinOnePercentOfTheQuickest) {
  Random random(1);
  int found = 0;
  for (int round = 0; round < 300; ++round) {
    const CutProblem problem = random_problem(random, 2 + round % 9, 2 + round % 3, round % 2 == 0 ? 0 : 5'000);
    int64_t least = kNoWay;
    for (const auto& order : support_orders(problem, CutUses(problem))) least = std::min(least, brute_force(problem, order));
    const SplitMemory memory = weights_of(problem, 10, std::vector<uint64_t>(static_cast<size_t>(problem.places), 0));
    const auto plan = search_split(problem, one_resource_each(problem.places), memory);
    ASSERT_EQ(plan.has_value(), least < kNoWay) << round;
    if (!plan) continue;
    ++found;
    EXPECT_TRUE(is_executable(problem, plan->parts));
    EXPECT_EQ(plan->cost_ns, cost_of(problem, plan->parts));
    std::set<int32_t> places;
    for (const CutPart& part : plan->parts) places.insert(part.place);
    EXPECT_GE(places.size(), 2u);
    EXPECT_EQ(places.size(), plan->parts.size());
    EXPECT_GE(plan->cost_ns, least);
    EXPECT_LE(plan->cost_ns, least + least / 100) << round;
  }
  EXPECT_GT(found, 150);
}

TEST(SplitSearch, SpreadsTheWeightsWhereThatCostsNothing) {
  const CutProblem problem = chain(12, 2);
  const auto plan = search_split(problem, {0, 1}, weights_of(problem, 100, {0, 0}));
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(sizes_of(*plan), (std::vector<size_t>{6, 6}));
}

TEST(SplitSearch, FillsResourcesByTheirSize) {
  const CutProblem problem = chain(12, 2);
  const auto plan = search_split(problem, {0, 1}, weights_of(problem, 100, {3'000, 1'000}));
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(sizes_of(*plan), (std::vector<size_t>{9, 3}));
}

TEST(SplitSearch, KeepsToTheMemoryThoughItTakesLonger) {
  CutProblem problem = chain(10, 2);
  for (int32_t unit = 0; unit < 10; ++unit) problem.unit_ns[problem.cell(unit, 1)] = 20'000;
  const auto roomy = search_split(problem, {0, 1}, weights_of(problem, 100, {10'000, 10'000}));
  ASSERT_TRUE(roomy.has_value());
  EXPECT_EQ(sizes_of(*roomy), (std::vector<size_t>{9, 1}));
  const auto tight = search_split(problem, {0, 1}, weights_of(problem, 100, {450, 10'000}));
  ASSERT_TRUE(tight.has_value());
  EXPECT_EQ(tight->parts.front().place, 0);
  EXPECT_EQ(sizes_of(*tight), (std::vector<size_t>{4, 6}));
  EXPECT_FALSE(search_split(problem, {0, 1}, weights_of(problem, 100, {450, 450})).has_value());
}

TEST(SplitSearch, PlacesOfOneResourceAreOneResource) {
  const CutProblem problem = chain(6, 2);
  EXPECT_FALSE(search_split(problem, {0, 0}, weights_of(problem, 100, {0})).has_value());
}

TEST(SplitSearch, LongGraphsAreCutWhereTheFewestTensorsCross) {
  CutProblem problem = chain(5'000, 2);
  const auto plan = search_split(problem, {0, 1}, weights_of(problem, 100, {0, 0}));
  ASSERT_TRUE(plan.has_value());
  EXPECT_TRUE(is_executable(problem, plan->parts));
  ASSERT_EQ(plan->parts.size(), 2u);
  EXPECT_NEAR(static_cast<double>(plan->parts.front().units.size()), 2'500, 100);
}

}  // namespace
}  // namespace axle
