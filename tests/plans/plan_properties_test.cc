// What must hold for every input: order of rows does not matter, planning is near linear, decisions are complete.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "plan_case.h"
#include "planner/constant_nodes.h"
#include "planner/mixed_plan.h"

namespace axle::testing {
namespace {

std::vector<PlanCase> all_cases() {
  std::vector<PlanCase> cases;
  const std::string folder = std::string(AXLE_SOURCE_DIR) + "/tests/plans";
  const std::vector<DirEntry> entries = list_dir(folder).value_or(std::vector<DirEntry>{});
  for (const DirEntry& entry : entries) {
    if (!entry.name.ends_with(".plan")) continue;
    Result<PlanCase> plan_case = parse_plan_case(read_file(folder + "/" + entry.name, 1u << 20).value());
    if (plan_case.has_value()) cases.push_back(std::move(plan_case).value());
  }
  return cases;
}

// Everything the output says, so that equality means equal bytes.
std::string bytes_of(const Result<PlannerOutput>& result) {
  return result.has_value() ? plan_to_json(result->plan).value() : result.error().to_string();
}

TEST(Planner, DoesNotDependOnTheOrderOfRows) {
  std::mt19937 random(7);
  for (PlanCase& plan_case : all_cases()) {
    const std::string before = bytes_of(make_plan(plan_case.input));
    for (int round = 0; round < 5; ++round) {
      std::shuffle(plan_case.input.engines.begin(), plan_case.input.engines.end(), random);
      std::shuffle(plan_case.input.verdicts.begin(), plan_case.input.verdicts.end(), random);
      std::shuffle(plan_case.input.evidence.begin(), plan_case.input.evidence.end(), random);
      for (EngineFacts& engine : plan_case.input.engines)
        std::shuffle(engine.capabilities.begin(), engine.capabilities.end(), random);
      EXPECT_EQ(bytes_of(make_plan(plan_case.input)), before) << plan_case.given;
    }
  }
}

TEST(Planner, NamesEachCandidateOnceAndChoosesOne) {
  for (const PlanCase& plan_case : all_cases()) {
    const auto result = make_plan(plan_case.input);
    if (!result.has_value()) continue;
    std::vector<std::string> names;
    int64_t chosen = 0;
    for (const Decision& decision : result->plan.decisions) {
      names.push_back(decision.candidate);
      chosen += decision.verdict == DecisionVerdict::kChosen ? 1 : 0;
      EXPECT_FALSE(decision.reason.empty()) << decision.candidate;
      EXPECT_FALSE(decision.code.empty()) << decision.candidate;
    }
    std::sort(names.begin(), names.end());
    EXPECT_TRUE(std::adjacent_find(names.begin(), names.end()) == names.end()) << plan_case.given;
    int64_t expected = 1;
    if (result->plan.schedule == "hybrid")
      expected = std::ranges::count(result->plan.partitions, result->plan.partitions.front().axes, &Partition::axes);
    if (result->plan.schedule == "replicas") expected = result->plan.partitions.back().replica + 1;
    EXPECT_EQ(chosen, expected) << plan_case.given;
    EXPECT_EQ(result->plan.decisions.front().verdict, DecisionVerdict::kChosen);
  }
}

TEST(Planner, NeverSubstitutesWhatThePolicyDoesNotName) {
  for (const PlanCase& plan_case : all_cases()) {
    const auto result = make_plan(plan_case.input);
    if (!result.has_value()) continue;
    const Fallback& fallback = plan_case.input.policy.fallback;
    const bool named =
        !fallback.resource.empty() || !fallback.engine.empty() || !fallback.precision.empty() || !fallback.kernel.empty();
    EXPECT_TRUE(named || result->plan.substitutions.empty()) << plan_case.given;
  }
}

// Without what only repeats it for other prepared shapes, or serves another load.
Plan judged_part(Plan plan) {
  std::erase_if(plan.partitions, [first = plan.partitions.front()](const Partition& part) {
    return part.axes != first.axes || part.load != first.load;
  });
  const auto count = static_cast<int32_t>(plan.partitions.size());
  std::erase_if(plan.transfers, [&](const Transfer& t) { return t.from_partition >= count || t.to_partition >= count; });
  return plan;
}

TEST(Planner, MeasurablePlansHoldTheChosenOne) {
  for (const PlanCase& plan_case : all_cases()) {
    const auto result = make_plan(plan_case.input);
    if (!result.has_value()) continue;
    // A schedule is put together from what was measured alone.
    if (result->plan.schedule != "single") continue;
    AXLE_ASSERT_OK_AND_ASSIGN(const auto plans, measurable_plans(plan_case.input));
    Plan chosen = judged_part(result->plan);
    chosen.batching = {};  // measured beside it: measurable_batchings
    EXPECT_TRUE(std::any_of(plans.begin(), plans.end(), [&](const Plan& p) { return p.digest() == chosen.digest(); }))
        << plan_case.given;
    EXPECT_EQ(chosen.decisions.front().candidate, plan_name(chosen.partitions));
  }
}

// Every node once, constant ones as often as they are read, nothing before what it reads from, every tensor that crosses listed.
void expect_sound(const ModelFacts& model, const Plan& plan) {
  const ConstantNodes constants(model);
  std::map<std::string, std::vector<int32_t>> parts_of;
  for (const Partition& part : plan.partitions) {
    for (const std::string& node : part.nodes) parts_of[node].push_back(part.id);
  }
  for (size_t n = 0; n < model.nodes.size(); ++n) {
    const std::string& name = model.nodes[n].name;
    if (constants.holds(static_cast<int32_t>(n))) continue;
    EXPECT_EQ(parts_of[name].size(), 1u) << name;
  }
  std::set<std::tuple<std::string, int32_t, int32_t>> crossing, listed;
  for (const TensorFacts& tensor : model.tensors) {
    if (tensor.producer < 0) continue;
    const std::vector<int32_t>& from = parts_of[model.nodes[static_cast<size_t>(tensor.producer)].name];
    for (const int32_t reader : tensor.consumers) {
      for (const int32_t to : parts_of[model.nodes[static_cast<size_t>(reader)].name]) {
        if (std::ranges::find(from, to) != from.end()) continue;
        ASSERT_EQ(from.size(), 1u) << tensor.name;
        EXPECT_LT(from.front(), to) << tensor.name;
        crossing.emplace(tensor.name, from.front(), to);
      }
    }
  }
  for (const Transfer& t : plan.transfers) {
    if (t.from_partition >= 0 && t.to_partition >= 0) listed.emplace(t.tensor, t.from_partition, t.to_partition);
  }
  EXPECT_EQ(listed, crossing);
}

// What the parts were cut from.
const ModelFacts& model_of(const PlannerInput& input, const Plan& plan) {
  const Partition& part = plan.partitions.front();
  if (!part.variant) return input.model;
  return std::ranges::find(input.variant_graphs, part.variant->name(), &VariantGraph::variant)->model;
}

// One replica, its partitions numbered as in the whole plan.
Plan replica_of(Plan plan, int32_t replica) {
  std::set<int32_t> mine = {-1};
  for (const Partition& part : plan.partitions) {
    if (part.replica == replica) mine.insert(part.id);
  }
  std::erase_if(plan.partitions, [&](const Partition& part) { return part.replica != replica; });
  std::erase_if(plan.transfers,
                [&](const Transfer& t) { return !mine.contains(t.from_partition) || !mine.contains(t.to_partition); });
  return plan;
}

TEST(Planner, MixedPlansCoverEachNodeOnceInOrder) {
  int mixed = 0, replicas = 0;
  for (const PlanCase& plan_case : all_cases()) {
    const auto result = make_plan(plan_case.input);
    if (!result.has_value()) continue;
    const Plan judged = judged_part(result->plan);
    size_t crossing = 0;
    for (int32_t replica = 0; replica <= judged.partitions.back().replica; ++replica) {
      const Plan plan = replica_of(judged, replica);
      crossing += plan.transfers.size();
      if (plan.partitions.size() < 2) continue;
      expect_sound(model_of(plan_case.input, plan), plan);
      ++(replica > 0 ? replicas : mixed);
    }
    EXPECT_EQ(crossing, judged.transfers.size()) << "nothing crosses from one replica to another: " << plan_case.given;
  }
  EXPECT_GT(mixed, 8);
  EXPECT_GE(replicas, 3);
}

// A model of `count` nodes of which one engine refuses every second.
PlannerInput large_input(size_t count) {
  const std::string text = read_file(std::string(AXLE_SOURCE_DIR) + "/tests/plans/estimate_only.plan", 1u << 20).value();
  PlannerInput input = parse_plan_case(text).value().input;
  input.model.nodes.clear();
  for (size_t i = 0; i < count; ++i)
    input.model.nodes.push_back({"node_" + std::to_string(i), i % 2 ? "Relu" : "Conv", "", 1'000'000, 1000, 4000});
  for (VerdictRow& row : input.verdicts) {
    row.verdict.nodes.clear();
    if (&row != &input.verdicts.front()) continue;
    row.verdict.graph.kind = VerdictKind::kNo;
    row.verdict.otherwise.kind = VerdictKind::kYes;
    for (uint32_t i = 1; i < count; i += 2)
      row.verdict.nodes.push_back({i, {VerdictKind::kNo, "UNSUPPORTED_OP", "no kernel", -1}});
  }
  return input;
}

TEST(Planner, MixesEnginesOverFiftyThousandNodes) {
  PlannerInput input = large_input(50'000);
  ModelFacts& model = input.model;
  model.tensors.push_back({model.inputs.front().name, "f32[1,64]", 256, -1, {0}});
  for (int32_t n = 0; n < 50'000; ++n) {
    const bool last = n + 1 == 50'000;
    model.tensors.push_back({last ? model.outputs.front().name : "t" + std::to_string(n), "f32[1,64]", 256, n,
                             last ? std::vector<int32_t>{} : std::vector<int32_t>{n + 1}});
  }
  for (size_t r = 0; r < input.verdicts.size(); ++r) {
    GraphVerdict& verdict = input.verdicts[r].verdict;
    verdict = {};
    verdict.graph.kind = VerdictKind::kNo;
    verdict.otherwise.kind = VerdictKind::kYes;
    for (uint32_t n = static_cast<uint32_t>(100 * r); n < 50'000; n += 1000)
      verdict.nodes.push_back({n, {VerdictKind::kNo, "UNSUPPORTED_OP", "no kernel", -1}});
  }
  const auto start = std::chrono::steady_clock::now();
  AXLE_ASSERT_OK_AND_ASSIGN(const PlannerOutput output, make_plan(input));
  const auto took = std::chrono::steady_clock::now() - start;
  RecordProperty("planning_us", static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  expect_sound(model, output.plan);
  EXPECT_GT(output.plan.partitions.size(), 50u);
}

TEST(Planner, PlansFiftyThousandNodesWithBoundedDecisions) {
  const PlannerInput input = large_input(50'000);
  const auto start = std::chrono::steady_clock::now();
  const auto result = make_plan(input);
  const auto took = std::chrono::steady_clock::now() - start;
  RecordProperty("planning_us", static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  ASSERT_THAT(result, IsOk());
  size_t reasons = 0;
  for (const Decision& decision : result->plan.decisions) {
    EXPECT_LE(decision.nodes.size(), 100u);
    reasons += decision.nodes.size();
  }
  EXPECT_GT(reasons, 0u);
  EXPECT_LT(plan_to_json(result->plan).value().size(), 200'000u);
}

}  // namespace
}  // namespace axle::testing
