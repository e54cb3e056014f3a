// The planner's parts one by one; whole plans are in tests/plans.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "planner/choose.h"
#include "planner/cores.h"
#include "planner/cost_model.h"
#include "planner/demand.h"
#include "planner/evidence_index.h"
#include "planner/precision.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two packages of `cores` cores with two hardware threads each: CPU n and n + 2 * cores share a core.
Machine machine_of(int32_t cores) {
  Machine machine;
  machine.isa = {"avx2"};
  Resource cpu;
  cpu.id = "cpu:0";
  for (int32_t id = 0; id < 4 * cores; ++id) {
    machine.cpus.push_back({id, id % (2 * cores) % cores, id % (2 * cores) / cores, 0, id / (2 * cores), 2'000'000});
    machine.allowed_cpus.push_back(id);
    cpu.cpus.push_back(id);
  }
  machine.resources = {cpu};
  return machine;
}

TEST(Cores, CountsPhysicalCoresAndKeepsToTheQuota) {
  Machine machine = machine_of(2);
  EXPECT_EQ(usable_cores(machine, machine.resources[0]), 4);
  machine.cpu_quota = 2.5;
  EXPECT_EQ(usable_cores(machine, machine.resources[0]), 2);
  machine.cpu_quota = 0.5;
  EXPECT_EQ(usable_cores(machine, machine.resources[0]), 1);
}

TEST(Cores, ThreadCountsHalve) {
  Machine machine = machine_of(3);
  EXPECT_THAT(thread_counts(machine, machine.resources[0]), ElementsAre(1, 3, 6));
  Resource gpu;
  gpu.kind = ResourceKind::kGpu;
  EXPECT_THAT(thread_counts(machine, gpu), ElementsAre(1));
}

TEST(Cores, PicksOneCpuPerCoreFirst) {
  const Machine machine = machine_of(2);
  const Resource& cpu = machine.resources[0];
  EXPECT_THAT(pick_cpus(machine, cpu, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(pick_cpus(machine, cpu, 5), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(pick_cpus(machine, cpu, 99), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(Cores, SplitsWholeCores) {
  const Machine machine = machine_of(2);
  EXPECT_THAT(even_split(machine, machine.resources[0], 2), ElementsAre(ElementsAre(0, 1, 4, 5), ElementsAre(2, 3, 6, 7)));
  EXPECT_THAT(even_split(machine, machine.resources[0], 5), IsEmpty());
}

TEST(Precision, IsNativeWhereThereAreInstructionsForIt) {
  Machine machine;
  EXPECT_TRUE(has_instructions(machine, "bf16"));  // not known
  machine.isa = {"avx2", "avx512_vnni", "avx512f"};
  EXPECT_FALSE(has_instructions(machine, "bf16"));
  EXPECT_FALSE(has_instructions(machine, "f16"));
  EXPECT_TRUE(has_instructions(machine, "f32"));
  EXPECT_TRUE(has_instructions(machine, "int8"));
  for (const char* feature : {"avx512_bf16", "amx_bf16", "svebf16"}) {
    machine.isa = {"avx2", feature};
    EXPECT_TRUE(has_instructions(machine, "bf16")) << feature;
  }
}

TEST(CostModel, MoreThreadsHelpLargeModelsOnly) {
  const Machine machine = machine_of(2);
  ModelFacts large, tiny;
  large.nodes = {{"a", "Conv", "", 10'000'000'000, 0, 0}};
  tiny.nodes = {{"a", "Add", "", 10, 0, 40}};
  const auto time = [&](const ModelFacts& model, int32_t threads) {
    return estimate_ns(model, roofline_of(machine, machine.resources[0], "f32", threads), "f32");
  };
  EXPECT_LT(time(large, 4), time(large, 1) / 3);
  EXPECT_GT(time(tiny, 4), time(tiny, 1));
}

TEST(CostModel, SaturatesInsteadOfOverflowing) {
  const Machine machine = machine_of(1);
  ModelFacts model;
  for (int i = 0; i < 4; ++i) model.nodes.push_back({"n", "MatMul", "", UINT64_MAX, UINT64_MAX, UINT64_MAX});
  EXPECT_EQ(estimate_ns(model, roofline_of(machine, machine.resources[0], "f64", 1), "f64"), int64_t{1} << 61);
  EXPECT_GT(estimate_memory_bytes(model, "f64"), 0u);
}

TEST(CostModel, UnknownKindsHaveNoEstimate) {
  Resource pim;
  pim.kind = ResourceKind::kPim;
  ModelFacts model;
  model.nodes = {{"a", "Add", "", 10, 0, 40}};
  EXPECT_EQ(estimate_ns(model, roofline_of(Machine(), pim, "f32", 1), "f32"), 0);
}

TEST(CostModel, ALookupDoesNotReadItsTable) {
  const Machine machine = machine_of(2);
  ModelFacts model;
  model.nodes = {{"a", "Gather", "", 0, 1'000'000'000, 4096}};
  const auto time = [&] { return estimate_ns(model, roofline_of(machine, machine.resources[0], "f32", 1), "f32"); };
  const int64_t lookup = time();
  EXPECT_LT(lookup, 10'000);
  model.nodes[0].op_type = "MatMul";
  EXPECT_GT(time(), 1000 * lookup);
}

TEST(CostModel, IntegersAreReadAsTheyAreStored) {
  const Machine machine = machine_of(2);
  ModelFacts model;
  model.quantised = true;
  model.nodes = {{"a", "MatMulInteger", "", 2, 1'000'000'000, 0}};
  const auto time = [&](const char* precision) {
    return estimate_ns(model, roofline_of(machine, machine.resources[0], precision, 4), precision);
  };
  EXPECT_EQ(time("int8"), time("f32"));
}

// ---- banks

DeviceProfile profile_with_banks() {
  DeviceProfile profile;
  profile.peaks["f32"].value = 7'000;
  profile.peaks["int8"].value = 358'000;
  profile.memory_bandwidth.value = 1'700'000;
  profile.node_launch.value = 20'000;
  profile.call_launch.value = 200'000;
  BankFigures& banks = profile.banks;
  banks.count.value = 2556;
  banks.memory.value = uint64_t{64} << 20;
  banks.bandwidth.value = 628;
  banks.to_banks.value = 6'680;
  banks.broadcast.value = 16'880;
  banks.from_banks.value = 4'740;
  return profile;
}

TEST(BankCosts, BytesArePaidForByTheProcessorsAndFloatsMuchMore) {
  const BankRoofline banks = bank_roofline(profile_with_banks(), "f32");
  ASSERT_TRUE(banks.known());
  const NodeFacts bytes{"a", "MatMulInteger", "", 2'000'000'000, 1'000'000'000, 32'768 + 131'072};
  const NodeFacts floats{"a", "MatMul", "", 2'000'000'000, 4'000'000'000, 131'072 + 131'072};
  // 9.3 ms of multiplying, shared by all, and 5 ms until each of them has the vector.
  EXPECT_NEAR(static_cast<double>(bank_node_ns(bytes, 131'072, banks)), 14.3e6, 1e6);
  EXPECT_GT(bank_node_ns(floats, 131'072, banks), 30 * bank_node_ns(bytes, 131'072, banks));
}

TEST(BankCosts, SmallProductsAreSharedByFewerBanks) {
  const BankRoofline banks = bank_roofline(profile_with_banks(), "f32");
  const NodeFacts small{"a", "MatMulInteger", "", 2 * 512 * 512, 512 * 512, 512 + 2048};
  const uint64_t all = 2556 * (512 * 1000 / 16'880);
  EXPECT_LT(bank_node_ns(small, 2048, banks), all + 2048 * 1000 / 4'740) << "sent to every bank it would take longer";
}

TEST(BankCosts, ALookupMovesItsRows) {
  const BankRoofline banks = bank_roofline(profile_with_banks(), "f32");
  const NodeFacts lookup{"a", "Gather", "", 0, uint64_t{100} << 30, 1024 + 474'000};
  EXPECT_NEAR(static_cast<double>(bank_node_ns(lookup, 474'000, banks)), 100'153, 10);
}

TEST(BankCosts, WhatANodeMakesIsKnownByItsTensors) {
  ModelFacts model;
  model.nodes = {{"a", "MatMul", "", 1, 1, 100}, {"b", "Relu", "", 1, 0, 60}};
  EXPECT_THAT(output_bytes(model), ElementsAre(50, 30)) << "half, where no tensor is known";
  model.tensors = {{"x", "f32[10]", 70, -1, {0}}, {"h", "f32[10]", 30, 0, {1}}, {"y", "f32[10]", 30, 1, {}}};
  EXPECT_THAT(output_bytes(model), ElementsAre(30, 30));
}

TEST(BankCosts, ProfilesWithoutBanksHaveNone) {
  DeviceProfile profile = profile_with_banks();
  EXPECT_FALSE(bank_roofline(profile, "f16").known()) << "no peak";
  profile.banks = {};
  EXPECT_FALSE(bank_roofline(profile, "f32").known());
}

TEST(Precision, KnowsWhatKeepsTheModelsOwn) {
  ModelFacts model;
  model.float_dtype = "f16";
  EXPECT_TRUE(keeps_precision(model, "f16"));
  EXPECT_TRUE(keeps_precision(model, "f32"));
  EXPECT_FALSE(keeps_precision(model, "bf16"));
  EXPECT_FALSE(keeps_precision(model, "int8"));
  model.quantised = true;
  EXPECT_TRUE(keeps_precision(model, "int8"));
  model.float_dtype = "f64";
  EXPECT_FALSE(keeps_precision(model, "f32"));
  EXPECT_EQ(own_precision(ModelFacts()), "f32");
}

TEST(Demand, RelaxesOnlyWhatWasDemandedAndNamed) {
  Policy policy;
  policy.fallback.resource = {"cpu"};
  policy.fallback.engine = {"openvino"};
  EXPECT_EQ(demands_of(policy).size(), 1u) << "nothing was demanded";
  policy.execution.targets = {"npu"};
  const auto demands = demands_of(policy);
  ASSERT_EQ(demands.size(), 2u);
  EXPECT_THAT(demands[1].targets, ElementsAre("cpu"));
  EXPECT_THAT(demands[1].allowed_by, ElementsAre("fallback.resource"));
  policy.execution.targets = {"auto"};
  EXPECT_EQ(demands_of(policy).size(), 1u);
}

TEST(Demand, ResourceFallbackLiftsTheEngineAndKeepsThePrecision) {
  Policy policy;
  policy.execution.targets = {"cuda:0"};
  policy.execution.precisions = {"fp16"};
  policy.engines.allow = {"tensorrt"};
  policy.fallback.resource = {"cpu"};
  const auto demands = demands_of(policy);
  ASSERT_EQ(demands.size(), 2u);
  EXPECT_THAT(demands[1].engines, IsEmpty());
  EXPECT_THAT(demands[1].precisions, ElementsAre("f16"));
}

EvidenceRow row_of(const char* candidate, int64_t p50_ns) {
  EvidenceRow row;
  row.key.candidate = candidate;
  row.p50_ns = p50_ns;
  return row;
}

TEST(TimeRatio, InvertsAPairSeenFromTheOtherSide) {
  EvidenceRow a = row_of("a", 100), b = row_of("b", 300);
  b.paired = {{"a", 0.5, 0.4, 0.625, 10}};  // a's time over b's
  EXPECT_DOUBLE_EQ(time_ratio(a, b).ratio, 0.5);
  const TimeRatio back = time_ratio(b, a);
  EXPECT_TRUE(back.paired);
  EXPECT_DOUBLE_EQ(back.ratio, 2);
  EXPECT_DOUBLE_EQ(back.low, 1.6);
  EXPECT_DOUBLE_EQ(back.high, 2.5);
}

TEST(TimeRatio, IgnoresSenselessPairs) {
  EvidenceRow a = row_of("a", 100), b = row_of("b", 300);
  b.paired = {{"a", -1, -2, 3, 10}, {"a", 1, 2, 1, 10}};
  EXPECT_FALSE(time_ratio(a, b).paired);
  EXPECT_DOUBLE_EQ(time_ratio(b, a).ratio, 3);
}

TEST(TimeRatio, TieAndUndecidedAreDifferent) {
  EXPECT_TRUE(is_tie({1.0, 0.99, 1.01, true}));
  EXPECT_FALSE(is_tie({1.0, 0.98, 1.01, true}));
  EXPECT_FALSE(is_tie({1.0, 0, 0, false}));
  EXPECT_TRUE(is_undecided({1.0, 0.98, 1.01, true}));
  EXPECT_FALSE(is_undecided({1.05, 1.02, 1.08, true}));
  EXPECT_TRUE(is_undecided({1.05, 0, 0, false}));
  EXPECT_FALSE(is_undecided({1.2, 0, 0, false}));
}

// Guards: between the model and a copy of it, it was the order of the list that decided.
TEST(Simpler, TheModelItselfGoesBeforeACopyOfIt) {
  PlannerInput input;
  input.machine = machine_of(1);
  const PlanningContext context(input, input.machine);
  const EngineFacts engine;
  const CapabilityFacts facts;
  Considered model;
  model.place = {&engine, &facts, &input.machine.resources[0]};
  model.candidate = {"onnxruntime", "cpu:0", "f16", 1, "default", ""};
  Considered copy = model, other = model;
  copy.candidate.variant = "f16-1a2b3c4d";
  other.candidate.variant = "f16-2a2b3c4d";
  model.candidate.threads = 2;
  EXPECT_TRUE(simpler(context, model, copy));
  EXPECT_FALSE(simpler(context, copy, model));
  EXPECT_TRUE(simpler(context, copy, other));
  EXPECT_FALSE(simpler(context, other, copy));
}

TEST(BrokenBounds, NanBreaksEveryBound) {
  AccuracyGate bound;
  bound.max_relative_error = 1;
  bound.cosine_min = -1;
  ErrorFigures error;
  EXPECT_EQ(broken_bounds(bound, error), "");
  error.max_relative = error.cosine = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(broken_bounds(bound, error),
              ::testing::AllOf(::testing::HasSubstr("max relative error"), ::testing::HasSubstr("cosine")));
  error = ErrorFigures();
  error.mismatches = 2;
  EXPECT_EQ(broken_bounds(bound, error), "2 integer or text elements differ");
  EXPECT_EQ(broken_bounds(AccuracyGate(), error), "");
}

}  // namespace
}  // namespace axle
