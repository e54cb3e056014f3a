#include "spec/plan_json.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "spec/evidence_json.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

Plan example_plan() {
  Plan plan;
  plan.model_digest = "sha256:aa";
  plan.policy_digest = "sha256:bb";
  plan.machine_fingerprint = "sha256:cc";
  plan.judged_shapes = "input:f32[1,3,224,224]";
  Partition partition;
  partition.candidate = {"openvino", "cpu:0", "bf16", 2, "default"};
  partition.engine_version = "2026.4.1";
  partition.library_digest = "sha256:dd";
  partition.options = {{"num_streams", "1"}};
  partition.cpu_set = {0, 1};
  partition.expected_ns = 2'500'000;
  partition.expected_from_evidence = true;
  plan.partitions = {partition};
  Decision decision;
  decision.candidate = partition.candidate.format();
  decision.verdict = DecisionVerdict::kChosen;
  decision.code = "FASTEST";
  decision.reason = "fastest of 3";
  decision.evidence = EvidenceSummary{2'500'000, 3'000'000, 0, 400, 0.5, 0.75, ErrorFigures{}, 1'700'000'000, false};
  decision.nodes = {{"conv_1", "Conv", "UNSUPPORTED_OP", "no kernel"}};
  plan.decisions = {decision};
  plan.transfers = {{-1, 0, "input", 602112, "host", "host"}};
  plan.substitutions = {{"npu", "cpu:0", "fallback.resource", "no resource matches npu"}};
  plan.notes = {"a note"};
  plan.expected_ns = 2'500'000;
  return plan;
}

TEST(PlanJson, ReadsBackEqualAndCanonical) {
  const Plan plan = example_plan();
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, plan_to_json(plan));
  AXLE_ASSERT_OK_AND_ASSIGN(const Plan same, parse_plan(text));
  EXPECT_EQ(same, plan);
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string again, plan_to_json(same));
  EXPECT_EQ(again, text);
}

// Two replicas of two parts each, for two sets of sizes.
Plan cut_replicas_plan() {
  Plan plan = example_plan();
  plan.schedule = "replicas";
  plan.each = "pipeline";
  plan.transfers.clear();
  const Partition one = plan.partitions.front();
  plan.partitions.clear();
  for (const int64_t size : {4, 8}) {
    for (int32_t i = 0; i < 4; ++i) {
      Partition& part = plan.partitions.emplace_back(one);
      part.id = static_cast<int32_t>(plan.partitions.size()) - 1;
      part.replica = i / 2;
      part.axes = {{"batch", size}};
    }
  }
  return plan;
}

TEST(PlanJson, ReplicasOfSeveralPartsReadBack) {
  const Plan plan = cut_replicas_plan();
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, plan_to_json(plan));
  AXLE_ASSERT_OK_AND_ASSIGN(const Plan same, parse_plan(text));
  EXPECT_EQ(same, plan);
  Plan other = plan;
  other.each = "split";
  EXPECT_NE(other.digest(), plan.digest());
}

TEST(PlanJson, WhatIsNoScheduleOfReplicasIsRefused) {
  const auto read = [](const Plan& plan) { return parse_plan(plan_to_json(plan).value()); };
  Plan plan = cut_replicas_plan();
  plan.each = "single";
  EXPECT_THAT(read(plan), StatusIs(StatusCode::kInvalidArgument, "plan.each is \"single\""));
  plan = cut_replicas_plan();
  plan.schedule = "single";
  EXPECT_THAT(read(plan), StatusIs(StatusCode::kInvalidArgument, "plan.each is \"pipeline\""));
  plan = cut_replicas_plan();
  plan.partitions[2].replica = 2;
  EXPECT_THAT(read(plan), StatusIs(StatusCode::kInvalidArgument, "plan.partitions[2].replica is 2"));
  plan = cut_replicas_plan();
  plan.partitions[4].replica = plan.partitions[5].replica = 1;  // other sizes begin anew
  EXPECT_THAT(read(plan), StatusIs(StatusCode::kInvalidArgument, "plan.partitions[4].replica is 1"));
}

// Guards: plans written before replicas could be cut have no such key, and their digests must hold.
TEST(PlanJson, WhatEachReplicaIsStandsOnlyWhereItIsCut) {
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, plan_to_json(example_plan()));
  EXPECT_EQ(text.find("\"each\""), std::string::npos);
}

TEST(PlanJson, JoinedRequestsStandOnlyWhereThereAreSome) {
  Plan plan = example_plan();
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string alone, plan_to_json(plan));
  EXPECT_EQ(alone.find("\"batching\""), std::string::npos);
  const std::string digest = plan.digest();
  plan.batching = {8, 200'000, 2, "batch"};
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, plan_to_json(plan));
  AXLE_ASSERT_OK_AND_ASSIGN(const Plan same, parse_plan(text));
  EXPECT_EQ(same, plan);
  EXPECT_NE(plan.digest(), digest);
  Json json = plan_to_json_value(plan);
  json["batching"]["rows"] = 1;
  EXPECT_THAT(read_plan_json(json, "plan"), StatusIs(StatusCode::kInvalidArgument, "plan.batching.rows"));
}

TEST(PlanJson, DigestCoversWhatIsExecutedOnly) {
  const Plan plan = example_plan();
  Plan other = plan;
  other.decisions.clear();
  other.notes.clear();
  other.expected_ns = other.partitions[0].expected_ns = 7;
  EXPECT_EQ(other.digest(), plan.digest());
  other.partitions[0].candidate.threads = 1;
  EXPECT_NE(other.digest(), plan.digest());
}

TEST(PlanJson, RefusesAnEditedPlan) {
  AXLE_ASSERT_OK_AND_ASSIGN(std::string text, plan_to_json(example_plan()));
  const size_t at = text.find("\"bf16\"");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 6, "\"f16\"");
  EXPECT_THAT(parse_plan(text), StatusIs(StatusCode::kInvalidArgument, "changed after it was written"));
}

TEST(PlanJson, NamesTheUnknownKeyAndTheMissingOne) {
  Json json = plan_to_json_value(example_plan());
  json["partitions"][0]["cpu_sets"] = Json::array();
  EXPECT_THAT(read_plan_json(json, "plan"), StatusIs(StatusCode::kInvalidArgument, "did you mean \"cpu_set\""));
  json = plan_to_json_value(example_plan());
  json["partitions"][0].erase("spin");
  EXPECT_THAT(read_plan_json(json, "plan"),
              StatusIs(StatusCode::kInvalidArgument, "plan.partitions[0] lacks the key \"spin\""));
  json = plan_to_json_value(example_plan());
  json["partitions"] = Json::array();
  EXPECT_THAT(read_plan_json(json, "plan"), StatusIs(StatusCode::kInvalidArgument, "at least one"));
}

TEST(EvidenceJson, ReadsBackEqual) {
  EvidenceRow row;
  row.key = {"sha256:aa", "onnxruntime@cpu:0/f32/t2/default", "", "x:f32[1]", 1, "generated:0", "sha256:dd", "sha256:cc"};
  row.recorded_unix_s = 1'700'000'000;
  row.block_ns = {1000, 1100, 1050};
  row.runs = 300;
  row.p50_ns = 1050;
  row.error = ErrorFigures{1e-3, 2e-4, 0.9999, 1.0, 0, "onnxruntime@cpu:0/f32/t1/default", "y"};
  row.paired = {{"openvino@cpu:0/f32/t2/default", 1.25, 1.2, 1.3, 12}};
  row.peak_memory_bytes = 1 << 20;
  AXLE_ASSERT_OK_AND_ASSIGN(const EvidenceRow same, read_evidence_row(evidence_row_to_json(row), "row"));
  EXPECT_EQ(same, row);
}

TEST(EvidenceJson, RowsOfJoinedRequestsHaveAKeyOfTheirOwn) {
  EvidenceRow row;
  row.key.concurrency = 16;
  EXPECT_FALSE(evidence_row_to_json(row)["key"].contains("batch"));
  row.key.batch = 8;
  row.key.batch_wait_ns = 200'000;
  AXLE_ASSERT_OK_AND_ASSIGN(const EvidenceRow same, read_evidence_row(evidence_row_to_json(row), "row"));
  EXPECT_EQ(same, row);
}

TEST(EvidenceJson, RefusesNegativeTimes) {
  EvidenceRow row;
  row.block_ns = {-1};
  EXPECT_THAT(read_evidence_row(evidence_row_to_json(row), "row"), StatusIs(StatusCode::kInvalidArgument, "no time"));
  row.block_ns.clear();
  row.p95_ns = -5;
  EXPECT_THAT(read_evidence_row(evidence_row_to_json(row), "row"), StatusIs(StatusCode::kInvalidArgument, "row.p95_ns"));
}

}  // namespace
}  // namespace axle
