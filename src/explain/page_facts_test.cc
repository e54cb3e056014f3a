#include "explain/page_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "explain/testing/page_case.h"

namespace axle {
namespace {

using ::testing::ElementsAre;

TEST(PageFacts, GivesEachNodeItsPartitionAndEachEngineOnADeviceItsPlace) {
  const Plan plan = testing::two_part_plan();
  const PlannerInput input = testing::two_part_input();
  const PageFacts facts = page_facts(plan, &input, nullptr);
  EXPECT_THAT(facts.partition_of_node, ElementsAre(0, 0, 1, 1));
  ASSERT_EQ(facts.places.size(), 2U);
  EXPECT_EQ(facts.places[1], (PagePlace{"wide", "npu:0", true}));
  EXPECT_THAT(facts.place_of_partition, ElementsAre(0, 1));
}

TEST(PageFacts, PartitionsOfOnePlaceShareIt) {
  Plan plan = testing::two_part_plan();
  plan.partitions.push_back(plan.partitions[0]);
  const PageFacts facts = page_facts(plan, nullptr, nullptr);
  EXPECT_THAT(facts.place_of_partition, ElementsAre(0, 1, 0));
  EXPECT_FALSE(facts.has_graph());
}

TEST(PageFacts, DrawsTheCallerAndMarksWhatCrosses) {
  const Plan plan = testing::two_part_plan();
  const PlannerInput input = testing::two_part_input();
  const PageGraph graph = page_facts(plan, &input, nullptr).graph;
  ASSERT_EQ(graph.boxes.size(), 6U);
  EXPECT_EQ(graph.boxes.front().kind, BoxKind::kInput);
  EXPECT_EQ(graph.boxes.back().kind, BoxKind::kOutput);
  EXPECT_FALSE(graph.collapsed);
  ASSERT_EQ(graph.edges.size(), 5U);
  for (const PageEdge& edge : graph.edges) {
    EXPECT_LT(edge.from, edge.to);
    EXPECT_EQ(edge.crosses, edge.from == 2) << "only relu1 hands over to another partition";
  }
}

TEST(PageFacts, AWholeModelPartitionTakesEveryNode) {
  Plan plan = testing::two_part_plan();
  plan.partitions.resize(1);
  plan.partitions[0].nodes.clear();
  const PlannerInput input = testing::two_part_input();
  EXPECT_THAT(page_facts(plan, &input, nullptr).partition_of_node, ElementsAre(0, 0, 0, 0));
}

TEST(PageFacts, EveryReplicaHasTheWholeModelAndTheFirstIsDrawn) {
  Plan plan = testing::two_part_plan();
  for (Partition& part : plan.partitions) part.nodes.clear();
  plan.schedule = "replicas";
  plan.partitions[1].replica = 1;
  const PlannerInput input = testing::two_part_input();
  const PageFacts facts = page_facts(plan, &input, nullptr);
  EXPECT_THAT(facts.partition_of_node, ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(partition_weight_bytes(facts, 0), 12'000U);
  EXPECT_EQ(partition_weight_bytes(facts, 1), 12'000U);
}

// A chain of `nodes` nodes; every `alternate` nodes the other partition takes over.
PlannerInput chain(size_t nodes, size_t alternate, Plan& plan) {
  plan = testing::two_part_plan();
  for (Partition& part : plan.partitions) part.nodes.clear();
  PlannerInput input = testing::two_part_input();
  input.verdicts.clear();
  input.model.nodes.clear();
  input.model.tensors = {testing::tensor_facts("x", 4, -1, {0})};
  for (size_t i = 0; i < nodes; ++i) {
    const auto id = static_cast<int32_t>(i);
    const std::string name = "n" + std::to_string(i);
    input.model.nodes.push_back(testing::node_facts(name, "Relu", 1, 0, 8));
    input.model.tensors.push_back(testing::tensor_facts(i + 1 == nodes ? "y" : "t" + std::to_string(i), 4, id, {}));
    if (i + 1 < nodes) input.model.tensors.back().consumers = {id + 1};
    plan.partitions[i / alternate % 2].nodes.push_back(name);
  }
  return input;
}

TEST(PageFacts, CollapsesRunsOfNodesWithinPartitionsAboveTheBound) {
  Plan plan;
  const PlannerInput input = chain(1000, 250, plan);
  const PageFacts facts = page_facts(plan, &input, nullptr, 100);
  EXPECT_TRUE(facts.graph.collapsed);
  EXPECT_LE(facts.graph.boxes.size(), 102U);  // and the caller's two
  size_t nodes = 0;
  for (const PageBox& box : facts.graph.boxes) {
    nodes += box.nodes.size();
    for (const int32_t node : box.nodes) EXPECT_EQ(facts.partition_of_node[static_cast<size_t>(node)], box.partition);
  }
  EXPECT_EQ(nodes, 1000U);
}

TEST(PageFacts, StaysBelowTheBoundWhenPartitionsAlternate) {
  Plan plan;
  const PlannerInput input = chain(1000, 1, plan);
  const PageFacts facts = page_facts(plan, &input, nullptr, 100);
  EXPECT_LE(facts.graph.boxes.size(), 102U);
  EXPECT_EQ(facts.graph.boxes[1].partition, -1) << "a box of several partitions has none";
}

TEST(PageFacts, ManyInputsAreOneBox) {
  Plan plan = testing::two_part_plan();
  PlannerInput input = testing::two_part_input();
  for (int i = 0; i < 40; ++i) {
    input.model.tensors.insert(input.model.tensors.begin(), testing::tensor_facts("cache" + std::to_string(i), 4, -1, {3}));
  }
  const PageGraph graph = page_facts(plan, &input, nullptr).graph;
  EXPECT_EQ(graph.boxes.size(), 6U);
  EXPECT_EQ(graph.boxes[0].tensors.size(), 41U);
}

TEST(PageFacts, FindsKernelsThatBearTheNameOfANode) {
  const Plan plan = testing::two_part_plan();
  const PlannerInput input = testing::two_part_input();
  const TraceLog log = testing::recorded_run({"conv1", "fused_3", "conv1"});
  EXPECT_THAT(page_facts(plan, &input, &log).kernel_ns, ElementsAre(200'000, 0, 0, 0));
}

TEST(LiveBytes, FreesATensorAfterItsLastReader) {
  const Plan plan = testing::two_part_plan();
  const PlannerInput input = testing::two_part_input();
  const PageFacts facts = page_facts(plan, &input, nullptr);
  EXPECT_THAT(live_bytes(facts, {0, 1, 2, 3}), ElementsAre(1200, 1600, 1600, 840));
  EXPECT_THAT(live_bytes(facts, facts.nodes_of_partition[1]), ElementsAre(1600, 840));
}

TEST(PartitionWeightBytes, CountsASharedWeightInEachPartition) {
  const Plan plan = testing::two_part_plan();
  PlannerInput input = testing::two_part_input();
  input.model.shared_weights = {{1000, {0, 1, 3}}};
  const PageFacts facts = page_facts(plan, &input, nullptr);
  EXPECT_EQ(partition_weight_bytes(facts, 0), 4000U);
  EXPECT_EQ(partition_weight_bytes(facts, 1), 9000U);
}

}  // namespace
}  // namespace axle
