// What measurements say of estimates, and what a run takes under objectives that are rates.
#include "planner/learned.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "planner/objective.h"

namespace axle {
namespace {

PlannerInput measured_on() {
  PlannerInput input;
  input.model.digest = "sha256:mine";
  input.estimate_ratios = {{"sha256:a", "fast", ResourceKind::kCpu, "f32", 3000, 4},
                           {"sha256:b", "fast", ResourceKind::kCpu, "f32", 1500, 2},
                           {"sha256:c", "fast", ResourceKind::kCpu, "f32", 2000, 1},
                           {"sha256:a", "fast", ResourceKind::kGpu, "f32", 9000, 4}};
  return input;
}

// 1.5 to the power of 3/4.
TEST(Learned, IsWhatTheOtherModelsAgreeOnDrawnTowardsTheEstimate) {
  const Learned found = learned(measured_on(), "fast", ResourceKind::kCpu, "f32");
  EXPECT_EQ(found.permille, 1356);
  EXPECT_EQ(found.models, 3);
  EXPECT_EQ(found.text(), "scaled by 1.36, learned from 7 measurements of 3 models");
  EXPECT_EQ(found.apply(1500), 2034);
  EXPECT_EQ(found.apply(0), 0);
  EXPECT_EQ(found.apply(int64_t{1} << 61), int64_t{1} << 61);
}

TEST(Learned, ThisModelsOwnRatioGoesFirst) {
  PlannerInput input = measured_on();
  input.estimate_ratios.push_back({"sha256:mine", "fast", ResourceKind::kCpu, "f32", 700, 1});
  const Learned found = learned(input, "fast", ResourceKind::kCpu, "f32");
  EXPECT_EQ(found.permille, 700);
  EXPECT_EQ(found.text(), "scaled by 0.7, learned from 1 measurement of 1 model");
}

// Convolutions in twice their estimate and small models in half of it say nothing of the next model; one that stands alone does not count.
TEST(Learned, ModelsOnBothSidesOfTheirEstimatesTeachNothing) {
  PlannerInput input;
  for (const int64_t permille : {400, 500, 600, 2000, 2500, 3000})
    input.estimate_ratios.push_back({"sha256:" + std::to_string(permille), "fast", ResourceKind::kCpu, "f32", permille, 2});
  const Learned torn = learned(input, "fast", ResourceKind::kCpu, "f32");
  EXPECT_EQ(torn.permille, 1000);
  EXPECT_EQ(torn.text(), "not scaled: 12 measurements of 6 models lie on both sides of their estimates");
  EXPECT_EQ(torn.apply(1500), 1500);
  for (EstimateRatio& ratio : input.estimate_ratios)
    ratio.permille = ratio.permille < 1000 ? 500 : ratio.permille == 3000 ? 3000 : 600;
  EXPECT_NEAR(learned(input, "fast", ResourceKind::kCpu, "f32").permille, 645, 1);  // 0.6 to the power of 6/7
}

TEST(Learned, FewModelsSayLessThanMany) {
  PlannerInput input;
  const auto of = [&](int64_t permille, int models) {
    input.estimate_ratios.clear();
    for (int i = 0; i < models; ++i)
      input.estimate_ratios.push_back({"sha256:" + std::to_string(i), "fast", ResourceKind::kCpu, "f32", permille, 1});
    return learned(input, "fast", ResourceKind::kCpu, "f32").permille;
  };
  EXPECT_EQ(of(4000, 1), 2000);  // the root
  EXPECT_EQ(of(250, 1), 500);
  EXPECT_EQ(of(1000, 1), 1000);
  EXPECT_NEAR(of(8000, 2), 4000, 1);
  EXPECT_NEAR(of(500, 63), 505, 1);
  EXPECT_EQ(of(1, 1), 32);
  EXPECT_EQ(of(1'000'000'000, 1), 1'000'000);
}

// What a quantised model takes is not what models in floats take, however they compare with their estimates.
TEST(Learned, AnotherPrecisionStandsInForThisModelAloneAndNoOtherEngineOrKind) {
  PlannerInput input = measured_on();
  EXPECT_FALSE(learned(input, "fast", ResourceKind::kCpu, "bf16").known());
  input.estimate_ratios.push_back({"sha256:mine", "fast", ResourceKind::kCpu, "f32", 700, 1});
  EXPECT_EQ(learned(input, "fast", ResourceKind::kCpu, "bf16").permille, 700);
  EXPECT_FALSE(learned(measured_on(), "slow", ResourceKind::kCpu, "f32").known());
  EXPECT_FALSE(learned(measured_on(), "fast", ResourceKind::kNpu, "f32").known());
}

TEST(Learned, EvidenceThatIsIgnoredTeachesNothing) {
  PlannerInput input = measured_on();
  input.policy.tuning.evidence = EvidenceUse::kIgnore;
  EXPECT_FALSE(learned(input, "fast", ResourceKind::kCpu, "f32").known());
  EXPECT_EQ(learned(input, "fast", ResourceKind::kCpu, "f32").apply(1500), 1500);
}

// One socket of four cores at 60 W, a card at 100 W.
struct Rates {
  explicit Rates(Objective objective) {
    Machine machine;
    for (int32_t cpu = 0; cpu < 4; ++cpu) machine.cpus.push_back({cpu, cpu, 0, 0, 0, 0});
    machine.allowed_cpus = {0, 1, 2, 3};
    machine.numa_nodes = {{0, 0, {0, 1, 2, 3}}};
    Resource cpu, gpu;
    cpu.id = "cpu:0";
    cpu.cpus = machine.allowed_cpus;
    gpu.id = "gpu:0";
    gpu.kind = ResourceKind::kGpu;
    gpu.vendor = "nvidia";
    machine.resources = {cpu, gpu};
    input.machine = machine;
    input.policy.objective = objective;
    DeviceProfile processor, card;
    processor.power = {60'000, FigureKind::kVendor, "its data sheet"};
    card.power = {100'000, FigureKind::kVendor, "its data sheet"};
    input.profiles = {{"cpu:0", processor}, {"gpu:0", card}};
  }
  int64_t taken_on(size_t resource, int32_t threads, int64_t time_ns) {
    const PlanningContext context(input, input.machine);
    Considered considered;
    considered.place.resource = &context.machine.resources[resource];
    considered.candidate.threads = threads;
    return taken(context, considered, time_ns);
  }
  PlannerInput input;
};

TEST(Energy, IsThePowerOfTheProfileTimesTheTime) {
  Rates rates(Objective::kEnergy);
  EXPECT_EQ(rates.taken_on(1, 1, 1'000'000), int64_t{100'000} * 1'000'000);  // 100 W for 1 ms are 0.1 J = 1e11 pJ
  EXPECT_EQ(rates.taken_on(0, 4, 1'000'000), int64_t{60'000} * 1'000'000);
  EXPECT_EQ(rates.taken_on(0, 1, 1'000'000), (int64_t{19'800} + 10'050) * 1'000'000);  // a third, and a quarter of the rest
  const PlanningContext context(rates.input, rates.input.machine);
  EXPECT_EQ(taken_text(context, int64_t{100'000} * 1'000'000), "100 mJ");
}

TEST(Energy, IsNotKnownWithoutAProfile) {
  Rates rates(Objective::kEnergy);
  rates.input.profiles.clear();
  EXPECT_EQ(rates.taken_on(1, 1, 1'000'000), 0);
}

TEST(Cost, IsThePriceOfTheLongestSelectorTimesTheTime) {
  Rates rates(Objective::kCost);
  rates.input.policy.prices = {{"gpu", 1.0}, {"gpu@nvidia", 3.6}};
  EXPECT_EQ(rates.taken_on(1, 1, 1'000'000'000), 1'000'000'000'000);  // 3.6 an hour are 0.001 a second
  EXPECT_EQ(rates.taken_on(0, 1, 1'000'000'000), 0);
  const PlanningContext context(rates.input, rates.input.machine);
  EXPECT_EQ(taken_text(context, 1'000'000'000'000), "1000 per million runs");
}

}  // namespace
}  // namespace axle
