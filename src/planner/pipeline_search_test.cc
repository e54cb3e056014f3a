#include "planner/pipeline_search.h"

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
  return testing::random_problem(random, units, places, {.refused_percent = 15, .launch_ns = 0, .crossing_ns = crossing_ns});
}

std::vector<int32_t> one_resource_each(int32_t places) {
  std::vector<int32_t> resources;
  for (int32_t p = 0; p < places; ++p) resources.push_back(p);
  return resources;
}

// The least time of the slowest stage over all ways to cut along the order, two stages at least; units cost what they cost.
int64_t brute_force(const CutProblem& problem, const std::vector<int32_t>& order) {
  int64_t best = kNoWay;
  const std::function<void(int32_t, std::set<int32_t>, int64_t)> extend = [&](int32_t begin, std::set<int32_t> used,
                                                                              int64_t slowest) {
    if (slowest >= best) return;
    if (begin == problem.units) {
      if (used.size() >= 2) best = slowest;
      return;
    }
    for (int32_t place = 0; place < problem.places; ++place) {
      if (used.contains(place)) continue;
      std::set<int32_t> more = used;
      more.insert(place);
      int64_t ns = 0;
      for (int32_t end = begin; end < problem.units; ++end) {
        const int32_t unit = order[static_cast<size_t>(end)];
        if (!problem.takes(unit, place)) break;
        ns += problem.unit_ns[problem.cell(unit, place)];
        extend(end + 1, more, std::max(slowest, ns));
      }
    }
  };
  extend(0, {}, 0);
  return best;
}

void expect_sound(const CutProblem& problem, const CutPlan& plan) {
  EXPECT_TRUE(is_executable(problem, plan.parts));
  EXPECT_GE(plan.parts.size(), 2u);
  std::set<int32_t> places;
  for (const CutPart& part : plan.parts) places.insert(part.place);
  EXPECT_EQ(places.size(), plan.parts.size());
}

TEST(PipelineSearch, FindsTheLeastSlowestStageWhereBordersCostNothing) {
  Random random(1);
  int found = 0;
  for (int round = 0; round < 300; ++round) {
    const CutProblem problem = random_problem(random, 2 + round % 9, 2 + round % 3, 0);
    int64_t least = kNoWay;
    for (const auto& order : support_orders(problem, CutUses(problem))) least = std::min(least, brute_force(problem, order));
    const auto plan = search_pipeline(problem, one_resource_each(problem.places));
    ASSERT_EQ(plan.has_value(), least < kNoWay) << round;
    if (!plan) continue;
    ++found;
    expect_sound(problem, *plan);
    EXPECT_GE(plan->cost_ns, least);
    EXPECT_LE(plan->cost_ns, least + least / 500 + 2) << round;
  }
  EXPECT_GT(found, 100);
}

TEST(PipelineSearch, CountsWhatBordersCost) {
  Random random(2);
  for (int round = 0; round < 200; ++round) {
    const CutProblem problem = random_problem(random, 3 + round % 20, 3, 8'000);
    const auto plan = search_pipeline(problem, one_resource_each(3));
    if (!plan) continue;
    expect_sound(problem, *plan);
    int64_t slowest = 0;
    const CutUses uses(problem);
    for (const CutPart& part : plan->parts) {
      GrowingPart stage(problem, uses);
      stage.start(part.place);
      for (const int32_t unit : part.units) stage.add(unit);
      slowest = std::max(slowest, stage.cost_ns());
    }
    EXPECT_EQ(plan->cost_ns, slowest);
  }
}

TEST(PipelineSearch, PlacesOfOneResourceMakeOneStage) {
  Random random(3);
  CutProblem problem = random_problem(random, 12, 3, 0);
  for (int64_t& ns : problem.unit_ns) ns = 1'000;
  const auto plan = search_pipeline(problem, {0, 0, 1});
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->parts.size(), 2u);
  EXPECT_EQ(plan->cost_ns, 6'000);
  EXPECT_FALSE(search_pipeline(problem, {0, 0, 0}).has_value());
}

}  // namespace
}  // namespace axle
